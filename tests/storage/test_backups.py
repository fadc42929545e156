"""Backup beside running work, and restore."""

import asyncio
import stat
from datetime import timedelta

import pytest

from storage import SqliteStore, StoreCorrupt, StoreIncompatible, StoreUnavailable, restore
from tests.storage.builders import NOW, Log, created, login, user


async def test_a_backup_beside_appends_is_one_moment_of_the_store(sqlite, tmp_path):
    log = await created(sqlite)
    target = tmp_path / "backup.db"

    await asyncio.gather(
        sqlite.backup(target), *(sqlite.records.append(log.commit()) for _ in range(50))
    )

    copy = await SqliteStore.open(target)
    stored = await copy.records.load("R1")
    assert list(stored.rows) == log.rows[: stored.head.version]
    assert await copy.verify_audit() is None
    await copy.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_restoring_raises_every_epoch_and_keeps_the_replaced_file(tmp_path):
    path, target = tmp_path / "store.db", tmp_path / "backup.db"
    store = await SqliteStore.open(path)
    log = await created(store)
    await store.backup(target)
    await store.records.append(log.commit())
    await store.close()

    for _ in range(2):
        restored = restore(target, path)

    store = await SqliteStore.open(path)
    stored = await store.records.load("R1")
    await store.close()
    assert (stored.head.version, stored.head.epoch) == (1, 2)
    assert restored.records == 1
    assert restored.carried
    assert path.with_name("store.db.replaced").exists()


async def test_restoring_does_not_bring_back_numbers_log_ins_or_accounts(tmp_path):
    path, target = tmp_path / "store.db", tmp_path / "backup.db"
    store = await SqliteStore.open(path)
    await store.directory.add_user(user())
    await store.directory.add_login(login())
    await store.records.next_number("EX")
    await store.backup(target)
    await store.records.next_number("EX")
    await store.records.next_number("NEW")
    (handed,) = await store.records.hand_numbers("HAND", 1, "u1", NOW)
    await store.directory.end_login("l1", NOW + timedelta(hours=1), "revoked")
    await store.close()

    restore(target, path)

    store = await SqliteStore.open(path)
    assert await store.records.next_number("EX") == "EX-000003"
    assert await store.records.next_number("NEW") == "NEW-000002"
    assert await store.records.number_owner(handed) == "u1"
    (ended,) = await store.directory.logins("u1")
    assert (ended.ended_at, ended.ending) == (NOW + timedelta(hours=1), "revoked")
    await store.close()


async def test_restoring_over_a_damaged_database_works(tmp_path):
    path, target = tmp_path / "store.db", tmp_path / "backup.db"
    store = await SqliteStore.open(path)
    await created(store)
    await store.backup(target)
    await store.close()
    path.write_bytes(b"damaged" * 5000)

    restored = restore(target, path)

    store = await SqliteStore.open(path)
    assert (await store.records.load("R1")).head.epoch == 1
    await store.close()
    assert not restored.carried
    assert path.with_name("store.db.replaced").read_bytes() == b"damaged" * 5000


async def test_restoring_beside_a_running_program_is_refused(sqlite, tmp_path):
    await created(sqlite)
    await sqlite.backup(tmp_path / "backup.db")

    with pytest.raises(StoreUnavailable) as caught:
        restore(tmp_path / "backup.db", tmp_path / "store.db")

    assert "running" in caught.value.reason
    assert (await sqlite.records.load("R1")).head.epoch == 0


async def test_an_unsound_backup_is_refused_and_nothing_changes(tmp_path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    log = Log("R1")
    await store.records.create("R1", log.first())
    await store.close()
    before = path.read_bytes()
    (tmp_path / "garbage").write_bytes(b"garbage" * 5000)
    (tmp_path / "empty").write_bytes(b"")

    with pytest.raises(StoreCorrupt):
        restore(tmp_path / "garbage", path)
    with pytest.raises(StoreIncompatible):
        restore(tmp_path / "empty", path)
    with pytest.raises(StoreUnavailable):
        restore(tmp_path / "absent", path)

    assert path.read_bytes() == before
