"""People: accounts and the roles they had, log-ins, emergency accesses."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.schema import INT, blob, metadata, of_record, whole, words

__all__ = ["emergency_access", "logins", "role_changes", "users"]

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    words("username"),
    words("username_folded"),
    words("name"),
    words("roles"),
    words("password_hash"),
    whole("disabled"),
    whole("created_at"),
    UniqueConstraint("username_folded"),
    CheckConstraint("disabled IN (0, 1)", name="disabled"),
    sqlite_strict=True,
)

logins = Table(
    "logins",
    metadata,
    Column("sequence", INT, primary_key=True),
    words("id"),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    blob("token_hash"),
    words("device"),
    words("address"),
    whole("created_at"),
    whole("last_used_at"),
    whole("expires_at"),
    Column("ended_at", INT),
    Column("ending", Text),
    Column("seal_key", LargeBinary),
    Column("skew_ms", INT),
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
    Column("sequence", INT, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    whole("at"),
    words("roles"),
    sqlite_strict=True,
)

emergency_access = Table(
    "emergency_access",
    metadata,
    Column("sequence", INT, primary_key=True),
    words("id"),
    of_record(),
    words("user_id"),
    words("login_id"),
    words("reason"),
    whole("started_at"),
    whole("until"),
    Column("ended_at", INT),
    words("ended_by"),
    UniqueConstraint("id"),
    sqlite_strict=True,
)
Index("ix_emergency_access_record_id", emergency_access.c.record_id)
Index(
    "ix_emergency_access_due",
    emergency_access.c.until,
    sqlite_where=emergency_access.c.ended_at.is_(None),
)
