"""`verify` locates what was changed of refusals, conflicts, the board, or taken away whole."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.commands.inspection import compact_all, verify_all
from server.settings import Settings
from storage import SqliteStore
from tests.server.builders import open_bench
from tests.server.visits import Visit, open_visit
from tests.support.rooms import PROFILES

WHOLE = ("changes", "refusals", "conflicts", "snapshots", "event_audience", "events", "updates")
GONE = [f"DELETE FROM {table}" for table in WHOLE]

TAMPERING = [
    (["DELETE FROM refusals WHERE id = :open"], "another number of refusals"),
    (["DELETE FROM refusals WHERE id = :applied"], "another number of refusals"),
    (["UPDATE refusals SET value = '72' WHERE id = :open"], "not as it was raised"),
    (["UPDATE refusals SET author = 'x' WHERE id = :applied"], "not as it was raised"),
    (["UPDATE refusals SET original = x'0000' WHERE id = :open"], "not as it was raised"),
    (["UPDATE refusals SET reason = 'x' WHERE id = :dismissed"], "not as it was raised"),
    (["UPDATE refusals SET status = 'dismissed' WHERE id = :open"], "not decided as it says"),
    (["UPDATE refusals SET status = 'open' WHERE id = :applied"], "not decided as it says"),
    (["UPDATE refusals SET decided_by = 'x' WHERE id = :applied"], "not decided as it says"),
    (["UPDATE refusals SET decision_reason = 'x' WHERE id = :dismissed"], "not decided as it says"),
    (["UPDATE refusals SET id = 'x' WHERE id = :open"], "another number of refusals"),
    (["DELETE FROM conflicts WHERE status = 'open'"], "a conflict is missing"),
    (["DELETE FROM conflicts WHERE status = 'resolved'"], "a conflict is missing"),
    (["UPDATE conflicts SET status = 'resolved' WHERE status = 'open'"], "not as the log"),
    (["UPDATE conflicts SET status = 'open' WHERE status = 'resolved'"], "not as the log"),
    (["UPDATE conflicts SET base = '1' WHERE status = 'open'"], "not as the log"),
    (["UPDATE conflicts SET \"values\" = '[]' WHERE status = 'open'"], "not as the log"),
    (["UPDATE conflicts SET reason = 'x' WHERE status = 'resolved'"], "not as the log"),
    (["UPDATE conflicts SET id = '1.1' WHERE status = 'open'"], "no such conflict"),
    (["UPDATE changes SET reason = 'x' WHERE kind = 'resolution'"], "history"),
    (["UPDATE changes SET kind = 'set' WHERE kind = 'resolution'"], "history"),
    (["UPDATE records SET status = 'completed'"], "the board lists"),
    (["UPDATE records SET disputed = '[]'"], "the board lists"),
    (["UPDATE records SET title = 'Somebody Else'"], "otherwise than its log: title"),
    (["UPDATE records SET search_text = 'x'"], "otherwise than its log: search_text"),
    (["UPDATE records SET priority = 0"], "otherwise than its log: priority"),
    (["UPDATE records SET step_status = 'completed'"], "otherwise than its log: step_status"),
    (["UPDATE records SET waiting_since = 1"], "otherwise than its log: waiting_since"),
    (["UPDATE records SET started_by = 'x'"], "otherwise than its log: started_by"),
    (["UPDATE records SET assigned = '[\"x\"]'"], "otherwise than its log: assigned"),
    (["UPDATE records SET number = 'OPD-000099'"], "otherwise than its log: number"),
    (["UPDATE records SET patient_id = 'x'"], "otherwise than its log: patient_id"),
    ([*GONE, "DELETE FROM records"], "is in no log"),
    (
        [
            *GONE[:-1],
            "DELETE FROM updates WHERE version > 2",
            "UPDATE records SET version = 2, hash = (SELECT hash FROM updates WHERE version = 2)",
        ],
        "is in no log",
    ),
]


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    """A record with an open, an applied and a dismissed refusal, an open and a decided conflict."""
    store = await SqliteStore.open(tmp_path / "fieldchart.sqlite3")
    async with open_bench(real=True, on=store) as bench:
        visit = await open_visit(bench)
        for value in (71, 72, 73):
            await visit.edit_live("cashier", ("vitals", "pulse", value))
        first, second, _ = await visit.refusals()
        path = f"/refusals/{first['id']}/apply"
        assert (await visit.ask("supervisor", "POST", path)).status_code == 200
        path = f"/refusals/{second['id']}/dismiss"
        assert (await visit.ask("supervisor", "POST", path, {"reason": "no"})).status_code == 200
        await visit.disagree("spo2", (95, 96))
        (conflict,) = await visit.conflicts()
        path, body = f"/conflicts/{conflict['id']}/resolve", {"choice": 0, "reason": "again"}
        assert (await visit.ask("supervisor", "POST", path, body)).status_code == 200
        await visit.disagree("diastolic", (80, 90))
        yield visit


async def breaks_of(visit: Visit) -> list[str]:
    breaks, _ = await verify_all(visit.bench.store, Settings(), None)  # type: ignore[arg-type]
    return breaks


@pytest.mark.rule("AUDIT-6")
async def test_what_was_refused_disputed_and_decided_verifies(visit: Visit) -> None:
    statuses = [refusal["status"] for refusal in await visit.refusals()]
    assert statuses == ["applied", "dismissed", "open"]
    assert [one["status"] for one in await visit.conflicts()] == ["resolved", "open"]

    assert await breaks_of(visit) == []


@pytest.mark.rule("AUDIT-6")
@pytest.mark.parametrize(("statements", "reason"), TAMPERING)
async def test_tampering_is_located(
    visit: Visit, tmp_path: Path, statements: list[str], reason: str
) -> None:
    ids = {refusal["status"]: refusal["id"] for refusal in await visit.refusals()}

    with closing(sqlite3.connect(tmp_path / "fieldchart.sqlite3", isolation_level=None)) as file:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in file.execute(triggers).fetchall():
            file.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            named = {name: id for name, id in ids.items() if f":{name}" in statement}
            assert file.execute(statement, named).rowcount or statement in GONE

    found = await breaks_of(visit)
    assert any(reason in line for line in found), found


async def test_after_a_change_of_the_profile_compacting_lists_the_board_anew(
    visit: Visit, tmp_path: Path
) -> None:
    text = (PROFILES / "outpatient.toml").read_text()
    listed = 'title = ["demographics.family_name", "demographics.given_name"]'
    assert listed in text
    other = tmp_path / "outpatient.toml"
    other.write_text(text.replace(listed, 'title = ["triage.complaint"]'))
    store: Any = visit.bench.store
    settings = Settings(profiles=(str(other),))

    await visit.edit_live("receptionist", ("demographics", "family_name", "TESTCASE"))
    assert (await visit.ask("nurse", "GET", "")).status_code == 200  # it is stored by then
    before, _ = await verify_all(store, settings, None)
    await compact_all(store, settings, None)

    assert any("otherwise than its log: title" in line for line in before), before
    assert await verify_all(store, settings, None) == ([], 1)
