"""A refusal and the healing, byte for byte: a nurse writes the pulse and a diagnosis in one frame.

    python examples/forbidden_edit.py

It speaks plain y-protocols by hand, as an unmodified Yjs editor does, and prints every frame.
"""

import asyncio
from typing import Any

import pycrdt
from fieldchart_client import AUTH, AWARENESS, SYNC, Client, arguments, plain

ENTRY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
STEP1, STEP2, UPDATE = 0, 1, 2


def show(doc: "pycrdt.Doc[Any]", who: str) -> None:
    vitals, diagnosis = (dict(doc.get(n, type=pycrdt.Map)) for n in ("vitals", "diagnosis"))
    print(f"   {who} sees pulse {plain(vitals.get('pulse'))!r}, diagnosis {diagnosis.get(ENTRY)!r}")


async def until_synced(socket: Any, doc: "pycrdt.Doc[Any]") -> None:
    """Exchange both sync steps."""
    await socket.send(pycrdt.create_sync_message(doc))
    async for frame in socket:
        if frame[0] == SYNC:
            reply = pycrdt.handle_sync_message(frame[1:], doc)
            if reply is not None:
                await socket.send(reply)
            if frame[1] == STEP2:
                return


async def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    nurse = Client(options.url, options.user, options.password)
    colleague = Client(options.url, "clinical_officer", options.password)
    record = nurse.pick_record(options.record)
    editor: pycrdt.Doc[Any] = pycrdt.Doc()
    watcher: pycrdt.Doc[Any] = pycrdt.Doc()
    async with (
        nurse.open(record, "yjs") as socket,
        colleague.open(record, "yjs") as watching,
    ):
        await until_synced(socket, editor)
        await until_synced(watching, watcher)
        print("1. Before:")
        show(editor, "the nurse")

        before = editor.get_state()
        with editor.transaction():
            editor.get("vitals", type=pycrdt.Map)["pulse"] = 91
            editor.get("diagnosis", type=pycrdt.Map)[ENTRY] = {"text": "Malaria"}
        frame = pycrdt.create_update_message(editor.get_update(before))
        print(f"2. The nurse's editor writes both and sends one frame of {len(frame)} bytes:")
        print(f"   {frame.hex(' ')}")
        show(editor, "the nurse")
        await socket.send(frame)

        print("3. The server answers:")
        async for answer in socket:
            if answer[0] == AUTH:
                decoder = pycrdt.Decoder(answer[2:])
                print(f"   why (message 2, auth): {decoder.read_var_string()}")
            elif answer[:2] == bytes([SYNC, UPDATE]):
                print(f"   healing (an ordinary update of {len(answer)} bytes): {answer.hex(' ')}")
                pycrdt.handle_sync_message(answer[1:], editor)
                break
        show(editor, "the nurse")

        print("4. Her colleague gets the same update, without the refused value in it:")
        async for answer in watching:
            if answer[:2] == bytes([SYNC, UPDATE]):
                print(f"   the word Malaria is in her frame: {b'Malaria' in frame},"
                      f" in what he got: {b'Malaria' in answer}")  # fmt: skip
                pycrdt.handle_sync_message(answer[1:], watcher)
                break
            assert answer[0] in (SYNC, AWARENESS)
        show(watcher, "the colleague")

    print("5. What she wrote is not lost; it waits for somebody entitled:")
    for refusal in nurse.get(f"/api/records/{record}/refusals")["items"][-1:]:
        print(
            f"   {refusal['field']} = {refusal['value']} ({refusal['rule']}: {refusal['reason']})"
        )


asyncio.run(main())
