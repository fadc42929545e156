"""`kill -9` under load, again and again: whatever anybody was shown is there afterwards (I6, L6).

FIELDCHART_KILL_ROUNDS says how often (default 2).
"""

import asyncio
import os
import random
from typing import Any

import pycrdt
from websockets.exceptions import WebSocketException

from sync.messages import Saved, SyncStep2, UpdateMessage
from tests.interop.conftest import StartServer
from tests.interop.raw import ExtensionPeer, raw_peer
from tests.support.live_server import LiveServer

ROUNDS = int(os.environ.get("FIELDCHART_KILL_ROUNDS", "2"))
NARRATIVE = {"nurse": "assessment.notes", "clinical_officer": "diagnosis.plan"}


class Writer:
    """Types marks into a narrative as fast as it may, and keeps which of them were saved."""

    def __init__(self, number: int, record: str, role: str) -> None:
        self.record = record
        self.role = role
        self.root = NARRATIVE[role]
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.sent: list[str] = []
        self.saved = 0
        self._number = number

    async def run(self, server: LiveServer, round_: int) -> None:
        """Until the server is gone. Its document goes on from round to round."""
        self.sent, self.saved = [], 0
        try:
            async with raw_peer(
                server.websocket_url, self.record, server.token(self.role),
                protocol="fieldchart.v1", kind=ExtensionPeer,
            ) as peer:  # fmt: skip
                peer.doc = self.doc
                await peer.join()
                await asyncio.gather(self._write(peer, round_), self._read(peer))
        except (WebSocketException, OSError):
            return

    async def _write(self, peer: ExtensionPeer, round_: int) -> None:
        text = self.doc.get(self.root, type=pycrdt.Text)
        for count in range(10_000):
            mark = f"[{round_}.{self._number}.{count}]"
            update = peer.write(lambda _, mark=mark: text.insert(len(str(text)), mark))
            self.sent.append(mark)
            await peer.send_update(update)
            await asyncio.sleep(0.004)  # below 200 a second, where the server would slow it down

    async def _read(self, peer: ExtensionPeer) -> None:
        while True:
            message = await peer.any()
            if isinstance(message, Saved):
                self.saved = message.count - 1  # the first was the answer to the server's question
            elif isinstance(message, UpdateMessage | SyncStep2):
                self.doc.apply_update(message.update)


class Watcher:
    """Reads along, and so was shown what it holds."""

    def __init__(self, record: str) -> None:
        self.record = record
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()

    async def run(self, server: LiveServer) -> None:
        self.doc = pycrdt.Doc()
        try:
            async with raw_peer(
                server.websocket_url, self.record, server.token("supervisor"), kind=ExtensionPeer
            ) as peer:
                peer.doc = self.doc
                await peer.join()
                while True:
                    message = await peer.any()
                    if isinstance(message, UpdateMessage):
                        self.doc.apply_update(message.update)
        except (WebSocketException, OSError):
            return

    def text(self, root: str) -> str:
        return str(self.doc.get(root, type=pycrdt.Text))


async def test_whatever_was_acknowledged_or_delivered_survives_kill_nine(
    start_server: StartServer,
) -> None:
    server = start_server()
    records = [server.new_record() for _ in range(2)]
    writers = [
        Writer(number, record, role)
        for number, (record, role) in enumerate(
            (record, role) for record in records for role in NARRATIVE
        )
    ]
    watchers = [Watcher(record) for record in records]
    dice = random.Random(7)
    acknowledged: dict[tuple[str, str], list[str]] = {}

    for round_ in range(ROUNDS):
        tasks = [asyncio.create_task(writer.run(server, round_)) for writer in writers]
        tasks += [asyncio.create_task(watcher.run(server)) for watcher in watchers]
        await _until_all_saved_some(writers, tasks)
        await asyncio.sleep(dice.random() * 0.3)  # at any moment
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*tasks)
        for writer in writers:
            marks = acknowledged.setdefault((writer.record, writer.root), [])
            marks.extend(writer.sent[: writer.saved])
        await asyncio.to_thread(server.start)

        for record, watcher in zip(records, watchers, strict=True):
            texts = server.record(record)["texts"]
            for root in NARRATIVE.values():
                stored = texts.get(root, "")
                assert [m for m in acknowledged[record, root] if m not in stored] == []
                delivered = watcher.text(root).replace("]", "]\n").split("\n")
                assert [m for m in delivered if m not in stored] == []

    assert all(len(marks) > ROUNDS for marks in acknowledged.values())


async def _until_all_saved_some(writers: list[Writer], tasks: list[asyncio.Task[None]]) -> None:
    async with asyncio.timeout(30):
        while not all(writer.saved > 5 for writer in writers):
            for task in tasks:
                if task.done():
                    task.result()
                    raise AssertionError("a client left before the server was killed")
            await asyncio.sleep(0.01)
