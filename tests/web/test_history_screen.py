"""Change history and trends: who changed what, two versions side by side, values over time."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow


def written(server: LiveServer, record: str, *pulses: int) -> None:
    """The nurse writes these, one after the other."""
    for pulse in pulses:
        version = server.record(record)["version"]
        answer = server.request(
            "PATCH", f"/api/records/{record}", "nurse",
            json={"vitals.pulse": pulse}, headers={"If-Match": f'"{version}"'},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text


def test_each_change_says_who_and_from_what_to_what_and_filters_by_field(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    written(server, record, 80, 96)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")
    nurse.page.get_by_role("link", name="History").click()

    first = nurse.page.locator(".change").first
    expect(first).to_contain_text("Pulse")
    expect(first).to_contain_text("Demo nurse · Nurse")
    expect(first.locator("del")).to_have_text("80 /min")
    expect(first.locator("ins")).to_have_text("96 /min")
    expect(first).to_contain_text("received")
    expect(nurse.page.locator('[data-field-change^="record."]')).to_have_count(0)

    nurse.page.get_by_label("Steps and assignments too").check()
    expect(nurse.page.locator('[data-field-change="record.status"]')).to_contain_text("open")
    nurse.page.get_by_label("Field", exact=True).select_option("vitals.pulse")
    expect(nurse.page.locator(".change")).to_have_count(2)


def test_two_versions_stand_side_by_side_and_the_slider_moves_by_keyboard(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    written(server, record, 80, 90, 100)
    newest = server.record(record)["version"]
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "history")
    row = nurse.page.locator("[data-testid=side-by-side] tbody tr", has_text="Pulse")
    expect(row.locator("td")).to_have_text(["90 /min", "100 /min"])
    expect(row).to_have_attribute("data-changed", "true")

    earlier = nurse.page.get_by_role("slider").first
    earlier.focus()
    nurse.page.keyboard.press("ArrowLeft")

    expect(row.locator("td")).to_have_text(["80 /min", "100 /min"])
    nurse.page.get_by_role("button", name=f"Show version {newest - 1}").click()
    expect(row.locator("td")).to_have_text(["80 /min", "90 /min"])


def test_what_changes_while_the_history_is_open_appears_in_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    written(server, record, 80)
    officer = open_window(server, "clinical_officer")
    officer.open_record(record, "history")
    expect(officer.page.locator(".change").first).to_contain_text("80 /min")

    written(server, record, 81)

    expect(officer.page.locator(".change").first.locator("ins")).to_have_text("81 /min")


def test_the_history_of_a_field_opens_beside_it_by_button_and_by_key(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    written(server, record, 80, 96)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "triage")

    nurse.box("vitals.pulse").focus()
    nurse.page.keyboard.press("Alt+h")

    drawer = nurse.page.get_by_role("dialog", name="History: Pulse")
    expect(drawer.locator(".change")).to_have_count(2)
    nurse.page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    nurse.field("vitals.systolic").get_by_role("button", name="History").click()
    expect(nurse.page.get_by_role("dialog")).to_contain_text("Nothing was changed here.")


def test_values_over_time_are_drawn_and_stand_in_a_table(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    written(server, record, 80, 140)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "trends")

    trend = nurse.page.locator(".trend", has_text="Pulse")
    expect(trend.locator("canvas")).to_be_visible()
    expect(trend).to_contain_text("band: 40 to 131")
    trend.get_by_text("Values as a table (2)").click()
    expect(trend.locator("tbody tr").first).to_contain_text("140 /min")
    expect(trend.locator("tbody tr").first).to_contain_text("critical")


def test_a_window_that_only_looks_writes_nothing(
    server: LiveServer, open_window: OpenWindow
) -> None:
    """By its number it is a second document beside the queue's: nothing of it may be sent back."""
    record = server.new_record()
    written(server, record, 80, 90, 100)
    before = server.record(record)
    officer = open_window(server, "nurse")
    officer.open_record(before["number"], "triage")
    expect(officer.box("vitals.pulse")).to_have_value("100")
    officer.expect_saved()

    after = server.record(record)

    assert (after["version"], after["fields"]) == (before["version"], before["fields"])


def test_the_history_is_narrowed_to_when_the_server_received_it(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    written(server, record, 80, 96)
    nurse = open_window(server, "nurse")
    nurse.open_record(record, "history")
    changes = nurse.page.locator(".change")
    expect(changes).to_have_count(3)
    expect(changes.first).to_contain_text("written")
    now = nurse.page.evaluate(
        "() => { const at = new Date(); at.setMinutes(at.getMinutes() - at.getTimezoneOffset());"
        " return at.toISOString().slice(0, 16) }"
    )
    tomorrow = f"{int(now[:4]) + 1}{now[4:]}"

    nurse.page.get_by_label("Received from").fill(tomorrow)
    expect(nurse.page.get_by_text("Nothing was changed here.")).to_be_visible()
    nurse.page.get_by_label("Received from").fill("2020-01-01T00:00")
    nurse.page.get_by_label("Received until").fill(now)
    expect(changes).to_have_count(3)

    nurse.page.get_by_label("Received until").fill("2020-01-02T00:00")
    expect(nurse.page.get_by_text("Nothing was changed here.")).to_be_visible()
