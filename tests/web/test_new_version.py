"""A new version of the app: offered, taken when its user says so, and nothing typed is lost."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from server.web_app import STATIC
from tests.support.app_versions import VERSION_MARK, second_version
from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window
from tests.web.test_offline import until_offline_ready


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The bundle of the second version."""
    return second_version(STATIC, tmp_path / "second")


def version_of(window: Window) -> str | None:
    mark: str | None = window.page.evaluate(
        "() => document.documentElement.dataset.version ?? null"
    )
    return mark


def until_offered(window: Window) -> None:
    """A restart of the server is looked at once a minute at most, so the test asks for it."""
    window.page.evaluate(
        "async () => { await (await navigator.serviceWorker.getRegistration()).update() }"
    )
    expect(window.page.get_by_test_id("new-version")).to_be_visible()


def take(window: Window) -> None:
    window.page.get_by_role("button", name="Use it now").click()
    window.page.wait_for_function("() => document.documentElement.dataset.version === 'second'")


def test_a_new_version_is_taken_offline_amid_half_typed_text_and_nothing_is_lost_or_sent_twice(
    own_server: LiveServer, open_window: OpenWindow, newer: Path
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    nurse.write("vitals.pulse", "88")
    nurse.expect_saved()
    own_server.terminate()
    own_server.bundle = newer
    own_server.start()
    until_offered(nurse)
    assert nurse.axe() == []
    own_server.kill()

    nurse.write("vitals.temperature", "38.4")
    nurse.box("assessment.notes").press_sequentially("Hot and ti")
    expect(nurse.chip).to_contain_text("11 waiting")
    nurse.box("vitals.spo2").focus()
    nurse.page.keyboard.type("9")
    take(nurse)

    assert version_of(nurse) == VERSION_MARK
    expect(nurse.page).to_have_url(f"{own_server.url}/records/{record}/triage")
    expect(nurse.box("vitals.spo2")).to_have_value("9")
    expect(nurse.field("vitals.spo2")).to_contain_text("Not written yet")
    expect(nurse.box("vitals.temperature")).to_have_value("38.4")
    expect(nurse.box("assessment.notes")).to_have_value("Hot and ti")
    expect(nurse.chip).to_contain_text("11 waiting")
    expect(nurse.page.get_by_test_id("new-version")).to_have_count(0)
    nurse.box("assessment.notes").focus()
    nurse.page.keyboard.press("Control+End")
    nurse.page.keyboard.type("red.")
    nurse.box("vitals.spo2").fill("97")
    nurse.box("vitals.spo2").blur()

    own_server.start()
    nurse.expect_saved()
    made = own_server.record(record)
    assert made["fields"]["vitals"] == {"pulse": 88, "temperature": 38.4, "spo2": 97}
    assert made["texts"]["assessment.notes"] == "Hot and tired."
    assert own_server.refusals(record) == []
    history = own_server.request("GET", f"/api/records/{record}/history", "supervisor").json()
    written = [
        (one["field"], one["new"]) for one in history["items"] if one["field"] != "assessment.notes"
    ]
    for once in (("vitals.pulse", 88), ("vitals.temperature", 38.4), ("vitals.spo2", 97)):
        assert written.count(once) == 1
    assert not [one for one in written if one == ("vitals.spo2", 9)]


def test_an_old_window_goes_on_beside_a_new_one_until_its_user_takes_the_new_version_too(
    own_server: LiveServer, open_window: OpenWindow, newer: Path
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    beside = open_window(own_server, beside=nurse)
    expect(beside.page.locator("header.frame-head")).to_be_visible()
    nurse.open_record(record, "triage")
    beside.open_record(record, "triage")
    own_server.terminate()
    own_server.bundle = newer
    own_server.start()
    until_offered(nurse)
    expect(beside.page.get_by_test_id("new-version")).to_be_visible()
    beside.box("vitals.spo2").focus()
    beside.page.keyboard.type("9")
    take(nurse)

    # Nobody loaded the other window anew: it works, with what it has.
    assert version_of(beside) is None
    expect(beside.box("vitals.spo2")).to_have_value("9")
    expect(beside.page.get_by_test_id("new-version")).to_be_visible()
    beside.box("vitals.spo2").fill("96")
    beside.box("vitals.spo2").blur()
    beside.expect_saved()
    expect(nurse.box("vitals.spo2")).to_have_value("96")
    nurse.write("vitals.pulse", "81")
    expect(beside.box("vitals.pulse")).to_have_value("81")
    beside.box("vitals.respiratory_rate").fill("1")

    # A screen that it never opened is gone with its version: it says so; loading it keeps drafts.
    beside.page.context.new_cdp_session(beside.page).send("Network.clearBrowserCache")
    beside.page.get_by_role("link", name="Trends").click()
    expect(beside.page.get_by_test_id("screen-missing")).to_be_visible()
    expect(beside.page.locator(".banner h1")).to_be_visible()
    beside.page.get_by_test_id("screen-missing").get_by_role("button").click()
    beside.page.wait_for_function("() => document.documentElement.dataset.version === 'second'")
    expect(beside.page).to_have_url(f"{own_server.url}/records/{record}/trends")
    expect(beside.page.get_by_role("heading", name="Trends")).to_be_visible()
    beside.open_record(record, "triage")
    expect(beside.box("vitals.respiratory_rate")).to_have_value("1")


def test_a_patient_half_entered_is_still_in_the_form_of_the_new_version(
    own_server: LiveServer, open_window: OpenWindow, newer: Path
) -> None:
    clerk = open_window(own_server, "receptionist")
    until_offline_ready(clerk)
    clerk.page.get_by_role("link", name="New patient").click()
    clerk.page.get_by_label("Family name").fill("Halfway")
    clerk.page.get_by_label("Given name").fill("Ima")
    own_server.terminate()
    own_server.bundle = newer
    own_server.start()
    until_offered(clerk)
    take(clerk)

    expect(clerk.page.get_by_label("Family name")).to_have_value("Halfway")
    expect(clerk.page.get_by_label("Given name")).to_have_value("Ima")
    clerk.page.get_by_role("button", name="Empty the form").click()
    expect(clerk.page.get_by_label("Family name")).to_have_value("")
    clerk.page.get_by_label("Family name").fill("Whole")
    clerk.page.get_by_role("button", name="Register").click()
    expect(clerk.page.locator(".banner h1")).to_have_text("WHOLE")
    clerk.page.get_by_role("link", name="New patient").click()
    expect(clerk.page.get_by_label("Family name")).to_have_value("")


def test_a_device_that_cannot_store_what_was_typed_keeps_the_old_version(
    own_server: LiveServer, open_window: OpenWindow, newer: Path
) -> None:
    record = own_server.new_record()
    nurse = open_window(own_server, "nurse")
    until_offline_ready(nurse)
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    own_server.terminate()
    own_server.bundle = newer
    own_server.start()
    until_offered(nurse)
    own_server.kill()
    nurse.page.evaluate(
        "() => { const real = IDBObjectStore.prototype.add;"
        " window.roomAgain = () => { IDBObjectStore.prototype.add = real };"
        " IDBObjectStore.prototype.add = () => {"
        "  throw new DOMException('no room', 'QuotaExceededError') } }"
    )
    nurse.write("vitals.pulse", "88")
    nurse.page.get_by_role("button", name="Use it now").click()
    expect(nurse.page.get_by_test_id("new-version")).to_contain_text("Not yet")
    assert version_of(nurse) is None
    expect(nurse.box("vitals.pulse")).to_have_value("88")

    nurse.page.evaluate("() => window.roomAgain()")
    expect(nurse.chip).to_contain_text("1 waiting")
    nurse.until("async () => (await window.fieldchart.at.workplace.store.outbox()).length === 1")
    take(nurse)
    expect(nurse.box("vitals.pulse")).to_have_value("88")
    own_server.start()
    nurse.expect_saved()
    assert own_server.record(record)["fields"]["vitals"] == {"pulse": 88}
