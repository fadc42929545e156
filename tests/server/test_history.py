"""The history of a record, from the edit to the API, the command line and `verify`."""

import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from server.commands.cli import app
from server.commands.inspection import compact_all, verify_all
from server.rooms import RoomHost
from server.settings import Settings
from storage import ChangeFilter, SqliteStore
from sync.effects import Change, Commit, UpdateRow, chain_hash
from tests.server.builders import START, Bench, open_bench
from tests.support.rooms import NOW, PROFILES, hosting, person

PROFILE = str(PROFILES / "outpatient.toml")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with open_bench() as bench:
        yield bench


# -- GET /api/records/{id}/history -----------------------------------------------------------------


async def recorded(bench: Bench, *changes: Change) -> str:
    """A record whose rows 2, 3, … come with these changes, one each."""
    record = await bench.record()
    stored = await bench.store.records.load(record.id)
    hash_, rows = stored.rows[-1].hash, []
    nurse = await bench.principal("nurse")
    for at, _ in enumerate(changes):
        row = UpdateRow(
            version=2 + at, update=b"\x00\x00", annotations=b"", author=nurse.user_id, role="nurse",
            login_id="L1", device="tablet 7", address="192.0.2.7", written_at=START,
            received_at=START, hash=b"",
        )  # fmt: skip
        hash_ = chain_hash(hash_, row)
        rows.append(msgspec.structs.replace(row, hash=hash_))
    numbered = tuple(
        msgspec.structs.replace(
            change, version=at, last_version=max(at, change.last_version), author=nurse.user_id
        )
        for at, change in enumerate(changes, 2)
    )
    await bench.store.records.append(
        Commit(record_id=record.id, base_version=1, rows=tuple(rows), changes=numbered)
    )
    return record.id


def change(field: str = "vitals.pulse", **parts: object) -> Change:
    made = Change(
        version=0, ordinal=1, last_version=0, field=field, kind="set", old="70", new="71",
        author="", role="nurse", written_at=START - timedelta(hours=3),
        last_written_at=START - timedelta(hours=3), at=START, last_at=START,
    )  # fmt: skip
    return msgspec.structs.replace(made, **parts)


async def history(bench: Bench, record_id: str, who: str = "nurse", **query: str) -> httpx.Response:
    return await bench.http.get(
        f"/api/records/{record_id}/history", params=query, headers=await bench.bearer(who)
    )


async def test_a_change_says_who_what_when_and_from_where(bench: Bench) -> None:
    record_id = await recorded(bench, change())
    nurse = await bench.principal("nurse")

    (item,) = (await history(bench, record_id)).json()["items"]

    assert item == {
        "id": "2.1", "version": 2, "last_version": 2, "at": "2026-03-01T08:00:00.000Z",
        "last_at": "2026-03-01T08:00:00.000Z", "written_at": "2026-03-01T05:00:00.000Z",
        "last_written_at": "2026-03-01T05:00:00.000Z",
        "author": {"id": nurse.user_id, "username": "nurse", "name": "Demo nurse", "role": "nurse"},
        "role": "nurse", "device": "tablet 7", "address": "192.0.2.7", "field": "vitals.pulse",
        "kind": "set", "old": 70, "new": 71, "offset": None, "reason": "",
    }  # fmt: skip


async def test_pages_by_cursor_reach_every_change_in_both_orders(bench: Bench) -> None:
    record_id = await recorded(bench, *(change(new=str(n)) for n in range(7)))

    for order in ("newest", "oldest"):
        seen: list[int] = []
        query = {"order": order, "limit": "3"}
        while True:
            page = (await history(bench, record_id, **query)).json()
            seen += [item["version"] for item in page["items"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert seen == sorted(range(2, 9), reverse=order == "newest")


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ({"field": "vitals.pulse"}, [2]),
        ({"field": "safety"}, [4, 3]),
        ({"field": "safety.01ARZ3NDEKTSV4RRFFQ69G5FAV"}, [3]),
        ({"field": "record.status"}, [5]),
        ({"author": "NURSE"}, [5, 4, 3, 2]),
        ({"author": "cashier"}, []),
        ({"role": "nurse"}, [4, 3, 2]),
        ({"since": "2026-03-01T08:00:01Z"}, []),
        ({"until": "2026-03-01T08:00:00"}, [5, 4, 3, 2]),
    ],
)
async def test_filters(bench: Bench, query: dict[str, str], versions: list[int]) -> None:
    await bench.principal("cashier")
    record_id = await recorded(
        bench,
        change(),
        change("safety", entry="01ARZ3NDEKTSV4RRFFQ69G5FAV", kind="entry"),
        change("safety", entry="01BX5ZZKBKACTAV9WEVGEMMVRZ", kind="entry"),
        change("record.status", role=""),
    )

    answer = await history(bench, record_id, **query)

    assert [item["version"] for item in answer.json()["items"]] == versions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("field", "vitals.nonsense"),
        ("field", "vitals"),
        ("field", "vitals.pulse\x00"),
        ("field", "safety.not-a-ulid"),
        ("field", "vitals.*"),
        ("field", "record."),
        ("author", "nobody"),
        ("role", "wizard"),
        ("since", "yesterday"),
        ("since", "9999-12-31T23:59:59-10:00"),
        ("until", "2026-13-01"),
        ("order", "sideways"),
        ("limit", "0"),
        ("limit", "501"),
        ("cursor", "nonsense"),
        ("cursor", "MTAxQVJa"),
        ("page", "2"),
    ],
)
async def test_a_filter_with_nonsense_is_422_with_the_field(
    bench: Bench, name: str, value: str
) -> None:
    record_id = await recorded(bench, change())

    answer = await history(bench, record_id, **{name: value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [name]


async def test_reading_a_history_is_audited_and_a_denied_one_too(bench: Bench) -> None:
    record_id = await recorded(bench, change())

    await history(bench, record_id)
    denied = await history(bench, record_id, "doctor")

    assert denied.status_code == 403
    reads = await bench.audited("read")
    assert [(entry.record_id, entry.outcome) for entry in reads] == [
        (record_id, "success"),
        (record_id, "denied"),
    ]
    assert reads[0].detail == "history"


# -- from the edit to the store --------------------------------------------------------------------


async def edited(host: RoomHost, record_id: str, **fields: object) -> None:
    view = await host.view(record_id)
    named = {name.replace("__", "."): value for name, value in fields.items()}
    await host.edit(person("nurse"), record_id, named, if_version=view.version)


async def stored_changes(store: SqliteStore, record_id: str) -> list[tuple[str, str, str]]:
    found = await store.records.changes(record_id, ChangeFilter(newest_first=False))
    return [(one.change.name, one.change.old, one.change.new) for one in found]


async def verified(store: SqliteStore) -> list[str]:
    breaks, _ = await verify_all(store, Settings(profiles=(PROFILE,)), None)
    return breaks


@contextlib.asynccontextmanager
async def busy_store(path: Path) -> AsyncIterator[tuple[SqliteStore, str]]:
    """A store whose one record was created and edited through a room that has left memory."""
    store = await SqliteStore.open(path)
    async with hosting(store) as (host, record_id):  # type: ignore[arg-type] # the same port
        await edited(host, record_id, vitals__pulse=70)
        await edited(host, record_id, vitals__pulse=72, assessment__notes="Walks")
        await edited(host, record_id, assessment__notes="Walks well")
    try:
        yield store, record_id
    finally:
        await store.close()


async def test_edits_over_rest_are_in_the_history_with_both_values(tmp_path: Path) -> None:
    async with busy_store(tmp_path / "store.db") as (store, record_id):
        changes = await stored_changes(store, record_id)

        assert changes[-3:] == [
            ("vitals.pulse", "null", "70"),
            ("vitals.pulse", "70", "72"),
            ("assessment.notes", '""', '"Walks well"'),
        ]
        assert ("record.status", "null", '"open"') in changes
        assert await verified(store) == []


@pytest.mark.parametrize(
    ("statement", "version", "reason"),
    [
        (
            "UPDATE changes SET new = '99' WHERE field = 'vitals.pulse' AND version = 3",
            3,
            "another",
        ),
        ("UPDATE changes SET author = 'x' WHERE field = 'vitals.pulse' AND version = 3", 3, "anot"),
        ("UPDATE changes SET at = at + 1 WHERE field = 'vitals.pulse' AND version = 4", 4, "anoth"),
        ("DELETE FROM changes WHERE field = 'vitals.pulse' AND version = 3", 3, "missing"),
        ("DELETE FROM changes", 1, "missing"),
        ("DELETE FROM changes WHERE version = (SELECT max(version) FROM changes)", 4, "missing"),
        (
            "INSERT INTO changes SELECT record_id, 3, 7, 3, field, entry, kind, offset, old, new,"
            " author, role, written_at, last_written_at, at, last_at, reason FROM changes"
            " WHERE version = 3",
            3,
            "does not tell",
        ),
        ("UPDATE changes SET version = 90 WHERE version = 3", 3, "missing"),
    ],
)
async def test_a_tampered_history_is_found_and_located(
    tmp_path: Path, statement: str, version: int, reason: str
) -> None:
    async with busy_store(tmp_path / "store.db") as (store, record_id):
        with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
            connection.execute(statement)
            connection.commit()

        (line,) = await verified(store)

        assert line.startswith(f"{record_id}: version {version}: ")
        assert reason in line


def forget_history(path: Path) -> None:
    """Leave the database as the migration leaves one from before there were histories."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("changes", "snapshots"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("INSERT INTO history_due SELECT id FROM records")


@pytest.mark.parametrize("how", ["opened", "compacted"])
async def test_a_record_from_before_histories_gets_its_history(tmp_path: Path, how: str) -> None:
    path = tmp_path / "store.db"
    async with busy_store(path) as (store, record_id):
        before = await stored_changes(store, record_id)
    forget_history(path)

    store = await SqliteStore.open(path)
    assert await verified(store) == []
    assert await stored_changes(store, record_id) == []
    if how == "opened":
        async with hosting(store) as (host, _):  # type: ignore[arg-type] # the same port
            await edited(host, record_id, assessment__notes="Walks well!")
        before[-1] = ("assessment.notes", '""', '"Walks well!"')
    else:
        await compact_all(store, Settings(profiles=(PROFILE,)), record_id)

    assert await stored_changes(store, record_id) == before
    assert await verified(store) == []
    await store.close()


# -- fieldchart history ----------------------------------------------------------------------------


def shown(data: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["history", *arguments, "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("due", [False, True])
async def test_the_command_shows_the_history_as_table_and_json(tmp_path: Path, due: bool) -> None:
    path = Settings(data=str(tmp_path)).database
    async with busy_store(path) as (_, record_id):
        pass
    if due:
        forget_history(path)
        await (await SqliteStore.open(path)).close()

    import asyncio

    table = await asyncio.to_thread(shown, tmp_path, record_id)
    text = await asyncio.to_thread(shown, tmp_path, record_id, "--field", "vitals.pulse", "--json")

    assert "Walks well" in table
    assert "id-nurse (nurse)" in table
    assert "192.0.2.1" in table
    items = json.loads(text)
    assert [(item["old"], item["new"], item["kind"]) for item in items] == [
        (None, 70, "set"),
        (70, 72, "set"),
    ]
    assert items[0]["at"] == NOW.isoformat().replace("+00:00", "Z")
    assert items[0]["address"] == "192.0.2.1"


async def test_the_command_refuses_a_field_that_the_profile_does_not_have(tmp_path: Path) -> None:
    async with busy_store(Settings(data=str(tmp_path)).database) as (_, record_id):
        pass

    import asyncio

    for name, code in (("vitals.puls", 1), ("vitals", 1), ("*", 1), ("vitals.weight", 0)):
        arguments = ["history", record_id, "--field", name, "--data", str(tmp_path)]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert result.exit_code == code, name
        assert code == 0 or repr(name) in result.stderr
