"""The one writer: a thread that stores what has gathered in one transaction, again and again.

What is submitted while a transaction commits forms the next one (group commit), so that an fsync is
shared by everybody who waits. An answer means: it is on disk. Cancelling who waits does not cancel
the write. The queue is bounded; beyond its bound a caller is told at once.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine

from storage.engine import StoreSettings
from storage.errors import StoreUnavailable
from storage.transaction import Append, Call, GroupStore, Operation, prepare, prepare_entries
from sync.effects import AuditEntry, Commit

__all__ = ["Writer"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiting:
    """An operation and who waits for it."""

    operation: Operation
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"


class Writer:
    """Owns the writing engine and its thread. All methods are called on an event loop."""

    def __init__(self, engine: Engine, settings: StoreSettings) -> None:
        self._store = GroupStore(engine)
        self._settings = settings
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fieldchart-writer", daemon=True)
        self._thread.start()

    async def append(self, commit: Commit, *, creates: bool = False) -> None:
        """Store one commit, all of it or nothing.

        Raises RecordNotFound, RecordExists, VersionConflict, StoreCorrupt, StoreUnavailable.
        """
        await self._done(prepare(commit, creates=creates))

    async def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Store audit entries that belong to no commit. Raises StoreUnavailable, StoreCorrupt."""
        if entries:
            await self._done(Append(entries=prepare_entries(entries)))

    async def call(self, run: Callable[[Connection], T]) -> T:
        """Run `run` on the writing connection, in a savepoint of the group's transaction.

        It may run twice (when the group is rolled back), so it must have no other effect.
        """
        result: T | None = None

        def kept(connection: Connection) -> None:
            nonlocal result
            result = run(connection)

        await self._done(Call(run=kept))
        return result  # type: ignore[return-value]  # set: an operation without error has run

    async def close(self) -> None:
        """Store what was submitted, then end the thread. Idempotent."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _done(self, operation: Operation) -> "asyncio.Future[None]":
        if self._closed:
            raise StoreUnavailable("it is closed")
        if self._queue.qsize() >= self._settings.max_queued:
            raise StoreUnavailable("too many operations are waiting")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Waiting(operation, loop, future))
        return future

    def _run(self) -> None:
        idle_s: float | None = None
        last = False
        try:
            while not last:
                try:
                    first = self._queue.get(timeout=idle_s)
                except queue.Empty:
                    self._store.checkpoint()
                    idle_s = None
                    continue
                group, last = self._gather(first)
                if group:
                    self._store.store([waiting.operation for waiting in group])
                    _deliver(group)
                    idle_s = self._settings.checkpoint_idle_s
        finally:
            self._closed = True
            self._store.close()
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        """Answer what came after the end; there is something only if the thread broke."""
        with contextlib.suppress(queue.Empty):
            while True:
                waiting = self._queue.get_nowait()
                if waiting is not None:
                    waiting.operation.error = StoreUnavailable("it is closed")
                    _deliver([waiting])

    def _gather(self, first: _Waiting | None) -> tuple[list[_Waiting], bool]:
        """What is queued, at most `max_group`; and whether the end of the queue was seen."""
        group: list[_Waiting] = []
        until = time.monotonic() + self._settings.window_ms / 1000
        waiting = first
        while waiting is not None:
            group.append(waiting)
            if len(group) == self._settings.max_group:
                return group, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                left_s = until - time.monotonic()
                if left_s <= 0:
                    return group, False
                try:
                    waiting = self._queue.get(timeout=left_s)
                except queue.Empty:
                    return group, False
        return group, True


def _deliver(group: Sequence[_Waiting]) -> None:
    """Wake every loop once."""
    loops = {waiting.loop for waiting in group}
    for loop in loops:
        mine = group if len(loops) == 1 else [each for each in group if each.loop is loop]
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:
            continue  # the loop is closed: nobody waits, and what is stored stays stored


def _resolve(group: Sequence[_Waiting]) -> None:
    for waiting in group:
        if waiting.future.done():
            continue  # who waited was cancelled; the write was not
        if waiting.operation.error is None:
            waiting.future.set_result(None)
        else:
            waiting.future.set_exception(waiting.operation.error)
