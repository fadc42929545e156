"""Damaged bytes are reported as damage: never as "not found", never as an empty record."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from storage import (
    SqliteStore,
    StorageError,
    StoreCorrupt,
    StoreUnavailable,
)
from tests.storage.builders import Log, created, entry


def tamper(path: Path, *statements: str) -> None:
    """Change the database as no program of ours would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "version"),
    [
        ("UPDATE updates SET \"update\" = x'00' WHERE version = 4", 4),
        ("UPDATE updates SET author = 'u9' WHERE version = 4", 4),
        ("UPDATE updates SET received_at = received_at + 1 WHERE version = 4", 4),
        ("UPDATE updates SET hash = zeroblob(32) WHERE version = 4", 4),
        ("DELETE FROM updates WHERE version = 4", 4),
        ("DELETE FROM updates WHERE version = 6", 6),
        ("DELETE FROM updates", 1),
        ("UPDATE records SET version = 5", 6),
        ("UPDATE records SET version = 7", 7),
        ("UPDATE records SET hash = zeroblob(32)", 6),
        ("UPDATE updates SET received_at = 9223372036854775807 WHERE version = 4", 0),
    ],
)
async def test_a_damaged_log_is_refused_at_the_damaged_version(
    sqlite, tmp_path, statement, version
):
    """L3, L5: the caller must never take a damaged record for a new one."""
    await created(sqlite, rows=6)
    tamper(tmp_path / "store.db", statement)

    with pytest.raises(StoreCorrupt) as caught:
        await sqlite.records.load("R1")

    assert caught.value.record_id == "R1"
    assert caught.value.version == version


async def test_a_log_whose_record_is_lost_is_damage_not_a_new_record(sqlite, tmp_path):
    """L3: "not found" would make the caller create an empty record."""
    await created(sqlite, rows=2)
    tamper(tmp_path / "store.db", "PRAGMA foreign_keys=OFF", "DELETE FROM records")

    with pytest.raises(StoreCorrupt):
        await sqlite.records.load("R1")
    with pytest.raises(StoreCorrupt):
        await sqlite.records.rows("R1", after=2)


async def test_damage_in_one_record_leaves_the_others_usable(sqlite, tmp_path):
    await created(sqlite, "R1", rows=2)
    other = await created(sqlite, "R2", rows=2)
    tamper(tmp_path / "store.db", "DELETE FROM updates WHERE record_id = 'R1'")

    await sqlite.records.append(other.commit())

    assert (await sqlite.records.load("R2")).head.version == 3


async def test_rows_beyond_the_head_are_damage_for_the_next_append_and_not_overwritten(
    sqlite, tmp_path
):
    log = await created(sqlite, rows=3)
    other = await created(sqlite, "R2")
    tamper(tmp_path / "store.db", "UPDATE records SET version = 2 WHERE id = 'R1'")
    stale = Log("R1")
    stale.commit(2)

    with pytest.raises(StoreCorrupt) as caught:
        await sqlite.records.append(stale.commit())
    await sqlite.records.append(other.commit())

    assert caught.value.version == 3
    assert list(await sqlite.records.rows("R1")) == log.rows


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE snapshots SET document = x'00' WHERE version = {}",
        "UPDATE snapshots SET \"index\" = x'' WHERE version = {}",
        "UPDATE snapshots SET hash = zeroblob(32) WHERE version = {}",
        "UPDATE snapshots SET digest = zeroblob(32) WHERE version = {}",
    ],
)
async def test_a_damaged_snapshot_is_passed_over_for_the_older_one_then_the_log(
    sqlite, tmp_path, statement
):
    """L1, L5: an empty or torn snapshot must not become the record."""
    log = await created(sqlite, rows=6)
    await sqlite.records.save_snapshot("R1", log.snapshot(2))
    await sqlite.records.save_snapshot("R1", log.snapshot(4))

    tamper(tmp_path / "store.db", statement.format(4))
    older = await sqlite.records.load("R1")
    tamper(tmp_path / "store.db", statement.format(2))
    none = await sqlite.records.load("R1")

    assert older.snapshot == log.snapshot(2)
    assert list(older.rows) == log.rows[2:]
    assert none.snapshot is None
    assert list(none.rows) == log.rows
    broken = await sqlite.verify_log("R1")
    assert broken is not None
    assert "snapshot" in broken.reason


async def test_only_the_newest_two_snapshots_are_kept(sqlite, tmp_path):
    log = await created(sqlite, rows=6)
    for version in (1, 2, 5, 3, 6):
        await sqlite.records.save_snapshot("R1", log.snapshot(version))

    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        kept = connection.execute("SELECT version FROM snapshots ORDER BY version").fetchall()

    assert kept == [(5,), (6,)]


async def test_snapshots_that_can_never_be_saved_do_not_stop_the_log(sqlite, tmp_path):
    """L13: the log grows safely, the caller learns of it, reads go on."""
    log = await created(sqlite)
    tamper(
        tmp_path / "store.db",
        "CREATE TRIGGER broken BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'no'); END",
    )

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await sqlite.records.save_snapshot("R1", log.snapshot())
        await sqlite.records.append(log.commit())

    assert list((await sqlite.records.load("R1")).rows) == log.rows


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE audit SET user_id = 'u9' WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 1", 1),
    ],
)
@pytest.mark.rule("AUDIT-4")
async def test_a_changed_audit_trail_is_found_at_its_first_broken_link(
    sqlite, tmp_path, statement, seq
):
    await sqlite.append_audit([entry(action=str(n)) for n in range(4)])
    tamper(tmp_path / "store.db", statement)

    broken = await sqlite.verify_audit()

    assert broken is not None
    assert broken.position == seq


@pytest.mark.rule("AUDIT-4")
async def test_entries_in_another_order_are_found(sqlite, tmp_path):
    await sqlite.append_audit([entry(user_id=f"u{n}") for n in range(5)])
    tamper(
        tmp_path / "store.db",
        "UPDATE audit SET seq = 100 WHERE seq = 2",
        "UPDATE audit SET seq = 2 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 100",
    )

    broken = await sqlite.verify_audit()

    assert (broken.position, broken.reason) == (2, "an entry does not match its hash")


@pytest.mark.rule("AUDIT-4")
async def test_a_flipped_byte_in_the_file_is_found_or_the_file_is_refused(sqlite, tmp_path):
    await sqlite.append_audit([entry(user_id=f"user-number-{n:03}") for n in range(50)])
    await sqlite.close()
    path = tmp_path / "store.db"
    content = bytearray(path.read_bytes())
    content[content.index(b"user-number-017") + 3] ^= 1
    path.write_bytes(bytes(content))

    damaged = await SqliteStore.open(path)
    broken = await damaged.verify_audit()
    await damaged.close()

    assert (broken.position, broken.reason) == (18, "an entry does not match its hash")


async def test_an_entry_smuggled_in_before_the_first_is_found(sqlite, tmp_path):
    await sqlite.append_audit([entry()])
    tamper(
        tmp_path / "store.db",
        "INSERT INTO audit SELECT 0, at, action, outcome, user_id, login_id, device, address,"
        " record_id, version, detail, hash FROM audit",
    )

    assert (await sqlite.verify_audit()).position == 0


@pytest.mark.rule("AUDIT-5")
async def test_an_end_that_was_cut_off_shows_against_a_head_that_was_kept_elsewhere(
    sqlite, tmp_path
):
    await sqlite.append_audit([entry(user_id=f"u{n}") for n in range(5)])
    kept = await sqlite.audit_head()
    assert await sqlite.verify_audit(dict([kept])) is None
    tamper(tmp_path / "store.db", "DELETE FROM audit WHERE seq > 3")

    unnoticed = await sqlite.verify_audit()
    broken = await sqlite.verify_audit(dict([kept]))

    assert unnoticed is None
    assert (broken.position, broken.reason) == (
        4, "the end is cut off: the head kept elsewhere is entry 5",
    )  # fmt: skip


@pytest.mark.rule("AUDIT-5")
async def test_a_trail_written_anew_shows_against_a_head_that_was_kept_elsewhere(sqlite, tmp_path):
    """Who can write the file can also compute hashes; not those that somebody has kept."""
    await sqlite.append_audit([entry(user_id=f"u{n}") for n in range(5)])
    kept = await sqlite.audit_head()
    tamper(tmp_path / "store.db", "DELETE FROM audit WHERE seq > 2")
    await sqlite.close()
    forged = await SqliteStore.open(tmp_path / "store.db")
    await forged.append_audit([entry(user_id="forged") for _ in range(9)])

    unnoticed = await forged.verify_audit()
    broken = await forged.verify_audit(dict([kept]))
    await forged.close()

    assert unnoticed is None
    assert broken.position == 5
    assert "the one whose head was kept" in broken.reason


@pytest.mark.parametrize("table", ["updates", "audit"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET version = 9"])
async def test_log_and_audit_rows_are_neither_changed_nor_removed(
    sqlite, tmp_path, table, statement
):
    await created(sqlite)

    with (
        contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement.format(table))


async def test_a_file_that_is_no_database_is_damage(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database" * 1000)

    with pytest.raises(StoreCorrupt):
        await SqliteStore.open(path)

    assert path.read_bytes() == b"not a database" * 1000


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
async def test_a_torn_database_file_never_looks_like_missing_records(tmp_path, keep):
    """L3: whatever is lost, a record is whole or damaged, not absent."""
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    for n in range(30):
        await created(store, f"R{n:02d}", rows=20)
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(int(size * keep) // 4096 * 4096)

    outcomes = set()
    with contextlib.suppress(StoreCorrupt, StoreUnavailable):
        store = await SqliteStore.open(path)
        for n in range(30):
            try:
                outcomes.add((await store.records.load(f"R{n:02d}")).head.version)
            except (StoreCorrupt, StoreUnavailable):
                outcomes.add("damaged")
        await store.close()

    assert outcomes <= {20, "damaged"}


@pytest.mark.parametrize("cut", [1, 100, 4096, 20_000])
async def test_a_truncated_wal_leaves_a_whole_prefix_of_the_log(sqlite, tmp_path, cut):
    """What a power cut leaves: the last transactions are gone, none is half there."""
    log = await created(sqlite)
    for _ in range(20):
        await sqlite.records.append(log.commit())
    path = tmp_path / "copy.db"
    shutil.copyfile(tmp_path / "store.db", path)
    wal = (tmp_path / "store.db-wal").read_bytes()
    path.with_name("copy.db-wal").write_bytes(wal[:-cut])

    copy = await SqliteStore.open(path)
    stored = await copy.records.load("R1")
    trail = await copy.verify_audit()
    await copy.close()

    assert 0 < stored.head.version < 21
    assert list(stored.rows) == log.rows[: stored.head.version]
    assert trail is None


async def test_errors_carry_no_values_of_the_refused_row(sqlite):
    """Messages go to logs: SQLAlchemy's parameters must not be in them."""
    log = await created(sqlite)
    secret = "Secret Patient Name"
    commit = log.commit()
    unstorable = msgspec.structs.replace(commit.rows[0], author=secret + "\ud800")

    with pytest.raises(StorageError) as caught:
        await sqlite.records.append(msgspec.structs.replace(commit, rows=(unstorable,)))

    assert secret not in str(caught.value)
    assert (await sqlite.records.load("R1")).head.version == 1
