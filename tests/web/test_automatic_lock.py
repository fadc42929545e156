"""A screen that nobody touches locks itself, and loses nothing."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow


def test_the_screen_locks_after_ten_minutes_and_what_was_being_typed_is_there_afterwards(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    nurse = open_window(server)
    nurse.page.clock.install()
    nurse.page.reload()
    nurse.sign_in("nurse")
    nurse.open_record(record, "triage")
    nurse.expect_saved()
    nurse.box("vitals.temperature").fill("38.")

    nurse.page.clock.fast_forward("09:30")
    expect(nurse.page.locator("#main")).to_be_visible()
    nurse.page.clock.fast_forward("00:45")
    expect(nurse.page.get_by_text("your work is where you left it")).to_be_visible()
    expect(nurse.page.locator("#main")).not_to_be_visible()
    assert "temperature" not in server.record(record)["fields"].get("vitals", {})

    nurse.sign_in("nurse")
    expect(nurse.box("vitals.temperature")).to_have_value("38.")
    nurse.write("vitals.temperature", "38.4")
    nurse.expect_saved()
    assert server.record(record)["fields"]["vitals"]["temperature"] == 38.4
