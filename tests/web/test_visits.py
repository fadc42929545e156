"""Whole visits on screen: registered offline, handed from window to window, approved."""

import httpx
from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window
from tests.web.test_offline import until_offline_ready
from tests.web.test_queue import row


def choose(window: Window, name: str, value: str) -> None:
    window.box(name).select_option(value)


def send(window: Window, words: str) -> None:
    window.page.get_by_role("button", name=words, exact=True).click()


def call(window: Window, name: str) -> None:
    row(window, name).get_by_role("button", name="Call: ").click()
    expect(window.page.locator(".banner h1")).to_contain_text(name.upper())


def registered(server: LiveServer, profile: str, who: str, step: str, name: str) -> httpx.Response:
    """A patient whom `who` has registered and handed on."""
    fields = {
        "demographics.family_name": name, "demographics.given_name": "Amina",
        "demographics.birth_date": "1984-03-12", "demographics.sex": "female",
    }  # fmt: skip
    body = {"profile": profile, "fields": fields}
    record = server.request("POST", "/api/records", who, json=body).json()["id"]
    path = f"/api/sessions/{record}/steps/{step}"
    return server.request("PUT", path, who, json={"status": "completed"})


def test_an_eye_screening_from_registration_offline_to_approval(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    tablet = open_window(own_server, "registration_staff", size="tablet")
    until_offline_ready(tablet)
    tablet.page.get_by_role("link", name="New patient").click()
    expect(tablet.page.get_by_label("Family name")).to_be_visible()
    own_server.kill()

    tablet.page.get_by_label("Family name").fill("Visitperson")
    tablet.page.get_by_label("Given name").fill("Zuri")
    tablet.page.get_by_role("button", name="Register").click()
    expect(tablet.page.locator(".banner h1")).to_have_text("VISITPERSON, Zuri")
    # What is missing is named, and leads to its box.
    tablet.page.locator(".needed").filter(has_text="Date of birth").click()
    expect(tablet.box("demographics.birth_date")).to_be_focused()
    tablet.write("demographics.birth_date", "1971-11-02")
    choose(tablet, "demographics.sex", "female")
    tablet.write("history.complaint", "Blur (invented)")
    expect(tablet.page.locator(".needed")).to_have_count(0)
    send(tablet, "Send to Visual assessment")
    expect(tablet.page.locator(".hand-off")).to_contain_text("the server will answer")
    tablet.reload_stored()
    expect(tablet.page.locator(".hand-off")).to_contain_text("the server will answer")

    own_server.start()
    registered(own_server, "eye_screening", "registration_staff", "check_in", "Nextperson")
    tablet.expect_saved()
    expect(tablet.page.locator(".hand-off")).to_contain_text("Now at: Visual assessment")
    record = tablet.page.url.split("/records/")[1].split("/")[0]

    technician = open_window(own_server, "vision_technician")
    call(technician, "Visitperson")
    technician.write("visual_acuity.right_unaided", "6/12")
    technician.write("visual_acuity.left_unaided", "6/9")
    send(technician, "Send to Doctor's diagnosis")
    following = technician.page.get_by_test_id("next-patient")
    expect(following).to_contain_text("Next patient: HMS-")
    following.get_by_role("button", name="Call next").click()
    expect(technician.page.locator(".banner h1")).not_to_contain_text("VISITPERSON")
    expect(technician.page.locator(".hand-off")).to_contain_text("Now at: Visual assessment")

    doctor = open_window(own_server, "doctor")
    call(doctor, "Visitperson")
    send(doctor, "Return…")
    doctor.page.get_by_label("Reason", exact=True).last.fill("Repeat the left eye")
    choose_step = doctor.page.get_by_label("Return to")
    choose_step.select_option("visual_assessment")
    send(doctor, "Send back")
    expect(doctor.page.locator(".hand-off")).to_contain_text("Now at: Visual assessment")
    technician.open_record(record, "visual_assessment")
    technician.write("visual_acuity.left_unaided", "6/6")
    send(technician, "Send to Doctor's diagnosis")
    expect(doctor.page.locator(".hand-off")).to_contain_text("Now at: Doctor's diagnosis")
    choose(doctor, "follow_up.screening_result", "refer_routine")
    send(doctor, "Send to Supervisor's approval")
    expect(doctor.page.locator(".hand-off")).to_contain_text("Now at: Supervisor's approval")

    supervisor = open_window(own_server, "supervisor")
    supervisor.open_record(record, "supervisor_approval")
    choose(supervisor, "approval.decision", "approved")
    send(supervisor, "Complete the visit")
    expect(supervisor.page.locator(".hand-off")).to_have_count(0)
    supervisor.expect_saved()

    path = f"/api/sessions/{record}/realtime-status"
    told = own_server.request("GET", path, "supervisor").json()
    people = [step["completed_by"]["username"] for step in told["workflow_steps"][:4]]
    assert people == ["registration_staff", "vision_technician", "doctor", "supervisor"]
    assert own_server.record(record)["status"] == "completed"
    assert own_server.refusals(record) == []


def test_the_first_three_steps_of_an_outpatient_visit(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    clerk = open_window(own_server, "receptionist")
    clerk.page.get_by_role("link", name="New patient").click()
    clerk.page.get_by_label("Family name").fill("Outpatientson")
    clerk.page.get_by_label("Given name").fill("Amina")
    clerk.page.get_by_label("Date of birth").fill("1984-03-12")
    clerk.page.get_by_label("Sex").select_option("female")
    clerk.page.get_by_role("button", name="Register").click()
    clerk.expect_saved()
    send(clerk, "Send to Triage")
    expect(clerk.page.locator(".hand-off")).to_contain_text("Now at: Triage")

    nurse = open_window(own_server, "nurse")
    call(nurse, "Outpatientson")
    for name, value in {
        "systolic": "150", "diastolic": "80", "pulse": "72", "respiratory_rate": "16",
        "temperature": "36.8",
    }.items():  # fmt: skip
        nurse.write(f"vitals.{name}", value)
    choose(nurse, "triage.category", "urgent")
    nurse.page.locator(".needed").filter(has_text="SpO₂").click()
    expect(nurse.box("vitals.spo2")).to_be_focused()
    nurse.page.keyboard.type("97")
    send(nurse, "Send to Consultation")
    expect(nurse.page.locator(".hand-off")).to_contain_text("Now at: Consultation")

    officer = open_window(own_server, "clinical_officer")
    expect(row(officer, "Outpatientson")).to_contain_text("Urgent")
    call(officer, "Outpatientson")
    officer.box("diagnosis.plan").fill("Rest (invented)")
    send(officer, "Send to Payment")
    expect(officer.page.locator(".hand-off")).to_contain_text("Now at: Payment")
    officer.expect_saved()
