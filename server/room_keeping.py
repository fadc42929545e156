"""The live rooms of this process: opened once, kept while needed, unloaded when idle.

A damaged record gets no room, and never becomes a new empty one. SPEC LOG-1.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from permissions.model import Principal
from permissions.policy import Policy
from server.accounts.authentication import Clock
from server.accounts.hands import Hands
from server.attendance import EVENT as ATTENDANCE
from server.emergencies import EVENT as BREAK_GLASS
from server.errors import Overloaded, RecordUnreadable
from server.executor import Batch
from server.expiry import Expiry
from server.live_room import LiveRoom
from server.logs import Log
from server.metrics import Metrics
from server.opening import replayed_room
from server.paces import Paces
from server.past import damage_of
from server.settings import Settings
from server.telling import notices_of
from storage.errors import StoreCorrupt
from storage.locks import MemoryLocks
from storage.ports import Store, StoredAnnouncement
from sync.announcing import Plan
from sync.errors import CorruptLog, DocumentSuspect
from sync.gate import Limits
from sync.room import Room

__all__ = ["RoomKeeper"]

SNAPSHOTS_A_ROUND = 50
"""Rooms asked for a snapshot in one round: each takes the loop some milliseconds."""

TOLD_BY_BATCH = frozenset({ATTENDANCE, BREAK_GLASS})
"""Events of which everybody on the record has had a notice with the batch."""


class RoomKeeper:
    """Loads, keeps and unloads rooms. Start with `running()`."""

    def __init__(
        self,
        store: Store,
        policies: Mapping[str, Policy],
        settings: Settings,
        metrics: Metrics,
        log: Log,
        clock: Clock,
    ) -> None:
        self._store = store
        self._policies = policies
        self._settings = settings
        self._bounds = settings.bounds()
        self._limits = Limits(
            max_narrative_units=settings.max_narrative_bytes,
            max_record_bytes=settings.max_record_bytes,
            max_value_bytes=settings.max_value_bytes,
        )
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._hands = Hands(store.directory, settings.account_poll_seconds)
        self.paces = Paces(settings.pace_samples)
        self._rooms: dict[str, LiveRoom] = {}
        self._opening: dict[str, asyncio.Future[LiveRoom]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._locks = MemoryLocks(settings.lock_terms(), store.records.next_number)
        self.expiry = Expiry(self._rooms, self._locks, store, metrics)
        self._plans = {name: Plan(policy.profile) for name, policy in policies.items()}
        self._listeners: tuple[Callable[[Batch], None], ...] = ()

    def attach(self, *listeners: Callable[[Batch], None]) -> None:
        """From now on these hear of every batch, once it is on disk and peers were told."""
        self._listeners = listeners

    def _stored(self, batch: Batch) -> None:
        for listener in self._listeners:
            listener(batch)

    def tell(self, stored: StoredAnnouncement) -> None:
        """Send a notice to those on the record whose audience it is; it is not loaded for that."""
        room = self._rooms.get(stored.announcement.record_id)
        if room is not None and stored.announcement.event not in TOLD_BY_BATCH:
            room.tell(notices_of(stored, self._policies))

    # -- life --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it runs rooms can be opened; at the end every room drains and leaves a snapshot."""
        await self.load_paces()
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            finally:
                await self.drain()
                self._group = None

    async def drain(self) -> None:
        """Close every socket with 1012 and let every room finish what it has."""
        for room in list(self._rooms.values()):
            for peer in list(room.peers.values()):
                peer.close(1012, "The server restarts. Come back.")
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await asyncio.gather(*(self._unload(room) for room in list(self._rooms.values())))
        except TimeoutError:
            self._log.error("rooms did not drain in time", rooms=len(self._rooms))
            for task in self._tasks.values():
                task.cancel()

    async def renew_presence(self) -> None:
        """Show the server's own presence again in every room."""
        for room in list(self._rooms.values()):
            room.heartbeat()

    async def end_what_is_over(self) -> None:
        """A round of `expiry`."""
        await self.expiry.round(self._clock())

    async def load_paces(self) -> None:
        """Go by how long steps took, as it is stored now."""
        await self.paces.load(
            self._store.records, (policy.profile for policy in self._policies.values())
        )

    async def take_old_snapshots(self) -> None:
        """Let rooms that are open for long leave a snapshot now and then."""
        self.snapshot_old(time.monotonic())

    def snapshot_old(self, now_s: float) -> None:
        """Have rooms take a snapshot whose last one is too old by now, some at a time."""
        left = SNAPSHOTS_A_ROUND
        for room in list(self._rooms.values()):
            left -= room.snapshot_if_older(now_s, self._settings.snapshot_minutes * 60)
            if not left:
                return

    async def sweep(self) -> None:
        """Unload what is idle now. Cut off, it leaves no room half unloaded: it goes on, and the
        next call waits for it."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self.unload_idle(time.monotonic()))
        await asyncio.shield(self._sweeping)

    async def unload_idle(self, now_s: float) -> None:
        """Unload rooms that have been idle too long, and the longest idle ones over the budget."""
        idle = sorted(
            (room for room in self._rooms.values() if room.is_idle()), key=lambda r: r.idle_since
        )
        used = sum(room.memory_bytes() for room in self._rooms.values())
        self._metrics.room_memory_bytes.set(used)
        for room in idle:
            if not room.is_idle():
                continue  # somebody came while another room was leaving
            over = used > self._settings.room_memory_bytes
            if over or now_s - room.idle_since >= self._settings.room_idle_seconds:
                used -= room.memory_bytes()
                await self._unload(room)

    async def _unload(self, room: LiveRoom) -> None:
        """End a room's task and save a snapshot. Whoever opens it meanwhile waits for this."""
        task = self._tasks.get(room.record_id)
        if task is None:
            return
        done = asyncio.get_running_loop().create_future()
        self._opening.setdefault(room.record_id, done)
        try:
            room.shut()
            await asyncio.wait([task])
            await room.save_snapshot()
        finally:
            self._forget(room)
            if self._opening.get(room.record_id) is done:
                del self._opening[room.record_id]
            done.cancel()

    def _forget(self, room: LiveRoom) -> None:
        if self._rooms.get(room.record_id) is room:
            del self._rooms[room.record_id]
            self._tasks.pop(room.record_id, None)
            self._metrics.rooms_loaded.set(len(self._rooms))

    def lock_holders(self) -> set[tuple[str, str]]:
        """The people and log-ins that hold a field."""
        return self._locks.logins()

    def present(self, profile: str) -> list[tuple[str, Principal]]:
        """Record and person of each socket that has a record of the profile open."""
        return [
            (room.record_id, who)
            for room in self._rooms.values()
            if room.room.profile.name == profile
            for who in room.present()
        ]

    def loaded(self) -> list[str]:
        """The ids of the records in memory."""
        return list(self._rooms)

    # -- opening -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self, record_id: str) -> AsyncIterator[LiveRoom]:
        """The live room of a record, held in memory for the while.

        Raises RecordNotFound, RecordDamaged, RecordUnreadable, storage errors.
        """
        room = await self._open(record_id)
        room.holds += 1
        try:
            yield room
        finally:
            room.holds -= 1
            room.idle_since = time.monotonic()

    async def _open(self, record_id: str) -> LiveRoom:
        while True:
            pending = self._opening.get(record_id)
            if pending is not None:
                await asyncio.wait([pending])
                continue
            room = self._rooms.get(record_id)
            if room is not None and not room.failed:
                return room
            if room is not None:
                self._forget(room)
            opening = asyncio.get_running_loop().create_future()
            self._opening[record_id] = opening
            try:
                return self._start(await self._load(record_id))
            finally:
                del self._opening[record_id]
                opening.cancel()

    async def _load(self, record_id: str) -> LiveRoom:
        try:
            stored = await self._store.records.load(record_id)
            policy = self._policy(stored.head.facts.profile)
            room = await replayed_room(self._store.records, stored, policy, self._limits)
        except (CorruptLog, StoreCorrupt, DocumentSuspect) as error:
            if isinstance(error, StoreCorrupt) and not error.record_id:
                raise  # the file itself, not this record
            damage = damage_of(error)
            self._log.error("record damaged", record=record_id, version=damage.version)
            raise damage from error
        return self._live(room, stored.head.facts.created_at)

    def _policy(self, profile: str) -> Policy:
        policy = self._policies.get(profile)
        if policy is None:
            raise RecordUnreadable("The record's profile is not served here.")
        return policy

    def _live(self, room: Room, created_at: datetime) -> LiveRoom:
        return LiveRoom(
            room, created_at, self._store.records, self._settings, self._bounds,
            self._metrics, self._log, self._clock, self._locks, self._hands,
            self._plans[room.profile.name], self._stored, self.paces,
        )  # fmt: skip

    def _start(self, room: LiveRoom) -> LiveRoom:
        if self._group is None:
            raise Overloaded("The server is stopping.")
        self._rooms[room.record_id] = room
        self._tasks[room.record_id] = self._group.create_task(self._run(room))
        self._metrics.rooms_loaded.set(len(self._rooms))
        return room

    async def _run(self, room: LiveRoom) -> None:
        try:
            await room.run()
        except Exception as error:  # one room's mistake must not end the others
            self._metrics.incidents.inc()
            self._log.error("room ended", record=room.record_id, error=type(error).__name__)
        finally:
            if room.failed:
                self._forget(room)
