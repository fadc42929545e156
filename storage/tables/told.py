"""What people are told, and what they are told it by: events, step timings, alerts."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from storage.tables.schema import INT, metadata, whole, words

__all__ = ["alerts", "event_acks", "event_audience", "events", "step_timings"]

events = Table(
    "events",
    metadata,
    Column("sequence", INT, primary_key=True),
    words("id"),
    whole("at"),
    words("event"),
    words("record_id"),
    whole("version"),
    words("profile"),
    whole("session"),
    words("payload"),
    UniqueConstraint("id"),
    CheckConstraint("session IN (0, 1)", name="session"),
    sqlite_strict=True,
)

event_audience = Table(
    "event_audience",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sequence", INT, ForeignKey("events.sequence"), primary_key=True, index=True),
    CheckConstraint("kind IN ('role', 'user', 'present', 'record')", name="kind"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

event_acks = Table(
    "event_acks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("sequence", INT, ForeignKey("events.sequence"), primary_key=True, index=True),
    whole("at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

step_timings = Table(
    "step_timings",
    metadata,
    Column("sequence", INT, primary_key=True),
    words("profile"),
    words("step"),
    whole("ready_at"),
    whole("started_at"),
    whole("completed_at"),
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
    words("key"),
    words("profile"),
    words("kind"),
    words("subject"),
    words("record_id"),
    whole("started_at"),
    UniqueConstraint("key"),
    sqlite_strict=True,
)
