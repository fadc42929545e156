"""What the supervisor's view reads: who works on a record since when, what figures take from it.

Records from before get both when a server with their profile has time for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("ALTER TABLE records ADD COLUMN started_at INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE records ADD COLUMN started_by TEXT DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE records ADD COLUMN measures TEXT DEFAULT '' NOT NULL")
    op.create_index(op.f("ix_records_closed"), "records", ["profile", "status", "waiting_since"])
    for name, table, columns, where in (
        ("ix_refusals_open", "refusals", ["record_id"], "status = 'open'"),
        ("ix_conflicts_open", "conflicts", ["record_id"], "status = 'open'"),
        ("ix_logins_open", "logins", ["last_used_at"], "ended_at IS NULL"),
    ):
        op.create_index(op.f(name), table, columns, sqlite_where=sa.text(where))
