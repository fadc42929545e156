"""The command line: one clear line for what goes wrong, and commands beside a running server."""

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from permissions import shipped_profiles
from server.commands.cli import app
from server.settings import Settings
from server.settings_sources import describe
from storage import SqliteStore
from tests.support.house import living

PASSWORD = "correct horse"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIELDCHART_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def adding(name: str, role: str = "nurse") -> list[str]:
    return ["user", "add", name, "--role", role, "--password-stdin"]


def add(name: str, role: str = "nurse", password: str = PASSWORD) -> Result:
    return run(*adding(name, role), stdin=password + "\n")


def users() -> dict[str, dict[str, object]]:
    rows = json.loads(run("user", "list", "--json").stdout)
    return {row["username"]: row for row in rows}


def test_an_account_is_added_listed_changed_and_disabled(data: Path) -> None:
    assert add("amina").exit_code == 0
    assert run("user", "roles", "amina", "--role", "cashier").exit_code == 0
    assert (
        run("user", "password", "amina", "--password-stdin", stdin="another one\n").exit_code == 0
    )
    assert run("user", "disable", "amina").exit_code == 0

    assert users()["amina"]["roles"] == ["cashier"]
    assert users()["amina"]["disabled"] is True
    assert "amina" in run("user", "list").stdout
    assert "argon2" not in run("user", "list", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "line"),
    [
        (adding("b", "wizard"), PASSWORD, "no profile has a role 'wizard'"),
        (adding("b c"), PASSWORD, "a user name is"),
        (adding("b"), "\n", "the password is empty"),
        (adding("AMINA"), PASSWORD, "A user with this name exists"),
        (["user", "disable", "nobody"], None, "there is no user 'nobody'"),
        (["inspect", "OPD-1"], None, "there is no record 'OPD-1'"),
        (["verify", "OPD-1"], None, "there is no record 'OPD-1'"),
        (["restore", "missing.db"], None, "there is no such backup"),
        (["serve", "--demo", "--host", "0.0.0.0"], None, "loopback only"),
        (["serve", "--profile", "nonsense"], None, "no shipped profile of this name"),
        (["serve", "--profile", "broken.toml"], None, "broken.toml:1:"),
        (["serve", "--tls-cert", "a.pem", "--tls-key", "b.pem"], None, "cannot be read"),
        (["serve", "--tls-cert", "broken.toml", "--tls-key", "broken.toml"], None, "not a usable"),
        (["serve", "--tls-cert", "a.pem"], None, "tls_key"),
        (["serve", "--host", "host.invalid"], None, "cannot listen on host.invalid"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_clear_line_and_exit_1(
    data: Path, arguments: list[str], stdin: str | None, line: str
) -> None:
    add("amina")
    Path("broken.toml").write_text("[profile")

    result = run(*arguments, stdin=stdin)

    assert result.exit_code == 1
    assert line in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_a_command_without_a_database_says_where_it_looked(data: Path) -> None:
    result = run("user", "list")

    assert result.exit_code == 1
    assert "there is no database here" in result.stderr
    assert not data.exists()


def test_a_corrupt_database_is_one_line_and_stays_as_it_is(data: Path) -> None:
    add("amina")
    database = data / "fieldchart.sqlite3"
    database.write_bytes(b"not a database at all" * 500)

    result = run("serve", "--port", "0")

    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert database.read_bytes().startswith(b"not a database")


def test_a_data_directory_that_cannot_be_written_is_one_line(data: Path) -> None:
    data.write_text("a file where the directory should be")

    result = run("serve", "--port", "0")

    assert result.exit_code == 1
    assert "data cannot be written here" in result.stderr


def test_a_port_in_use_is_one_line(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = run("serve", "--port", str(port))

    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr


def test_a_short_password_is_taken_with_a_warning(data: Path) -> None:
    result = add("amina", password="short")

    assert result.exit_code == 0
    assert "warning: shorter than 8" in result.stderr


def test_settings_shows_every_setting_with_meaning_unit_default_and_value(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDCHART_PORT", "9000")

    rows = {row["name"]: row for row in json.loads(run("settings", "--json").stdout)}
    table = run("settings").stdout

    assert set(rows) == {row.name for row in describe(Settings())}
    assert (rows["port"]["default"], rows["port"]["value"]) == (8420, 9000)
    assert "FIELDCHART_LOGIN_IDLE_SECONDS" in table


def test_a_wrong_setting_is_named_by_its_variable(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDCHART_PORT", "web")

    result = run("settings")

    assert result.exit_code == 1
    assert "FIELDCHART_PORT" in result.stderr


def test_a_profile_is_checked_with_every_mistake(data: Path) -> None:
    good = run("profile", "check", "outpatient")
    good = run("profile", "check", "outpatient")
    Path("broken.toml").write_text('[profile]\nname = "Bad Name"\n')
    bad = run("profile", "check", "broken.toml")

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "ok: outpatient" in good.stdout
    assert "broken.toml:" in bad.stderr


def test_the_words_that_a_catalogue_lacks_or_has_wrong_are_named(data: Path) -> None:
    source = shipped_profiles()["outpatient"]
    Path("visit.toml").write_text(source.read_text())
    Path("words").mkdir()
    Path("words/visit.fr.toml").write_text('[profile]\ntitle = "Visite"\n')
    lacking = run("profile", "check", "visit.toml")
    Path("words/visit.fr.toml").write_text('[profile]\ntitle = ""\nname = "visite"\n')
    wrong = run("profile", "check", "visit.toml")

    assert lacking.exit_code == 0
    assert "languages en, fr" in lacking.stdout
    assert "words/visit.fr.toml: missing: sections.vitals.fields.pulse.title" in lacking.stderr
    assert "missing: profile.title" not in lacking.stderr
    assert wrong.exit_code == 1
    assert "words/visit.fr.toml:2: profile: empty: 'profile.title'" in wrong.stderr
    assert (
        "words/visit.fr.toml:3: profile: unknown: the profile has no 'profile.name'" in wrong.stderr
    )


def test_the_openapi_description_is_printed(data: Path) -> None:
    document = json.loads(run("openapi").stdout)

    assert document["openapi"] == "3.1.0"
    assert "/api/records/{id}" in document["paths"]


def test_a_backup_is_put_back(data: Path) -> None:
    add("amina")
    assert run("backup", "copy.db").exit_code == 0
    add("baraka")

    restored = run("restore", "copy.db")

    assert restored.exit_code == 0
    assert set(users()) == {"amina"}


def test_an_empty_store_verifies(data: Path) -> None:
    add("amina")

    result = run("verify")

    assert (result.exit_code, result.stdout) == (0, "ok: 0 records and the audit chain\n")


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = "import sys; from server.commands.cli import app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"sqlalchemy", "pycrdt", "starlette", "uvicorn", "alembic"} & set(loaded)


def head_of(data: Path) -> str:
    with closing(sqlite3.connect(data / "fieldchart.sqlite3")) as database:
        seq, digest = database.execute(
            "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    return f"{seq}:{digest.hex()}"


def test_verify_holds_the_trail_against_heads_that_were_kept_elsewhere(data: Path) -> None:
    add("amina")
    first = head_of(data)
    add("bakari")
    second = head_of(data)

    good = run("verify", "--audit-head", first, "--audit-head", second)
    with closing(sqlite3.connect(data / "fieldchart.sqlite3")) as database:
        database.execute("DROP TRIGGER audit_no_delete")
        database.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
        database.commit()
    without = run("verify")
    cut_off = run("verify", "--audit-head", second)
    nonsense = run("verify", "--audit-head", "last week")

    assert (good.exit_code, without.exit_code) == (0, 0)
    assert cut_off.exit_code == 1
    assert f"audit: entry {second.partition(':')[0]}: the end is cut off" in cut_off.stderr
    assert nonsense.exit_code == 1
    assert "a head is SEQ:HASH" in nonsense.stderr


def test_what_an_operator_does_is_audited_with_the_account_of_the_machine(data: Path) -> None:
    add("amina")
    run("user", "roles", "amina", "--role", "cashier")
    run("user", "password", "amina", "--password-stdin", stdin="another one\n")
    run("user", "disable", "amina")
    run("compact")
    run("backup", str(data / "copy"))
    run("restore", str(data / "copy"))

    with closing(sqlite3.connect(data / "fieldchart.sqlite3")) as database:
        rows = database.execute(
            "SELECT action, login_id, detail FROM audit WHERE action <> 'attest' ORDER BY seq"
        ).fetchall()
    ids = {row[2].split()[0] for row in rows[:4]}
    assert [row[0] for row in rows] == [
        "user_added", "roles_changed", "password_changed", "user_disabled", "compact", "restore",
    ]  # fmt: skip
    assert len(ids) == 1
    assert rows[1][2].endswith("roles=cashier")
    assert {row[1] for row in rows} == {f"uid:{os.getuid()}"}


def test_verify_notices_a_trail_that_ends_before_the_log_also_without_a_kept_head(
    data: Path,
) -> None:
    data.mkdir()

    async def fill() -> None:
        store = await SqliteStore.open(data / "fieldchart.sqlite3")
        async with living(store) as household:
            record_id = await household.record()
            await household.ask("nurse", "GET", f"/api/records/{record_id}")
        await store.close()

    asyncio.run(fill())
    whole = run("verify")
    with closing(sqlite3.connect(data / "fieldchart.sqlite3")) as database:
        database.execute("DROP TRIGGER audit_no_delete")
        database.execute("DELETE FROM audit WHERE seq > 1")
        database.commit()
    cut_off = run("verify")

    assert whole.exit_code == 0, whole.stderr
    assert cut_off.exit_code == 1
    assert "audit: entry 2: the end is cut off: version 1 of record" in cut_off.stderr


def test_reading_a_record_from_the_command_line_is_audited(data: Path) -> None:
    data.mkdir()

    async def fill() -> str:
        store = await SqliteStore.open(data / "fieldchart.sqlite3")
        async with living(store) as household:
            record_id = await household.record()
        await store.close()
        return record_id

    record_id = asyncio.run(fill())
    for command in (("inspect",), ("inspect", "--version", "1"), ("history",)):
        assert run(command[0], record_id, *command[1:]).exit_code == 0

    lines = [json.loads(line) for line in run("audit", "--action", "read").stdout.splitlines()]
    assert [(line["detail"], line["record_id"], line["version"]) for line in lines] == [
        ("inspect", record_id, 1), ("inspect", record_id, 1), ("history", record_id, 1),
    ]  # fmt: skip
    assert {line["login_id"] for line in lines} == {f"uid:{os.getuid()}"}
