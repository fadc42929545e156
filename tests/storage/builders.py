"""Invented records, commits and people for the storage tests."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from storage import Login, User
from sync.effects import (
    EMPTY_HASH,
    Announcement,
    AuditEntry,
    Commit,
    Conflict,
    ConflictValue,
    RecordFacts,
    Refusal,
    Snapshot,
    UpdateRow,
    chain_hash,
)

NOW = datetime(2026, 3, 1, 8, 30, 0, 123457, tzinfo=UTC)


def entry(record_id: str = "", *, at: datetime = NOW, action: str = "update", user_id: str = "u1"):
    return AuditEntry(
        at=at,
        action=action,
        outcome="success",
        user_id=user_id,
        login_id="l1",
        device="tablet-1",
        address="192.0.2.1",
        record_id=record_id,
        version=1,
        detail="1 field",
    )


def facts(number: str = "", **changes: object) -> RecordFacts:
    made = RecordFacts(
        number=number,
        profile="example",
        patient_id="",
        status="open",
        current_step="triage",
        step_status="ready",
        priority=1,
        waiting_since=NOW,
        title="Example One",
        search_text="Examplevillage",
        disputed=(),
        assigned=(),
        created_at=NOW,
        updated_at=NOW,
    )
    return msgspec.structs.replace(made, **changes)


def refusal(id: str, *, status: str = "open") -> Refusal:
    return Refusal(
        id=id,
        field="example.field",
        rule="role",
        reason="not yours",
        value="1",
        author="u1",
        role="nurse",
        login_id="l1",
        device="tablet-1",
        address="192.0.2.1",
        at=NOW,
        written_at=NOW - timedelta(microseconds=1),
        original=b"\x00\xff",
        status=status,  # type: ignore[arg-type]
    )


def conflict(id: str, *, resolved: bool = False) -> Conflict:
    value = ConflictValue(
        value="1", author="u1", written_at=NOW, at=NOW, device="tablet-1", version=1
    )
    return Conflict(
        id=id,
        field="example.field",
        critical=True,
        status="resolved" if resolved else "open",
        base="null",
        values=(value, value),
        standing=1,
        resolved_by="u2" if resolved else None,
        reason="example" if resolved else None,
    )


def announcement(id: str = "E1", *, at: datetime = NOW, **parts: object) -> Announcement:
    made = Announcement(
        id=id, at=at, event="example_happened", record_id="R1", version=1, profile="example",
        payload={"step": "triage"},
    )  # fmt: skip
    return msgspec.structs.replace(made, **parts)


class Log:
    """A record's log as its room would write it: keeps the version and the hash."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        self.version = 0
        self.hash = EMPTY_HASH
        self.rows: list[UpdateRow] = []

    def row(self, *, at: datetime = NOW, update: bytes = b"", hash: bytes | None = None):
        made = UpdateRow(
            version=self.version + 1,
            update=update or hashlib.sha256(b"%d" % self.version).digest(),
            annotations=b"\x80",
            author="u1",
            role="nurse",
            login_id="l1",
            device="tablet-1",
            address="192.0.2.1",
            written_at=at - timedelta(microseconds=7),
            received_at=at,
            hash=b"",
        )
        made = msgspec.structs.replace(made, hash=hash or chain_hash(self.hash, made))
        self.version, self.hash = made.version, made.hash
        self.rows.append(made)
        return made

    def commit(self, rows: int = 1, *, at: datetime = NOW, **parts: object) -> Commit:
        base = self.version
        made = tuple(self.row(at=at) for _ in range(rows))
        parts.setdefault("audit", (entry(self.record_id, at=at),))
        return Commit(record_id=self.record_id, base_version=base, rows=made, **parts)  # type: ignore[arg-type]

    def first(self, rows: int = 1, *, number: str = "", **parts: object) -> Commit:
        parts.setdefault("facts", facts(number))
        return self.commit(rows, **parts)

    def snapshot(self, version: int = 0) -> Snapshot:
        version = version or self.version
        hash_ = self.rows[version - 1].hash
        return Snapshot(version=version, hash=hash_, document=b"document", index=b"index")


async def created(store, record_id: str = "R1", rows: int = 1, **parts: object) -> Log:
    """A record with `rows` rows in `store`."""
    log = Log(record_id)
    await store.records.create(record_id, log.first(rows, **parts))
    return log


def user(id: str = "u1", username: str = "Nurse.One", roles: Sequence[str] = ("nurse",)) -> User:
    return User(
        id=id,
        username=username,
        name="Example Nurse",
        roles=frozenset(roles),
        password_hash="$argon2id$example",
        disabled=False,
        created_at=NOW,
    )


def login(id: str = "l1", user_id: str = "u1") -> Login:
    return Login(
        id=id,
        user_id=user_id,
        token_hash=hashlib.sha256(id.encode()).digest(),
        device="tablet-1",
        address="192.0.2.1",
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + timedelta(hours=12),
    )
