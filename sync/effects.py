"""What a batch of judged updates leaves behind: rows, refusals, conflicts, audit entries.

The order of effects is the shell's (`server/executor.py`): one `Commit` is stored in one
transaction, then senders are acknowledged, then everybody is told. Instants are aware UTC.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

__all__ = [
    "EMPTY_HASH",
    "Announcement",
    "AuditAction",
    "AuditEntry",
    "AuditOutcome",
    "Change",
    "ChangeKind",
    "Commit",
    "Conflict",
    "ConflictValue",
    "Loss",
    "RecordFacts",
    "Refusal",
    "Snapshot",
    "StepTiming",
    "UpdateRow",
    "chain_hash",
]

_sha256 = hashlib.sha256
_encode = msgspec.msgpack.Encoder().encode

EMPTY_HASH = bytes(32)
"""The hash before the first row of a record's log."""


class UpdateRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One accepted update as it is stored for ever.

    version: the record's update sequence, 1-based, without gaps.
    update: Yjs update v1, rewritten by the gate, corrections included.
    annotations: msgpack, what replay cannot derive from `update` (`sync/registers.py`).
    hash: `chain_hash(hash of the row before, this row)`.
    """

    version: int
    update: bytes
    annotations: bytes
    author: str
    role: str
    login_id: str
    device: str
    address: str
    written_at: datetime
    received_at: datetime
    hash: bytes


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One refused field of one update. `value` is JSON text; `original` what the peer sent of it.

    id: `"<version>.<ordinal>"`, unique in its record. decided_by, decided_at, decision_reason: who
    applied or dismissed it; the reason may be None for what was applied.
    """

    id: str
    field: str
    rule: str
    reason: str
    value: str
    author: str
    role: str
    login_id: str
    device: str
    address: str
    at: datetime
    written_at: datetime
    original: bytes
    status: Literal["open", "applied", "dismissed"] = "open"
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None


class ConflictValue(msgspec.Struct, frozen=True, kw_only=True):
    """One of the concurrent values. `value` is JSON text, `null` where the field was cleared."""

    value: str
    author: str
    written_at: datetime
    at: datetime
    device: str
    version: int
    login_id: str = ""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two or more values of one field, written by people who could not see each other.

    id: `"<version>.<ordinal>"` of the update that raised it; a later row with the same id replaces
    it.
    base: JSON text of the value all of them started from. standing: index into `values`.
    """

    id: str
    field: str
    critical: bool
    status: Literal["open", "resolved"]
    base: str
    values: tuple[ConflictValue, ...]
    standing: int
    resolved_by: str | None = None
    reason: str | None = None


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's value lost to a later, concurrent one: they are to be warned."""

    conflict: str
    field: str
    critical: bool
    user_id: str


AuditAction = Literal[
    "create", "read", "open", "query", "update", "deliver", "delete", "refuse", "conflict",
    "resolve", "apply", "dismiss", "ask",
    "login", "logout", "login_revoked", "login_expired", "logins_read",
    "user_added", "user_disabled", "roles_changed", "password_changed",
    "lock_acquired", "lock_released", "lock_expired", "lock_broken",
    "step", "amend", "assign", "cancel",
    "break_glass", "break_glass_end",
    "prune",
    "audit_read", "audit_export", "backup", "restore", "compact", "attest",
]  # fmt: skip
"""What the audit trail speaks of: a closed list. `server/audit/actions.py` says what each means;
an action that is not in both does not pass the type checker or the tests."""

AuditOutcome = Literal["success", "denied", "failure"]
"""denied: the person may not do it. failure: it could not be done, for whatever other reason."""

ChangeKind = Literal[
    "set", "clear", "entry", "correction", "amendment", "text", "overruled", "resolution"
]  # fmt: skip
"""What a change did: wrote or removed a value, added an entry, one that replaces another, one to a
completed record, changed words of a narrative; was written and does not stand; or decided a
conflict."""


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One change of one field, derived from the log. old, new: JSON text, `null` for no value.

    version, ordinal: the row it came with and its place in it; together its key. last_version: the
    last row of a narrative's sitting, else `version`; so for last_written_at and last_at.
    field: as the profile names it, an entry's section, or `record.status`; entry: the entry's key.
    offset: where in the narrative, in characters. An overruled change: old is what stands instead.
    reason: why a conflict was decided so, empty for every other kind.
    """

    version: int
    ordinal: int
    last_version: int
    field: str
    entry: str = ""
    kind: ChangeKind
    offset: int = 0
    old: str
    new: str
    author: str
    role: str
    written_at: datetime
    last_written_at: datetime
    at: datetime
    last_at: datetime
    reason: str = ""

    @property
    def name(self) -> str:
        """The name people see: `vitals.pulse`, `prescriptions.01J…`."""
        return f"{self.field}.{self.entry}" if self.entry else self.field


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the audit trail: identifiers and counts only, never names or clinical values."""

    at: datetime
    action: AuditAction
    outcome: AuditOutcome
    user_id: str
    login_id: str
    device: str
    address: str
    record_id: str = ""
    version: int = 0
    detail: str = ""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people are told of: an event of the profile or of the server.

    id: a ULID, so that nobody acts on it twice. roles (of the profile) and users are told wherever
    they are and are to acknowledge it; session: everybody who is on the record, those in `present`,
    and who follows it. payload: JSON values that name fields, steps and members of staff, never
    clinical content.
    """

    id: str
    at: datetime
    event: str
    record_id: str
    version: int
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    session: bool = False
    profile: str = ""
    payload: Mapping[str, object] = {}


class RecordFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the queue board lists of a record; stored beside the log, derived from the document.

    step_status: of the step at which it stands. priority: 0 is the most urgent; who is not assessed
    comes after all who are. waiting_since: since when it stands at its step, also while the step is
    in progress; once closed, since when. started_at, started_by: of a step in progress.
    measures: what it contributes to the figures of its profile (`sync/quality.py`).
    """

    number: str
    profile: str
    patient_id: str
    status: str
    current_step: str
    step_status: str
    priority: int
    waiting_since: datetime
    title: str
    search_text: str
    disputed: tuple[str, ...]
    assigned: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    started_by: str = ""
    measures: str = ""


class StepTiming(msgspec.Struct, frozen=True, kw_only=True):
    """How long a finished step took: since when it was ready, begun, and done. Of no record."""

    profile: str
    step: str
    ready_at: datetime
    started_at: datetime
    completed_at: datetime


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one batch stores, in one transaction, or nothing of it.

    base_version: the version the rows follow; a store that stands elsewhere refuses the commit.
    changes: a later change with the same version and ordinal replaces an earlier one.
    """

    record_id: str
    base_version: int
    rows: tuple[UpdateRow, ...]
    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    announcements: tuple[Announcement, ...] = ()
    timings: tuple[StepTiming, ...] = ()
    facts: RecordFacts | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A cache of a log prefix: document and index, and the position and hash they stand for."""

    version: int
    hash: bytes
    document: bytes
    index: bytes


def chain_hash(previous: bytes, row: UpdateRow) -> bytes:
    """The hash of `row` (its own `hash` field ignored) in a chain that continues `previous`.

    SHA-256 over the hash before and the msgpack array of the row's other fields, in their order;
    instants are msgpack timestamps. Any auditor can recompute it from the stored columns.
    """
    fields = (
        row.version, row.update, row.annotations, row.author, row.role, row.login_id, row.device,
        row.address, row.written_at, row.received_at,
    )  # fmt: skip
    return _sha256(previous + _encode(fields)).digest()
