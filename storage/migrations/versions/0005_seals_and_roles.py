"""Keys for seals, how a log-in ended, how far its clock is off; which roles people had when.

`logins` is made anew, because SQLite adds columns to a table, not constraints. How the log-ins of
before ended is not known: those count as revoked. Accounts have had the roles they have now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_KEPT = "sequence, id, user_id, token_hash, device, address, created_at, last_used_at, expires_at"


def upgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE logins_before AS SELECT * FROM logins")
    op.drop_table("logins")
    _logins()
    op.execute(
        f"INSERT INTO logins ({_KEPT}, ended_at, ending) SELECT {_KEPT}, revoked_at, "
        "CASE WHEN revoked_at IS NOT NULL THEN 'revoked' END FROM logins_before ORDER BY sequence"
    )
    op.execute("DROP TABLE logins_before")
    _role_changes()
    op.execute(
        "INSERT INTO role_changes (user_id, at, roles) "
        "SELECT id, created_at, roles FROM users ORDER BY id"
    )


def _logins() -> None:
    op.create_table(
        "logins",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", INT, nullable=False),
        sa.Column("last_used_at", INT, nullable=False),
        sa.Column("expires_at", INT, nullable=False),
        sa.Column("ended_at", INT, nullable=True),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("seal_key", sa.LargeBinary(), nullable=True),
        sa.Column("skew_ms", INT, nullable=True),
        sa.UniqueConstraint("id", name=op.f("uq_logins_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_logins_token_hash")),
        sa.CheckConstraint(
            "ending IN ('signed_out', 'expired', 'revoked')", name=op.f("ck_logins_ending")
        ),
        sa.CheckConstraint("(ending IS NULL) = (ended_at IS NULL)", name=op.f("ck_logins_ended")),
        sa.CheckConstraint("length(seal_key) = 32", name=op.f("ck_logins_seal_key")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_logins")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_logins_user_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_logins_user_id"), "logins", ["user_id"])


def _role_changes() -> None:
    op.create_table(
        "role_changes",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_role_changes")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_role_changes_user_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_role_changes_user_id"), "role_changes", ["user_id"])
