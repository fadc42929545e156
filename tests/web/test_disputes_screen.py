"""Conflicts and refusals on screen: shown with who, when and from where, decided by keyboard."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow
from tests.web.tablet import Tablet


def disputed(server: LiveServer) -> str:
    """A record on which two tablets wrote another pulse while they could not see each other."""
    record = server.new_record()
    one, other = Tablet(server, record, "nurse"), Tablet(server, record, "nurse")
    one.write("vitals.pulse", 96)
    other.write("vitals.pulse", 60)
    one.deliver()
    other.deliver()
    assert server.record(record)["disputed"] == ["vitals.pulse"]
    return record


def refused(server: LiveServer) -> str:
    """A record on which a nurse's tablet wrote what nurses do not write."""
    record = server.new_record()
    tablet = Tablet(server, record, "nurse")
    tablet.write("contact.village", "Elsewhere")
    tablet.deliver()
    return record


def test_a_conflict_is_decided_by_keyboard_with_a_reason(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = disputed(server)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "conflicts")
    card = nurse.page.get_by_test_id("conflict-card")
    expect(card).to_contain_text("Before: not recorded")
    expect(card.locator(".choice").nth(0)).to_contain_text("1 · 96 /min")
    expect(card.locator(".choice").nth(1)).to_contain_text("2 · 60 /min")
    expect(card.locator(".choice").nth(0)).to_contain_text("Demo nurse")

    card.get_by_role("radio").first.focus()
    nurse.page.keyboard.press("1")
    expect(card.get_by_label("Reason")).to_be_focused()
    nurse.page.keyboard.press("Enter")
    expect(card.get_by_role("alert")).to_contain_text("Give a reason")
    nurse.page.keyboard.type("Counted again")
    nurse.page.keyboard.press("Enter")

    expect(nurse.page.get_by_text("Nothing waits for a decision.")).to_be_visible()
    nurse.page.get_by_label("Decided ones too").check()
    expect(card).to_contain_text("Decided by Demo nurse: Counted again")
    after = server.record(record)
    assert (after["fields"]["vitals"]["pulse"], after["disputed"]) == (96, [])


def test_a_conflict_is_decided_by_another_value_that_is_checked_first(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = disputed(server)
    supervisor = open_window(server, "supervisor")
    supervisor.open_record(record, "conflicts")
    card = supervisor.page.get_by_test_id("conflict-card")

    card.get_by_role("radio").first.focus()
    supervisor.page.keyboard.press("0")
    expect(card.get_by_label("Other value", exact=True)).to_be_focused()
    supervisor.page.keyboard.type("800")
    card.get_by_label("Reason").fill("Measured by me")
    card.get_by_role("button", name="Decide").click()
    expect(card.get_by_role("alert")).to_contain_text("20 – 300")
    card.get_by_label("Other value", exact=True).fill("78")
    card.get_by_role("button", name="Decide").click()

    expect(supervisor.page.get_by_text("Nothing waits for a decision.")).to_be_visible()
    assert server.record(record)["fields"]["vitals"]["pulse"] == 78


def test_a_choice_does_not_outlive_the_values_that_it_was_made_among(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    tablets = [Tablet(server, record, "nurse") for _ in range(3)]
    for tablet, pulse in zip(tablets, (96, 60, 71), strict=True):
        tablet.write("vitals.pulse", pulse)
    tablets[0].deliver()
    tablets[1].deliver()
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")
    bar = nurse.page.get_by_test_id("conflict")
    expect(bar.locator(".choice")).to_have_count(3)
    bar.get_by_role("radio").first.focus()
    nurse.page.keyboard.press("Control+2")
    expect(bar.get_by_role("radio", checked=True)).to_have_count(0)
    nurse.page.keyboard.press("2")
    expect(bar.get_by_role("radio", checked=True)).to_have_count(1)
    nurse.page.keyboard.type("Felt at the wrist 2")

    tablets[2].deliver()
    expect(bar).to_contain_text("71 /min")
    expect(bar.get_by_role("alert").first).to_contain_text("The values have changed meanwhile")
    expect(bar.get_by_role("radio", checked=True)).to_have_count(0)
    expect(bar.get_by_label("Reason")).to_have_value("Felt at the wrist 2")
    nurse.page.keyboard.press("Enter")
    expect(bar.get_by_text("Choose a value first.")).to_be_visible()
    bar.get_by_role("radio", name="71 /min").check()
    bar.get_by_role("button", name="Decide").click()

    expect(bar).to_have_count(0)
    assert server.record(record)["fields"]["vitals"]["pulse"] == 71


def test_the_clock_that_may_be_off_is_named(server: LiveServer, open_window: OpenWindow) -> None:
    record = server.new_record()
    ahead = (datetime.now(UTC) + timedelta(minutes=7)).isoformat()
    body = {"username": "nurse", "password": "demo", "device_time": ahead}
    token = server.request("POST", "/api/login", "nurse", json=body).json()["token"]
    fast, right = Tablet(server, record, "nurse", token=token), Tablet(server, record, "nurse")
    fast.write("vitals.pulse", 96)
    right.write("vitals.pulse", 60)
    fast.deliver()
    right.deliver()
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")

    choices = nurse.page.get_by_test_id("conflict").locator(".choice")
    expect(choices.filter(has_text="96 /min")).to_contain_text("its clock is 7 min fast")
    expect(choices.filter(has_text="60 /min")).not_to_contain_text("clock")


def test_the_bars_lead_to_the_page_of_conflicts(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = disputed(server)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")

    nurse.page.get_by_test_id("conflict").get_by_role("link", name="Conflicts").click()

    expect(nurse.page.get_by_test_id("conflict-card")).to_be_visible()


def test_who_may_not_decide_sees_the_values_and_why(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = disputed(server)
    cashier = open_window(server, "cashier")
    cashier.open_record(record, "conflicts")

    card = cashier.page.get_by_test_id("conflict-card")
    expect(card).to_contain_text("96 /min")
    expect(card).to_contain_text("Those who write this field, or a supervisor, decide.")
    expect(card.get_by_role("radio")).to_have_count(0)


def test_a_refusal_is_explained_and_applied_by_who_may(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = refused(server)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "conflicts")
    mine = nurse.page.get_by_test_id("refusal-card")
    expect(mine).to_contain_text("Refused: Village")
    expect(mine).to_contain_text("Elsewhere")
    expect(mine).to_contain_text("Your role does not write this.")
    expect(mine.get_by_role("button", name="Apply")).to_have_count(0)

    supervisor = open_window(server, "supervisor")
    supervisor.page.get_by_role("button", name=": menu").click()
    supervisor.page.get_by_role("menuitem", name="Refused edits").click()
    number = server.record(record)["number"]
    card = supervisor.page.get_by_test_id("refusal-card").filter(has_text=number)
    card.get_by_role("button", name="Apply in my name").click()

    expect(card).to_have_count(0)
    assert server.record(record)["fields"]["contact"]["village"] == "Elsewhere"


def test_a_refusal_is_laid_aside_with_a_reason_by_its_author(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = refused(server)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "conflicts")
    card = nurse.page.get_by_test_id("refusal-card")

    card.get_by_role("button", name="Lay aside").click()
    card.get_by_label("Reason").fill("Wrong patient")
    nurse.page.keyboard.press("Enter")

    expect(nurse.page.get_by_text("Nothing waits for a decision.")).to_be_visible()
    nurse.page.get_by_label("Decided ones too").check()
    expect(card).to_contain_text("Laid aside by Demo nurse: Wrong patient")


def test_who_may_write_it_is_asked_to_take_a_refused_edit_over_and_applies_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = refused(server)
    clerk = open_window(server, "receptionist")
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "conflicts")
    card = nurse.page.get_by_test_id("refusal-card")

    card.get_by_role("button", name="Ask: Receptionist").click()

    expect(card).to_contain_text("Asked: Receptionist.")
    expect(card.get_by_role("button", name="Ask: ")).to_have_count(0)
    assert nurse.axe() == []
    clerk.page.get_by_role("link", name="Notifications").click()
    number = server.record(record)["number"]
    told = clerk.page.locator(".told", has_text=number)
    expect(told).to_contain_text("You are asked to apply a refused edit")
    expect(told).to_contain_text("Demo nurse · Village")
    expect(told).not_to_contain_text("Elsewhere")
    told.get_by_role("link", name=number).click()
    theirs = clerk.page.get_by_test_id("refusal-card")
    expect(theirs).to_contain_text("Elsewhere")
    theirs.get_by_role("button", name="Apply in my name").click()

    expect(theirs).to_have_count(0)
    expect(card).to_have_count(0)
    assert server.record(record)["fields"]["contact"]["village"] == "Elsewhere"
