"""Both example days on a real server: as the documentation shows them, and with stock editors.

`make docs` (`python -m tests.examples.test_example_days`) writes what they print into the page.
"""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.examples.stock_chart import StockChart
from tests.interop.browser import Node
from tests.interop.conftest import HAS_NODE
from tests.support.live_server import LiveServer

DAYS = ("clinic_day.py", "mobile_unit.py")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "example-days.md"

TOLD_AT_THE_CLINIC = {
    "receptionist": {"visit_completed": 1, "conflict": 1},
    "nurse": {"patient_registered": 1, "visit_completed": 1},
    "clinical_officer": {
        "vital_signs_updated": 1, "lab_results_ready": 1, "payment_processed": 1,
        "visit_completed": 1,
    },
    "lab_tech": {"diagnosis_added": 2, "visit_completed": 1},  # the amendment is an entry, too
    "pharmacist": {"prescription_ready": 1, "lab_results_ready": 1, "visit_completed": 1},
    "cashier": {"medication_dispensed": 1, "visit_completed": 1},
    "supervisor": {},
}  # fmt: skip
"""record.md's table, and who lost a conflict."""

CLINIC_STEPS = [
    ("receptionist", "complete registration"), ("nurse", "start triage"),
    ("nurse", "complete triage"), ("clinical_officer", "complete consultation"),
    ("lab_tech", "complete laboratory"), ("pharmacist", "complete pharmacy"),
    ("cashier", "complete payment"), ("clinical_officer", "complete discharge"),
]  # fmt: skip

MOBILE_STEPS = [
    ("registration_staff", "complete check_in"), ("vision_technician", "start visual_assessment"),
    ("vision_technician", "complete visual_assessment"), ("doctor", "start doctor_diagnosis"),
    ("doctor", "complete doctor_diagnosis"), ("supervisor", "return supervisor_approval"),
    ("doctor", "complete doctor_diagnosis"), ("supervisor", "complete supervisor_approval"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One fresh server: the documented output is of the first day there."""
    running = LiveServer(tmp_path_factory.mktemp("days"))
    try:
        yield running
        assert running.terminate() == 0
        assert '"incident"' not in running.log(), running.log()
    finally:
        running.kill()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with Node() as running:
        yield running


def shown_of(name: str) -> re.Pattern[str]:
    """Where the page shows what this day prints."""
    return re.compile(rf"(?<=```console\n\$ python examples/{name}\n)(.*?)(?=\n```)", re.DOTALL)


def documented(name: str) -> str:
    found = shown_of(name).search(PAGE.read_text("utf-8"))
    assert found is not None
    return found[1]


def write_page() -> None:
    """Write what both days print on a fresh server into the page."""
    with TemporaryDirectory() as folder:
        server = LiveServer(Path(folder))
        try:
            for name in DAYS:
                text, output = PAGE.read_text("utf-8"), printed(server, name)
                PAGE.write_text(shown_of(name).sub(lambda _, told=output: told, text), "utf-8")
        finally:
            server.kill()


def printed(server: LiveServer, name: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), server.url],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def told(server: LiveServer, user: str, record: str) -> Counter[str]:
    answer = server.request("GET", "/api/notifications?status=all&limit=200", user)
    return Counter(item["event"] for item in answer.json()["items"] if item["record"] == record)


def audited(server: LiveServer, record: str) -> list[dict[str, Any]]:
    path = f"/api/audit?record={record}&order=oldest&limit=200"
    items: list[dict[str, Any]] = server.request("GET", path, "supervisor").json()["items"]
    return items


def did(entries: list[dict[str, Any]], action: str) -> list[tuple[str, str]]:
    return [(one["user"]["username"], one["detail"]) for one in entries if one["action"] == action]


def check_the_clinic(server: LiveServer, record: str) -> None:
    """The record, the notifications of each person and the trail that the day must leave."""
    shown = server.record(record)
    fields, entries = shown["fields"], audited(server, record)
    vitals = {"systolic": 118, "diastolic": 76, "pulse": 88, "respiratory_rate": 18, "spo2": 97}

    assert (shown["status"], shown["current_step"], shown["disputed"]) == (
        "completed", "discharge", [],
    )  # fmt: skip
    assert fields["vitals"] == {**vitals, "temperature": 38.4}
    assert fields["payment"] == {"method": "insurance"}
    assert fields["payment_status"] == {"state": "paid"}
    assert [one["text"] for one in fields["diagnosis"].values()] == [
        "Fever, to be looked into", "Viral fever",
    ]  # fmt: skip
    assert not shown["texts"].get("diagnosis.plan")
    (order,), (drug,) = fields["lab_orders"], fields["prescriptions"]
    assert [one["order"] for one in fields["lab_results"].values()] == [order]
    assert [one["prescription"] for one in fields["dispensing"].values()] == [drug]
    for user, expected in TOLD_AT_THE_CLINIC.items():
        heard = told(server, user, record)
        # Readings that are typed one after the other are told of together, or in two.
        heard["vital_signs_updated"] = min(heard["vital_signs_updated"], 1)
        assert +heard == Counter(expected), user
    assert did(entries, "step") == CLINIC_STEPS
    assert [who for who, _ in did(entries, "refuse")] == ["cashier", "nurse", "nurse", "nurse"]
    assert [who for who, _ in did(entries, "amend")] == ["clinical_officer"]
    assert [who for who, _ in did(entries, "resolve")] == ["cashier"]
    assert {one["rule"] for one in server.refusals(record)} == {
        "locked", "role", "transition", "completed",
    }  # fmt: skip


def check_the_unit(server: LiveServer, record: str) -> None:
    shown = server.record(record)
    fields, entries = shown["fields"], audited(server, record)

    assert (shown["status"], shown["current_step"], shown["disputed"]) == (
        "completed", "completed", [],
    )  # fmt: skip
    assert fields["demographics"]["given_name"] == "Ivo"
    assert fields["visual_acuity"] == {
        "right_unaided": "6/18", "left_unaided": "6/6", "right_best_corrected": "6/9",
    }  # fmt: skip
    assert fields["follow_up"] == {"screening_result": "refer_routine", "date": "2031-01-15"}
    assert [one.get("amendment_reason") for one in fields["diagnosis"].values()] == [
        None, "Left eye too",
    ]  # fmt: skip
    assert told(server, "doctor", record) == {"conflict": 1}
    for user in ("registration_staff", "vision_technician", "supervisor"):
        assert told(server, user, record) == {}, user
    assert did(entries, "step") == MOBILE_STEPS
    assert [who for who, _ in did(entries, "amend")] == ["doctor"]
    assert [who for who, _ in did(entries, "resolve")] == ["doctor"]
    assert [one["rule"] for one in server.refusals(record)] == ["transition"]


def newest(server: LiveServer, profile: str) -> str:
    path = f"/api/records?profile={profile}&limit=1"
    return str(server.request("GET", path, "supervisor").json()["items"][0]["id"])


def wait_until_all_have_left(server: LiveServer, record: str) -> None:
    """Leaving is told at once, but not waited for."""
    deadline = time.monotonic() + 10
    path = f"/api/sessions/{record}/realtime-status"
    while True:
        status = server.request("GET", path, "supervisor").json()
        if not status["active_users"]:
            assert status["room"] == f"hospital_mobile_session_{record}"
            return
        assert time.monotonic() < deadline, status["active_users"]


def verify(server: LiveServer) -> None:
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_clinic_day_goes_as_the_documentation_shows_it(server: LiveServer) -> None:
    assert printed(server, "clinic_day.py") == documented("clinic_day.py")
    check_the_clinic(server, newest(server, "outpatient"))
    verify(server)


def test_the_mobile_unit_goes_as_the_documentation_shows_it(server: LiveServer) -> None:
    assert printed(server, "mobile_unit.py") == documented("mobile_unit.py")
    check_the_unit(server, newest(server, "eye_screening"))
    verify(server)


@pytest.mark.interop
@pytest.mark.skipif(not HAS_NODE, reason="tests/interop: no node_modules; run `npm ci` there")
@pytest.mark.parametrize(
    ("day", "stock"),
    [
        (
            "clinic_day",
            {"nurse": "websocket", "lab_tech": "websocket", "cashier": "websocket",
             "pharmacist": "hocuspocus"},
        ),
        ("mobile_unit", {"vision_technician": "websocket"}),
    ],
)  # fmt: skip
async def test_a_day_with_stock_editors_leaves_the_same(
    server: LiveServer, node: Node, monkeypatch: pytest.MonkeyPatch, day: str, stock: dict[str, Any]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))

    async def open_chart(person: Any, record: str) -> Any:
        if person.username not in stock:
            return await person.open(record)
        chart = StockChart(node, person, record, stock[person.username])
        await chart.connect()
        return chart

    record = await getattr(import_module(day), day)(server.url, open_chart)

    wait_until_all_have_left(server, record)
    (check_the_clinic if day == "clinic_day" else check_the_unit)(server, record)
    verify(server)


if __name__ == "__main__":
    write_page()
