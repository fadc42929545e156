"""The queue: calling, taking, handing over; live, steady under the finger, and on the wall."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.support.live_server import LiveServer, run_fieldchart
from tests.web.conftest import OpenWindow, Window

NAMED = {
    "demographics.given_name": "Amina", "demographics.birth_date": "1984-03-12",
    "demographics.sex": "female",
}  # fmt: skip


def at_triage(server: LiveServer, name: str, category: str | None = None) -> dict[str, Any]:
    """A new record whose registration is complete, so that it waits for triage."""
    fields = {**NAMED, "demographics.family_name": name}
    body = {"profile": "outpatient", "fields": fields}
    record = server.request("POST", "/api/records", "receptionist", json=body).json()
    path = f"/api/sessions/{record['id']}/steps/registration"
    done = server.request("PUT", path, "receptionist", json={"status": "completed"})
    assert done.status_code == 200, done.text
    if category is not None:
        version = str(done.json()["version"])
        server.request(
            "PATCH", f"/api/records/{record['id']}", "nurse",
            json={"triage.category": category}, headers={"if-match": version},
        ).raise_for_status()  # fmt: skip
    return dict(record)


def row(window: Window, name: str) -> Any:
    return window.page.locator("table.queue tbody tr").filter(has_text=name)


def names(window: Window) -> list[str]:
    return list(window.page.locator("table.queue a.who").all_text_contents())


def add_user(server: LiveServer, username: str, name: str, role: str) -> None:
    done = run_fieldchart(
        "user", "add", username, "--full-name", name, "--role", role, "--password-stdin",
        "--data", str(server.data), stdin="demo-demo-demo",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_nurses_who_call_next_never_get_the_same_patient(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    urgent = at_triage(own_server, "Urgentperson", "emergency")
    first = open_window(own_server, "nurse")
    second = open_window(own_server, "nurse")
    for window in (first, second):
        expect(row(window, "Urgentperson")).to_be_visible()

    first.page.get_by_role("button", name="Call next").click()
    expect(first.page.locator(".banner h1")).to_have_text("URGENTPERSON, Amina")
    second.page.get_by_role("button", name="Call next").click()
    expect(second.page.locator(".banner h1")).not_to_have_text("URGENTPERSON, Amina")

    path = f"/api/sessions/{urgent['id']}/realtime-status"
    triage = own_server.request("GET", path, "supervisor").json()["workflow_steps"][1]
    assert (triage["status"], triage["started_by"]["username"]) == ("in_progress", "nurse")


def test_calling_somebody_out_of_turn_taking_and_releasing_are_seen_elsewhere(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    at_triage(own_server, "Outofturn")
    nurse = open_window(own_server, "nurse")
    supervisor = open_window(own_server, "supervisor")
    supervisor.page.get_by_role("button", name="All (").click()
    expect(row(supervisor, "Outofturn")).to_contain_text("ready")

    row(nurse, "Outofturn").get_by_role("button", name="Responsible").click()
    nurse.page.get_by_role("menuitem", name="Take").click()
    expect(row(nurse, "Outofturn")).to_contain_text("with you")
    expect(row(supervisor, "Outofturn")).to_contain_text("with Demo nurse")
    row(nurse, "Outofturn").get_by_role("button", name="Responsible").click()
    expect(nurse.page.get_by_text("No colleague with this role")).to_be_visible()
    nurse.page.get_by_role("menuitem", name="Release").click()
    expect(row(supervisor, "Outofturn")).not_to_contain_text("with Demo nurse")

    row(nurse, "Outofturn").get_by_role("button", name="Call: ").click()
    expect(nurse.page.locator(".banner h1")).to_have_text("OUTOFTURN, Amina")
    expect(row(supervisor, "Outofturn")).to_contain_text("in progress")


def test_a_record_is_handed_to_a_colleague_and_one_too_late_is_told(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    own_server.kill()
    add_user(own_server, "second_nurse", "Second nurse", "nurse")
    own_server.start()
    record = at_triage(own_server, "Handedover")
    nurse = open_window(own_server, "nurse")
    path = f"/api/records/{record['id']}/assignments/nurse"
    own_server.request("PUT", path, "nurse", json={"user": "nurse"}).raise_for_status()
    expect(row(nurse, "Handedover")).to_contain_text("with you")

    row(nurse, "Handedover").get_by_role("button", name="Responsible").click()
    nurse.page.get_by_role("menuitem", name="Second nurse").click()
    expect(row(nurse, "Handedover")).to_contain_text("with Second nurse")
    expect(row(nurse, "Handedover").get_by_role("button", name="Call: ")).to_have_count(0)

    # Somebody else was faster than this window's board.
    late = at_triage(own_server, "Toolateperson")
    expect(row(nurse, "Toolateperson")).to_be_visible()
    nurse.page.route("**/api/records?*", lambda route: route.abort())
    faster = f"/api/records/{late['id']}/assignments/nurse"
    own_server.request("PUT", faster, "supervisor", json={"user": "second_nurse"})
    row(nurse, "Toolateperson").get_by_role("button", name="Call: ").click()
    expect(nurse.page.get_by_test_id("queue-said")).to_contain_text("Not possible now")


def test_the_pressed_row_does_not_move_under_the_finger(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    at_triage(own_server, "Pressedperson")
    nurse = open_window(own_server, "nurse")
    expect(row(nurse, "Pressedperson")).to_be_visible()
    before = names(nurse)
    box = row(nurse, "Pressedperson").locator("td").nth(3).bounding_box()
    assert box is not None
    nurse.page.mouse.move(box["x"] + 5, box["y"] + 5)
    nurse.page.mouse.down()

    at_triage(own_server, "Overtaker", "emergency")
    expect(row(nurse, "Overtaker")).to_be_visible()
    assert names(nurse)[: len(before)] == before  # the newcomer stands at the end meanwhile
    nurse.page.mouse.up()

    expect(nurse.page.locator("table.queue a.who").first).to_have_text("Overtaker, Amina")


@pytest.mark.parametrize(
    ("minutes", "level", "words"), [(20, "amber", "long wait"), (40, "red", "much too long")]
)
def test_long_waits_say_so_in_words_and_colour(
    server: LiveServer, open_window: OpenWindow, minutes: int, level: str, words: str
) -> None:
    at_triage(server, f"Waits{level}")
    nurse = open_window(server)

    def began_earlier(route: Route) -> None:
        answer = route.fetch()
        if answer.status != 200:
            route.fulfill(response=answer)
            return
        board = answer.json()
        since = datetime.now(UTC) - timedelta(minutes=minutes, seconds=20)
        for item in board["items"]:
            if item["title"].startswith(f"Waits{level}"):
                item["waiting_since"] = since.isoformat()
        route.fulfill(response=answer, json=board)

    nurse.page.route("**/api/records?*", began_earlier)
    # A tablet whose clock is a day off shows the same: the server's time counts.
    nurse.page.clock.install(time=datetime.now(UTC) - timedelta(days=1))
    nurse.page.reload()
    nurse.sign_in("nurse")

    wait = row(nurse, f"Waits{level}").locator(".wait")
    expect(wait).to_have_attribute("data-level", level)
    expect(wait).to_contain_text(f"{minutes} min ▲ {words}")


@pytest.mark.parametrize("language", ["en-GB", "ar-EG"])
def test_the_wall_shows_numbers_only_also_when_the_screen_is_locked(
    own_server: LiveServer, open_window: OpenWindow, language: str
) -> None:
    record = at_triage(own_server, "Secretname")
    nurse = open_window(own_server, "nurse", language=language)
    nurse.page.locator('a[href="/wall/outpatient"]').click()
    wall = nurse.page.locator("main.wall")
    expect(wall).to_contain_text(record["number"])
    assert "Secretname" not in wall.inner_text()
    assert nurse.axe() == []

    nurse.page.evaluate("window.fieldchart.lock()")
    later = at_triage(own_server, "Latername")
    expect(wall).to_contain_text(later["number"])
    nurse.page.locator(".wall-leave").click()
    expect(wall).to_have_count(0)
    nurse.sign_in("nurse")
    expect(nurse.page.locator("#queue-title")).to_be_visible()
