"""Somebody who does not read: closed with 4508, never skipped; nobody else is held up."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from sync.wire import encode_sync_step1, encode_sync_step2
from tests.interop.browser import Editor, Node, all_agree
from tests.interop.conftest import StartServer, open_editor
from tests.interop.raw import raw_peer
from tests.support.live_server import LiveServer

NARROW = {
    "FIELDCHART_SEND_QUEUE_BYTES": "2097152",
    "FIELDCHART_CLOSE_SECONDS": "2",
    "FIELDCHART_MAX_RECORD_BYTES": "268435456",
}
PARAGRAPH = "Slowly. " * 64_000
"""512 kB: a few dozen of them fill whatever the kernel holds for a socket."""


async def write_much(editor: Editor, enough: Callable[[], Any]) -> None:
    """Write and delete paragraphs until `enough`, which is counted only once the socket let go."""
    for _ in range(60):
        await editor.edit(["insert", "assessment.notes", 0, PARAGRAPH])
        await editor.edit(["remove", "assessment.notes", 0, len(PARAGRAPH)])
        if await enough():
            return
    async with asyncio.timeout(20):
        while not await enough():  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.1)


def closed_with(server: LiveServer, code: int) -> Callable[[], Any]:
    async def look() -> bool:
        text = await asyncio.to_thread(lambda: server.request("GET", "/metrics", "admin").text)
        return any(f'code="{code}"' in line for line in text.splitlines() if "closed" in line)

    return look


async def test_a_peer_that_reads_nothing_is_closed_with_4508_and_leaves_the_record(
    start_server: StartServer, node: Node
) -> None:
    server = start_server(NARROW)
    record = server.new_record()
    nurse = await open_editor(server, node, "nurse", record)
    officer = await open_editor(server, node, "clinical_officer", record)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    slow.connect(("127.0.0.1", server.port))
    async with raw_peer(
        server.websocket_url, record, server.token("cashier"), sock=slow, max_queue=1
    ) as peer:
        await peer.send(encode_sync_step1({}))
        await peer.send(encode_sync_step2(b"\x00\x00"))

        await write_much(nurse, closed_with(server, 4508))
        await nurse.edit(["set", "vitals", "pulse", 66])
        await officer.until_field("vitals.pulse", 66)

        assert (await peer.closed())[0] == 4508
    for editor in (nurse, officer):
        assert (await editor.show())["closes"] == []


async def test_a_stopped_editor_is_let_go_and_comes_back_complete(
    start_server: StartServer, node: Node
) -> None:
    server = start_server(NARROW)
    record = server.new_record()
    nurse = await open_editor(server, node, "nurse", record)
    async with Node() as other:
        officer = await open_editor(server, other, "clinical_officer", record)
        client = str((await officer.show())["clientId"])
        await officer.do("present", state={"page": "plan"})
        await nurse.until("sees the officer", lambda shown: client in shown["states"])
        other.stop()
        await write_much(nurse, closed_with(server, 4508))
        await nurse.until(
            "sees the officer gone", lambda shown: client not in shown["states"], within_s=5
        )
        await nurse.edit(["insert", "assessment.notes", 0, "Done."])

        other.go_on()

        await officer.until_text("assessment.notes", "Done.")
        await all_agree(nurse, officer, roots=("assessment.notes",))
        closes = (await officer.show())["closes"]
        assert [code for code, _ in closes] == [4508]
