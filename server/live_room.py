"""A room in memory: one task, one inbox, the peers that are connected, and when it may leave.

The task takes what has arrived as a batch, proposes each item to the pure room, stores the batch
and then lets the executor tell people. Nobody else touches the room's document. A failure of
storage or document ends the room: its peers are told to come back, and it is loaded again from
disk.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from permissions.model import Principal
from server.accounts.authentication import Clock
from server.accounts.hands import Hands
from server.announcing import Announcer
from server.attendance import Attendance, tell_attendance
from server.attribution import audit_journal, frame_of
from server.budgets import PersonBudgets, follow_up
from server.consequences import draw_consequences
from server.errors import NotAllowed
from server.executor import Batch, commit
from server.field_locks import answer_request, locks_shown
from server.inbox import Arrived, Ask, Inbox, Item, Later, LockAsked, SyncAsked
from server.logs import Log
from server.metrics import Metrics
from server.paces import Paces
from server.problems import close_code_of
from server.queueing import tell_next
from server.settings import Settings
from server.sockets.connection import Peer
from server.sockets.framing import binary_frame
from server.steps import in_steps
from storage.errors import StorageError
from storage.locks import Locks
from storage.ports import Records
from sync.announcing import Plan
from sync.bounds import Bounds
from sync.effects import Snapshot
from sync.errors import DocumentSuspect, ForeignClientId, MalformedFrame
from sync.presence import Presence
from sync.replay import snapshot_of
from sync.room import Room
from sync.update import decode_steps, decode_update
from sync.wire import (
    AwarenessEntry,
    encode_awareness,
    encode_notice,
    encode_sync_step1,
    encode_sync_step2,
    encode_update_message,
)

__all__ = ["LiveRoom", "RoomClosed"]

T = TypeVar("T")

MOST_PER_TURN = 512
"""Items of one batch; more would delay the first acknowledgement for the sake of the last."""

SMALL_FRAME_BYTES = 4096
"""Frames up to this are decoded in one go; larger ones in steps that let other rooms run."""

SNAPSHOT_SHARE = 4
"""A room is snapshotted at the latest when updates of this share of the largest record came."""

PRESENCE_MS_PER_PEER = 2
"""The more people, the longer presence is gathered: with 100 it goes out five times a second."""

COME_BACK = 1012
START_AFRESH = 4409


class RoomClosed(Exception):
    """The room left memory while something waited for it; open it again."""


async def _nothing(_batch: Batch) -> None:
    """The work of a turn that only looks for what is due."""


class LiveRoom:
    """One loaded record. `run` is its task."""

    def __init__(
        self,
        room: Room,
        created_at: datetime,
        records: Records,
        settings: Settings,
        bounds: Bounds,
        metrics: Metrics,
        log: Log,
        clock: Clock,
        locks: Locks,
        hands: Hands,
        plan: Plan,
        stored: Callable[[Batch], None],
        paces: Paces,
    ) -> None:
        self.room = room
        self.paces = paces
        self.locks = locks
        room.hold_of = partial(locks.hold_of, room.record_id)
        self.record_id = room.record_id
        self.inbox = Inbox(settings.room_inbox_frames, settings.room_inbox_bytes)
        self.presence = Presence(
            room.document.server_client,
            room.profile.fields.__contains__,
            room.profile.roots.__contains__,
            room.profile.role_shown,
            max_bytes=settings.max_awareness_bytes,
        )
        self.attendance = Attendance()
        self.peers: dict[str, Peer] = {}
        self.holds = 0
        self.idle_since = time.monotonic()
        self.failed = False
        self.created_at = created_at
        self._synced: dict[str, Peer] = {}
        self._records = records
        self._settings = settings
        self._bounds = bounds
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._hands = hands
        self._stored = stored
        self.announcer = Announcer(plan, room, settings.session_event_ms / 1000, self._look)
        self._leaving = False
        self._ended = False
        self._dirty_presence: dict[int, AwarenessEntry] = {}
        self.stored_version = room.version
        self._snapshot_version = room.version
        self._snapshot_bytes = room.bytes
        self._snapshot_s = time.monotonic()
        self._is_snapshot_asked = False
        self._is_saving = False
        self._desk_clients: dict[str, int] = {}
        self._budgets = PersonBudgets(settings.refused_fields_per_minute)

    # -- people come and go ------------------------------------------------------------------------

    def join(self, peer: Peer) -> None:
        """Connect a peer: SyncStep1 goes out before any data (SPEC KNOW-2)."""
        if self.failed or self._leaving:  # it ended since the peer opened it: nobody would answer
            peer.close(COME_BACK, "The record is loaded again. Come back.")
            return
        self.peers[peer.id] = peer
        peer.session.asked(0)
        peer.send(encode_sync_step1(self.room.books.index.state_vector()))
        if self.locks.returned(self.record_id, peer.principal.login_id, self._clock()):
            self.show_locks()

    def leave(self, peer: Peer) -> None:
        """Disconnect a peer; the others see it go."""
        if self.peers.pop(peer.id, None) is None:
            return
        self._synced.pop(peer.id, None)
        self.tell_presence(self.presence.leave(peer.id))
        self.idle_since = time.monotonic()
        login_id = peer.principal.login_id
        last = all(other.principal.login_id != login_id for other in self.peers.values())
        if self.locks.left(self.record_id, peer.id, login_id, self._clock(), is_last=last):
            self.show_locks()

    def check_open(self, principal: Principal) -> None:
        """Raises NotAllowed unless the principal may open the record."""
        decision = self.room.policy.may_open(principal, self.room.state)
        if not decision.allowed:
            raise NotAllowed(decision.reason)

    def now(self) -> datetime:
        """The time by the house's clock."""
        return self._clock()

    def sent_version(self, peer: Peer) -> int:
        """The version up to which everything has been sent to the peer; 0 before it has synced."""
        return self.stored_version if peer.id in self._synced else 0

    def is_idle(self) -> bool:
        """Whether nobody is connected and nothing waits."""
        return not (self.peers or self.holds or len(self.inbox))

    def memory_bytes(self) -> int:
        """A rough estimate: the document in Yrs and the books cost a few times its encoding."""
        return 60_000 + 6 * self.room.bytes

    def tell_presence(self, entries: list[AwarenessEntry]) -> None:
        """Tell everybody, gathered over one tick so that typing does not drown edits."""
        if not entries:
            return
        if not self._dirty_presence:
            # Each flush is a message to everybody, and stock clients send each back once.
            tick_ms = max(self._settings.presence_tick_ms, PRESENCE_MS_PER_PEER * len(self._synced))
            asyncio.get_running_loop().call_later(tick_ms / 1000, self._flush_presence)
        for entry in entries:
            self._dirty_presence[entry.client] = entry

    def _flush_presence(self) -> None:
        entries, self._dirty_presence = list(self._dirty_presence.values()), {}
        if entries and self._synced:
            message = encode_awareness(entries)
            frame = binary_frame(message)
            for peer in self._synced.values():
                peer.send(message, frame)

    def heartbeat(self) -> None:
        """Renew the server's own presence: stock clients close when they hear nothing for 30 s."""
        if self._synced:
            self.tell_presence([self._show_server()])

    show_locks = heartbeat
    """The server's state holds the locks: tell everybody when they changed."""

    def present(self) -> list[Principal]:
        """Who is connected and has the record; one for each socket."""
        return [peer.principal for peer in self._synced.values()]

    def look_around(self, now: datetime) -> None:
        """Tell of presence that ended by itself, and have people who came or went announced."""
        self.tell_presence(self.presence.expire(now))
        if self.attendance.has_changed(self.present()) and not (self.failed or self._leaving):
            answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_look_at_failure)
            self.inbox.add(Ask(partial(tell_attendance, self, at=now), answer))

    def notify(self, notice: Mapping[str, object], whom: str = "") -> None:
        """Send a notice to the sockets of everybody, or of one person, at once: nothing of it is
        on disk. What belongs to a batch goes through Batch.notice."""
        message = encode_notice(notice)
        for peer in self._synced.values():
            if peer.speaks_extension and whom in ("", peer.principal.user_id):
                peer.send(message)

    def _show_server(self) -> AwarenessEntry:
        step = self.room.state.current_step
        locks = locks_shown(self.locks.holds(self.record_id))
        state: dict[str, object] = {"version": self.stored_version, "step": step, "locks": locks}
        return self.presence.show_server(state)

    # -- the task ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the inbox until `shut`; a storage or document failure ends the room."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._serve(group)
        finally:
            self._ended = True
            self.announcer.stop()
            self._refuse(self.inbox.empty(), RoomClosed())

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        try:
            while True:
                items = await self.inbox.take(MOST_PER_TURN)
                if items:
                    await self._turn(items)
                if self._leaving and not len(self.inbox):
                    return
                self._snapshot_if_due(group)
        except BaseException as error:  # also cancellation: nobody may wait for a task that ended
            self._fail(error)
            if not isinstance(error, StorageError | DocumentSuspect):
                raise

    def _fail(self, error: BaseException) -> None:
        """What the document shows may not be on disk: nobody may read it any more."""
        self.failed = True
        code = COME_BACK
        if isinstance(error, StorageError | DocumentSuspect):
            code = close_code_of(error)
            self._metrics.storage_failures.inc()
            self._log.error("room failed", record=self.record_id, error=type(error).__name__)
        for peer in list(self.peers.values()):
            peer.close(code, "The record is loaded again. Come back.")

    def shut(self) -> None:
        """Let the task end once the inbox is empty."""
        self.announcer.finish()
        self._leaving = True
        self.inbox.wake()

    def _refuse(self, items: list[Item], error: BaseException) -> None:
        for item in items:
            if isinstance(item, Ask) and not item.answer.done():
                item.answer.set_exception(error)

    async def ask(self, work: Callable[[Batch], Awaitable[T | Later[T]]]) -> T:
        """Run `work` in the room's turn; answers when everything it proposed is durable.

        Raises what `work` raises, storage errors, and RoomClosed where the room went away first.
        """
        if self.failed or self._leaving:
            raise RoomClosed
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self.inbox.put(Ask(work, answer))
        if self._ended:
            self._refuse(self.inbox.empty(), RoomClosed())
        return await answer

    async def _turn(self, items: list[Item]) -> None:
        batch = Batch(self.record_id, self.room.version, self.room.profile.name)
        batch.emergency = self.room.state.emergency
        answers: list[tuple[asyncio.Future[object], object, BaseException | None]] = []
        try:
            for item in items:
                if isinstance(item, Arrived):
                    await self._judge(item, batch)
                elif isinstance(item, SyncAsked):
                    self._hear(item)
                elif isinstance(item, LockAsked):
                    await answer_request(self, batch, item.peer, item.request, self._clock())
                else:
                    answers.append(await self._work(item, batch))
            draw_consequences(self, batch, self._clock())
            answers = [
                (answer, result.make() if isinstance(result, Later) else result, failure)
                for answer, result, failure in answers
            ]
            if not batch.is_empty():
                self._metrics.batch_size.observe(len(batch.rows))
            await commit(batch, self._records, list(self._synced.values()), self._metrics)
        except BaseException as error:  # a mistake of ours, too, leaves nobody waiting for ever
            known = isinstance(error, StorageError | DocumentSuspect)
            self._refuse(items, error if known else RoomClosed())
            raise
        self.stored_version = self.room.version
        self._stored(batch)
        for answer, result, failure in answers:
            if answer.done():
                continue
            if failure is None:
                answer.set_result(result)
            else:
                answer.set_exception(failure)
        is_over = batch.facts is not None and batch.facts.status != "open"
        if (is_over and self.locks.close(self.record_id)) or batch.locks_changed:
            self.show_locks()
        self._welcome(items)
        self._after(batch)
        await self._tell_next(batch)

    def _look(self) -> None:
        """Take a turn though nobody asked for anything: something is due."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_look_at_failure)
        self.inbox.add(Ask(_nothing, answer))

    def tell(self, hears: Callable[[Principal], bytes | None]) -> None:
        """Send a notice to who is here and hears it. hears: the message, None for who does not."""
        for peer in self._synced.values():
            if peer.speaks_extension and (message := hears(peer.principal)) is not None:
                peer.send(message)

    def _hear(self, asked: SyncAsked) -> None:
        """Note what a peer says it has; who has more of the server's own than the server is ahead.

        Then the record was restored from an older copy: what both sides have since cannot be told
        apart by clocks, so the peer starts afresh and keeps its edits. SPEC KNOW-4.
        """
        if self.room.is_behind(asked.state_vector):
            asked.peer.close(
                START_AFRESH, "The record was restored. Start afresh; keep your edits."
            )
        else:
            asked.peer.session.heard(asked.state_vector)

    async def _work(
        self, item: Ask, batch: Batch
    ) -> tuple[asyncio.Future[object], object, BaseException | None]:
        try:
            return item.answer, await item.work(batch), None
        except (StorageError, DocumentSuspect):
            raise
        except Exception as error:  # the asker's mistake or ours: either way the asker's answer
            return item.answer, None, error

    async def _judge(self, item: Arrived, batch: Batch) -> None:
        peer = item.peer
        session = peer.session
        if peer.barred or self._budgets.turn_away(peer):
            return
        try:
            if len(item.update) <= SMALL_FRAME_BYTES:
                update = decode_update(item.update, self._bounds)
            else:
                update = await in_steps(decode_steps(item.update, self._bounds))
        except MalformedFrame as error:
            self._metrics.frames_malformed["update"].inc()
            peer.close(close_code_of(error), str(error))
            return
        frame, found = await frame_of(item, update, self.room, self._hands, self._clock)
        author, at = frame.author, item.received_at
        self.presence.acted(peer.id, at)
        try:
            if len(item.update) <= SMALL_FRAME_BYTES:
                proposal = self.room.propose_now(frame)
            else:
                proposal = await in_steps(self.room.propose(frame))
        except ForeignClientId as error:
            self._budgets.spend_whole(peer, len(item.update))
            reason = "Edits under another person's client id. Start afresh; they are kept."
            batch.add(self.room.refuse_whole(frame, item.update, reason), None, author, at)
            peer.close(close_code_of(error), str(error))
            return
        batch.add(proposal, peer, author, at, answer=item.answer)
        if found is not None and proposal.gap is None:
            if found.delivered:
                session.note_delivered(frame.update.deletes)
            if proposal.accepted is not None:
                refused = bool(proposal.refusals)
                audit_journal(batch, item, found, proposal.accepted.row.version, refused=refused)
        if proposal.heal:
            self._metrics.corrections.inc(proposal.corrections)
            self._metrics.conflicts.inc(len(proposal.conflicts))
        follow_up(peer, proposal, item.answer, self._budgets)

    def _welcome(self, items: list[Item]) -> None:
        """Answer what was asked, now that everything the document shows is on disk."""
        # One answer a turn for each: it can be thousands of times as large as the question.
        asked = {item.peer.id: item for item in items if isinstance(item, SyncAsked)}
        for item in asked.values():
            peer = item.peer
            if peer.closing or peer.id not in self.peers:
                continue
            *before, answer = self.room.catch_up(item.state_vector)
            for update in before:
                peer.send(encode_update_message(update))
            peer.send(encode_sync_step2(answer))
            if peer.id not in self._synced:
                self._synced[peer.id] = peer
                self._show_server()
                peer.send(encode_awareness(self.presence.everybody()))

    async def _tell_next(self, batch: Batch) -> None:
        try:
            await tell_next(self, batch, self._records)
        except StorageError:  # the turn is on disk; who comes next can also be asked
            self._metrics.storage_failures.inc()

    def _after(self, batch: Batch) -> None:
        for timing in batch.timings:
            self.paces.note(timing)
        vector: Mapping[int, int] | None = None
        for peer, proposal, _, _ in batch.judged:
            if proposal.gap is not None and not peer.closing and not peer.session.is_asking():
                # Asked only now: everything up to here has gone out before the question.
                vector = vector or self.room.books.index.state_vector()
                peer.session.asked(self.room.version if peer.id in self._synced else 0)
                peer.send(encode_sync_step1(dict(vector)))

    # -- the server's own hand ---------------------------------------------------------------------

    def write_facts(
        self, batch: Batch, facts: Mapping[str, object], author: Principal, at: datetime
    ) -> None:
        """Write facts of the server's own; what is judged after this goes by them."""
        accepted = self.room.write_facts(facts, author, at)
        if accepted is not None:
            batch.add_facts(accepted, author, at)

    def desk_client(self, user_id: str, fresh: Callable[[], int]) -> int:
        """The client id under which the server writes a person's REST edits in this room."""
        client = self._desk_clients.get(user_id)
        if client is None:
            client = self._desk_clients[user_id] = fresh()
        return client

    def _snapshot_if_due(self, group: asyncio.TaskGroup) -> None:
        room, settings = self.room, self._settings
        due = room.version - self._snapshot_version >= settings.snapshot_every_updates
        grown = room.bytes - self._snapshot_bytes >= settings.max_record_bytes // SNAPSHOT_SHARE
        if (due or grown or self._is_snapshot_asked) and not self._is_saving:
            # Taken here, between two turns: later the document may show what is not on disk yet.
            group.create_task(self._store(self._taken_snapshot()))

    def snapshot_if_older(self, now_s: float, seconds: float) -> bool:
        """Have a snapshot taken before the next turn, where rows have come since one so old.

        Otherwise a room that is open all day would be read from its log row by row after a crash.
        """
        if self.room.version == self._snapshot_version or now_s - self._snapshot_s < seconds:
            return False
        self._is_snapshot_asked = True
        self.inbox.wake()
        return True

    async def save_snapshot(self) -> None:
        """Store a snapshot of the room as it stands, unless there is one; between turns only."""
        if self.room.version != self._snapshot_version and not self.failed:
            await self._store(self._taken_snapshot())

    def _taken_snapshot(self) -> Snapshot:
        """A snapshot, and with it the record's size: until then also what is gone again counts."""
        snapshot = snapshot_of(self.room)
        self._snapshot_version = self.room.version
        self._snapshot_bytes = len(snapshot.document)
        self._snapshot_s = time.monotonic()
        self._is_snapshot_asked = False
        self.room.note_size(self._snapshot_bytes)
        return snapshot

    async def _store(self, snapshot: Snapshot) -> None:
        """A failure is counted; the log grows safely on, and the next snapshot tries again."""
        self._is_saving = True
        try:
            await self._records.save_snapshot(self.record_id, snapshot)
        except StorageError as error:
            self._metrics.storage_failures.inc()
            self._log.warning(
                "snapshot not saved", record=self.record_id, error=type(error).__name__
            )
        finally:
            self._is_saving = False


def _look_at_failure(answer: "asyncio.Future[None]") -> None:
    """A failure of the room is the room's to handle; asyncio wants it to be looked at."""
    if not answer.cancelled():
        answer.exception()
