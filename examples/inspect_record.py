"""Read a record over REST: what it holds, and what was refused on it.

python examples/inspect_record.py                 # the open records
python examples/inspect_record.py --record OPD-000002
"""

from fieldchart_client import Client, arguments


def main() -> None:
    options = arguments(__doc__.splitlines()[0], user="supervisor").parse_args()
    client = Client(options.url, options.user, options.password)
    if not options.record:
        for item in client.get("/api/records", status="open")["items"]:
            print(
                f"{item['number']:12} {item['profile']:14} {item['current_step']:14} {item['id']}"
            )
        return
    record = client.get(f"/api/records/{options.record}")
    print(f"{record['number']}, {record['status']} at {record['current_step']},"
          f" version {record['version']}")  # fmt: skip
    for section, fields in record["fields"].items():
        for name, value in fields.items():
            mark = "  (disputed)" if f"{section}.{name}" in record["disputed"] else ""
            print(f"  {section}.{name} = {value!r}{mark}")
    for name, text in record["texts"].items():
        print(f"  {name}: {text}")
    for refusal in client.get(f"/api/records/{options.record}/refusals")["items"]:
        print(f"  refused: {refusal['field']} = {refusal['value']!r}: {refusal['reason']}")


main()
