"""What somebody writes outside of any field is a draft like every other: kept until it is used."""

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow
from tests.web.tablet import Tablet


def test_a_half_written_reason_outlasts_a_reload_and_goes_when_it_is_used(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    technician = Tablet(own_server, "HMS-000002", "vision_technician")
    doctor = Tablet(own_server, "HMS-000002", "doctor")
    technician.write("visual_acuity.right_best_corrected", "6/9")
    doctor.write("visual_acuity.right_best_corrected", "6/12")
    technician.deliver()
    doctor.deliver()
    window = open_window(own_server, "doctor")
    window.open_record(own_server.record("HMS-000002")["id"], "conflicts")
    reason = window.page.get_by_label("Reason")
    reason.fill("Measured again, with the pin")

    window.reload_stored()
    expect(reason).to_have_value("Measured again, with the pin")
    window.page.locator(".choice", has_text="6/9").get_by_role("radio").check()
    reason.press_sequentially("hole.")
    window.page.get_by_role("button", name="Decide").click()
    expect(window.page.get_by_text("Nothing waits for a decision")).to_be_visible()

    window.until(
        "async () => Object.keys("
        "await window.fieldchart.at.workplace.store.formDrafts('reasons')).length === 0"
    )


def test_a_half_written_return_comes_up_again_and_can_be_put_away(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(own_server, "clinical_officer")
    window.open_record(own_server.record("OPD-000003")["id"], "consultation")
    hand_off = window.page.locator("footer.hand-off")
    hand_off.get_by_role("button", name="Return…").click()
    hand_off.get_by_label("Reason").fill("The weight is miss")

    window.reload_stored()
    expect(hand_off.get_by_label("Reason")).to_have_value("The weight is miss")
    hand_off.get_by_role("button", name="Return…").click()
    expect(hand_off.get_by_label("Reason")).to_have_count(0)
