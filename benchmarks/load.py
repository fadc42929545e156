"""The load generator: many Yjs clients in one process, cheaper per message than any server here.

A client connects, syncs and then only sends prepared frames and looks for marks in what it
receives. It keeps no document. Latencies are from the moment of sending to the moment of reception.
"""

import asyncio
import time
from array import array
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.edits import MARK, ClientEdits, awareness_frame, varuint
from benchmarks.servers import Target

__all__ = ["Board", "Client", "Disconnected", "connect", "settle"]

BINARY = WSMsgType.BINARY
SYNC_SECONDS = 60.0
AWARENESS = 1


class Disconnected(Exception):
    """A client was cut off; the message holds the close code."""


class Board:
    """Where clients note what they receive. Numbers of edits index `sent_at`."""

    def __init__(self) -> None:
        self.sent_at = array("d")
        self.latencies_s = array("d")
        self.deliveries = 0
        self.frames = 0
        self.bytes = 0
        self.closed: list[str] = []

    def next_number(self) -> int:
        self.sent_at.append(0.0)
        return len(self.sent_at) - 1

    def clear(self) -> None:
        """Forget what was received; edits keep their numbers."""
        self.latencies_s = array("d")
        self.deliveries = self.frames = self.bytes = 0


class Client(WSListener):  # type: ignore[misc]
    """One connection of one Yjs client."""

    def __init__(
        self,
        target: Target,
        record: str,
        number: int,
        client_id: int,
        board: Board,
        field: tuple[str, str] | None,
        *,
        measures: bool,
    ) -> None:
        self.target = target
        self.record = record
        self.number = number
        self.client_id = client_id
        self.edits = ClientEdits(client_id, field)
        self.synced: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.measures = measures
        self.wanted = b""
        self.found = asyncio.Event()
        self.closing = False
        self.relays = False
        self._board = board
        self._transport: WSTransport | None = None
        self._name = b""
        if target.dialect == "hocuspocus":
            name = record.encode()
            self._name = varuint(len(name)) + name

    def frame(self, update: bytes) -> bytes:
        """The message that carries an update."""
        return self._name + b"\x00\x02" + varuint(len(update)) + update

    def send(self, frame: bytes) -> None:
        assert self._transport is not None
        self._transport.send(BINARY, frame)

    async def close(self) -> None:
        if self._transport is not None:
            self.closing = True
            self._transport.send_close(1000)
            self._transport.disconnect()

    # -- WSListener --------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._name:
            token = b"benchmark"
            self.send(self._name + b"\x02\x00" + varuint(len(token)) + token)
        self.send(self._name + b"\x00\x00\x01\x00")
        if not self._name:
            self.send(awareness_frame(self.client_id))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.closing:
            self._note_cut("connection lost")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != BINARY:
            if frame.msg_type == WSMsgType.CLOSE and not self.closing:
                self._note_cut(f"{frame.get_close_code()} {frame.get_close_message()!r}")
                transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        board = self._board
        board.frames += 1
        board.bytes += len(payload)
        if self.wanted and self.wanted in payload:
            self.found.set()
        if not self.synced.done():
            self._take_first(payload)
            return
        if self.relays and payload[0] == AWARENESS:
            transport.send(BINARY, payload)  # as y-websocket does with every change it hears of
            return
        if self.measures:
            found = MARK.findall(payload)
            if found:
                now = time.perf_counter()
                sent_at, add = board.sent_at, board.latencies_s.append
                for mark in found:
                    add(now - sent_at[int(mark, 36)])
                board.deliveries += len(found)

    def _take_first(self, payload: bytes) -> None:
        """Until synced: answer SyncStep1, wait for SyncStep2."""
        kind = payload[len(self._name) : len(self._name) + 2]
        if kind in (b"\x00\x00", b"\x04\x00"):
            self.send(self._name + b"\x00\x01\x02\x00\x00")
        elif kind in (b"\x00\x01", b"\x04\x01"):
            self.synced.set_result(len(payload))

    def _note_cut(self, why: str) -> None:
        self.closing = True
        self._board.closed.append(why)
        if not self.synced.done():
            self.synced.set_exception(Disconnected(why))


async def connect(
    target: Target,
    record: str,
    number: int,
    client_id: int,
    board: Board,
    field: tuple[str, str] | None = None,
    *,
    measures: bool = True,
    wanted: bytes = b"",
) -> Client:
    """A connected and synced client, which has received `wanted`. Raises Disconnected."""
    headers: dict[str, Any] = {}
    token = target.token(number)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    client = Client(target, record, number, client_id, board, field, measures=measures)
    client.wanted = wanted
    await ws_connect(
        lambda: client,
        target.url(record),
        extra_headers=headers,
        websocket_handshake_timeout=SYNC_SECONDS,
    )
    async with asyncio.timeout(SYNC_SECONDS):
        await client.synced
        if wanted:
            await client.found.wait()
    return client


async def settle(board: Board, expected: int, patience_s: float = 5.0) -> bool:
    """Wait until `expected` deliveries are in; False when none comes for `patience_s`."""
    last, since = board.deliveries, time.monotonic()
    while board.deliveries < expected:
        await asyncio.sleep(0.005)
        if board.deliveries != last:
            last, since = board.deliveries, time.monotonic()
        elif time.monotonic() - since > patience_s:
            return False
    return True
