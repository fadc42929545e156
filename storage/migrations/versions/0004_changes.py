"""The history of each record: changes derived from its log, stored beside it.

Snapshots are dropped: those of older programs do not know whose edits of a narrative may still
grow. They are a cache; each record is replayed from its log once, and its changes derived.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("ordinal", INT, nullable=False),
        sa.Column("last_version", INT, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("offset", INT, nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("written_at", INT, nullable=False),
        sa.Column("last_written_at", INT, nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("last_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "version", "ordinal", name=op.f("pk_changes")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_changes_record_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_changes_field"), "changes", ["record_id", "field", "version"])
    op.create_table(
        "history_due",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_history_due")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_history_due_record_id")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO history_due (record_id) SELECT id FROM records WHERE version > 0")
    op.execute("DELETE FROM snapshots")
