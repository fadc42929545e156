"""`verify` names the row of an account, log-in, role, emergency or event that was altered."""

import asyncio
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from server.commands.inspection import verify_all
from server.profiles import load_policies
from server.settings import Settings
from storage import SqliteStore, restore
from storage.attesting import KEYS, LEFT_OUT
from tests.server.test_emergencies import REASON, SHIPPED, assigning
from tests.storage.builders import announcement
from tests.support.house import living

SECRETS = ("correct horse", "argon2", REASON["reason"], "Demo nurse")
AUDIENCE = "event_audience"
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


async def _live_through(path: Path) -> None:
    """A house in which each attested table gets rows, some of them changed and ended."""
    store = await SqliteStore.open(path)
    async with living(store, policies=assigning()) as house:
        record_id = await house.record()
        await house.ask("receptionist", "PUT", f"/api/sessions/{record_id}/steps/registration",
                        {"status": "started"})  # fmt: skip
        glass = f"/api/records/{record_id}/break-glass"
        assert (await house.ask("nurse", "POST", glass, REASON)).status_code == 201
        assert (await house.ask("nurse", "DELETE", glass)).status_code == 204
        await house.user("admin")
        nurse = await house.user("nurse")
        changed = {"roles": ["nurse", "cashier"], "name": "Another name"}
        answer = await house.ask("admin", "PATCH", f"/api/users/{nurse.id}", changed)
        assert answer.status_code == 200, answer.text
        assert (await house.ask("receptionist", "POST", "/api/logout")).status_code in (200, 204)
        await house.store.directory.note_skew(
            (await house.store.directory.logins(nurse.id))[0].id, 1234, house.now
        )
        told = [announcement(f"E{n}", at=house.now, users=("u1",)) for n in range(3)]
        await store.announcements.append(told)
    await store.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lived") / "fieldchart.sqlite3"
    asyncio.run(_live_through(path))
    return path


@pytest.fixture
def database(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(lived, tmp_path / "fieldchart.sqlite3"))


async def verified(path: Path) -> list[str]:
    profile = path.parent / "profile.toml"
    profile.write_text(
        SHIPPED.read_text().replace("assignment_required = false", "assignment_required = true")
    )
    store = await SqliteStore.open(path, read_only=True)
    try:
        return (await verify_all(store, Settings(profiles=(str(profile),)), None))[0]
    finally:
        await store.close()


def columns() -> Iterator[tuple[str, str]]:
    from storage.tables import metadata

    for table in (*KEYS, AUDIENCE):
        names = (column.name for column in metadata.tables[table].columns)
        yield from ((table, name) for name in names if name not in LEFT_OUT)


def altered(value: object) -> object:
    """Another value of the same type, as far as constraints of the table can be met by it."""
    match value:
        case int():
            return value + 1_000_000 if value > 1 else 1 - value
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case None:
            return None
        case "signed_out":
            return "revoked"
        case "role":
            return "user"
        case str():
            return value + "x"
    raise AssertionError(value)


@pytest.mark.rule("AUDIT-7")
async def test_what_was_lived_through_verifies(database: Path) -> None:
    with closing(sqlite3.connect(database)) as file:
        counts = {
            table: file.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in KEYS
        }

    assert all(counts.values()), counts
    assert await verified(database) == []


@pytest.mark.rule("AUDIT-7")
@pytest.mark.parametrize(("table", "column"), [*columns()])
async def test_each_column_of_each_row_that_is_altered_is_named(
    database: Path, table: str, column: str
) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        wanted = f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL LIMIT 1'
        if table == AUDIENCE:  # it has no row ids
            ((before,),) = file.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchall()
            after = altered(before)
            file.execute(
                f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?", (after, before)
            )
        else:
            ((rowid, before),) = file.execute(wanted).fetchall()
            after = altered(before)
            file.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (after, rowid))

    found = await verified(database)

    named = "events" if table == AUDIENCE else table
    told = [line for line in found if line.startswith(f"{named} ")]
    assert told, found
    if table != AUDIENCE and column != KEYS[table]:
        assert re.match(rf"{table} \S+: .*\b{column}\b.* is not as entry \d+ of the trail", told[0])


@pytest.mark.rule("AUDIT-7")
@pytest.mark.parametrize("table", [*KEYS])
async def test_a_row_that_was_removed_or_slipped_in_is_named(database: Path, table: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        (key,) = file.execute(f"SELECT {KEYS[table]} FROM {table} LIMIT 1").fetchone()
        file.execute(f"DELETE FROM {table} WHERE {KEYS[table]} = ?", (key,))
    assert f"{table} {key}: it is missing; entry" in "\n".join(await verified(database))


async def test_a_role_that_was_slipped_in_is_named(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        (user_id,) = file.execute("SELECT id FROM users LIMIT 1").fetchone()
        given = file.execute(
            "INSERT INTO role_changes (user_id, at, roles) VALUES (?, 5, '[\"doctor\"]')",
            (user_id,),
        ).lastrowid

    assert await verified(database) == [f"role_changes {given}: the trail knows of no such row"]


async def test_a_key_that_was_exchanged_is_told_once_for_all(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("DELETE FROM attesting_key")

    (line,) = await verified(database)

    assert "the key of the attested rows is missing" in line


@pytest.mark.rule("AUDIT-7")
async def test_nothing_of_a_row_can_be_read_off_the_trail(database: Path) -> None:
    with closing(sqlite3.connect(database)) as file:
        details = [row[0] for row in file.execute("SELECT detail FROM audit")]
        hidden = [row[0] for row in file.execute("SELECT password_hash FROM users")]
        tokens = [row[0].hex() for row in file.execute("SELECT token_hash FROM logins")]

    everything = "\n".join(details)
    for secret in (*SECRETS, *hidden, *tokens):
        assert secret not in everything


async def test_a_restored_backup_verifies_and_still_shows_what_was_altered_in_it(
    database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "backup.db"
    store = await SqliteStore.open(database)
    await store.backup(copy)
    (login,) = await store.directory.logins((await store.directory.user_by_username("nurse")).id)
    await store.directory.end_login(login.id, login.created_at, "revoked")
    await store.close()
    assert restore(copy, database).carried
    assert await verified(database) == []

    with closing(sqlite3.connect(copy, isolation_level=None)) as file:
        file.execute("UPDATE users SET roles = '[\"admin\"]' WHERE username = 'nurse'")
    assert restore(copy, database).carried

    (line,) = await verified(database)
    assert "roles is not as entry" in line


@pytest.mark.rule("AUDIT-7")
async def test_trimmed_events_are_missed_by_nobody_and_others_are(database: Path) -> None:
    store = await SqliteStore.open(database)
    (*_, newest) = await store.announcements.after(0, 1000)
    later = newest.announcement.at + timedelta(days=1)
    assert await store.announcements.trim(later, 2, later) == 2
    await store.close()
    after_trimming = await verified(database)

    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("DELETE FROM events WHERE sequence = (SELECT min(sequence) FROM events)")

    assert after_trimming == []
    assert [line.split(":")[0] for line in await verified(database)] == ["events 3"]


@pytest.mark.rule("AUDIT-8")
async def test_an_auditor_checks_the_chain_from_the_exported_lines_alone(database: Path) -> None:
    store = await SqliteStore.open(database)
    async with living(store, policies=load_policies(["outpatient"])) as house:
        exported = (await house.ask("admin", "GET", "/api/audit/export")).text
        listed = (await house.ask("admin", "GET", "/api/audit?limit=1")).json()["items"]
        seq, _ = await store.audit_head()
    await store.close()

    known = check_lines(exported)

    assert list(known) == list(range(1, len(known) + 1))
    assert '"action":"attest"' in exported
    assert int(listed[0]["id"]) == seq - 1, "the reading itself was audited after it"
    assert re.fullmatch("[0-9a-f]{64}", listed[0]["hash"])
    tampered = exported.replace('"success"', '"failure"', 1)
    with pytest.raises(AssertionError, match=r"entry \d+ does not continue the chain"):
        check_lines(tampered)


def check_lines(exported: str) -> dict[int, str]:
    """Run what docs/operations.md tells an auditor to run. The hash of each line by its seq."""
    (script,) = re.findall(r"```python\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    asked = subprocess.run(
        [sys.executable, "-c", script], input=exported, check=False, text=True, capture_output=True
    )
    assert asked.returncode == 0, asked.stderr
    return {entry["seq"]: entry["hash"] for entry in map(json.loads, exported.splitlines())}
