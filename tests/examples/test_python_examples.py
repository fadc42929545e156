"""The Python examples do what their headers say, against a real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    running = LiveServer(tmp_path_factory.mktemp("examples"))
    try:
        yield running
        running.terminate()
        assert running.verify().returncode == 0
    finally:
        running.kill()


def run(name: str, *arguments: str, folder: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments], cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_inspect_record_lists_records_and_shows_one(server: LiveServer) -> None:
    listed = run("inspect_record.py", "--url", server.url)
    shown = run("inspect_record.py", "--url", server.url, "--record", "OPD-000002")

    assert "OPD-000002" in listed
    assert "vitals.pulse = 76" in shown
    assert "assessment.notes: Alert, drinking well. Demo text." in shown


def test_forbidden_edit_shows_the_refusal_and_the_healing(server: LiveServer) -> None:
    record = server.new_record()

    told = run("forbidden_edit.py", "--url", server.url, "--record", record)

    assert "the nurse sees pulse 91, diagnosis {'text': 'Malaria'}" in told
    assert "the nurse sees pulse 91, diagnosis None" in told
    assert "the colleague sees pulse 91, diagnosis None" in told
    assert "in her frame: True, in what he got: False" in told
    assert "Nurses do not write diagnoses." in told
    assert server.record(record)["fields"]["vitals"] == {"pulse": 91}


def test_offline_tablet_works_across_restarts_and_resyncs(
    server: LiveServer, tmp_path: Path
) -> None:
    record = server.new_record()

    def tablet(*arguments: str, url: str = server.url) -> str:
        return run("offline_tablet.py", "--url", url, "--record", record, *arguments,
                   folder=tmp_path)  # fmt: skip

    nowhere = "http://127.0.0.1:9"
    tablet("fetch")
    tablet("write", "vitals.pulse", "88", url=nowhere)
    tablet("write", "diagnosis.01ARZ3NDEKTSV4RRFFQ69G5FAV", '{"text": "Malaria"}', url=nowhere)
    waiting = tablet("write", "vitals.spo2", "97", url=nowhere)
    offline = tablet("show", url=nowhere)
    synced = tablet("sync")
    afterwards = tablet("show", url=nowhere)
    again = tablet("sync")

    assert "3 edits wait" in waiting
    assert "diagnosis" in offline
    assert "refused diagnosis.01ARZ3NDEKTSV4RRFFQ69G5FAV = {'text': 'Malaria'}" in synced
    assert "Nurses do not write diagnoses." in synced
    assert "saved: 3 edits" in synced
    assert "diagnosis" not in afterwards
    assert "saved: 0 edits" in again
    assert server.record(record)["fields"]["vitals"] == {"pulse": 88, "spo2": 97}
    assert len(server.refusals(record)) == 1


def test_a_shared_tablet_delivers_everybodys_work_in_their_own_names(
    server: LiveServer, tmp_path: Path
) -> None:
    record = server.new_record()

    def tablet(*arguments: str, user: str = "nurse", url: str = server.url) -> str:
        return run("offline_tablet.py", "--url", url, "--record", record, "--user", user,
                   *arguments, folder=tmp_path)  # fmt: skip

    nowhere = "http://127.0.0.1:9"
    tablet("fetch")
    tablet("write", "vitals.pulse", "88", url=nowhere)
    tablet("signout")
    wiped = (tmp_path / "tablet.json").read_text()
    tablet("signin", user="pharmacist")
    tablet("write", "pharmacy_notes.notes", "After meals.", url=nowhere)
    synced = tablet("sync")

    assert '"login": null' in wiped
    assert "saved: 2 edits" in synced
    history = server.request("GET", f"/api/records/{record}/history", "supervisor").json()
    authors = {change["field"]: change["author"]["username"] for change in history["items"]}
    assert authors["vitals.pulse"] == "nurse"
    assert authors["pharmacy_notes.notes"] == "pharmacist"
    assert server.refusals(record) == []


def test_a_late_tablet_does_not_win_over_an_edit_made_after_its_own(
    server: LiveServer, tmp_path: Path
) -> None:
    record = server.new_record()
    for name in ("early", "late"):
        run("offline_tablet.py", "--url", server.url, "--record", record, "--file", f"{name}.json",
            "fetch", folder=tmp_path)  # fmt: skip
    run("offline_tablet.py", "--file", "early.json", "write", "vitals.pulse", "70", folder=tmp_path)
    run("offline_tablet.py", "--file", "late.json", "write", "vitals.pulse", "80", folder=tmp_path)

    for name in ("late", "early"):
        run("offline_tablet.py", "--url", server.url, "--file", f"{name}.json", "sync",
            folder=tmp_path)  # fmt: skip

    stored = server.record(record)
    assert stored["fields"]["vitals"]["pulse"] == 80
    assert stored["disputed"] == ["vitals.pulse"]


def test_watch_record_prints_changes_as_they_happen(server: LiveServer) -> None:
    record = server.new_record()
    watching = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "watch_record.py"), "--url", server.url,
         "--record", record],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert watching.stdout is not None
    try:
        first = watching.stdout.readline()
        version = server.record(record)["version"]
        server.request(
            "PATCH", f"/api/records/{record}", "nurse", json={"vitals.pulse": 71},
            headers={"if-match": f'"{version}"'},
        ).raise_for_status()  # fmt: skip
        second = watching.stdout.readline()
    finally:
        watching.kill()
        watching.communicate()

    assert first.startswith(f"watching {record}")
    assert second == "vitals.pulse: None -> 71\n"
