"""The trail attests the rows that no log covers; those of before are attested as they stand."""

import os
import time

import sqlalchemy as sa
from alembic import op

from storage.attesting import attest_all

revision = "0013"
down_revision = "0012"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attesting_key",
        sa.Column("id", INT, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_attesting_key_id")),
        sa.CheckConstraint("length(key) = 32", name=op.f("ck_attesting_key_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attesting_key")),
        sqlite_strict=True,
    )
    secret = os.urandom(32)
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute("INSERT INTO attesting_key (id, key) VALUES (1, ?)", (secret,))
    attest_all(driver, secret, time.time_ns() // 1000)
