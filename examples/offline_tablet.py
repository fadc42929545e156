"""A tablet that works offline from a local file and syncs when it can.

    python examples/offline_tablet.py fetch --record OPD-000002
    python examples/offline_tablet.py write vitals.pulse 88       # no server needed from here on
    python examples/offline_tablet.py write vitals.spo2 97
    python examples/offline_tablet.py show
    python examples/offline_tablet.py sync

Each command is a process of its own: everything between them is in `--file` (default tablet.json).
It speaks `fieldchart.v1`: a journal says when each edit was written, so that a late delivery does
not win over an edit that was made after it, and the server says what is saved and what refused.
"""

import argparse
import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pycrdt
from fieldchart_client import (
    REFUSED,
    SAVED,
    SYNC,
    Client,
    arguments,
    clocks,
    journal_frame,
    plain,
    read_refused,
    read_saved,
)

STEP1, STEP2 = 0, 1


class Tablet:
    """The record's document and the journal of what the server has not yet confirmed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.record = ""
        self.journal: list[list[Any]] = []
        if file.exists():
            stored = json.loads(file.read_text())
            self.record, self.journal = stored["record"], stored["journal"]
            self.doc.apply_update(base64.b64decode(stored["update"]))

    def save(self) -> None:
        """Write the file anew, whole or not at all."""
        update = base64.b64encode(self.doc.get_update()).decode()
        stored = {"record": self.record, "journal": self.journal, "update": update}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(stored))
        fresh.replace(self._file)

    def write(self, field: str, value: Any) -> None:
        """Set one field now, and note when."""
        section, key = field.split(".", 1)
        client = self.doc.client_id
        before = clocks(self.doc).get(client, 0)
        self.doc.get(section, type=pycrdt.Map)[key] = value
        written_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.journal.append([client, before, clocks(self.doc)[client], written_at])
        self.save()

    async def sync(self, client: Client) -> None:
        """Deliver what is unsaved, take in what others did, and print what became of it."""
        saved = None
        async with client.open(self.record, "fieldchart.v1") as socket:
            await socket.send(pycrdt.create_sync_message(self.doc))
            async for frame in socket:
                if frame[:2] == bytes([SYNC, STEP1]):
                    if self.journal:
                        rows = [[*row, client.login_id, ""] for row in self.journal]
                        await socket.send(journal_frame(rows))
                    await socket.send(pycrdt.handle_sync_message(frame[1:], self.doc) or b"")
                elif frame[0] == SYNC:
                    pycrdt.handle_sync_message(frame[1:], self.doc)
                    if saved is not None and frame[1] == STEP2:
                        break
                elif frame[0] == REFUSED:
                    for refused in read_refused(frame)["fields"]:
                        print(f"refused {refused['field']} = {refused['value']!r}:"
                              f" {refused['reason']}")  # fmt: skip
                elif frame[0] == SAVED and saved is None:
                    # The backlog is the first message that carries an update: count 1 means saved.
                    # What was refused of it is healed by what follows, so ask once more.
                    saved = read_saved(frame)
                    await socket.send(pycrdt.create_sync_message(self.doc))
        assert saved is not None, "the connection was lost; everything is still on the tablet"
        print(f"saved: {len(self.journal)} edits; the record stands at version {saved[1]}")
        self.journal = []
        self.save()


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__.splitlines()[0])
    options.add_argument("--file", type=Path, default=Path("tablet.json"))
    commands = options.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="get a record onto the tablet")
    commands.add_parser("sync", help="deliver and fetch")
    commands.add_parser("show", help="what the tablet holds")
    write = commands.add_parser("write", help="write a field, offline")
    write.add_argument("field")
    write.add_argument("value", help="JSON, or plain text")
    return options


def as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    options = parser().parse_args()
    tablet = Tablet(options.file)
    if options.command == "write":
        tablet.write(options.field, as_json(options.value))
        print(f"written on the tablet: {options.field}; {len(tablet.journal)} edits wait")
    elif options.command == "show":
        for section in ("vitals", "triage", "diagnosis"):
            for key, value in dict(tablet.doc.get(section, type=pycrdt.Map)).items():
                print(f"{section}.{key} = {plain(value)!r}")
    else:
        client = Client(options.url, options.user, options.password)
        if options.command == "fetch":
            tablet.record = client.pick_record(options.record)
        asyncio.run(tablet.sync(client))


main()
