"""What orders a queue: how urgent a record is, how its step stands, since when it waits.

SQLite adds columns only with a default; every row is written with its own values. A record from
before waits since it was last changed, and its priority counts from its next change on.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE records ADD COLUMN step_status TEXT DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE records ADD COLUMN priority INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE records ADD COLUMN waiting_since INTEGER DEFAULT 0 NOT NULL")
    op.execute(
        "UPDATE records SET waiting_since = updated_at, "
        "step_status = CASE status WHEN 'open' THEN 'ready' ELSE 'completed' END"
    )
    op.create_index(
        op.f("ix_records_queue"), "records",
        ["profile", "status", "current_step", "priority", "waiting_since", "id"],
    )  # fmt: skip
    op.create_index(op.f("ix_records_patient"), "records", ["patient_id", "profile"])
