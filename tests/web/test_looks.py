"""What the pictures of the screens once showed wrong."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window
from tests.web.tablet import Tablet
from tests.web.test_screens import demo_record


def box_of(window: Window, selector: str) -> dict[str, float]:
    box = window.page.locator(selector).first.bounding_box()
    assert box is not None
    return dict(box)


def test_a_device_that_is_dark_by_itself_is_offered_light_colours(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "nurse", scheme="dark")
    html = window.page.locator("html")
    expect(html).to_have_attribute("data-mantine-color-scheme", "dark")

    window.page.get_by_role("button", name=": menu").click()
    window.page.get_by_role("menuitem", name="Light colours").click()

    expect(html).to_have_attribute("data-mantine-color-scheme", "light")


@pytest.mark.parametrize("page", ["history", "print", "conflicts"])
def test_the_page_that_is_open_is_in_sight_in_the_strip_of_steps(
    server: LiveServer, open_window: OpenWindow, page: str
) -> None:
    window = open_window(server, "nurse", size="phone")
    window.open_record(demo_record(server), page)

    expect(window.page.locator(".rail-link[aria-current=page]")).to_be_in_viewport(ratio=1)


def test_a_button_does_not_touch_the_sheet_on_a_phone(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "nurse", size="phone")
    window.open_record(demo_record(server), "print")
    window.page.locator(".sheet h3").wait_for()

    button, sheet = box_of(window, ".print-choice button"), box_of(window, ".sheet")

    assert sheet["y"] - (button["y"] + button["height"]) >= 8


def test_a_value_stands_apart_from_its_unit_whichever_way_one_reads(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "clinical_officer", language="ar-EG")
    window.open_record(demo_record(server), "triage")

    value = '[data-field="vitals.systolic"] .field-value'
    expect(window.page.locator(value)).to_have_text("124 mmHg")
    figure, unit = box_of(window, f"{value} bdi"), box_of(window, f"{value} .unit")
    assert figure["x"] - (unit["x"] + unit["width"]) >= 3


def test_an_arrow_between_steps_points_the_way_one_reads(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "nurse", language="ar-EG")
    window.page.get_by_role("link", name="الإشعارات").click()

    arrow = window.page.locator(".told .arrow").first
    expect(arrow).to_have_css("transform", "matrix(-1, 0, 0, 1, 0, 0)")


def test_name_and_day_of_a_disputed_value_stay_whole_in_a_line_of_another_direction(
    server: LiveServer, open_window: OpenWindow
) -> None:
    technician = Tablet(server, "HMS-000002", "vision_technician")
    doctor = Tablet(server, "HMS-000002", "doctor")
    technician.write("visual_acuity.left_best_corrected", "6/9")
    doctor.write("visual_acuity.left_best_corrected", "6/12")
    technician.deliver()
    doctor.deliver()
    window = open_window(server, "doctor", language="ar-EG", size="phone")
    record = server.request("GET", "/api/records/HMS-000002", "supervisor").json()["id"]
    window.open_record(record, "conflicts")

    value = window.page.locator(".choice .quiet").first
    expect(value.locator("bdi").first).to_have_text("Demo vision technician")
    expect(value).to_have_text(re.compile("\u2068\\d\\d-\\S+-\\d{4} \\d\\d:\\d\\d\u2069"))
