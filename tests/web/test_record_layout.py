"""The record between its bars: nothing lies under them, they leave room, pages keep their place."""

import pytest
from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import SIZES, OpenWindow

HIDDEN_BOXES = """() => [...document.querySelectorAll(
    '.record-body :is(input, select, textarea, button)')]
  .filter(box => box.offsetParent !== null)
  .filter(box => {
    box.focus()
    const { left, right, top, bottom } = box.getBoundingClientRect()
    const [across, down] = [(left + right) / 2, (top + bottom) / 2]
    const edges = [[across, top + 2], [across, bottom - 2], [left + 2, down], [right - 2, down]]
    return !edges.every(([x, y]) => {
      const at = document.elementFromPoint(x, y)
      return at !== null && (box.contains(at) || at.contains(box))
    })
  })
  .map(box => box.outerHTML.slice(0, 120))"""
"""Of every box that takes the focus, those with an edge under something else or off screen."""


@pytest.mark.parametrize(
    ("size", "language"),
    [("phone", "ar-EG"), ("across", "en-GB"), ("tablet", "fr-FR"), ("desk", "ar-EG")],
)
def test_no_box_with_the_focus_lies_under_a_bar_and_the_bars_leave_most_of_the_window(
    server: LiveServer, open_window: OpenWindow, size: str, language: str
) -> None:
    record = server.new_record()  # much is missing: the hand-off has all its words and buttons
    clerk = open_window(server, "receptionist", size=size, language=language)
    clerk.open_record(record, "registration")
    expect(clerk.page.locator(".hand-off .needed").first).to_be_attached()
    expect(clerk.field("demographics.family_name")).to_be_visible()

    assert clerk.page.evaluate(HIDDEN_BOXES) == []
    assert clerk.axe() == []
    form = clerk.page.locator(".record-body").bounding_box()
    assert form is not None
    assert form["height"] >= SIZES[size][1] / 2
    assert clerk.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert clerk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_with_the_keyboard_of_a_phone_up_the_box_and_whose_it_is_are_on_screen(
    server: LiveServer, open_window: OpenWindow
) -> None:
    record = server.new_record()
    clerk = open_window(server, "receptionist", size="across")
    clerk.open_record(record, "registration")
    box = clerk.box("contact.phone")

    box.focus()
    clerk.page.set_viewport_size({"width": 780, "height": 170})
    box.evaluate("box => { box.blur(); box.focus() }")

    expect(clerk.page.locator(".banner h1")).to_be_in_viewport(ratio=1)
    expect(box).to_be_in_viewport(ratio=1)
    expect(clerk.page.locator(".hand-off")).to_be_hidden()


def test_a_page_is_found_again_where_it_was_left_and_a_new_one_begins_at_its_top(
    server: LiveServer, open_window: OpenWindow
) -> None:
    for size, scroller in (("desk", ".sections"), ("phone", ".record-body")):
        nurse = open_window(server, "nurse", size=size)
        record = server.new_record()
        nurse.open_record(record, "triage")
        expect(nurse.field("assessment.notes")).to_be_attached()
        where = f"document.querySelector('{scroller}').scrollTop"
        nurse.page.evaluate(
            "() => { globalThis.rested = new Promise("
            "done => addEventListener('scrollend', done, { capture: true, once: true })) }"
        )
        nurse.page.keyboard.press("PageDown")
        nurse.page.evaluate("() => rested.then(() => true)")  # scrolling by key glides
        left = nurse.page.evaluate(where)
        assert left > 100

        nurse.open_record(record, "all")  # no link is pressed: on a phone they stand at the top
        expect(nurse.page.locator(".page-title")).to_have_text("Whole record")
        assert nurse.page.evaluate(where) == 0
        nurse.page.go_back()
        expect(nurse.page.locator(".page-title")).to_have_text("Triage")
        nurse.until(f"async () => {where} === {left}")


def test_on_paper_a_record_is_as_long_as_it_is(server: LiveServer, open_window: OpenWindow) -> None:
    nurse = open_window(server, "nurse")
    nurse.open_record(server.new_record(), "all")
    expect(nurse.field("assessment.notes")).to_be_attached()
    assert nurse.page.evaluate("document.documentElement.scrollHeight <= innerHeight")

    nurse.page.emulate_media(media="print")

    assert nurse.page.evaluate("document.documentElement.scrollHeight > 2 * innerHeight")
