"""How long finished steps took, for estimates."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "step_timings",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("ready_at", INT, nullable=False),
        sa.Column("started_at", INT, nullable=False),
        sa.Column("completed_at", INT, nullable=False),
        sa.CheckConstraint(
            "ready_at <= started_at AND started_at <= completed_at",
            name=op.f("ck_step_timings_order"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_step_timings")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_step_timings_profile_step_sequence"), "step_timings",
        ["profile", "step", "sequence"],
    )  # fmt: skip
