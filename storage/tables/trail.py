"""The audit trail."""

from sqlalchemy import CheckConstraint, Column, Index, Table

from storage.tables.schema import INT, blob, metadata, whole, words

__all__ = ["attesting_key", "audit"]

audit = Table(
    "audit",
    metadata,
    Column("seq", INT, primary_key=True, autoincrement=False),
    whole("at"),
    words("action"),
    words("outcome"),
    words("user_id"),
    words("login_id"),
    words("device"),
    words("address"),
    words("record_id"),
    whole("version"),
    words("detail"),
    blob("hash"),
    CheckConstraint("outcome IN ('success', 'denied', 'failure')", name="outcome"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)
Index("ix_audit_record_id", audit.c.record_id, sqlite_where=audit.c.record_id != "")

attesting_key = Table(
    "attesting_key",
    metadata,
    Column("id", INT, primary_key=True, autoincrement=False),
    blob("key"),
    CheckConstraint("id = 1", name="id"),
    CheckConstraint("length(key) = 32", name="key"),
    sqlite_strict=True,
)
