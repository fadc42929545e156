"""Live rooms in memory, peers that record what they are sent, a store that can be held up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pycrdt

from permissions import Policy, Principal, load_profile
from server.inbox import Arrived, SyncAsked
from server.live_room import LiveRoom
from server.logs import configure_logs
from server.metrics import Metrics
from server.ports import NewRecord
from server.rooms import RoomHost
from server.settings import Settings
from storage import MemoryStore
from storage.ports import RecordFilter, RecordHead, StepCount, StoredRecord
from sync.bounds import Bounds
from sync.budgets import Budgets
from sync.effects import Commit, Conflict, Refusal, Snapshot, StepTiming, UpdateRow
from sync.messages import Message
from sync.session import Session
from sync.wire import decode_message

__all__ = [
    "NOW",
    "HeldRecords",
    "HeldStore",
    "RecordingPeer",
    "hosting",
    "person",
    "settled",
    "ticked",
]

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PROFILES = Path(__file__).parents[2] / "profiles"


def person(role: str, name: str = "") -> Principal:
    """Somebody invented with one role; the same name is the same person."""
    name = name or role
    return Principal(
        user_id=f"id-{name}", username=name, name=f"Test {name}", roles=frozenset({role}),
        login_id=f"login-{name}", device="test", address="192.0.2.1",
    )  # fmt: skip


class HeldRecords:
    """A MemoryStore's records whose appends wait for `release`, or fail."""

    def __init__(self, store: MemoryStore) -> None:
        self._records = store.records
        self.free = asyncio.Event()
        self.free.set()
        self.failure: Exception | None = None
        self.snapshot_failure: Exception | None = None
        self.commits: list[Commit] = []
        self.loads = 0

    async def create(self, record_id: str, commit: Commit) -> None:
        await self._records.create(record_id, commit)

    async def append(self, commit: Commit) -> None:
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        await self._records.append(commit)
        self.commits.append(commit)

    async def load(self, record_id: str) -> StoredRecord:
        self.loads += 1
        await asyncio.sleep(0)
        return await self._records.load(record_id)

    async def save_snapshot(self, record_id: str, snapshot: Snapshot) -> None:
        await self.free.wait()
        if self.snapshot_failure is not None:
            raise self.snapshot_failure
        await self._records.save_snapshot(record_id, snapshot)

    async def resolve(self, id_or_number: str) -> str:
        return await self._records.resolve(id_or_number)

    async def list(self, wanted: RecordFilter) -> Sequence[RecordHead]:
        return await self._records.list(wanted)

    async def step_counts(self, profile: str) -> Sequence[StepCount]:
        return await self._records.step_counts(profile)

    async def timings(self, profile: str, step: str, limit: int) -> Sequence[StepTiming]:
        return await self._records.timings(profile, step, limit)

    async def queue(self, profile: str, step: str, limit: int) -> Sequence[RecordHead]:
        return await self._records.queue(profile, step, limit)

    async def rows(self, record_id: str, after: int = 0, limit: int = 1000) -> Sequence[UpdateRow]:
        return await self._records.rows(record_id, after, limit)

    async def refusals(self, record_id: str) -> Sequence[Refusal]:
        return await self._records.refusals(record_id)

    async def conflicts(self, record_id: str) -> Sequence[Conflict]:
        return await self._records.conflicts(record_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def record_ids(self) -> AsyncIterator[str]:
        return self._records.record_ids()

    async def next_number(self, prefix: str) -> str:
        return await self._records.next_number(prefix)


class HeldStore(MemoryStore):
    """A MemoryStore with HeldRecords."""

    def __init__(self) -> None:
        super().__init__()
        self.held = HeldRecords(self)

    @property
    def records(self) -> HeldRecords:  # type: ignore[override] # a stand-in with the same calls
        if "held" not in self.__dict__:
            return super().records  # type: ignore[return-value] # while HeldRecords wraps it
        return self.held


class RecordingPeer:
    """A connected person with a Yjs document of their own; keeps everything the room sent."""

    def __init__(self, principal: Principal, *, extension: bool = False, peer_id: str = "") -> None:
        self.id = peer_id or f"peer-{principal.username}"
        self.principal = principal
        self.session = Session(Budgets(), 0.0)
        self.speaks_extension = extension
        self.closing = False
        self.barred = False
        self.closed_with: int | None = None
        self.frames: list[bytes] = []
        self.document: pycrdt.Doc[pycrdt.Map[object]] = pycrdt.Doc()
        self.written: list[bytes] = []
        self.document.observe(self._keep)
        self._applying = False

    def _keep(self, event: pycrdt.TransactionEvent) -> None:
        if not self._applying:
            self.written.append(event.update)

    def send(self, message: bytes, frame: bytes | None = None) -> None:
        if not self.closing:
            self.frames.append(message)

    def close(self, code: int, reason: str) -> None:
        if not self.closing:
            self.closing, self.closed_with = True, code
            self.barred = 4400 <= code < 4500

    def messages(self) -> list[Message]:
        """What arrived since the last look, decoded; updates are applied to the document."""
        frames, self.frames = self.frames, []
        messages = [decode_message(frame, Bounds()) for frame in frames]
        self._applying = True
        for message in messages:
            update = getattr(message, "update", None)
            if update is not None:
                self.document.apply_update(update)
        self._applying = False
        return messages

    def map(self, name: str) -> "pycrdt.Map[object]":
        return self.document.get(name, type=pycrdt.Map)

    async def sync(self, room: LiveRoom, *, answers: bool = False) -> None:
        """Join and ask for everything; answers: say, as stock clients do, that one has nothing."""
        room.join(self)
        await room.inbox.put(SyncAsked(self, {}))
        if answers:
            await room.inbox.put(Arrived(self, b"\0\0", True, NOW))

    async def push(self, room: LiveRoom, at: datetime = NOW, *, answer: bool = False) -> None:
        """Send the edits made since the last push; answer: as a SyncStep2 would."""
        written, self.written = self.written, []
        for update in written:
            await room.inbox.put(Arrived(self, update, answer, at))


@asynccontextmanager
async def hosting(
    store: MemoryStore,
    profile_file: Path = PROFILES / "outpatient.toml",
    clock: Callable[[], datetime] = lambda: NOW,
    **settings: object,
) -> AsyncIterator[tuple[RoomHost, str]]:
    """A running RoomHost and the id of a fresh record of the profile in it.

    It waits for nobody to say what they have, unless `sync_answer_seconds` is given: most peers of
    tests never say.
    """
    profile = load_profile(profile_file)
    host = RoomHost(
        store,
        {profile.name: Policy(profile)},
        Settings(**{"sync_answer_seconds": 0.0, **settings}),  # type: ignore[arg-type] # named by tests
        Metrics(),
        configure_logs("json", "error"),
        clock,
    )
    async with host.running():
        view = await host.create(
            person(profile.steps[0].role or ""),
            NewRecord(profile=profile.name, fields={profile.summary.title[0]: "TESTCASE"}),
        )
        yield host, view.id


async def settled() -> None:
    """Let every task that can run have run."""
    for _ in range(30):
        await asyncio.sleep(0)


async def ticked() -> None:
    """Let the timers of a few milliseconds, which gather presence, fire."""
    fired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, fired.set_result, None)
    await fired
    await settled()
