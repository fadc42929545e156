"""A room's one inbox: what arrives, in the order of its arrival, bounded in frames and bytes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from server.sockets.connection import Peer
from sync.messages import LockRequest
from sync.wire import JournalEntry

__all__ = ["Arrived", "Ask", "Inbox", "Item", "Later", "LockAsked", "SyncAsked"]

T = TypeVar("T")


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """An update of a peer: its bytes as they came, not yet decoded.

    answer: it came as a SyncStep2. sent_version: what had been sent to the peer when it arrived, so
    what its author may have seen. journal: what its sender says of it, not yet believed.
    """

    peer: Peer
    update: bytes
    answer: bool
    received_at: datetime
    sent_version: int = 0
    journal: tuple[JournalEntry, ...] = ()


class SyncAsked(msgspec.Struct, frozen=True):
    """A peer's SyncStep1."""

    peer: Peer
    state_vector: dict[int, int]


class LockAsked(msgspec.Struct, frozen=True):
    """A peer wants, renews or releases a field's lock."""

    peer: Peer
    request: LockRequest


class Ask(msgspec.Struct, frozen=True):
    """Work of the server's own on the room: REST edits and reads.

    work: gets the turn's Batch. answer: set once all that it proposed is durable.
    """

    work: Callable[[Any], Awaitable[Any]]
    answer: "asyncio.Future[Any]"


class Later(msgspec.Struct, Generic[T], frozen=True):
    """An answer to be made when everything that follows from the turn has been written too.

    Versions and views made before that would be old before the asker has them.
    """

    make: Callable[[], T]


Item: TypeAlias = Arrived | SyncAsked | LockAsked | Ask


class Inbox:
    """Senders wait while it is over its bounds; the room's task takes batches."""

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._items: list[Item] = []
        self._bytes = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._filled: asyncio.Future[None] | None = None
        self._drained: list[asyncio.Future[None]] = []
        self._woken = False
        self.overflows = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> "asyncio.Future[None] | None":
        """Add an item; a sender that is given a future waits for it before it sends more."""
        self._items.append(item)
        if type(item) is Arrived:
            self._bytes += len(item.update)
        self.wake()
        if len(self._items) <= self._max_frames and self._bytes <= self._max_bytes:
            return None
        self.overflows += 1
        turn = asyncio.get_running_loop().create_future()
        self._drained.append(turn)
        return turn

    async def put(self, item: Item) -> None:
        """Add an item, and wait while the inbox is over its bounds."""
        turn = self.add(item)
        if turn is not None:
            await turn

    def wake(self) -> None:
        """Let the room's task look, e.g. because the room is to close; before it waits, too."""
        self._woken = True
        if self._filled is not None and not self._filled.done():
            self._filled.set_result(None)

    async def take(self, most: int) -> list[Item]:
        """What has arrived, at most `most` items; empty after a bare `wake`."""
        if not self._items and not self._woken:
            self._filled = asyncio.get_running_loop().create_future()
            await self._filled
            self._filled = None
        self._woken = False
        taken, self._items = self._items[:most], self._items[most:]
        for item in taken:
            if type(item) is Arrived:
                self._bytes -= len(item.update)
        self._let_senders_go_on()
        return taken

    def empty(self) -> list[Item]:
        """Everything that waits, for a room that takes no more."""
        taken, self._items = self._items, []
        self._bytes = 0
        self._let_senders_go_on()
        return taken

    def _let_senders_go_on(self) -> None:
        drained, self._drained = self._drained, []
        for turn in drained:
            if not turn.done():
                turn.set_result(None)
