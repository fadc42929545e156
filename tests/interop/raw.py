"""A raw WebSocket peer: frames by hand, for what no well-behaved editor sends or receives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pycrdt
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sync.bounds import Bounds
from sync.messages import Message, SyncStep1, SyncStep2
from sync.update_encode import encode_state_vector
from sync.wire import decode_message, encode_sync_step1, encode_sync_step2, encode_update_message
from tests.support.patience import PATIENCE_S

BOUNDS = Bounds()


class RawPeer:
    """One accepted socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.subprotocol = socket.subprotocol

    async def send(self, frame: bytes) -> None:
        await self.socket.send(frame)

    async def next(self, kind: type[Any], holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next message of this kind (and condition); others are skipped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await self.any()
                if isinstance(message, kind) and holds(message):
                    return message

    async def any(self) -> Message:
        frame = await self.socket.recv()
        assert isinstance(frame, bytes)
        return decode_message(frame, BOUNDS)

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close; whatever comes before it is read away."""
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ConnectionClosed) as closing:
                await self._read_for_ever()
        told = closing.value.rcvd
        assert told is not None, "closed without a close frame"
        return told.code, told.reason

    async def _read_for_ever(self) -> None:
        while True:
            await self.socket.recv()


class ExtensionPeer(RawPeer):
    """A pycrdt document that speaks `fieldchart.v1` by hand, in the order a test wants."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()

    async def join(self) -> None:
        """Exchange both sync steps, as every provider does, and take in what the server has."""
        asked = await self.next(SyncStep1)
        await self.send(encode_sync_step1({}))
        update = self.doc.get_update(encode_state_vector(asked.state_vector))
        await self.send(encode_sync_step2(update))
        answer = await self.next(SyncStep2)
        self.doc.apply_update(answer.update)

    def write(self, change: Callable[[pycrdt.Doc[Any]], None]) -> bytes:
        """The update of one local change."""
        updates: list[bytes] = []
        watching = self.doc.observe(lambda event: updates.append(event.update))
        with self.doc.transaction():
            change(self.doc)
        self.doc.unobserve(watching)
        (update,) = updates
        return update

    async def send_update(self, update: bytes) -> None:
        await self.send(encode_update_message(update))


@asynccontextmanager
async def raw_peer(
    url: str, record: str, token: str | None, *, protocol: str = "yjs",
    kind: type[RawPeer] = RawPeer, **options: Any,
) -> AsyncIterator[Any]:  # fmt: skip
    """A socket on a record, not yet synced."""
    protocols = [protocol] if token is None else [protocol, f"bearer.{token}"]
    async with connect(
        f"{url}/sync/{record}", subprotocols=protocols, compression=None, max_size=None, **options
    ) as socket:  # type: ignore[arg-type]
        yield kind(socket)
