"""What the rest of the house needs of a store; `sqlite` and `memory` keep it (contract suite).

All calls are coroutines and raise `storage.errors`. An answer means: it is on disk.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from permissions.model import RoleChange
from storage.overview import Overview, OverviewFilter
from sync.effects import (
    Announcement,
    AuditEntry,
    Change,
    Commit,
    Conflict,
    RecordFacts,
    Refusal,
    Snapshot,
    StepTiming,
    UpdateRow,
)

if TYPE_CHECKING:
    from storage.alerts import Alerts

__all__ = [
    "Announcements",
    "AuditFilter",
    "ChangeFilter",
    "ConflictFilter",
    "Directory",
    "Emergencies",
    "Emergency",
    "FoundRefusal",
    "Hearer",
    "Login",
    "RecordFilter",
    "RecordHead",
    "Records",
    "RefusalFilter",
    "SoundRecord",
    "StepCount",
    "Store",
    "StoredAnnouncement",
    "StoredChange",
    "StoredRecord",
    "User",
]


class RecordHead(msgspec.Struct, frozen=True, kw_only=True):
    """A record as the board lists it."""

    id: str
    epoch: int
    version: int
    facts: RecordFacts


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

    async def patients(self, record_ids: Collection[str]) -> Mapping[str, str]:
        """The patient of each of these records; what is unknown is left out. At most a page."""

    async def next_number(self, prefix: str) -> str:
        """A human number that was never given out before: `OPD-000001`."""

    async def hand_numbers(
        self, prefix: str, count: int, user_id: str, at: datetime
    ) -> Sequence[str]:
        """Numbers that were never given out before, which are this person's. Raises NumbersHeld."""

    async def number_owner(self, number: str) -> str | None:
        """To whom `hand_numbers` gave the number; None for any other."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `password_hash` is argon2id in PHC form."""

    id: str
    username: str
    name: str
    roles: frozenset[str]
    password_hash: str
    disabled: bool
    created_at: datetime


Ending = Literal["signed_out", "expired", "revoked"]
"""How a log-in ended: by its owner's hand, by itself, or because somebody did not trust it."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in device. `token_hash` is SHA-256 of the token, which is never stored.

    ended_at, ending: when it ended and how; who ended it for somebody else made it `revoked`, and
    then nothing that was sealed on it is believed any more.
    seal_key: 32 bytes, for the seals of its journal (`sync/journal.py`); empty: it has none.
    skew_ms: how far its clock runs ahead of ours; None: it never told its time.
    """

    id: str
    user_id: str
    token_hash: bytes
    device: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    ending: Ending | None = None
    seal_key: bytes = b""
    skew_ms: int | None = None


class Directory(Protocol):
    """Accounts and log-ins."""

    async def add_user(self, user: User) -> None:
        """Raises UserExists (user names are compared case-insensitively)."""

    async def update_user(self, user: User, at: datetime) -> None:
        """Replace name, roles, password_hash, disabled. Raises UserNotFound.

        Other roles than before count from `at` on, and what they were stays known.
        """

    async def role_changes(self, user_id: str) -> Sequence[RoleChange]:
        """Which roles the account has had, oldest first; empty for one that there is not."""

    async def user(self, user_id: str) -> User: ...

    async def user_by_username(self, username: str) -> User: ...

    async def users(self) -> Sequence[User]: ...

    async def add_login(self, login: Login) -> None: ...

    async def login_by_token_hash(self, token_hash: bytes) -> Login:
        """Raises LoginNotFound."""

    async def login(self, login_id: str) -> Login:
        """Raises LoginNotFound."""

    async def logins(self, user_id: str) -> Sequence[Login]: ...

    async def touch_login(self, login_id: str, at: datetime) -> None: ...

    async def note_skew(self, login_id: str, skew_ms: int, at: datetime) -> None:
        """Set how far the log-in's clock runs ahead. Raises LoginNotFound."""

    async def end_login(self, login_id: str, at: datetime, how: Ending) -> None:
        """Idempotent: the first time stands, but `revoked` replaces any other ending.

        Raises LoginNotFound.
        """


class Hearer(msgspec.Struct, frozen=True, kw_only=True):
    """As whom somebody is told of things.

    roles: qualified by their profile (`storage.announcements.role_name`). records: those whose
    session they follow; whoever asks must have checked that they may.
    """

    user_id: str
    roles: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


class StoredAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    """An announcement in the order of all; what is read for one person is without its audience."""

    sequence: int
    announcement: Announcement
    acknowledged_at: datetime | None = None


class Announcements(Protocol):
    """What people are told of. Those of a batch are stored with it (`Commit.announcements`)."""

    async def append(self, announcements: Sequence[Announcement]) -> None:
        """Store what belongs to no batch; one whose id is known is left as it is."""

    async def after(self, sequence: int, limit: int) -> Sequence[StoredAnnouncement]:
        """Everything with a higher sequence, ascending, with its audience."""

    async def heard(
        self, hearer: Hearer, *, after: int, until: int, limit: int
    ) -> Sequence[StoredAnnouncement]:
        """What this person hears with after < sequence <= until, ascending."""

    async def notifications(
        self, hearer: Hearer, *, unread: bool, before: int | None, limit: int
    ) -> Sequence[StoredAnnouncement]:
        """What was told to their roles or to them by name, newest first; before: a sequence."""

    async def count_unread(self, hearer: Hearer) -> int:
        """Notifications that wait to be acknowledged, counted up to MOST_COUNTED."""

    async def acknowledge(self, hearer: Hearer, id: str, at: datetime) -> None:
        """Idempotent. Raises AnnouncementNotFound for what is not this person's, too."""

    async def span(self) -> tuple[int, int]:
        """The oldest and the newest sequence that is kept; zeros where there is none."""

    async def trim(self, before: datetime, limit: int, now: datetime) -> int:
        """Forget the oldest that are older, at most `limit`, never the newest; how many."""


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which audit entries a listing wants; None means any.

    since, until: half open. profiles: of records of these only. after: the seq of the last entry of
    the page before, 0 for the first page; the order is that of seq, or the reverse. attests: also
    the entries `attest`, which are about rows and nobody's doing; naming that action means so, too.
    """

    record_id: str | None = None
    user_id: str | None = None
    action: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    profiles: frozenset[str] | None = None
    newest_first: bool = False
    after: int = 0
    limit: int = 100
    attests: bool = False


class Emergency(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency access. ended_by: a person's id, or the server's when its time was up."""

    id: str
    record_id: str
    user_id: str
    login_id: str
    reason: str
    started_at: datetime
    until: datetime
    ended_at: datetime | None = None
    ended_by: str = ""


class Emergencies(Protocol):
    """Every emergency access there ever was, but for pruned records."""

    async def start(self, emergency: Emergency) -> None:
        """Store one that begins now. Raises StorageError."""

    async def end(self, emergency_id: str, at: datetime, by: str) -> None:
        """Idempotent; the first end stands."""

    async def of_record(self, record_id: str) -> Sequence[Emergency]:
        """Newest first."""

    async def due(self, now: datetime, limit: int) -> Sequence[Emergency]:
        """Those without an end whose time is up, the longest overdue first.

        Also those that have not begun: the clock was set back by more than SET_BACK meanwhile.
        """

    async def count_since(self, user_id: str, since: datetime) -> int:
        """How many this person started at `since` or later."""


class Store(Protocol):
    """One database."""

    @property
    def records(self) -> Records: ...

    @property
    def directory(self) -> Directory: ...

    @property
    def announcements(self) -> Announcements: ...

    @property
    def emergencies(self) -> Emergencies: ...

    @property
    def alerts(self) -> "Alerts": ...

    async def append_audit(self, entries: Sequence[AuditEntry]) -> None: ...

    async def overview(self, wanted: OverviewFilter) -> Overview:
        """What the supervisor's view of a profile is made of, at one instant of the database."""

    async def audit(
        self,
        *,
        record_id: str | None = None,
        user_id: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        profiles: frozenset[str] | None = None,
        newest_first: bool = False,
        after: int = 0,
        limit: int = 100,
        attests: bool = False,
    ) -> Sequence[tuple[int, AuditEntry]]:
        """One page of the audit trail with each entry's seq; see AuditFilter."""

    async def audit_hashes(self, seqs: Sequence[int]) -> Mapping[int, bytes]:
        """The hashes of these entries, by seq. At most 1000 of them."""

    async def audit_head(self) -> tuple[int, bytes]:
        """The seq and the hash of the newest audit entry; (0, zeros) before there is one."""

    async def close(self) -> None: ...
