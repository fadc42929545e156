"""A room in memory: one task, one inbox, the peers that are connected, and when it may leave.

The task takes what has arrived as a batch, proposes each item to the pure room, stores the batch
and then lets the executor tell people. Nobody else touches the room's document. A failure of
storage or document ends the room: its peers are told to come back, and it is loaded again from
disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from permissions.model import Principal
from server.accounts.authentication import Clock
from server.accounts.hands import Hands
from server.announcing import Announcer
from server.attendance import tell_attendance
from server.attribution import audit_journal, frame_of
from server.budgets import PersonBudgets, follow_up
from server.consequences import draw_consequences
from server.errors import NotAllowed
from server.executor import Batch, commit
from server.field_locks import answer_request
from server.gathering import COME_BACK, Gathering
from server.inbox import Arrived, Ask, Inbox, Item, Later, LockAsked, SyncAsked
from server.logs import Log
from server.metrics import Metrics
from server.paces import Paces
from server.problems import close_code_of
from server.queueing import tell_next
from server.settings import Settings
from server.snapshotting import Snapshots
from server.steps import in_steps
from storage.errors import StorageError
from storage.locks import Locks
from storage.ports import Records
from sync.announcing import Plan
from sync.bounds import Bounds
from sync.errors import DocumentSuspect, ForeignClientId, MalformedFrame
from sync.room import Room
from sync.update import decode_steps, decode_update
from sync.wire import encode_sync_step1

__all__ = ["LiveRoom", "RoomClosed"]

T = TypeVar("T")

MOST_PER_TURN = 512
"""Items of one batch; more would delay the first acknowledgement for the sake of the last."""

SMALL_FRAME_BYTES = 4096
"""Frames up to this are decoded in one go; larger ones in steps that let other rooms run."""

START_AFRESH = 4409


class RoomClosed(Exception):
    """The room left memory while something waited for it; open it again."""


async def _nothing(_batch: Batch) -> None:
    """The work of a turn that only looks for what is due."""


class LiveRoom(Gathering):
    """One loaded record. `run` is its task."""

    __slots__ = (
        "_bounds", "_budgets", "_desk_clients", "_ended", "_hands", "_log", "_metrics", "_records",
        "_stored", "announcer", "created_at", "holds", "inbox", "paces", "snapshots",
    )  # fmt: skip

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
        super().__init__(room, settings, clock, locks)
        self.paces = paces
        self.snapshots = Snapshots(room, records, settings, metrics, log)
        self.inbox = Inbox(settings.room_inbox_frames, settings.room_inbox_bytes)
        self.holds = 0
        self.created_at = created_at
        self._records = records
        self._bounds = bounds
        self._metrics = metrics
        self._log = log
        self._hands = hands
        self._stored = stored
        self.announcer = Announcer(plan, room, settings.session_event_ms / 1000, self._look)
        self._ended = False
        self._desk_clients: dict[str, int] = {}
        self._budgets = PersonBudgets(settings.refused_fields_per_minute)

    def check_open(self, principal: Principal) -> None:
        """Raises NotAllowed unless the principal may open the record."""
        decision = self.room.policy.may_open(principal, self.room.state)
        if not decision.allowed:
            raise NotAllowed(decision.reason)

    def now(self) -> datetime:
        """The time by the house's clock."""
        return self._clock()

    def is_idle(self) -> bool:
        """Whether nobody is connected and nothing waits."""
        return not (self.peers or self.holds or len(self.inbox))

    def memory_bytes(self) -> int:
        """A rough estimate: the document in Yrs and the books cost a few times its encoding."""
        return 60_000 + 6 * self.room.bytes

    def look_around(self, now: datetime) -> None:
        """Tell of presence that ended by itself, and have people who came or went announced."""
        self.tell_presence(self.presence.expire(now))
        if self.attendance.has_changed(self.present()) and not (self.failed or self._leaving):
            answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_look_at_failure)
            self.inbox.add(Ask(partial(tell_attendance, self, at=now), answer))

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
        if self.snapshots.is_due():
            # Taken here, between two turns: later the document may show what is not on disk yet.
            group.create_task(self.snapshots.store(self.snapshots.take()))

    def snapshot_if_older(self, now_s: float, seconds: float) -> bool:
        """Have a snapshot taken before the next turn, where rows have come since one so old.

        Otherwise a room that is open all day would be read from its log row by row after a crash.
        """
        if not self.snapshots.ask_if_older(now_s, seconds):
            return False
        self.inbox.wake()
        return True

    async def save_snapshot(self) -> None:
        """Store a snapshot of the room as it stands, unless there is one; between turns only."""
        if self.snapshots.is_behind() and not self.failed:
            await self.snapshots.store(self.snapshots.take())


def _look_at_failure(answer: "asyncio.Future[None]") -> None:
    """A failure of the room is the room's to handle; asyncio wants it to be looked at."""
    if not answer.cancelled():
        answer.exception()
