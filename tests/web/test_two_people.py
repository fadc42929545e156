"""Two people on one record: edits, typing, what each may write, and what happens if they try."""

from playwright.sync_api import WebSocketRoute, expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow


def test_a_vital_sign_written_in_one_window_is_seen_in_the_other(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    officer = open_window(server, "clinical_officer")
    nurse.open_record(record, "triage")
    officer.open_record(record, "triage")
    officer.expect_synced()

    nurse.write("vitals.temperature", "38,4")  # a decimal comma is a decimal point

    expect(officer.field("vitals.temperature")).to_contain_text("38.4")
    expect(officer.field("vitals.temperature")).to_contain_text("▲ high")
    expect(officer.page.get_by_test_id("news")).to_contain_text("Temperature")
    nurse.expect_saved()
    assert server.record(record)["fields"]["vitals"]["temperature"] == 38.4


def test_a_value_out_of_its_hard_limits_is_told_when_the_box_is_left_and_not_written(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")

    nurse.box("vitals.temperature").fill("370")
    expect(nurse.field("vitals.temperature")).not_to_contain_text("between")
    nurse.box("vitals.temperature").blur()

    expect(nurse.field("vitals.temperature").get_by_role("alert")).to_contain_text("25 – 45")
    assert "temperature" not in server.record(record)["fields"].get("vitals", {})


def test_who_is_here_and_who_types_is_seen_and_goes_away(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    officer = open_window(server, "clinical_officer")
    nurse.open_record(record, "triage")
    officer.open_record(record, "triage")

    nurse.box("vitals.pulse").focus()
    expect(officer.field("vitals.pulse")).to_contain_text("Demo nurse is typing")
    expect(officer.page.locator(".people")).to_contain_text("Demo nurse (Nurse) · Triage")
    nurse.box("vitals.pulse").blur()
    expect(officer.field("vitals.pulse")).not_to_contain_text("is typing")
    nurse.page.context.close()
    expect(officer.page.locator(".banner")).to_contain_text("Only you are here")


def test_a_narrative_is_written_by_two_windows_at_once(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    first = open_window(server, "nurse")
    second = open_window(server, "nurse")
    first.open_record(record, "triage")
    second.open_record(record, "triage")

    first.box("assessment.notes").press_sequentially("Alert. ")
    expect(second.box("assessment.notes")).to_have_value("Alert. ")
    second.box("assessment.notes").focus()
    second.page.keyboard.press("Control+End")
    second.page.keyboard.type("Drinking 😀.")
    first.page.keyboard.press("Control+Home")
    first.page.keyboard.type("Child. ")

    both = "Child. Alert. Drinking 😀."
    expect(first.box("assessment.notes")).to_have_value(both)
    expect(second.box("assessment.notes")).to_have_value(both)
    expect(second.page.locator(".caret")).to_have_attribute("data-name", "Demo nurse")
    first.expect_saved()
    assert server.record(record)["texts"]["assessment.notes"] == both


def test_a_draft_is_not_taken_away_by_a_colleagues_change(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    first = open_window(server, "nurse")
    second = open_window(server, "nurse")
    first.open_record(record, "triage")
    second.open_record(record, "triage")

    first.box("vitals.pulse").fill("9")
    second.write("vitals.pulse", "72")
    expect(first.field("vitals.pulse")).to_contain_text("Meanwhile: 72")
    expect(first.box("vitals.pulse")).to_have_value("9")
    first.field("vitals.pulse").get_by_role("button", name="Take theirs").click()

    expect(first.box("vitals.pulse")).to_have_value("72")


def test_what_is_not_mine_reads_as_text(server: LiveServer, open_window: OpenWindow) -> None:
    nurse = open_window(server, "nurse")
    nurse.open_record(first_with_diagnosis(server), "consultation")

    assert nurse.field("diagnosis.plan").locator("input, select, textarea, button").count() == 0
    expect(nurse.field("diagnosis.plan")).to_contain_text("Blood film")
    expect(nurse.page.locator("#section-diagnosis + span")).to_contain_text("Clinical officer")


def first_with_diagnosis(server: LiveServer) -> str:
    answer = server.request("GET", "/api/records/OPD-000004", "supervisor")
    return str(answer.json()["id"])


FORCED = """() => {
  const record = window.fieldchart.at.workplace.hold(location.pathname.split('/')[2])
  record.fields.text('diagnosis.plan').insert(0, 'Send her home. ')
}"""


def test_a_forbidden_field_forced_through_the_console_is_refused_explained_and_healed(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    officer = open_window(server, "clinical_officer")
    officer.open_record(record, "consultation")
    nurse.open_record(record, "consultation")
    officer.box("diagnosis.plan").fill("Rest.")
    expect(nurse.field("diagnosis.plan")).to_contain_text("Rest.")

    nurse.page.evaluate(FORCED)

    refusal = nurse.page.get_by_test_id("refusal")
    expect(refusal).to_contain_text("Refused: Plan")
    expect(refusal).to_contain_text("Send her home.")
    expect(refusal).to_contain_text("Nurses do not write diagnoses.")
    expect(nurse.field("diagnosis.plan")).not_to_contain_text("Send her home")
    expect(nurse.chip).to_have_attribute("data-state", "refused")
    expect(officer.box("diagnosis.plan")).to_have_value("Rest.")
    assert server.record(record)["texts"]["diagnosis.plan"] == "Rest."

    refusal.get_by_role("button", name="Dismiss").click()
    expect(nurse.chip).to_have_attribute("data-state", "saved")


def test_three_people_on_one_record_see_the_same_and_each_what_is_theirs_to_do(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    officer = open_window(server, "clinical_officer")
    supervisor = open_window(server, "supervisor")
    for window in (nurse, officer, supervisor):
        window.open_record(record, "all")
    others = (officer, supervisor)

    nurse.box("vitals.pulse").press_sequentially("8")
    for other in others:
        field = other.field("vitals.pulse")
        expect(field).to_contain_text("Demo nurse is typing")
        expect(field.locator('[data-lock="theirs"]')).to_contain_text(" left")
        expect(field.locator("input")).to_have_count(0)
    nurse.box("vitals.pulse").press_sequentially("8")
    nurse.box("vitals.pulse").blur()
    for other in others:
        expect(other.field("vitals.pulse")).to_contain_text("88")
        expect(other.field("vitals.pulse").locator("[data-lock]")).to_have_count(0)

    nurse.page.evaluate(FORCED)
    expect(nurse.page.get_by_test_id("refusal")).to_contain_text("Nurses do not write diagnoses.")
    expect(supervisor.page.get_by_test_id("refusal")).to_contain_text("Send her home.")
    for window in (nurse, *others):
        expect(window.field("diagnosis.plan")).not_to_contain_text("Send her home")

    nurse.page.get_by_test_id("refusal").get_by_role("button", name="Ask: Clinical").click()
    asked = officer.page.get_by_test_id("refusal")
    expect(asked).to_contain_text("Demo nurse")
    asked.get_by_role("button", name="Apply").click()
    for window in (nurse, supervisor):
        expect(window.field("diagnosis.plan")).to_contain_text("Send her home.")
        expect(window.page.get_by_test_id("refusal")).to_have_count(0)
    assert server.record(record)["texts"]["diagnosis.plan"] == "Send her home. "


SAVED = 100


def test_the_chip_turns_green_only_after_the_servers_word(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server)
    held: list[tuple[WebSocketRoute, bytes]] = []
    holding = [False]

    def between(route: WebSocketRoute) -> None:
        far = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if holding[0] and isinstance(message, bytes) and message[0] == SAVED:
                held.append((route, message))
            else:
                route.send(message)

        far.on_message(pass_on)

    nurse.page.route_web_socket("**/sync/**", between)
    nurse.sign_in("nurse")
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    holding[0] = True

    nurse.write("vitals.pulse", "80")
    expect(nurse.chip).to_have_attribute("data-state", "sending")
    nurse.until(lambda: held)  # the edit is on the server's disk; its word is not here

    assert server.record(record)["fields"]["vitals"]["pulse"] == 80
    expect(nurse.chip).to_have_attribute("data-state", "sending")
    expect(nurse.page.get_by_test_id("record-state")).to_have_attribute("data-state", "sending")
    holding[0] = False
    for route, message in held:
        route.send(message)
    nurse.expect_saved()


def test_an_entry_is_added_and_corrected_by_a_new_one(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")
    safety = nurse.field("safety")

    safety.get_by_role("button", name="Add: ").click()
    safety.get_by_role("button", name="Add", exact=True).click()
    expect(safety.get_by_role("alert")).to_contain_text("Needed.")
    safety.get_by_label("Substance").fill("Penicilin")
    safety.get_by_role("button", name="Add", exact=True).click()
    expect(nurse.page.locator(".banner")).to_contain_text("Allergies: Penicilin")
    safety.get_by_role("button", name="Correct").click()
    safety.get_by_label("Substance").fill("Penicillin")
    safety.get_by_role("button", name="Save correction").click()

    expect(nurse.page.locator(".allergies")).to_have_text("⚠ Allergies: Penicillin")
    expect(safety.locator('[data-replaced="true"]')).to_contain_text("Penicilin")
    nurse.expect_saved()
    assert len(server.record(record)["fields"]["safety"]) == 2
