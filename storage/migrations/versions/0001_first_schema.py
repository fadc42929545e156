"""The first schema: records with their logs, accounts, the audit trail, numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _records()
    _updates()
    _snapshots()
    _refusals()
    _conflicts()
    _users()
    _logins()
    _audit()
    _numbers()


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("epoch", INT, nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("current_step", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("search_folded", sa.Text(), nullable=False),
        sa.Column("disputed", sa.Text(), nullable=False),
        sa.Column("assigned", sa.Text(), nullable=False),
        sa.Column("created_at", INT, nullable=False),
        sa.Column("updated_at", INT, nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_records_epoch")),
        sa.CheckConstraint("version >= 0", name=op.f("ck_records_version")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_records_hash")),
        sa.CheckConstraint("id <> ''", name=op.f("ck_records_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("uq_records_number"),
        "records",
        ["number"],
        unique=True,
        sqlite_where=sa.text("number != ''"),
        postgresql_where=sa.text("number != ''"),
    )
    op.create_index(op.f("ix_records_board"), "records", ["status", "current_step", "id"])


def _updates() -> None:
    op.create_table(
        "updates",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("update", sa.LargeBinary(), nullable=False),
        sa.Column("annotations", sa.LargeBinary(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("login_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("written_at", INT, nullable=False),
        sa.Column("received_at", INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("record_id", "version", name=op.f("uq_updates_record_id_version")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_updates_version")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_updates_hash")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_updates")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_updates_record_id")),
        sqlite_strict=True,
    )
    _append_only("updates")


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("index", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("record_id", "version", name=op.f("uq_snapshots_record_id_version")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_snapshots_version")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_snapshots_hash")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_snapshots_digest")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_snapshots")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_snapshots_record_id")),
        sqlite_strict=True,
    )


def _refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("login_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("written_at", INT, nullable=False),
        sa.Column("original", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.UniqueConstraint("record_id", "id", name=op.f("uq_refusals_record_id_id")),
        sa.CheckConstraint(
            "status IN ('open', 'applied', 'dismissed')", name=op.f("ck_refusals_status")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_refusals")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_refusals_record_id")),
        sqlite_strict=True,
    )


def _conflicts() -> None:
    op.create_table(
        "conflicts",
        sa.Column("sequence", INT, nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("critical", INT, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column("standing", INT, nullable=False),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.UniqueConstraint("record_id", "id", name=op.f("uq_conflicts_record_id_id")),
        sa.CheckConstraint("status IN ('open', 'resolved')", name=op.f("ck_conflicts_status")),
        sa.CheckConstraint("critical IN (0, 1)", name=op.f("ck_conflicts_critical")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_conflicts")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_conflicts_record_id")),
        sqlite_strict=True,
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("username_folded", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("disabled", INT, nullable=False),
        sa.Column("created_at", INT, nullable=False),
        sa.UniqueConstraint("username_folded", name=op.f("uq_users_username_folded")),
        sa.CheckConstraint("disabled IN (0, 1)", name=op.f("ck_users_disabled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sqlite_strict=True,
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
        sa.Column("revoked_at", INT, nullable=True),
        sa.UniqueConstraint("id", name=op.f("uq_logins_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_logins_token_hash")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_logins")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_logins_user_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_logins_user_id"), "logins", ["user_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", INT, nullable=False, autoincrement=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("login_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('success', 'denied', 'failure')", name=op.f("ck_audit_outcome")
        ),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_audit_hash")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_audit_record_id"), "audit", ["record_id"], sqlite_where=sa.text("record_id != ''")
    )
    _append_only("audit")


def _numbers() -> None:
    op.create_table(
        "numbers",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.CheckConstraint("last >= 1", name=op.f("ck_numbers_last")),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_numbers")),
        sqlite_strict=True,
    )
