"""The bell: counted live, listed with the record behind it, gone when it was seen."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow


def test_the_bell_counts_live_and_the_list_is_acknowledged(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    officer = open_window(server, "clinical_officer")
    bell = officer.page.get_by_test_id("bell")
    before = server.request("GET", "/api/notifications", "clinical_officer").json()["unread"]
    expect(bell).to_have_attribute("data-unread", str(before))

    version = server.record(record)["version"]
    answer = server.request(
        "PATCH", f"/api/records/{record}", "nurse",
        json={"vitals.pulse": 80}, headers={"If-Match": f'"{version}"'},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text

    expect(bell).to_have_attribute("data-unread", str(before + 1))
    bell.click()
    number = server.record(record)["number"]
    told = officer.page.locator(".told", has_text=number)
    expect(told).to_contain_text("Vital signs updated")
    expect(told).to_contain_text("Demo nurse · Pulse")
    told.get_by_role("button", name="Seen").click()

    expect(told).to_have_count(0)
    expect(bell).to_have_attribute("data-unread", str(before))
    officer.page.get_by_label("Seen ones too").check()
    expect(told).to_contain_text("seen")
    told.get_by_role("link").click()
    expect(officer.page.locator(".banner h1")).to_contain_text("INVENTED")
