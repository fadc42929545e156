"""Refusals that somebody has decided: who, when and why; and finding one person's."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE refusals ADD COLUMN decided_by TEXT")
    op.execute("ALTER TABLE refusals ADD COLUMN decided_at INTEGER")
    op.execute("ALTER TABLE refusals ADD COLUMN decision_reason TEXT")
    op.create_index(op.f("ix_refusals_author"), "refusals", ["author"])
