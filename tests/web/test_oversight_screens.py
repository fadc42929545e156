"""Dashboard, audit trail, devices and papers: what a supervisor sees, and what nobody else does."""

import json

import pytest
from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow
from tests.web.tablet import Tablet

ALERTED_MS = 60_000
"""Thresholds are compared in rounds of half a minute."""


def test_the_dashboard_follows_the_queues_and_leads_to_the_records(
    server: LiveServer, open_window: OpenWindow
) -> None:
    supervisor = open_window(server, "supervisor")
    supervisor.page.get_by_role("link", name="Dashboard").click()
    column = supervisor.page.locator(".column", has_text="Registration")
    waiting = column.locator("b").first
    expect(waiting).to_be_visible()
    before = int(waiting.inner_text())

    record = server.new_record()

    expect(waiting).to_have_text(str(before + 1))
    tablet = Tablet(server, record, "nurse")
    tablet.write("contact.village", "Elsewhere")
    tablet.deliver()
    trouble = supervisor.page.locator(".panel", has_text="Trouble by field")
    line = trouble.locator("li", has_text="Village").first
    expect(line).to_contain_text("Your role does not write this.")
    line.locator("summary").click()
    line.get_by_role("link", name=server.record(record)["number"]).click()
    expect(supervisor.page.get_by_test_id("refusal-card")).to_contain_text("Village")


def test_what_is_past_a_threshold_comes_up_by_itself_and_leads_to_what_is_behind_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    supervisor = open_window(server, "supervisor")
    supervisor.page.get_by_role("link", name="Dashboard").click()
    supervisor.page.get_by_label("Kind of visit").select_option("eye_screening")
    expect(supervisor.page.locator(".column").first).to_be_visible()
    alert = supervisor.page.locator('[data-alert="metric"]', has_text="Unable to screen")
    expect(alert).to_have_count(0)
    body = {"profile": "eye_screening", "fields": {"demographics.family_name": "Invented"}}
    made = server.request("POST", "/api/records", "registration_staff", json=body).json()

    answer = server.request(
        "PATCH", f"/api/records/{made['id']}", "doctor",
        json={"follow_up.screening_result": "unable"},
        headers={"If-Match": f'"{made["version"]}"'},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text

    expect(alert).to_contain_text("threshold 5 %", timeout=ALERTED_MS)
    expect(alert).to_contain_text("since ")
    assert supervisor.axe() == []
    alert.locator("summary").click()
    alert.get_by_role("link", name=made["number"]).click()
    expect(supervisor.page.locator(".banner h1")).to_have_text("INVENTED")


def test_who_does_not_oversee_has_no_dashboard(server: LiveServer, open_window: OpenWindow) -> None:
    nurse = open_window(server, "nurse")
    expect(nurse.page.get_by_role("link", name="Queue")).to_be_visible()

    expect(nurse.page.get_by_role("link", name="Dashboard")).to_have_count(0)
    nurse.page.evaluate(
        "history.pushState(null, '', '/dashboard'); dispatchEvent(new PopStateEvent('popstate'))"
    )
    expect(nurse.page.get_by_role("alert")).to_contain_text("You do not oversee")


def test_the_audit_trail_is_filtered_and_exported(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    supervisor = open_window(server, "supervisor")
    supervisor.page.get_by_role("button", name=": menu").click()
    supervisor.page.get_by_role("menuitem", name="Audit trail").click()
    lines = supervisor.page.get_by_test_id("audit-lines").locator("tbody tr")
    expect(lines.first).to_be_visible()

    supervisor.page.get_by_label("Record (number)").fill(server.record(record)["number"])
    supervisor.page.get_by_label("What was done").select_option("create")
    supervisor.page.keyboard.press("Enter")
    supervisor.page.get_by_role("button", name="Show", exact=True).click()
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("Demo receptionist")
    expect(lines).to_contain_text(server.record(record)["number"])
    with supervisor.page.expect_download() as saving:
        supervisor.page.get_by_role("button", name="Export (JSON lines)").click()

    exported = saving.value.path().read_text().splitlines()
    assert [json.loads(line)["action"] for line in exported] == ["create"]


def test_a_device_is_signed_out_from_another(server: LiveServer, open_window: OpenWindow) -> None:
    first = open_window(server, "pharmacist")
    second = open_window(server, "pharmacist")
    first.page.get_by_role("button", name=": menu").click()
    first.page.get_by_role("menuitem", name="My signed-in devices").click()
    expect(first.page.locator("[data-login]")).to_have_count(2)
    first.page.on("dialog", lambda dialog: dialog.accept())

    first.page.get_by_role("button", name="Sign out", exact=True).click()

    expect(first.page.locator("[data-login]")).to_have_count(1)
    second.page.get_by_role("link", name="Notifications").click()
    expect(second.page.get_by_text("Your log-in has ended")).to_be_visible()


def test_a_paper_prints_the_patient_and_none_of_the_frame(
    server: LiveServer, open_window: OpenWindow
) -> None:
    supervisor = open_window(server, "supervisor")
    supervisor.open_record(server.record("OPD-000004")["id"], "print")
    sheet = supervisor.page.locator(".sheet")
    expect(sheet).to_contain_text("Visit summary")
    expect(sheet).to_contain_text("TESTPERSON, Dalila")
    expect(sheet).to_contain_text("Demo allergen")
    papers = supervisor.page.get_by_label("Paper").locator("option").all_inner_texts()
    assert papers == ["Visit summary", "Prescription", "Laboratory slip", "Receipt"]

    supervisor.page.get_by_label("Paper").select_option("lab")
    expect(sheet).to_contain_text("Malaria blood film")
    supervisor.page.emulate_media(media="print")

    expect(sheet).to_be_visible()
    for hidden in (".frame-head", ".banner", ".rail", ".hand-off"):
        expect(supervisor.page.locator(hidden)).to_be_hidden()


def test_an_administrator_makes_an_account_changes_its_roles_and_closes_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    admin = open_window(server, "admin")
    admin.page.get_by_role("button", name=": menu").click()
    admin.page.get_by_role("menuitem", name="Accounts").click()
    admin.page.get_by_text("New account").click()
    admin.page.get_by_label("User name").fill("newcomer")
    admin.page.get_by_label("First password").fill("a long password")
    admin.page.get_by_role("checkbox", name="Nurse").check()
    admin.page.get_by_role("button", name="Make the account").click()

    line = admin.page.locator('[data-user="newcomer"]')
    expect(line).to_contain_text("Nurse")
    newcomer = open_window(server)
    newcomer.sign_in("newcomer", "a long password")
    line.get_by_role("button", name="Change: newcomer").click()
    line.get_by_role("checkbox", name="Cashier").check()
    line.get_by_role("button", name="Save roles").click()
    expect(line).to_contain_text("Cashier, Nurse")
    line.get_by_role("button", name="Close the account").click()

    expect(line).to_contain_text("closed")
    newcomer.page.get_by_role("link", name="Notifications").click()
    expect(newcomer.page.get_by_text("Your log-in has ended")).to_be_visible()


def test_what_waits_for_approval_is_sent_back_with_a_reason_and_approved_when_it_returns(
    server: LiveServer, open_window: OpenWindow
) -> None:
    overview = server.request("GET", "/api/dashboard?profile=eye_screening", "supervisor").json()
    waiting = overview["approvals"][0]
    supervisor = open_window(server, "supervisor")
    supervisor.page.get_by_role("link", name="Dashboard").click()
    supervisor.page.get_by_label("Kind of visit").select_option("eye_screening")
    approval = supervisor.page.get_by_test_id("approval").filter(has_text=waiting["number"])

    approval.get_by_role("button", name="Return…").click()
    approval.get_by_label("Reason").fill("Measure the left eye again")
    approval.get_by_role("button", name="Send back").click()
    expect(approval).to_have_count(0)
    assert server.record(waiting["id"])["current_step"] == "doctor_diagnosis"
    for status in ("started", "completed"):
        answer = server.request(
            "PUT", f"/api/sessions/{waiting['id']}/steps/doctor_diagnosis", "doctor",
            json={"status": status},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
    approval.get_by_role("button", name="Approve").click()

    expect(approval).to_have_count(0)
    assert server.record(waiting["id"])["status"] == "completed"


def test_a_spectacle_prescription_has_signs_and_two_decimals_for_both_eyes(
    server: LiveServer, open_window: OpenWindow
) -> None:
    body = {"profile": "eye_screening", "fields": {"demographics.family_name": "Invented"}}
    made = server.request("POST", "/api/records", "registration_staff", json=body).json()
    lenses = {
        "spectacles.right_sphere": -1.5, "spectacles.right_cylinder": -0.25,
        "spectacles.right_axis": 90, "spectacles.left_sphere": 2,
    }  # fmt: skip
    answer = server.request(
        "PATCH", f"/api/records/{made['id']}", "doctor",
        json=lenses, headers={"If-Match": f'"{made["version"]}"'},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    doctor = open_window(server, "doctor")
    doctor.open_record(made["id"], "print")
    doctor.page.get_by_label("Paper").select_option("spectacles")

    rows = doctor.page.locator(".lenses tbody tr")
    expect(rows.nth(0).locator("td")).to_have_text(["-1.50 D", "-0.25 D", "90 °", "–"])
    expect(rows.nth(1).locator("td")).to_have_text(["+2.00 D", "–", "–", "–"])


OVERSEEN = {
    "/dashboard": ".column >> nth=0",
    "/audit": "[data-testid=audit-lines]",
    "/users": "#users-title",
    "/records/{record}/emergency": ".page-title",
    "/records/{record}/print": ".sheet h3",
    "/records/{record}/conflicts": ".page-title",
}
"""Screens of supervisors and administrators → what shows that they are there."""


@pytest.mark.parametrize(
    ("language", "scheme", "size"), [("en-GB", "light", "desk"), ("ar-EG", "dark", "phone")]
)
def test_axe_finds_nothing_on_the_screens_of_who_oversees(
    server: LiveServer, open_window: OpenWindow, language: str, scheme: str, size: str
) -> None:
    record = server.record("OPD-000004")["id"]
    found, wide = {}, []
    for user, screens in (
        ("supervisor", [path for path in OVERSEEN if path != "/users"]),
        ("admin", ["/users", "/audit"]),
    ):
        window = open_window(server, user, size=size, language=language, scheme=scheme)
        for path in screens:
            window.page.evaluate(
                "path => { history.pushState(null, '', path);"
                " dispatchEvent(new PopStateEvent('popstate')) }",
                path.format(record=record),
            )
            expect(window.page.locator(OVERSEEN[path])).to_be_visible()
            found[path] = window.axe()
            if window.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(path)

    assert {path: problems for path, problems in found.items() if problems} == {}
    assert wide == []
