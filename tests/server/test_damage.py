"""A damaged record opens for reading as far as it is sound, says so, and `verify` says where."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.commands.inspection import verify_all
from server.errors import NotAllowed, RecordDamaged
from server.problems import close_code_of
from server.settings import Settings
from tests.server.test_past import House, opened
from tests.support.rooms import person


def flipped(stored: bytes) -> bytes:
    """The bytes with one bit of the last one changed."""
    return stored[:-1] + bytes([stored[-1] ^ 1])


def tamper(data: Path, *statements: str) -> None:
    """Change the database as no program of ours would; no snapshot hides it."""
    with contextlib.closing(
        sqlite3.connect(Settings(data=str(data)).database, isolation_level=None)
    ) as connection:
        connection.create_function("flipped", 1, flipped)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in ("DELETE FROM snapshots", *statements):
            connection.execute(statement)


FLIPPED = 'UPDATE updates SET "update" = flipped("update") WHERE version = 4'

DAMAGES = [
    ("gap", "DELETE FROM updates WHERE version = 4", 4, "a row is missing"),
    ("gap at the start", "DELETE FROM updates WHERE version = 2", 2, "a row is missing"),
    ("truncated tail", "DELETE FROM updates WHERE version > 4", 5, "a row is missing"),
    ("flipped byte", FLIPPED, 4, "a row does not match its hash"),
    ("changed author", "UPDATE updates SET author = 'x' WHERE version = 4", 4, "its hash"),
    (
        "changed time",
        "UPDATE updates SET received_at = received_at - 1 WHERE version = 5",
        5,
        "its",
    ),
    ("impossible time", "UPDATE updates SET received_at = 9e18 WHERE version = 5", 5, "read"),
    ("row from nowhere", "UPDATE records SET version = 4", 5, "longer than its record"),
    ("head", "UPDATE records SET hash = zeroblob(32)", 6, "another hash"),
]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    """A record at version 6 whose pulse is 70 + version; its room has left memory."""
    async with opened(tmp_path) as house:
        while not house.versions or house.versions[-1] < 6:
            await house.write(vitals__pulse=71 + (house.versions or [1])[-1])
        await house.assembly.house.rooms.unload_idle(10**9)
        yield house


@pytest.mark.rule("PAST-4")
@pytest.mark.parametrize(("statement", "version", "reason"), [d[1:] for d in DAMAGES])
async def test_a_damaged_record_is_shown_as_far_as_it_is_sound(
    here: House, tmp_path: Path, statement: str, version: int, reason: str
) -> None:
    tamper(tmp_path, statement)

    answer = await here.get()

    shown = answer.json()
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{version - 1}"'
    assert shown["version"] == shown["read_only"]["version"] == version - 1
    assert f"version {version}" in shown["read_only"]["reason"]
    assert reason in shown["read_only"]["reason"]
    assert shown["fields"]["vitals"].get("pulse") == (69 + version if version > 2 else None)


@pytest.mark.rule("PAST-4")
@pytest.mark.parametrize(("statement", "version", "reason"), [d[1:] for d in DAMAGES])
async def test_a_damaged_record_takes_nothing_and_verify_names_the_place(
    here: House, tmp_path: Path, statement: str, version: int, reason: str
) -> None:
    tamper(tmp_path, statement)
    rooms, store = here.assembly.house.rooms, here.assembly.house.store

    edit = await here.http.patch(
        f"/api/records/{here.record_id}",
        json={"vitals.pulse": 99},
        headers={"if-match": f'"{version - 1}"'},
    )
    with pytest.raises(RecordDamaged) as caught:
        async with rooms.opened(here.record_id):
            raise AssertionError("a damaged record has no room")
    breaks, _ = await verify_all(store, Settings(), here.record_id)

    assert edit.status_code == 409
    assert edit.json()["type"] == "urn:fieldchart:problem:record-damaged"
    assert close_code_of(caught.value) == 4503
    assert len(breaks) == 1
    assert breaks[0].startswith(f"{here.record_id}: version {version}: ")
    assert reason in breaks[0]


async def test_the_past_of_a_damaged_record_is_shown_up_to_the_damage(
    here: House, tmp_path: Path
) -> None:
    tamper(tmp_path, FLIPPED)

    sound, broken = await here.get(version=3), await here.get(version=4)
    history = await here.get("/history")

    assert sound.json()["fields"]["vitals"] == {"pulse": 73}
    assert broken.status_code == 409
    assert history.status_code == 200


async def test_damage_before_a_snapshot_does_not_close_the_record_but_verify_finds_it(
    here: House, tmp_path: Path
) -> None:
    path = Settings(data=str(tmp_path)).database
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.create_function("flipped", 1, flipped)
        connection.execute("DROP TRIGGER updates_no_update")
        connection.execute(FLIPPED)
        connection.commit()

    shown = (await here.get()).json()
    past = await here.get(version=5)
    breaks, _ = await verify_all(here.assembly.house.store, Settings(), here.record_id)

    assert (shown["version"], "read_only" in shown) == (6, False)
    assert past.status_code == 409
    assert "damaged at version 4" in past.json()["detail"]
    assert breaks == [f"{here.record_id}: version 4: a row does not match its hash"]


async def test_a_record_without_a_sound_row_is_409_and_not_empty(
    here: House, tmp_path: Path
) -> None:
    tamper(tmp_path, "DELETE FROM updates")

    answer = await here.get()

    assert answer.status_code == 409
    assert "damaged at version 1" in answer.json()["detail"]


async def test_a_damaged_record_is_still_only_for_who_may_open_it(
    here: House, tmp_path: Path
) -> None:
    tamper(tmp_path, FLIPPED)
    rooms = here.assembly.house.rooms

    with pytest.raises(NotAllowed):
        await rooms.view(here.record_id, person("doctor"))
