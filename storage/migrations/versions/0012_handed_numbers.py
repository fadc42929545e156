"""Numbers that were handed to people in advance."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "handed_numbers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_handed_numbers")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_handed_numbers_user_id_prefix"), "handed_numbers", ["user_id", "prefix"]
    )
