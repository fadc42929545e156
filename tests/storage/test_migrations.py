"""The schema: what the migrations make equals `tables.py`; newer databases are left alone."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import storage.migrations
from permissions.model import RoleChange
from storage import SqliteStore, StoreIncompatible, restore
from storage.columns import instant
from storage.tables import metadata
from tests.storage.builders import created

BEFORE_QUEUES = "0002"
SCHEMA = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master "
    "WHERE name NOT LIKE 'sqlite_%' AND name <> 'alembic_version' ORDER BY type, name"
)


def without_layout(schema):
    """SQLite keeps a table's own words; a column that was added later stands on another line."""
    return [tuple(" ".join(word.split()) for word in row) for row in schema]


async def test_the_migrated_schema_equals_the_tables(sqlite, tmp_path):
    wanted = create_engine("sqlite://")
    with wanted.begin() as connection:
        metadata.create_all(connection)
        expected = [tuple(row) for row in connection.exec_driver_sql(SCHEMA)]
    wanted.dispose()

    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        migrated = connection.execute(SCHEMA).fetchall()

    assert without_layout(migrated) == without_layout(expected)
    assert {sql.rstrip().endswith("STRICT") for kind, _, _, sql in migrated if kind == "table"} == {
        True
    }


def test_the_list_of_revisions_equals_the_modules():
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    walked = ScriptDirectory.from_config(config).walk_revisions()

    assert tuple(script.revision for script in walked)[::-1] == storage.migrations.REVISIONS


async def test_a_record_from_before_there_were_queues_waits_since_it_was_last_changed(tmp_path):
    path = tmp_path / "store.db"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE_QUEUES)
        connection.exec_driver_sql(
            "INSERT INTO records VALUES ('R1', 0, 0, zeroblob(32), 'EX-1', 'example', 'P', 'open', "
            "'triage', 'Example One', '', '', '[]', '[]', 5, 7)"
        )
    engine.dispose()

    store = await SqliteStore.open(path)
    (head,) = await store.records.queue("example", "triage", 10)
    await store.close()

    assert (head.facts.step_status, head.facts.waiting_since) == ("ready", head.facts.updated_at)


def first_schema(path: Path) -> None:
    """A database as the first version of the schema left it, with a user and two log-ins."""
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO users VALUES ('u1', 'Nurse', 'nurse', 'Example', '[\"nurse\"]', 'x', 0, 5)"
        )
        for n, revoked_at in enumerate((None, 9), 1):
            connection.exec_driver_sql(
                "INSERT INTO logins (id, user_id, token_hash, device, address, created_at, "
                "last_used_at, expires_at, revoked_at) VALUES (?, 'u1', ?, 'd', 'a', 6, 7, 8, ?)",
                (f"l{n}", bytes([n]) * 32, revoked_at),
            )
    engine.dispose()


async def test_accounts_and_log_ins_of_the_first_schema_live_on(tmp_path):
    path = tmp_path / "store.db"
    first_schema(path)

    store = await SqliteStore.open(path)

    live, over = await store.directory.logins("u1")
    assert (live.ending, live.ended_at, live.seal_key, live.skew_ms) == (None, None, b"", None)
    assert (over.id, over.ending, over.ended_at) == ("l2", "revoked", instant(9))
    assert list(await store.directory.role_changes("u1")) == [
        RoleChange(instant(5), frozenset({"nurse"}))
    ]
    await store.close()


async def test_restoring_a_backup_of_the_first_schema_takes_over_what_must_not_go_back(tmp_path):
    path, target = tmp_path / "store.db", tmp_path / "backup.db"
    first_schema(target)
    store = await SqliteStore.open(path)
    await store.records.next_number("EX")
    await store.close()

    assert restore(target, path).carried

    store = await SqliteStore.open(path)
    assert await store.records.next_number("EX") == "EX-000002"
    assert len(await store.directory.logins("u1")) == 2
    await store.close()


async def test_opening_again_keeps_what_is_there(tmp_path):
    for n in range(3):
        store = await SqliteStore.open(tmp_path / "store.db")
        await created(store, f"R{n}")
        found = [each async for each in store.records.record_ids()]
        await store.close()

    assert found == ["R0", "R1", "R2"]


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path, read_only):
    path = tmp_path / "store.db"
    await (await SqliteStore.open(path)).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()

    with pytest.raises(StoreIncompatible):
        await SqliteStore.open(path, read_only=read_only)

    assert path.read_bytes() == before


async def test_the_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "store.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")

    with pytest.raises(StoreIncompatible):
        await SqliteStore.open(path)
