"""What every store promises about the history of a record."""

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import storage.migrations
from storage import ChangeFilter, RecordNotFound, SqliteStore
from sync.effects import Change
from tests.storage.builders import NOW, created

MINUTE = timedelta(minutes=1)


def change(version: int, ordinal: int = 1, **parts: object) -> Change:
    at = NOW + version * MINUTE
    made = Change(
        version=version, ordinal=ordinal, last_version=version, field="example.field", kind="set",
        old="1", new="2", author="u1", role="nurse", written_at=at - MINUTE,
        last_written_at=at - MINUTE, at=at, last_at=at,
    )  # fmt: skip
    return msgspec.structs.replace(made, **parts)


async def filled(store, *changes: Change, rows: int = 9):
    return await created(store, rows=rows, changes=changes)


async def found(store, **wanted: object) -> list[tuple[int, int]]:
    page = await store.records.changes("R1", ChangeFilter(**wanted))
    return [(one.change.version, one.change.ordinal) for one in page]


async def test_changes_come_back_as_they_were_with_device_and_address_of_their_row(store):
    made = change(2, entry="E1", kind="entry", offset=3, new='{"a":"é"}')
    await filled(store, made)

    (stored,) = await store.records.changes("R1", ChangeFilter())

    assert stored.change == made
    assert (stored.login_id, stored.device, stored.address) == ("l1", "tablet-1", "192.0.2.1")


async def test_a_change_that_grows_replaces_what_it_was(store):
    log = await filled(store, change(2, kind="text", new='"a"'))
    grown = change(2, kind="text", new='"ab"', offset=1, last_version=10, last_at=NOW + 9 * MINUTE)
    await store.records.append(log.commit(changes=(grown,)))

    (stored,) = await store.records.changes("R1", ChangeFilter())

    assert stored.change == grown


async def test_pages_follow_on_each_other_in_both_orders(store):
    await filled(store, *(change(v, o) for v in range(1, 5) for o in (1, 2)))
    whole = [(v, o) for v in range(1, 5) for o in (1, 2)]

    for newest_first in (True, False):
        seen: list[tuple[int, int]] = []
        while page := await found(
            store, limit=3, newest_first=newest_first, after=seen[-1] if seen else None
        ):
            seen += page
        assert seen == (whole[::-1] if newest_first else whole)


@pytest.mark.parametrize(
    ("wanted", "versions"),
    [
        ({"field": "example.other"}, [2]),
        ({"field": "list"}, [4, 3]),
        ({"field": "list", "entry": "E2"}, [4]),
        ({"author": "u2"}, [5]),
        ({"role": "cashier"}, [6]),
        ({"hidden": frozenset({"list", "example.field"})}, [2]),
        ({"since": NOW + 6 * MINUTE}, [6]),
        ({"until": NOW + 2 * MINUTE}, [2, 1]),
        ({"since": NOW + 3 * MINUTE, "until": NOW + 3 * MINUTE}, [3]),
        ({"field": "nothing"}, []),
    ],
)
async def test_filters_leave_what_is_wanted(store, wanted, versions):
    await filled(
        store, change(1), change(2, field="example.other"), change(3, field="list", entry="E1"),
        change(4, field="list", entry="E2"), change(5, author="u2"), change(6, role="cashier"),
    )  # fmt: skip

    assert [version for version, _ in await found(store, **wanted)] == versions


async def test_a_sitting_counts_for_as_long_as_it_lasted(store):
    await filled(store, change(1, last_at=NOW + 5 * MINUTE))

    assert await found(store, since=NOW + 4 * MINUTE) == [(1, 1)]
    assert await found(store, until=NOW + 1 * MINUTE) == [(1, 1)]
    assert await found(store, since=NOW + 6 * MINUTE) == []


async def test_the_history_of_an_unknown_record_is_not_an_empty_one(store):
    with pytest.raises(RecordNotFound):
        await store.records.changes("R9", ChangeFilter())


async def test_an_instant_outside_utc_stores_nothing(store):
    log = await filled(store, change(1))
    naive = NOW.replace(tzinfo=None)

    with pytest.raises((ValueError, TypeError)):
        await store.records.append(log.commit(changes=(change(2, at=naive),)))

    assert await found(store) == [(1, 1)]


async def test_a_history_that_is_due_is_taken_once(tmp_path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await created(store, rows=3)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO history_due VALUES ('R1')")

    before = await store.records.load("R1")
    await store.records.replace_changes("R1", [change(1, new='"x"'), change(1), change(2)])
    await store.records.replace_changes("R1", [])
    after = await store.records.load("R1")
    kept = await found(store)
    await store.close()

    assert (before.history_due, after.history_due) == (True, False)
    assert kept == [(2, 1), (1, 1)]


def test_the_migration_marks_every_record_as_due_and_drops_snapshots(tmp_path):
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        names = [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(records)")]
        texts = {"id": "'R1'", "hash": "zeroblob(32)", "version": "2", "epoch": "0"}
        numbers = {"created_at", "updated_at", "priority", "waiting_since"}
        values = [texts.get(name, "0" if name in numbers else "''") for name in names]
        connection.exec_driver_sql(f"INSERT INTO records VALUES ({', '.join(values)})")
        connection.exec_driver_sql(
            "INSERT INTO snapshots VALUES (1, 'R1', 2, zeroblob(32), x'00', x'00', zeroblob(32))"
        )
        command.upgrade(config, "head")
        due = connection.exec_driver_sql("SELECT record_id FROM history_due").fetchall()
        kept = connection.exec_driver_sql("SELECT count(*) FROM snapshots").scalar()
    engine.dispose()

    assert [tuple(row) for row in due] == [("R1",)]
    assert kept == 0
