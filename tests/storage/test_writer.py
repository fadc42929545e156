"""The writer: group commit, cancellation, bounds, outages, other processes."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage import RecordNotFound, SqliteStore, StoreSettings, StoreUnavailable
from tests.storage.builders import Log, created, entry

ROOT = Path(__file__).parents[2]


async def test_cancelling_who_waits_does_not_cancel_the_write(sqlite):
    """L4: stopping a room cancelled its writes; here they reach the disk."""
    log = await created(sqlite)
    task = asyncio.create_task(sqlite.records.append(log.commit()))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await sqlite.records.append(log.commit())

    assert list((await sqlite.records.load("R1")).rows) == log.rows


async def test_closing_stores_everything_that_was_submitted(tmp_path):
    """L4: a stop in the middle of a burst loses nothing."""
    store = await SqliteStore.open(tmp_path / "store.db")
    log = await created(store)
    burst = [asyncio.create_task(store.records.append(log.commit())) for _ in range(200)]
    await asyncio.sleep(0)

    await store.close()

    await asyncio.gather(*burst)
    store = await SqliteStore.open(tmp_path / "store.db")
    assert list((await store.records.load("R1")).rows) == log.rows
    await store.close()


async def test_a_full_queue_refuses_at_once_and_recovers(tmp_path):
    store = await SqliteStore.open(tmp_path / "store.db", StoreSettings(max_queued=5))
    outcomes = await asyncio.gather(
        *(store.records.next_number("EX") for _ in range(8)), return_exceptions=True
    )

    assert [type(each) for each in outcomes] == [str] * 5 + [StoreUnavailable] * 3
    assert await store.records.next_number("EX") == "EX-000006"
    await store.close()


async def test_a_window_gathers_and_a_small_group_bound_splits(tmp_path):
    settings = StoreSettings(max_group=3, window_ms=1)
    store = await SqliteStore.open(tmp_path / "store.db", settings)
    log = await created(store)

    await asyncio.gather(*(store.records.append(log.commit()) for _ in range(10)))

    assert (await store.records.load("R1")).head.version == 11
    await store.close()


async def test_a_locked_database_is_an_outage_that_passes(tmp_path):
    """L12: "database is locked" is told to the caller, and the writer goes on."""
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, StoreSettings(busy_timeout_ms=0))
    log = await created(store)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        lost = Log("R1")
        lost.version, lost.hash = log.version, log.hash

        with pytest.raises(StoreUnavailable):
            await store.records.append(lost.commit())
        assert (await store.records.load("R1")).head.version == 1

        other.execute("ROLLBACK")
    await store.records.append(log.commit())

    assert (await store.records.load("R1")).head.version == 2
    await store.close()


async def test_a_full_disk_fails_its_group_and_keeps_what_was_acknowledged(tmp_path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, StoreSettings(max_pages=160))
    log = await created(store)
    acknowledged = 1

    async def fill() -> None:
        nonlocal acknowledged
        while True:
            await store.records.append(log.commit(10))
            acknowledged += 10

    with pytest.raises(StoreUnavailable) as caught:
        await fill()
    with pytest.raises(StoreUnavailable):
        await store.append_audit([entry(action="x" * 100_000)])

    assert "full" in caught.value.reason
    assert (await store.records.load("R1")).head.version == acknowledged
    await store.close()

    store = await SqliteStore.open(path)
    stored = await store.records.load("R1")
    assert list(stored.rows) == log.rows[:acknowledged]
    assert await store.verify_audit() is None
    await store.close()


async def test_two_stores_on_one_file_share_one_log_and_one_audit_chain(tmp_path):
    """L12: two writers, one atomic transaction each, no row between."""
    path = tmp_path / "store.db"
    first, second = await SqliteStore.open(path), await SqliteStore.open(path)
    one, two = await created(first, "R1"), await created(second, "R2")

    for _ in range(10):
        await asyncio.gather(
            first.records.append(one.commit()),
            second.records.append(two.commit()),
            first.append_audit([entry(action="read")]),
        )

    assert (await second.records.load("R1")).head.version == 11
    assert (await first.records.load("R2")).head.version == 11
    assert await first.verify_audit() is None
    assert len(await first.audit()) == 32
    await first.close()
    await second.close()


async def test_the_file_is_readable_by_its_owner_only(sqlite, tmp_path):
    await created(sqlite)

    modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}

    assert modes == {0o600}


async def test_a_store_opened_for_reading_reads_beside_the_writer_and_never_writes(
    sqlite, tmp_path
):
    log = await created(sqlite, rows=2)
    reading = await SqliteStore.open(tmp_path / "store.db", read_only=True)

    await sqlite.records.append(log.commit())

    assert (await reading.records.load("R1")).head.version == 3
    assert await reading.verify_log("R1") is None
    assert await reading.verify_audit() is None
    with pytest.raises(StoreUnavailable):
        await reading.records.append(log.commit())
    await reading.close()


async def test_opening_a_missing_file_for_reading_does_not_make_it(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path / "absent.db", read_only=True)

    assert not (tmp_path / "absent.db").exists()


async def test_an_unwritable_directory_is_an_outage(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path / "absent" / "store.db")


CHILD = """
import asyncio, resource, sys
from pathlib import Path
from storage import SqliteStore, StorageError
from tests.storage.builders import Log, created

async def main(path, record_id, limit, count):
    store = await SqliteStore.open(Path(path))
    log = await created(store, record_id)
    print(1, flush=True)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    done = 0
    while done != count:
        try:
            await store.records.append(log.commit())
        except StorageError as error:
            print(type(error).__name__, flush=True)
            break
        print(log.version, flush=True)
        done += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def child(path: Path, record_id: str, *, limit: int = 0, count: int = -1):
    """A process that appends to a record and prints each acknowledged version."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), record_id, str(limit), str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("after", [1, 40, 111])
async def test_every_acknowledged_row_survives_kill_9(tmp_path, after):
    """L4, L6: an answer means it is on disk."""
    path = tmp_path / "store.db"
    with child(path, "R1") as process:
        acknowledged = 0
        while acknowledged < after:
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")
    acknowledged = max(acknowledged, *(int(line) for line in rest[:-1] if line), 0)

    store = await SqliteStore.open(path)
    stored = await store.records.load("R1")
    trail = await store.audit(limit=10_000)
    broken = await store.verify_audit()
    await store.close()

    assert stored.head.version >= acknowledged
    assert len(trail) == stored.head.version
    assert broken is None


async def test_a_file_size_limit_is_an_outage_and_loses_nothing(tmp_path):
    """A disk that refuses to grow, seen from the system call."""
    path = tmp_path / "store.db"
    with child(path, "R1", limit=300_000) as process:
        lines = process.stdout.read().split()
    assert lines[-1] == "StoreUnavailable"
    acknowledged = int(lines[-2])

    store = await SqliteStore.open(path)
    stored = await store.records.load("R1")
    await store.close()

    assert stored.head.version == acknowledged


async def test_two_processes_append_to_one_file(tmp_path):
    """L12: the second writer waits its turn instead of failing."""
    path = tmp_path / "store.db"
    with child(path, "R1", count=60) as one, child(path, "R2", count=60) as two:
        outputs = [process.stdout.read().split() for process in (one, two)]
    store = await SqliteStore.open(path)

    versions = [(await store.records.load(each)).head.version for each in ("R1", "R2")]
    broken = await store.verify_audit()
    with pytest.raises(RecordNotFound):
        await store.records.load("R3")
    await store.close()

    assert [output[-1] for output in outputs] == ["61", "61"]
    assert versions == [61, 61]
    assert broken is None


async def test_a_commit_takes_along_what_waits_for_company(tmp_path):
    """People wait for commits; the audit of a read can wait for the next one."""
    store = await SqliteStore.open(tmp_path / "store.db", StoreSettings(window_ms=60_000))
    log = await created(store)
    number = asyncio.ensure_future(store.records.next_number("EX"))
    await asyncio.sleep(0)

    await store.records.append(log.commit())

    assert await number == "EX-000001"
    await store.close()
