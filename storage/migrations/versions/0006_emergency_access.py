"""Emergency access to records that one is not assigned to."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "emergency_access",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("login_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", INT, nullable=False),
        sa.Column("until", INT, nullable=False),
        sa.Column("ended_at", INT, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_emergency_access")),
        sa.UniqueConstraint("id", name=op.f("uq_emergency_access_id")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_emergency_access_record_id")
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_emergency_access_record_id"), "emergency_access", ["record_id"])
    op.create_index(
        "ix_emergency_access_due", "emergency_access", ["until"],
        sqlite_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip
