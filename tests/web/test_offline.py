"""Without the server: what was written stays, is counted, survives a reload, and arrives."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.support.live_server import LiveServer, run_fieldchart
from tests.web.conftest import OpenWindow, Window


def until_offline_ready(window: Window) -> None:
    """The service worker holds the app."""
    window.until(
        "async () => 'activated' ==="
        " (await navigator.serviceWorker.getRegistration())?.active?.state"
    )


def number_on(window: Window) -> str:
    """The human number in the banner."""
    shown = window.page.locator(".banner")
    expect(shown).to_contain_text("OPD-")
    found = re.search(r"OPD-\d{6}", shown.inner_text())
    assert found is not None
    return found[0]


def test_edits_without_the_server_survive_a_reload_and_arrive(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()

    own_server.kill()
    nurse.write("vitals.temperature", "38.4")
    nurse.box("assessment.notes").press_sequentially("Hot.")
    expect(nurse.chip).to_have_attribute("data-state", "waiting")
    expect(nurse.chip).to_contain_text("5 waiting, offline since")

    nurse.reload_stored()
    expect(nurse.box("vitals.temperature")).to_have_value("38.4")
    expect(nurse.box("assessment.notes")).to_have_value("Hot.")
    expect(nurse.chip).to_contain_text("5 waiting")
    nurse.write("vitals.pulse", "88")
    expect(nurse.chip).to_contain_text("6 waiting")

    own_server.start()
    nurse.expect_saved()
    fields = own_server.record(record)
    assert fields["fields"]["vitals"] == {"temperature": 38.4, "pulse": 88}
    assert fields["texts"]["assessment.notes"] == "Hot."


def test_a_window_that_still_holds_a_key_in_memory_asks_before_it_goes(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    own_server.kill()
    nurse.page.evaluate(
        "() => { const store = window.fieldchart.at.workplace.store; const { append } = store;"
        " const free = new Promise(go => { window.diskAnswers = go });"
        " store.append = async item => { await free; return append.call(store, item) } }"
    )
    asked: list[str] = []
    nurse.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    nurse.write("vitals.pulse", "88")

    nurse.page.evaluate("() => { location.reload() }")
    expect(nurse.box("vitals.pulse")).to_have_value("88")
    nurse.until("async () => true")
    assert asked == ["beforeunload"]

    nurse.page.evaluate("() => { window.diskAnswers() }")
    nurse.reload_stored()
    assert asked == ["beforeunload"]
    own_server.start()


def test_a_patient_registered_without_the_server_is_there_when_it_is_back(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    clerk = open_window(own_server, "receptionist")
    other = open_window(own_server, "receptionist")
    until_offline_ready(clerk)
    expect(clerk.page.locator("table.queue")).to_be_visible()
    clerk.until("async () => (await window.fieldchart.at.workplace.store.heads()).length >= 8")
    for window in (clerk, other):
        window.until(
            "async () => (await window.fieldchart.at.workplace.store.numbersLeft('outpatient')) > 0"
        )
    clerk.page.get_by_role("link", name="New patient").click()
    expect(clerk.page.get_by_label("Family name")).to_be_visible()

    own_server.kill()
    clerk.page.get_by_label("Family name").fill("Muster")
    expect(clerk.page.get_by_test_id("duplicates")).to_contain_text("Muster, Baraka")
    clerk.page.get_by_label("Family name").fill("Offlineson")
    expect(clerk.page.get_by_test_id("duplicates")).to_have_count(0)
    clerk.page.get_by_label("Given name").fill("Zuri")
    clerk.page.get_by_role("button", name="Register").click()
    expect(clerk.page.locator(".banner h1")).to_have_text("OFFLINESON, Zuri")
    expect(clerk.page.locator(".banner")).to_contain_text("not known to the server yet")
    number = number_on(clerk)
    other.page.evaluate(
        "async () => { const id = await window.fieldchart.at.workplace.create("
        "'outpatient', {'demographics.family_name': 'Otherson'}, null);"
        " history.pushState(null, '', `/records/${id}`);"
        " dispatchEvent(new PopStateEvent('popstate')) }"
    )
    expect(other.page.locator(".banner h1")).to_have_text("OTHERSON")
    assert number_on(other) != number
    clerk.write("contact.village", "Demoville")
    expect(clerk.chip).to_contain_text("waiting, offline since")
    record = clerk.page.url.split("/records/")[1].split("/")[0]

    own_server.start()
    clerk.expect_saved()
    expect(clerk.page.locator(".banner")).not_to_contain_text("not known to the server yet")
    made = own_server.record(record)
    assert made["number"] == number == number_on(clerk)
    other.expect_saved()
    assert made["fields"]["demographics"]["family_name"] == "Offlineson"
    assert made["fields"]["contact"]["village"] == "Demoville"


def test_records_of_the_queue_open_offline_though_nobody_opened_them(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.until("async () => (await window.fieldchart.at.workplace.store.records()).length >= 8")
    row = own_server.request("GET", "/api/records/OPD-000004", "supervisor").json()
    own_server.kill()

    nurse.page.reload()
    expect(nurse.page.get_by_text("The server is out of reach")).to_be_visible()
    nurse.open_record(row["id"], "triage")

    expect(nurse.page.locator(".banner h1")).to_have_text("TESTPERSON, Dalila")
    expect(nurse.box("vitals.temperature")).to_have_value("38.2")


def test_a_record_opened_by_its_number_is_the_one_document_of_its_id(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.until("async () => (await window.fieldchart.at.workplace.store.records()).length >= 8")
    row = own_server.request("GET", "/api/records/OPD-000004", "supervisor").json()
    assert own_server.request("GET", "/api/records/opd-000004", "supervisor").json() == row
    nurse.open_record("opd-000004", "triage")
    expect(nurse.page).to_have_url(f"{own_server.url}/records/{row['id']}/triage")
    expect(nurse.page.locator(".banner h1")).to_have_text("TESTPERSON, Dalila")

    nurse.page.get_by_role("link", name="Queue").click()
    own_server.kill()
    nurse.open_record("Opd-000004", "triage")
    expect(nurse.page).to_have_url(f"{own_server.url}/records/{row['id']}/triage")
    expect(nurse.page.locator(".banner h1")).to_have_text("TESTPERSON, Dalila")
    heads = nurse.page.evaluate(
        "async () => (await window.fieldchart.at.workplace.store.heads()).map(one => one.record)"
    )
    assert row["id"] in heads
    assert not [one for one in heads if one.lower() == "opd-000004"]

    own_server.start()
    nurse.expect_saved()
    nurse.page.evaluate(
        "() => { history.pushState(null, '', '/records/OPD-999999');"
        " dispatchEvent(new PopStateEvent('popstate')) }"
    )
    expect(nurse.page.get_by_text("There is no record OPD-999999.")).to_be_visible()


def test_two_tablets_edit_one_critical_field_offline_and_somebody_decides_by_key(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    first = open_window(own_server, "nurse")
    second = open_window(own_server, "nurse")
    for window in (first, second):
        until_offline_ready(window)
        window.open_record(record, "triage")
        window.expect_saved()
    own_server.kill()
    first.write("vitals.pulse", "96")
    expect(first.chip).to_contain_text("1 waiting")
    second.write("vitals.pulse", "60")
    expect(second.chip).to_contain_text("1 waiting")

    own_server.start()
    conflict = first.page.get_by_test_id("conflict")
    expect(conflict).to_contain_text("96")
    expect(conflict).to_contain_text("60")
    expect(first.field("vitals.pulse")).to_contain_text("disputed")
    expect(first.box("vitals.pulse")).to_have_value("60")  # the later one stands meanwhile
    expect(first.chip).to_have_attribute("data-state", "conflict")
    assert first.axe() == []
    # They are listed as they arrived, and the tablets came back in any order.
    [at] = [
        number
        for number, said in enumerate(conflict.locator(".choice").all_inner_texts(), start=1)
        if said.startswith(f"{number} · 96 ")
    ]
    conflict.get_by_role("radio").first.focus()
    first.page.keyboard.press(str(at))
    expect(conflict.get_by_label("Reason")).to_be_focused()
    first.page.keyboard.type("Counted again")
    first.page.keyboard.press("Enter")

    expect(second.box("vitals.pulse")).to_have_value("96")
    expect(first.page.get_by_test_id("conflict")).to_have_count(0)
    expect(second.field("vitals.pulse")).not_to_contain_text("disputed")
    first.expect_saved()
    assert own_server.record(record)["disputed"] == []


def test_what_one_person_left_unsent_is_delivered_in_their_name_by_the_next(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    tablet = open_window(own_server, "clinical_officer")
    until_offline_ready(tablet)
    tablet.page.get_by_role("button", name=": menu").click()
    tablet.page.get_by_role("menuitem", name="Switch user").click()
    tablet.sign_in("nurse")
    tablet.open_record(record, "triage")
    tablet.expect_saved()
    own_server.kill()
    tablet.write("vitals.pulse", "77")
    expect(tablet.chip).to_contain_text("1 waiting")

    tablet.page.get_by_role("button", name=": menu").click()
    asked: list[str] = []
    tablet.page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    tablet.page.get_by_role("menuitem", name="Sign out").click()
    expect(tablet.page.get_by_role("button", name="Demo nurse")).to_contain_text("unsent: 1")
    assert "The server is out of reach" in asked[0]
    assert "Unsent edits on this device: 1" in asked[0]
    assert (
        tablet.page.evaluate(
            "async () => (await window.fieldchart.people.all())"
            ".map(one => one.login?.sealKey ?? null)"
        ).count(None)
        == 1
    )  # the nurse's key is gone from this tablet
    tablet.sign_in("clinical_officer")  # without the server: the tablet knows this password
    expect(tablet.chip).to_contain_text("nothing waiting")
    own_server.start()

    tablet.until(
        "async () => ![...(await window.fieldchart.unsent()).values()].some(count => count > 0)"
    )
    history = own_server.request("GET", f"/api/records/{record}/history", "supervisor").json()
    [pulse] = [one for one in history["items"] if one["field"] == "vitals.pulse"]
    assert (pulse["author"]["username"], pulse["new"]) == ("nurse", 77)
    assert own_server.refusals(record) == []


def test_unsent_work_that_the_browser_threw_away_is_said_to_be_gone(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    own_server.kill()
    nurse.write("vitals.pulse", "77")
    expect(nurse.chip).to_contain_text("1 waiting")
    nurse.page.goto("about:blank")
    nurse.page.context.new_cdp_session(nurse.page).send(
        "Storage.clearDataForOrigin", {"origin": own_server.url, "storageTypes": "indexeddb"}
    )

    nurse.go("/")
    gone = nurse.page.get_by_test_id("lost-work")
    expect(gone).to_contain_text("has removed work that was stored on this device and not sent yet")
    expect(gone).to_contain_text("Demo nurse: 1")
    gone.get_by_role("button").click()
    expect(gone).to_have_count(0)
    nurse.page.reload()
    expect(nurse.page.locator('input[autocomplete="username"]')).to_be_visible()
    expect(gone).to_have_count(0)
    own_server.start()


def test_a_tablet_that_is_ahead_of_a_restored_server_gives_back_what_is_its_own(
    own_server: LiveServer, open_window: OpenWindow, tmp_path: Path
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.write("vitals.pulse", "81")
    nurse.expect_saved()
    backup = str(tmp_path / "backup.db")
    saved = run_fieldchart("backup", backup, "--data", str(own_server.data))
    assert saved.returncode == 0, saved.stderr
    officer = open_window(own_server, "clinical_officer")
    officer.open_record(record, "consultation")
    officer.write("diagnosis.plan", "Rest.")
    officer.expect_saved()
    officer.page.close()
    nurse.write("vitals.temperature", "38.4")
    nurse.expect_saved()
    own_server.terminate()
    restored = run_fieldchart("restore", backup, "--data", str(own_server.data))
    assert restored.returncode == 0, restored.stderr

    nurse.write("vitals.spo2", "97")
    expect(nurse.chip).to_contain_text("1 waiting")
    own_server.start()
    # What is this person's own goes back, saved or not. What was a colleague's and is only here
    # now is judged as theirs and refused with its words kept: who may apply it can.
    expect(nurse.chip).to_have_attribute("data-state", "refused")
    made = own_server.record(record)
    assert made["fields"]["vitals"] == {"pulse": 81, "temperature": 38.4, "spo2": 97}
    [refusal] = own_server.refusals(record)
    assert (refusal["field"], refusal["rule"]) == ("diagnosis.plan", "role")
    assert "Rest." in str(refusal["value"])
    expect(nurse.page.get_by_test_id("refusal")).to_contain_text("Plan")


def test_a_login_that_is_revoked_while_typing_loses_nothing(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    nurse.box("vitals.pulse").fill("81")

    for login in own_server.request("GET", "/api/logins", "nurse").json()["items"]:
        if not login["current"]:
            own_server.request("DELETE", f"/api/logins/{login['id']}", "nurse")
    expect(nurse.page.get_by_text("Your log-in has ended")).to_be_visible()
    expect(nurse.box("vitals.pulse")).to_have_value("81")
    nurse.box("vitals.pulse").blur()
    expect(nurse.chip).to_have_attribute("data-state", "sign_in")

    nurse.page.get_by_role("button", name="Sign in").click()
    nurse.sign_in("nurse")
    nurse.expect_saved()
    assert own_server.record(record)["fields"]["vitals"]["pulse"] == 81
