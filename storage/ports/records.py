"""Records, their logs and what judging them left behind: what is stored, asked for and found."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from sync.effects import (
    Change,
    Commit,
    Conflict,
    RecordFacts,
    Refusal,
    Snapshot,
    StepTiming,
    UpdateRow,
)

__all__ = [
    "ChangeFilter",
    "ConflictFilter",
    "FoundRefusal",
    "RecordFilter",
    "RecordHead",
    "RecordName",
    "Records",
    "RefusalFilter",
    "SoundRecord",
    "StepCount",
    "StoredChange",
    "StoredRecord",
]


class RecordHead(msgspec.Struct, frozen=True, kw_only=True):
    """A record as the board lists it."""

    id: str
    epoch: int
    version: int
    facts: RecordFacts


class RecordName(msgspec.Struct, frozen=True, kw_only=True):
    """What a record goes by beside its id: its human number, and the patient it is of."""

    number: str
    patient_id: str


class StoredRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All that a room is loaded from: the newest usable snapshot and the rows after it.

    The rows are contiguous from `snapshot.version + 1` (or 1) to `head.version`; the hash chain was
    checked from the snapshot on. history_due: its changes were never derived from the log yet.
    """

    head: RecordHead
    snapshot: Snapshot | None
    rows: Sequence[UpdateRow]
    history_due: bool = False


class RecordFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records a listing wants; None means any. `text` matches name, number or village."""

    profile: str | None = None
    step: str | None = None
    status: str | None = None
    assigned: str | None = None
    patient: str | None = None
    text: str | None = None
    after: str | None = None
    """The last id of the page before (newest first by id)."""
    queued: bool = False
    """The most urgent first, then who waits longest, instead of the newest first."""
    after_queued: tuple[int, datetime, str] | None = None
    """Priority, waiting since and id of the last one of the page before, where `queued`."""
    limit: int = 50


class StepCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many open records stand at a step whose state is this, and since when the oldest does."""

    step: str
    step_status: str
    count: int
    oldest: datetime


class ConflictFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which conflicts of a record a listing wants; None means any."""

    record_id: str
    status: str | None = None
    after: str | None = None
    """The last id of the page before (oldest first)."""
    limit: int = 50


class SoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a log up to where it breaks, from the first one; reason says what is broken.

    broken_at: the version of the first row that is not sound, 0 where the whole log is.
    """

    head: RecordHead
    rows: Sequence[UpdateRow]
    broken_at: int = 0
    reason: str = ""


class ChangeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes of a record are wanted; None means any. author: a user id.

    field: as the profile names it, an entry's section with all its entries; entry: only this one.
    since, until: received in between, both included; a sitting counts while it lasted. hidden:
    fields to leave out. after: (version, ordinal) of the last one of the page before.
    """

    field: str | None = None
    entry: str | None = None
    author: str | None = None
    role: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    hidden: frozenset[str] = frozenset()
    newest_first: bool = True
    after: tuple[int, int] | None = None
    limit: int = 100


class StoredChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change with where its row came from; empty where the row is gone."""

    change: Change
    login_id: str
    device: str
    address: str


class RefusalFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which refusals a listing wants: those of `author`, and all of records of `profiles`.

    record_id, status: None means any.
    """

    author: str | None = None
    profiles: frozenset[str] = frozenset()
    record_id: str | None = None
    status: str | None = None
    after: tuple[str, str] | None = None
    """Record and id of the last one of the page before (oldest first)."""
    limit: int = 50


class FoundRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal in a listing, without its original bytes, and the record that it is of."""

    head: RecordHead
    refusal: Refusal


class Records(Protocol):
    """Records, their logs and what judging them left behind."""

    async def create(self, record_id: str, commit: Commit) -> None:
        """Store a new record with its first rows; `commit.facts` is set. Raises RecordExists."""

    async def append(self, commit: Commit) -> None:
        """Store one batch. Group-committed with what other rooms append at the same time.

        Raises VersionConflict when the log does not stand at `commit.base_version`.
        """

    async def load(self, record_id: str) -> StoredRecord:
        """Raises RecordNotFound; StoreCorrupt when rows are missing or the chain does not hold."""

    async def resolve(self, id_or_number: str) -> str:
        """The id of the record with this id or number. Raises RecordNotFound."""

    async def list(self, wanted: RecordFilter) -> Sequence[RecordHead]: ...

    async def step_counts(self, profile: str) -> Sequence[StepCount]:
        """The open records of a profile by step and its state."""

    async def timings(self, profile: str, step: str, limit: int) -> Sequence[StepTiming]:
        """How long a step took the last few times, newest first."""

    async def queue(self, profile: str, step: str, limit: int) -> Sequence[RecordHead]:
        """Who waits for a step: the most urgent first, then who waits longest."""

    async def rows(self, record_id: str, after: int = 0, limit: int = 1000) -> Sequence[UpdateRow]:
        """Rows with version > after, ascending."""

    async def past(
        self, record_id: str, version: int, *, snapshot_until: int | None = None
    ) -> StoredRecord:
        """What the record at `version` is replayed from: as `load`, but unchecked and up to there.

        snapshot_until: the newest version at which the snapshot may stand. Raises RecordNotFound.
        """

    async def sound(self, record_id: str) -> SoundRecord:
        """What is sound of a log that does not hold. Raises RecordNotFound."""

    async def version_at(self, record_id: str, at: datetime) -> int:
        """The highest version that was received at or before the instant; 0 for none."""

    async def save_snapshot(self, record_id: str, snapshot: Snapshot) -> None:
        """Keep the newest two and a ladder of older ones.

        Raises StoreCorrupt when its hash is not that of its log row.
        """

    async def refusals(self, record_id: str) -> Sequence[Refusal]: ...

    async def refusal(self, record_id: str, refusal_id: str) -> Refusal:
        """One, with its original bytes. Raises RefusalNotFound."""

    async def list_refusals(self, wanted: RefusalFilter) -> Sequence[FoundRefusal]:
        """One page, oldest first; empty for a record or a place that does not exist."""

    async def conflicts(self, record_id: str) -> Sequence[Conflict]: ...

    async def list_conflicts(self, wanted: ConflictFilter) -> Sequence[Conflict]:
        """One page, oldest first; empty for a record or a place in it that does not exist."""

    async def changes(self, record_id: str, wanted: ChangeFilter) -> Sequence[StoredChange]:
        """One page of the record's history. Raises RecordNotFound."""

    async def replace_changes(self, record_id: str, told: Sequence[Change]) -> None:
        """Store what was derived from the whole log as the record's history, if it is due still."""

    def record_ids(self) -> AsyncIterator[str]: ...

    async def names(self, record_ids: Collection[str]) -> Mapping[str, RecordName]:
        """What these records go by; what is unknown is left out. At most a page."""

    async def next_number(self, prefix: str) -> str:
        """A human number that was never given out before: `OPD-000001`."""

    async def hand_numbers(
        self, prefix: str, count: int, user_id: str, at: datetime
    ) -> Sequence[str]:
        """Numbers that were never given out before, which are this person's. Raises NumbersHeld."""

    async def number_owner(self, number: str) -> str | None:
        """To whom `hand_numbers` gave the number; None for any other."""
