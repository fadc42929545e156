"""The tables, as SQLAlchemy Core; the schema after all migrations equals this module (tested).

Integers are 64 bit, instants microseconds (`storage/columns.py`), lists JSON text. On SQLite every
table is STRICT, so a value of the wrong type is refused instead of converted. `updates` and `audit`
are append-only: triggers abort UPDATE and DELETE, but for the log of a record that `pruned` names;
their order is the sequence, never a clock.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

__all__ = [
    "APPEND_ONLY",
    "alerts",
    "append_only_ddl",
    "attesting_key",
    "audit",
    "changes",
    "conflicts",
    "emergency_access",
    "event_acks",
    "event_audience",
    "events",
    "handed_numbers",
    "history_due",
    "logins",
    "metadata",
    "numbers",
    "pruned",
    "records",
    "refusals",
    "role_changes",
    "snapshots",
    "step_timings",
    "updates",
    "users",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_INT = BigInteger().with_variant(Integer(), "sqlite")  # STRICT tables know INTEGER only


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _int(name: str) -> Column[int]:
    return Column(name, _INT, nullable=False)


def _blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _record_id() -> Column[str]:
    return Column("record_id", Text, ForeignKey("records.id"), nullable=False)


records = Table(
    "records",
    metadata,
    Column("id", Text, primary_key=True),
    _int("epoch"),
    _int("version"),
    _blob("hash"),
    _text("number"),
    _text("profile"),
    _text("patient_id"),
    _text("status"),
    _text("current_step"),
    _text("title"),
    _text("search_text"),
    _text("search_folded"),
    _text("disputed"),
    _text("assigned"),
    _int("created_at"),
    _int("updated_at"),
    Column("step_status", Text, server_default=text("''"), nullable=False),
    Column("priority", _INT, server_default=text("0"), nullable=False),
    Column("waiting_since", _INT, server_default=text("0"), nullable=False),
    Column("started_at", _INT, server_default=text("0"), nullable=False),
    Column("started_by", Text, server_default=text("''"), nullable=False),
    Column("measures", Text, server_default=text("''"), nullable=False),
    CheckConstraint("epoch >= 0", name="epoch"),
    CheckConstraint("version >= 0", name="version"),
    CheckConstraint("length(hash) = 32", name="hash"),
    CheckConstraint("id <> ''", name="id"),
    sqlite_strict=True,
)
Index(
    "uq_records_number",
    records.c.number,
    unique=True,
    sqlite_where=records.c.number != "",
    postgresql_where=records.c.number != "",
)
Index("ix_records_board", records.c.status, records.c.current_step, records.c.id)
Index(
    "ix_records_queue",
    records.c.profile,
    records.c.status,
    records.c.current_step,
    records.c.priority,
    records.c.waiting_since,
    records.c.id,
)
Index("ix_records_patient", records.c.patient_id, records.c.profile)
Index("ix_records_closed", records.c.profile, records.c.status, records.c.waiting_since)

updates = Table(
    "updates",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _record_id(),
    _int("version"),
    _blob("update"),
    _blob("annotations"),
    _text("author"),
    _text("role"),
    _text("login_id"),
    _text("device"),
    _text("address"),
    _int("written_at"),
    _int("received_at"),
    _blob("hash"),
    UniqueConstraint("record_id", "version"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)

changes = Table(
    "changes",
    metadata,
    Column("record_id", Text, ForeignKey("records.id"), primary_key=True),
    Column("version", _INT, primary_key=True, autoincrement=False),
    Column("ordinal", _INT, primary_key=True, autoincrement=False),
    _int("last_version"),
    _text("field"),
    _text("entry"),
    _text("kind"),
    _int("offset"),
    _text("old"),
    _text("new"),
    _text("author"),
    _text("role"),
    _int("written_at"),
    _int("last_written_at"),
    _int("at"),
    _int("last_at"),
    Column("reason", Text, server_default=text("''"), nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
Index("ix_changes_field", changes.c.record_id, changes.c.field, changes.c.version)

history_due = Table(
    "history_due",
    metadata,
    Column("record_id", Text, ForeignKey("records.id"), primary_key=True),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _record_id(),
    _int("version"),
    _blob("hash"),
    _blob("document"),
    _blob("index"),
    _blob("digest"),
    UniqueConstraint("record_id", "version"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("length(hash) = 32", name="hash"),
    CheckConstraint("length(digest) = 32", name="digest"),
    sqlite_strict=True,
)

refusals = Table(
    "refusals",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _record_id(),
    _text("id"),
    _text("field"),
    _text("rule"),
    _text("reason"),
    _text("value"),
    _text("author"),
    _text("role"),
    _text("login_id"),
    _text("device"),
    _text("address"),
    _int("at"),
    _int("written_at"),
    _blob("original"),
    _text("status"),
    Column("decided_by", Text),
    Column("decided_at", _INT),
    Column("decision_reason", Text),
    UniqueConstraint("record_id", "id"),
    CheckConstraint("status IN ('open', 'applied', 'dismissed')", name="status"),
    sqlite_strict=True,
)

Index("ix_refusals_author", refusals.c.author)
Index("ix_refusals_open", refusals.c.record_id, sqlite_where=text("status = 'open'"))

conflicts = Table(
    "conflicts",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _record_id(),
    _text("id"),
    _text("field"),
    _int("critical"),
    _text("status"),
    _text("base"),
    _text("values"),
    _int("standing"),
    Column("resolved_by", Text),
    Column("reason", Text),
    UniqueConstraint("record_id", "id"),
    CheckConstraint("status IN ('open', 'resolved')", name="status"),
    CheckConstraint("critical IN (0, 1)", name="critical"),
    sqlite_strict=True,
)

Index("ix_conflicts_open", conflicts.c.record_id, sqlite_where=text("status = 'open'"))

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    _text("username"),
    _text("username_folded"),
    _text("name"),
    _text("roles"),
    _text("password_hash"),
    _int("disabled"),
    _int("created_at"),
    UniqueConstraint("username_folded"),
    CheckConstraint("disabled IN (0, 1)", name="disabled"),
    sqlite_strict=True,
)

logins = Table(
    "logins",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _text("id"),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    _blob("token_hash"),
    _text("device"),
    _text("address"),
    _int("created_at"),
    _int("last_used_at"),
    _int("expires_at"),
    Column("ended_at", _INT),
    Column("ending", Text),
    Column("seal_key", LargeBinary),
    Column("skew_ms", _INT),
    UniqueConstraint("id"),
    UniqueConstraint("token_hash"),
    CheckConstraint("ending IN ('signed_out', 'expired', 'revoked')", name="ending"),
    CheckConstraint("(ending IS NULL) = (ended_at IS NULL)", name="ended"),
    CheckConstraint("length(seal_key) = 32", name="seal_key"),
    sqlite_strict=True,
)

Index("ix_logins_open", logins.c.last_used_at, sqlite_where=text("ended_at IS NULL"))

role_changes = Table(
    "role_changes",
    metadata,
    Column("sequence", _INT, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    _int("at"),
    _text("roles"),
    sqlite_strict=True,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _INT, primary_key=True, autoincrement=False),
    _int("at"),
    _text("action"),
    _text("outcome"),
    _text("user_id"),
    _text("login_id"),
    _text("device"),
    _text("address"),
    _text("record_id"),
    _int("version"),
    _text("detail"),
    _blob("hash"),
    CheckConstraint("outcome IN ('success', 'denied', 'failure')", name="outcome"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)
Index("ix_audit_record_id", audit.c.record_id, sqlite_where=audit.c.record_id != "")

attesting_key = Table(
    "attesting_key",
    metadata,
    Column("id", _INT, primary_key=True, autoincrement=False),
    _blob("key"),
    CheckConstraint("id = 1", name="id"),
    CheckConstraint("length(key) = 32", name="key"),
    sqlite_strict=True,
)

emergency_access = Table(
    "emergency_access",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _text("id"),
    _record_id(),
    _text("user_id"),
    _text("login_id"),
    _text("reason"),
    _int("started_at"),
    _int("until"),
    Column("ended_at", _INT),
    _text("ended_by"),
    UniqueConstraint("id"),
    sqlite_strict=True,
)
Index("ix_emergency_access_record_id", emergency_access.c.record_id)
Index(
    "ix_emergency_access_due",
    emergency_access.c.until,
    sqlite_where=emergency_access.c.ended_at.is_(None),
)

numbers = Table(
    "numbers",
    metadata,
    Column("prefix", Text, primary_key=True),
    _int("last"),
    CheckConstraint("last >= 1", name="last"),
    sqlite_strict=True,
)

handed_numbers = Table(
    "handed_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    _text("prefix"),
    _text("user_id"),
    _int("at"),
    sqlite_strict=True,
)
Index("ix_handed_numbers_user_id_prefix", handed_numbers.c.user_id, handed_numbers.c.prefix)

pruned = Table(
    "pruned",
    metadata,
    Column("record_id", Text, primary_key=True),
    _text("number"),
    _text("profile"),
    _int("version"),
    _blob("hash"),
    _int("at"),
    _text("by"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)
Index("uq_pruned_number", pruned.c.number, unique=True, sqlite_where=pruned.c.number != "")

events = Table(
    "events",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _text("id"),
    _int("at"),
    _text("event"),
    _text("record_id"),
    _int("version"),
    _text("profile"),
    _int("session"),
    _text("payload"),
    UniqueConstraint("id"),
    CheckConstraint("session IN (0, 1)", name="session"),
    sqlite_strict=True,
)

event_audience = Table(
    "event_audience",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sequence", _INT, ForeignKey("events.sequence"), primary_key=True, index=True),
    CheckConstraint("kind IN ('role', 'user', 'present', 'record')", name="kind"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

event_acks = Table(
    "event_acks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("sequence", _INT, ForeignKey("events.sequence"), primary_key=True, index=True),
    _int("at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

step_timings = Table(
    "step_timings",
    metadata,
    Column("sequence", _INT, primary_key=True),
    _text("profile"),
    _text("step"),
    _int("ready_at"),
    _int("started_at"),
    _int("completed_at"),
    CheckConstraint("ready_at <= started_at AND started_at <= completed_at", name="order"),
    sqlite_strict=True,
)
Index(
    "ix_step_timings_profile_step_sequence",
    step_timings.c.profile,
    step_timings.c.step,
    step_timings.c.sequence,
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    _text("key"),
    _text("profile"),
    _text("kind"),
    _text("subject"),
    _text("record_id"),
    _int("started_at"),
    UniqueConstraint("key"),
    sqlite_strict=True,
)

APPEND_ONLY = ("updates", "audit", "pruned")
"""The tables whose rows are never changed, and never removed but with a pruned record."""

_UNLESS_PRUNED = "WHEN OLD.{} NOT IN (SELECT record_id FROM pruned) "


def append_only_ddl(table: str) -> tuple[str, str]:
    """The SQLite statements that make `table` append-only."""
    condition = _UNLESS_PRUNED.format("record_id") if table == "updates" else ""
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    )


_RECORDS_STAY = (
    "CREATE TRIGGER records_no_delete BEFORE DELETE ON records "
    + _UNLESS_PRUNED.format("id")
    + "BEGIN SELECT RAISE(ABORT, 'only pruned records are removed'); END",
    "CREATE TRIGGER records_not_again BEFORE INSERT ON records "
    "WHEN NEW.id IN (SELECT record_id FROM pruned) "
    "OR NEW.number IN (SELECT number FROM pruned WHERE number <> '') "
    "BEGIN SELECT RAISE(ABORT, 'records.number of a pruned record'); END",
)

_TRIGGERS = [(_name, _each) for _name in APPEND_ONLY for _each in append_only_ddl(_name)]
for _name, _statement in [*_TRIGGERS, *(("records", each) for each in _RECORDS_STAY)]:
    _trigger = DDL(_statement).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    event.listen(metadata.tables[_name], "after_create", _trigger)
