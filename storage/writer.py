"""The one writer: a thread that stores what has gathered in one transaction, again and again.

What is submitted while a transaction commits forms the next one (group commit), so that an fsync is
shared by everybody who waits. An answer means: it is on disk. Cancelling who waits does not cancel
the write. The queue is bounded; beyond its bound a caller is told at once.

The loop and the thread meet twice per group: what is submitted within the window is handed over
together, and one callback wakes all who wait. Each further wake-up of the thread would take the
interpreter from the loop.

Beside a loop that never rests the thread must win the interpreter lock for every statement. With
CPython's switch interval of 5 ms and callbacks just shorter than it, appends were seen to wait
15 s; with `sys.setswitchinterval(0.0005)`, which the server should set, 80 ms.
"""

import asyncio
import collections
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine

from storage.engine import StoreSettings
from storage.errors import StoreUnavailable
from storage.transaction import (
    Append,
    Call,
    GroupStore,
    Operation,
    prepare,
    prepare_announced,
    prepare_entries,
)
from sync.effects import Announcement, AuditEntry, Commit

__all__ = ["Writer"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiting:
    """An operation and who waits for it."""

    operation: Operation
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"


class Writer:
    """Owns the writing engine and its thread. All methods are called on one event loop."""

    def __init__(self, engine: Engine, settings: StoreSettings) -> None:
        self._store = GroupStore(engine)
        self._settings = settings
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._turn: list[_Waiting] = []
        self._waiting = 0
        self._is_soon = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fieldchart-writer", daemon=True)
        self._thread.start()

    async def append(self, commit: Commit, *, creates: bool = False) -> None:
        """Store one commit, all of it or nothing.

        Raises RecordNotFound, RecordExists, VersionConflict, StoreCorrupt, StoreUnavailable.
        """
        await self._done(prepare(commit, creates=creates), soon=True)

    async def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Store audit entries that belong to no commit. Raises StoreUnavailable, StoreCorrupt."""
        if entries:
            await self._done(Append(entries=prepare_entries(entries)))

    async def append_announcements(self, announcements: Sequence[Announcement]) -> None:
        """Store announcements of no commit. Raises StoreUnavailable, StoreCorrupt."""
        if announcements:
            await self._done(Append(announced=prepare_announced(announcements)))

    async def call(self, run: Callable[[Connection], T], entries: Sequence[AuditEntry] = ()) -> T:
        """Run `run` on the writing connection, in a savepoint of the group's transaction.

        It may run twice (when the group is rolled back), so it must have no other effect. entries:
        are stored in the same transaction, where `run` succeeds.
        """
        result: T | None = None

        def kept(connection: Connection) -> None:
            nonlocal result
            result = run(connection)

        await self._done(Call(run=kept, entries=prepare_entries(entries)))
        return result  # type: ignore[return-value]  # set: an operation without error has run

    async def close(self) -> None:
        """Store what was submitted, then end the thread. Idempotent."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _done(self, operation: Operation, *, soon: bool = False) -> "asyncio.Future[None]":
        if self._closed:
            raise StoreUnavailable("it is closed")
        if self._waiting >= self._settings.max_queued:
            raise StoreUnavailable("too many operations are waiting")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if soon and not self._is_soon:
            self._is_soon = True
            loop.call_soon(self._hand_over)
        elif not self._turn:
            loop.call_later(self._settings.window_ms / 1000, self._hand_over)
        self._turn.append(_Waiting(operation, loop, future))
        self._waiting += 1
        if len(self._turn) >= self._settings.max_group:
            self._hand_over()
        return future

    def _hand_over(self) -> None:
        """Give the thread what was submitted since the last time."""
        self._is_soon = False
        if self._turn:
            turn, self._turn = self._turn, []
            self._queue.put(turn)

    def _resolve(self, group: Sequence[_Waiting]) -> None:
        """Answer a group, on the loop."""
        self._waiting -= len(group)
        for waiting in group:
            if waiting.future.done():
                continue  # who waited was cancelled; the write was not
            if waiting.operation.error is None:
                waiting.future.set_result(None)
            else:
                waiting.future.set_exception(waiting.operation.error)

    def _run(self) -> None:
        idle_s: float | None = None
        queued: collections.deque[_Waiting] = collections.deque()
        last = False
        try:
            while queued or not last:
                try:
                    last = self._gather(queued, idle_s) or last
                except queue.Empty:
                    self._store.checkpoint()
                    idle_s = None
                    continue
                size = min(len(queued), self._settings.max_group)
                group = [queued.popleft() for _ in range(size)]
                self._store.store([waiting.operation for waiting in group])
                self._deliver(group)
                idle_s = self._settings.checkpoint_idle_s
        finally:
            self._closed = True
            self._store.close()
            self._refuse_rest(queued)

    def _gather(self, queued: collections.deque[_Waiting], idle_s: float | None) -> bool:
        """Take over what was handed in, waiting for something; True at the end of everything.

        Raises queue.Empty when `idle_s` pass without anything.
        """
        if not queued:
            turn = self._queue.get(timeout=idle_s)
            if turn is None:
                return True
            queued.extend(turn)
        with contextlib.suppress(queue.Empty):
            while len(queued) < self._settings.max_group:
                turn = self._queue.get_nowait()
                if turn is None:
                    return True
                queued.extend(turn)
        return False

    def _refuse_rest(self, queued: collections.deque[_Waiting]) -> None:
        """Answer what nobody will store; there is something only if the thread broke."""
        with contextlib.suppress(queue.Empty):
            while True:
                queued.extend(self._queue.get_nowait() or ())
        for waiting in queued:
            waiting.operation.error = StoreUnavailable("it is closed")
        self._deliver(list(queued))

    def _deliver(self, group: Sequence[_Waiting]) -> None:
        """Wake the loop once. If it is closed nobody waits, and what is stored stays stored."""
        if group:
            with contextlib.suppress(RuntimeError):
                group[0].loop.call_soon_threadsafe(self._resolve, group)
