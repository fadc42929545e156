"""A queue of 500: few rows in the document, and nobody is lost by it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from benchmarks.web.clinic import PASSWORD, USER, furnish
from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window

PATIENTS = 500
MOST_ROWS = 80
ROWS = "table.queue tbody tr[data-row]"


@pytest.fixture(scope="module")
def long_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("long-queue")
    clinic = furnish(folder, edits=0, patients=PATIENTS)
    running = LiveServer(folder, {"FIELDCHART_PROFILES": ",".join(clinic.profiles)})
    try:
        yield running
    finally:
        running.kill()


def open_queue(server: LiveServer, open_window: OpenWindow, size: str = "desk") -> Window:
    window = open_window(server, None, size=size)
    window.sign_in(USER, PASSWORD)
    expect(window.page.locator(ROWS).first).to_be_visible()
    expect(window.page.locator("table.queue")).to_have_attribute("aria-rowcount", str(PATIENTS + 1))
    return window


def scroll_to(window: Window, share: float) -> None:
    """There, and what the scrolling itself has called for is painted."""
    window.page.evaluate(
        """async share => {
          scrollTo(0, share * (document.documentElement.scrollHeight - innerHeight))
          for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame)
        }""",
        share,
    )


def seen_at(window: Window, share: float) -> list[int]:
    """The aria-rowindex of each row on screen after scrolling there."""
    scroll_to(window, share)
    found: list[int] = window.page.evaluate(
        """rows => [...document.querySelectorAll(rows)].filter((row) => {
          const { top, bottom } = row.getBoundingClientRect()
          return bottom > 0 && top < innerHeight
        }).map((row) => Number(row.getAttribute('aria-rowindex')))""",
        ROWS,
    )
    return found


def focused_row(window: Window) -> Any:
    return window.page.evaluate(
        "() => Number(document.activeElement?.closest('[data-row]')?.getAttribute('aria-rowindex'))"
    )


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_a_queue_of_500_keeps_few_rows_in_the_document_wherever_it_is_scrolled(
    long_queue: LiveServer, open_window: OpenWindow, size: str
) -> None:
    window = open_queue(long_queue, open_window, size)

    places = [seen_at(window, share) for share in (0, 0.25, 0.5, 0.8, 1)]

    rows = window.page.locator(ROWS)
    assert rows.count() < MOST_ROWS
    assert places[0][0] == 2  # the head is row 1
    assert places[-1][-1] == PATIENTS + 1
    for seen in places:
        assert len(seen) >= 3, places  # no empty stretch
        assert seen == list(range(seen[0], seen[0] + len(seen)))
    for share in (1, 0.5):
        scroll_to(window, share)
        # What is half under the head of the window is scrolled out from under it.
        assert [one for one in window.axe() if "obscured" not in one] == []


def test_the_row_with_the_focus_stays_and_tab_goes_on_from_it(
    long_queue: LiveServer, open_window: OpenWindow
) -> None:
    window = open_queue(long_queue, open_window)
    window.page.locator(ROWS).nth(3).locator("a.who").focus()
    assert focused_row(window) == 5

    scroll_to(window, 1)
    assert focused_row(window) == 5
    assert window.page.locator(ROWS).count() < MOST_ROWS

    window.page.keyboard.press("Tab")
    while focused_row(window) == 5:
        window.page.keyboard.press("Tab")
    assert focused_row(window) == 6
    expect(window.page.locator(":focus")).to_be_in_viewport()
    for _ in range(60):
        window.page.keyboard.press("Tab")
    assert focused_row(window) > 20
    expect(window.page.locator(":focus")).to_be_in_viewport()


def test_the_search_finds_who_is_far_down(long_queue: LiveServer, open_window: OpenWindow) -> None:
    window = open_queue(long_queue, open_window)
    expect(window.page.locator(ROWS).filter(has_text="Invented487")).to_have_count(0)

    window.page.keyboard.press("/")
    window.page.keyboard.type("Invented487")

    expect(window.page.locator(ROWS)).to_have_count(1)
    expect(window.page.locator(ROWS)).to_contain_text("Invented487")


def test_an_event_about_one_patient_leaves_the_other_rows_where_they_are(
    long_queue: LiveServer, open_window: OpenWindow
) -> None:
    window = open_queue(long_queue, open_window)
    before = seen_at(window, 0.5)
    name = window.page.locator(f'[aria-rowindex="{before[2]}"] a.who').inner_text()

    login = long_queue.log_in(USER, PASSWORD)
    body = {"profile": "outpatient", "fields": {"demographics.family_name": "Newcomer"}}
    long_queue.request(
        "POST", "/api/records", USER, json=body,
        headers={"authorization": f"Bearer {login['token']}"},
    ).raise_for_status()  # fmt: skip

    expect(window.page.locator("table.queue")).to_have_attribute("aria-rowcount", str(PATIENTS + 2))
    expect(window.page.locator(f'[aria-rowindex="{before[2]}"] a.who')).to_have_text(name)
    expect(window.page.locator(f'[aria-rowindex="{before[2]}"]')).to_be_in_viewport()
