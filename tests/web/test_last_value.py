"""Beside a vital sign stands what it was before: in this visit, and at the visit before."""

import re

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow
from tests.web.test_offline import until_offline_ready


def visit(server: LiveServer, patient: str | None = None) -> dict[str, str]:
    """A new visit, of a patient who was here before or of another one."""
    body: dict[str, object] = {
        "profile": "outpatient",
        "fields": {"demographics.family_name": "Invented"},
    }
    if patient is not None:
        body["patient_id"] = patient
    answer = server.request("POST", "/api/records", "receptionist", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def write(server: LiveServer, record: str, user: str, fields: dict[str, object]) -> None:
    headers = {"If-Match": f'"{server.record(record)["version"]}"'}
    answer = server.request("PATCH", f"/api/records/{record}", user, json=fields, headers=headers)
    assert answer.status_code == 200, answer.text


WORK: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("registration", "receptionist", {
        "demographics.given_name": "Zuri", "demographics.birth_date": "1990-01-01",
        "demographics.sex": "female",
    }),
    ("triage", "nurse", {
        "triage.category": "routine", "vitals.pulse": 72, "vitals.not_done_reason": "refused",
    }),
    ("consultation", "clinical_officer", {"diagnosis.plan": "Rest."}),
    ("payment", "cashier", {"payment_status.state": "paid"}),
    ("discharge", "clinical_officer", {}),
)  # fmt: skip
"""What a whole visit takes: step, by whom, with what."""


def finish(server: LiveServer, record: str) -> None:
    for step, user, fields in WORK:
        if fields:
            write(server, record, user, fields)
        for status in ("started", "completed"):
            answer = server.request(
                "PUT", f"/api/sessions/{record}/steps/{step}", user, json={"status": status}
            )
            assert answer.status_code == 200, answer.text
    assert server.record(record)["status"] == "completed"


def test_the_last_value_of_this_visit_and_of_the_one_before_stand_beside_also_offline(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    before = visit(own_server)
    finish(own_server, before["id"])
    now = visit(own_server, before["patient_id"])
    stranger = visit(own_server)
    write(own_server, stranger["id"], "nurse", {"vitals.pulse": 111})
    write(own_server, now["id"], "nurse", {"vitals.pulse": 96})
    nurse = open_window(own_server, "nurse", size="phone")
    until_offline_ready(nurse)
    nurse.open_record(now["id"], "triage")
    pulse = nurse.field("vitals.pulse")
    last = pulse.locator(".last-value")
    expect(last).to_contain_text("last visit 72")
    expect(last).not_to_contain_text("96")

    nurse.write("vitals.pulse", "88")
    expect(last).to_contain_text("last 96 ·")
    nurse.expect_saved()
    write(own_server, now["id"], "nurse", {"vitals.pulse": 84})
    expect(last).to_contain_text("last 88 ·")
    expect(nurse.field("vitals.spo2").locator(".last-value")).to_have_count(0)
    expect(nurse.box("vitals.pulse")).to_have_accessible_description(
        re.compile(r"^/min last 88 · [0-9:]+ last visit 72 · ")
    )
    assert nurse.axe() == []

    own_server.kill()
    nurse.reload_stored()
    expect(last).to_contain_text("last visit 72")
    nurse.write("vitals.pulse", "80")
    expect(last).to_contain_text("last 84")


def test_a_cancelled_visit_is_no_visit_before(server: LiveServer, open_window: OpenWindow) -> None:
    before = visit(server)
    write(server, before["id"], "nurse", {"vitals.pulse": 72})
    body = {"status": "cancelled", "reason": "Another patient's"}
    answer = server.request("PUT", f"/api/records/{before['id']}/status", "admin", json=body)
    assert answer.status_code == 200, answer.text
    now = visit(server, before["patient_id"])
    nurse = open_window(server, "nurse")
    nurse.open_record(now["id"], "triage")

    nurse.write("vitals.pulse", "90")
    nurse.write("vitals.pulse", "91")

    last = nurse.field("vitals.pulse").locator(".last-value")
    expect(last).to_contain_text("last 90")
    expect(last).not_to_contain_text("72")
