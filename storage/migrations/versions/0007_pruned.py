"""Records whose retention is over may go, if they are named first; their ids stay taken."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pruned",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_pruned")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_pruned_hash")),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_pruned_number", "pruned", ["number"], unique=True, sqlite_where=sa.text("number != ''")
    )
    if op.get_bind().dialect.name != "sqlite":
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER pruned_no_{verb.lower()} BEFORE {verb} ON pruned "
            "BEGIN SELECT RAISE(ABORT, 'pruned is append-only'); END"
        )
    op.execute("DROP TRIGGER updates_no_delete")
    op.execute(
        "CREATE TRIGGER updates_no_delete BEFORE DELETE ON updates "
        "WHEN OLD.record_id NOT IN (SELECT record_id FROM pruned) "
        "BEGIN SELECT RAISE(ABORT, 'updates is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER records_no_delete BEFORE DELETE ON records "
        "WHEN OLD.id NOT IN (SELECT record_id FROM pruned) "
        "BEGIN SELECT RAISE(ABORT, 'only pruned records are removed'); END"
    )
    op.execute(
        "CREATE TRIGGER records_not_again BEFORE INSERT ON records "
        "WHEN NEW.id IN (SELECT record_id FROM pruned) "
        "OR NEW.number IN (SELECT number FROM pruned WHERE number <> '') "
        "BEGIN SELECT RAISE(ABORT, 'records.number of a pruned record'); END"
    )
