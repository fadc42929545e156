"""Records: heads, logs, what is derived of them, snapshots, refusals and conflicts."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.schema import INT, blob, metadata, of_record, whole, words

__all__ = ["changes", "conflicts", "history_due", "records", "refusals", "snapshots", "updates"]

records = Table(
    "records",
    metadata,
    Column("id", Text, primary_key=True),
    whole("epoch"),
    whole("version"),
    blob("hash"),
    words("number"),
    words("profile"),
    words("patient_id"),
    words("status"),
    words("current_step"),
    words("title"),
    words("search_text"),
    words("search_folded"),
    words("disputed"),
    words("assigned"),
    whole("created_at"),
    whole("updated_at"),
    Column("step_status", Text, server_default=text("''"), nullable=False),
    Column("priority", INT, server_default=text("0"), nullable=False),
    Column("waiting_since", INT, server_default=text("0"), nullable=False),
    Column("started_at", INT, server_default=text("0"), nullable=False),
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
    Column("sequence", INT, primary_key=True),
    of_record(),
    whole("version"),
    blob("update"),
    blob("annotations"),
    words("author"),
    words("role"),
    words("login_id"),
    words("device"),
    words("address"),
    whole("written_at"),
    whole("received_at"),
    blob("hash"),
    UniqueConstraint("record_id", "version"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)

changes = Table(
    "changes",
    metadata,
    Column("record_id", Text, ForeignKey("records.id"), primary_key=True),
    Column("version", INT, primary_key=True, autoincrement=False),
    Column("ordinal", INT, primary_key=True, autoincrement=False),
    whole("last_version"),
    words("field"),
    words("entry"),
    words("kind"),
    whole("offset"),
    words("old"),
    words("new"),
    words("author"),
    words("role"),
    whole("written_at"),
    whole("last_written_at"),
    whole("at"),
    whole("last_at"),
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
    Column("sequence", INT, primary_key=True),
    of_record(),
    whole("version"),
    blob("hash"),
    blob("document"),
    blob("index"),
    blob("digest"),
    UniqueConstraint("record_id", "version"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("length(hash) = 32", name="hash"),
    CheckConstraint("length(digest) = 32", name="digest"),
    sqlite_strict=True,
)

refusals = Table(
    "refusals",
    metadata,
    Column("sequence", INT, primary_key=True),
    of_record(),
    words("id"),
    words("field"),
    words("rule"),
    words("reason"),
    words("value"),
    words("author"),
    words("role"),
    words("login_id"),
    words("device"),
    words("address"),
    whole("at"),
    whole("written_at"),
    blob("original"),
    words("status"),
    Column("decided_by", Text),
    Column("decided_at", INT),
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
    Column("sequence", INT, primary_key=True),
    of_record(),
    words("id"),
    words("field"),
    whole("critical"),
    words("status"),
    words("base"),
    words("values"),
    whole("standing"),
    Column("resolved_by", Text),
    Column("reason", Text),
    UniqueConstraint("record_id", "id"),
    CheckConstraint("status IN ('open', 'resolved')", name="status"),
    CheckConstraint("critical IN (0, 1)", name="critical"),
    sqlite_strict=True,
)

Index("ix_conflicts_open", conflicts.c.record_id, sqlite_where=text("status = 'open'"))
