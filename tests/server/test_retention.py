"""`fieldchart prune`: what is past its age goes, what is not stays, and nothing goes otherwise."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from server.commands.cli import app
from server.commands.options import command_entry, now
from server.consequences import SERVER
from storage import SqliteStore, StoreUnavailable
from storage.errors import RecordExists, RecordPruned
from storage.tables import metadata
from tests.storage.builders import Log, conflict, facts, refusal
from tests.support.house import Household, living

MADE = now() - timedelta(days=400)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIELDCHART_DATA", str(tmp_path))
    return tmp_path / "fieldchart.sqlite3"


async def finish(household: Household, record_id: str, status: str = "completed") -> None:
    async def write(live: Any, batch: Any) -> None:
        live.write_facts(batch, {"status": status}, SERVER, household.now)

    await household.rooms.ask(record_id, write)


def filled(path: Path, *, judged: bool = True) -> dict[str, str]:
    """A database with records of each kind, by what is special about them.

    judged: with made-up refusals and conflicts, of which neither log nor trail know.
    """

    async def fill() -> dict[str, str]:
        store = await SqliteStore.open(path)
        async with living(store, now=MADE) as household:
            made = {}
            for name in ("old", "cancelled", "refused", "disputed", "open", "young"):
                made[name] = await household.record(**{"demographics.family_name": "TESTCASE"})
            await finish(household, made["cancelled"], "cancelled")
            for name in ("old", "refused", "disputed"):
                await finish(household, made[name])
            household.step(days=390)
            await finish(household, made["young"])
        made_up: tuple[tuple[str, dict[str, Any]], ...] = (
            ("refused", {"refusals": (refusal("9.1"), refusal("9.2", status="applied"))}),
            ("disputed", {"conflicts": (conflict("9.1"),)}),
            ("cancelled", {"refusals": (refusal("9.1", status="dismissed"),)}),
            ("old", {"conflicts": (conflict("9.1", resolved=True),)}),
        )
        for name, parts in made_up if judged else ():
            log = Log(made[name])
            log.version = (await store.records.load(made[name])).head.version
            await store.records.append(log.commit(0, **parts))
        await store.close()
        return made

    return asyncio.run(fill())


def within(path: Path, work: Any) -> Any:
    async def opened() -> Any:
        store = await SqliteStore.open(path)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(opened())


def records(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return {row[0] for row in database.execute("SELECT id FROM records")}


def holding(path: Path, text: str) -> Iterator[str]:
    """The tables in which a value contains this text."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        for name in metadata.tables:
            for row in database.execute(f'SELECT * FROM "{name}"'):
                if any(isinstance(value, str) and text in value for value in row):
                    yield name
                    break


@pytest.mark.rule("KEEP-1")
def test_only_records_that_are_over_past_their_age_and_decided_go(path: Path) -> None:
    made = filled(path)

    dry = run("prune", "--older-than", "365", "--dry-run")
    untouched = records(path)
    done = run("prune", "--older-than", "365")

    assert (dry.exit_code, done.exit_code) == (0, 0), dry.output + done.output
    assert untouched == set(made.values())
    assert records(path) == {made[name] for name in ("refused", "disputed", "open", "young")}
    for name in ("old", "cancelled"):
        assert made[name] in dry.stdout
        assert made[name] in done.stdout
    assert done.stdout.endswith("removed 2 records\n")
    assert "TESTCASE" not in done.stdout


@pytest.mark.rule("KEEP-3")
def test_nothing_of_a_pruned_record_stays_but_its_id_and_the_trail(path: Path) -> None:
    made = filled(path)
    run("prune", "--older-than", "365")

    assert set(holding(path, made["old"])) <= {"audit", "pruned", "events"}
    assert {"audit", "pruned"} <= set(holding(path, made["old"]))
    audit = within(path, lambda store: store.audit(record_id=made["old"], limit=1000))
    assert [entry.action for _, entry in audit][-1] == "prune"
    (entry,) = [entry for _, entry in audit if entry.action == "prune"]
    assert entry.login_id.startswith("uid:")
    assert entry.version > 0
    assert "head=" in entry.detail


def test_verify_is_green_afterwards(path: Path) -> None:
    filled(path, judged=False)
    head = within(path, lambda store: store.audit_head())
    run("prune", "--older-than", "365")

    verified = run("verify", "--audit-head", f"{head[0]}:{head[1].hex()}")

    assert verified.exit_code == 0, verified.stderr


@pytest.mark.rule("KEEP-3")
def test_ids_and_numbers_of_pruned_records_are_never_given_out_again(path: Path) -> None:
    made = filled(path)
    number = within(path, lambda store: store.records.load(made["old"])).head.facts.number
    run("prune", "--older-than", "365")

    async def again(store: SqliteStore) -> None:
        for address in (made["old"], number):
            with pytest.raises(RecordPruned):
                await store.records.resolve(address)
        for id, taken in ((made["old"], ""), ("OTHER", number)):
            with pytest.raises(RecordExists):
                await store.records.create(id, Log(id).first(number=taken))
        async with living(store) as household:
            body = {"profile": "outpatient", "id": made["old"], "fields": {}}
            conflict = await household.ask("receptionist", "POST", "/api/records", body)
            read = await household.ask("nurse", "GET", f"/api/records/{number}")
            trail = await household.ask("supervisor", "GET", f"/api/audit?record={number}")
        assert (conflict.status_code, read.status_code) == (409, 410)
        assert read.json()["detail"] == "The record was removed when its retention was over."
        assert trail.json()["items"][0]["action"] == "read"
        assert "prune" in {line["action"] for line in trail.json()["items"]}

    within(path, again)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM updates WHERE record_id = '{open}'",
        "DELETE FROM records WHERE id = '{open}'",
        "UPDATE updates SET author = 'x' WHERE record_id = '{open}'",
        "UPDATE updates SET author = 'x' WHERE record_id = '{old}'",
        "DELETE FROM audit WHERE record_id = '{old}'",
        "DELETE FROM pruned",
        "UPDATE pruned SET hash = zeroblob(32)",
        "INSERT OR REPLACE INTO updates SELECT * FROM updates WHERE record_id = '{open}'",
    ],
)
@pytest.mark.rule("KEEP-2")
def test_the_log_is_not_rewritten_in_any_other_way(path: Path, statement: str) -> None:
    made = filled(path)
    if "{old}" not in statement or "audit" in statement:
        run("prune", "--older-than", "365")

    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA recursive_triggers=ON")
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(statement.format_map(made))


@pytest.mark.rule("KEEP-1")
def test_nothing_goes_unless_somebody_names_an_age(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(path)

    unnamed = run("prune")
    monkeypatch.setenv("FIELDCHART_RETENTION_DAYS", "395")
    too_young = run("prune", "--older-than", "394")
    by_setting = run("prune")

    assert unnamed.exit_code == 1
    assert "nothing is removed: name an age" in unnamed.stderr
    assert too_young.exit_code == 1
    assert "records are kept for 395 days" in too_young.stderr
    assert by_setting.stdout.endswith("removed 2 records\n")
    assert made["old"] not in records(path)


def test_a_running_server_keeps_its_records(path: Path) -> None:
    made = filled(path)

    async def beside(store: SqliteStore) -> Any:
        return await asyncio.to_thread(
            lambda: (
                run("prune", "--older-than", "1"),
                run("prune", "--older-than", "1", "--dry-run"),
            )
        )

    refused, dry = within(path, beside)

    assert refused.exit_code == 1
    assert "in use by a running program" in refused.stderr
    assert dry.exit_code == 0
    assert records(path) == set(made.values())


async def test_a_record_that_changed_since_it_was_found_stays(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", alone=True)
    log = Log("R1")
    await store.records.create("R1", log.first(facts=facts(status="completed")))
    (found,) = await store.prunable(datetime.now(UTC))
    await store.records.append(log.commit())

    with pytest.raises(Exception, match="no such record"):
        await store.prune(found, command_entry("prune", "", "R1"), "uid:0")
    trail = [entry.action for _, entry in await store.audit()]
    assert "prune" not in trail
    assert (await store.records.load("R1")).head.version == 2
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path / "store.db")
    await store.close()
