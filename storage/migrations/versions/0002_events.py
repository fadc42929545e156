"""What people are told of: events, their audience, who has acknowledged them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("session", INT, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
        sa.CheckConstraint("session IN (0, 1)", name=op.f("ck_events_session")),
        sqlite_strict=True,
    )
    op.create_table(
        "event_audience",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sequence", INT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "sequence", name=op.f("pk_event_audience")),
        sa.CheckConstraint(
            "kind IN ('role', 'user', 'present', 'record')", name=op.f("ck_event_audience_kind")
        ),
        sa.ForeignKeyConstraint(
            ["sequence"], ["events.sequence"], name=op.f("fk_event_audience_sequence")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_event_audience_sequence"), "event_audience", ["sequence"])
    op.create_table(
        "event_acks",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("sequence", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "sequence", name=op.f("pk_event_acks")),
        sa.ForeignKeyConstraint(
            ["sequence"], ["events.sequence"], name=op.f("fk_event_acks_sequence")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_event_acks_sequence"), "event_acks", ["sequence"])
