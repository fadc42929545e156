"""The afternoon in a mobile unit that the README lets people play, a method for each step.

`STEPS` has their titles as the README writes them; `test_mobile_unit.py` compares and plays them,
`pictures.py` takes the pictures of docs/ on the way.
"""

import re
import subprocess
import sys
from typing import Any

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import ROOT, Window

__all__ = ["STEPS", "MobileUnit", "TabletNetwork"]

REASON = "Measured again, with the pinhole."
QUESTION = "When does he come again?"
RIGHT_EYE = "visual_acuity.right_best_corrected"


class TabletNetwork:
    """`examples/tablet_network.py` in front of a server, as the README has people start it."""

    def __init__(self, server: LiveServer) -> None:
        script = str(ROOT / "examples" / "tablet_network.py")
        self._process = subprocess.Popen(
            [sys.executable, script, server.url, "0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.url = self._line().removeprefix("the tablet's address: ")
        assert self._line() == "its network is there; Enter cuts it"

    def press_enter(self) -> str:
        """What it says then."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class MobileUnit:
    """Two windows of two browsers: the tablet, which loses its network twice, the workstation."""

    def __init__(self, tablet: Window, workstation: Window, network: TabletNetwork) -> None:
        self.tablet, self.workstation, self._network = tablet, workstation, network
        self.number = ""

    def _cut(self) -> None:
        """The tablet's network, and only the tablet's, is gone; the tablet notices by itself."""
        assert self._network.press_enter() == "its network is cut; Enter brings it back"
        expect(self.tablet.chip).to_contain_text("offline since")

    def _mend(self) -> None:
        assert self._network.press_enter() == "its network is there; Enter cuts it"

    def _switch(self, window: Window, user: str) -> None:
        window.page.get_by_role("button", name=": menu").click()
        window.page.get_by_role("menuitem", name="Switch user").click()
        window.sign_in(user)

    def _row(self, window: Window) -> Any:
        return window.page.locator("table.queue tbody tr", has_text=self.number)

    def lose_the_network(self) -> None:
        self.tablet.sign_in("registration_staff")
        # As a person would: the queue is on screen, and the app has had its moment to store itself.
        expect(self.tablet.page.locator("table.queue")).to_be_visible()
        self.tablet.until(
            "async () => 'activated' ==="
            " (await navigator.serviceWorker.getRegistration())?.active?.state"
            " && (await window.fieldchart.at.workplace.store.numbersLeft('eye_screening')) > 0"
        )
        self.workstation.sign_in("vision_technician")
        self._cut()

    def register_a_patient(self) -> None:
        page = self.tablet.page
        page.get_by_role("link", name="New patient").click()
        page.get_by_label("Family name").fill("Invented")
        page.get_by_label("Given name").fill("Ivo")
        self.tablet.box("demographics.birth_date").fill("1958-05-17")
        self.tablet.box("demographics.sex").select_option("male")
        page.get_by_role("button", name="Register").click()
        banner = page.locator(".banner")
        expect(banner).to_contain_text("INVENTED, Ivo")
        expect(banner).to_contain_text("not known to the server yet")
        found = re.search(r"HMS-\d{6}", banner.inner_text())
        assert found is not None
        self.number = found[0]
        page.get_by_role("button", name="Send to Visual assessment").click()
        expect(self.tablet.chip).to_contain_text("waiting, offline since")
        expect(self._row(self.workstation)).to_have_count(0)

    def get_the_network_back(self) -> None:
        self._mend()
        self.tablet.expect_saved()
        expect(self.tablet.page.locator(".banner")).not_to_contain_text("not known to the server")
        expect(self._row(self.workstation)).to_contain_text("Invented, Ivo")

    def work_on_it_together(self) -> None:
        row = self._row(self.workstation)
        row.get_by_role("button", name="Call").click()
        expect(self.workstation.page.locator(".banner h1")).to_have_text("INVENTED, Ivo")
        self.tablet.page.get_by_role("link", name="Visual assessment").click()
        self.workstation.box("visual_acuity.right_unaided").focus()
        theirs = self.tablet.field("visual_acuity.right_unaided")
        expect(theirs).to_contain_text("Demo vision technician is typing")
        expect(theirs.locator("input")).to_have_count(0)
        self.workstation.write("visual_acuity.right_unaided", "6/18")
        self.workstation.write("visual_acuity.left_unaided", "6/6")
        expect(theirs).to_contain_text("6/18")
        expect(self.tablet.page.locator(".people")).to_contain_text("Demo vision technician")

    def hand_it_on(self) -> None:
        self.workstation.page.get_by_role("button", name="Send to Doctor's diagnosis").click()
        self._switch(self.tablet, "doctor")
        self.tablet.page.get_by_role("link", name="Queue").click()
        row = self._row(self.tablet)
        expect(row).to_be_visible()
        row.get_by_role("button", name="Call").click()
        expect(self.tablet.page.locator(".banner h1")).to_have_text("INVENTED, Ivo")

    def hold_a_field(self) -> None:
        for window in (self.tablet, self.workstation):
            window.page.get_by_role("link", name="Visual assessment").click()
        self.tablet.box(RIGHT_EYE).focus()
        lock = self.workstation.field(RIGHT_EYE).locator('[data-lock="theirs"]')
        expect(lock).to_contain_text("Demo doctor")
        expect(lock).to_contain_text(" left")
        self.workstation.field(RIGHT_EYE).get_by_role("button", name="Ask for").click()
        asked = self.tablet.field(RIGHT_EYE).locator('[data-lock="asked"]')
        expect(asked).to_contain_text("Asks for this field: Demo vision technician")
        asked.get_by_role("button", name="Let go").click()
        expect(self.workstation.box(RIGHT_EYE)).to_be_visible()

    def measure_the_same_eye(self) -> None:
        self._cut()
        self.tablet.write(RIGHT_EYE, "6/9")
        expect(self.tablet.chip).to_contain_text("waiting, offline since")
        # A tablet's clock is known to some hundredths of a second; two people need longer anyway.
        self.workstation.page.wait_for_timeout(1000)
        self.workstation.write(RIGHT_EYE, "6/12")
        self.workstation.expect_saved()

    def see_both_values(self) -> None:
        self._mend()
        for window in (self.tablet, self.workstation):
            conflict = window.page.get_by_test_id("conflict")
            for said in ("6/9", "Demo doctor", "6/12", "Demo vision technician"):
                expect(conflict).to_contain_text(said)
            expect(window.field(RIGHT_EYE)).to_contain_text("disputed")
            expect(window.box(RIGHT_EYE)).to_have_value("6/12")
        hand_off = self.tablet.page.locator("footer.hand-off")
        expect(hand_off).to_contain_text("Right best corrected acuity (disputed)")

    def decide(self) -> None:
        conflict = self.tablet.page.get_by_test_id("conflict")
        conflict.locator(".choice", has_text="6/9").get_by_role("radio").check()
        conflict.get_by_label("Reason").fill(REASON)
        conflict.get_by_role("button", name="Decide").click()
        for window in (self.tablet, self.workstation):
            expect(window.page.get_by_test_id("conflict")).to_have_count(0)
            expect(window.box(RIGHT_EYE)).to_have_value("6/9")

    def make_the_diagnosis(self) -> None:
        hand_off = self.tablet.page.locator("footer.hand-off")
        hand_off.get_by_role("button", name="Screening result").click()
        self.tablet.box("follow_up.screening_result").select_option("refer_routine")
        self.tablet.page.get_by_role("button", name="Send to Supervisor's approval").click()
        self.tablet.expect_saved()

    def open_dashboard(self) -> None:
        """The workstation is the supervisor's from now on."""
        if self.workstation.page.get_by_role("link", name="Dashboard").count() == 0:
            self._switch(self.workstation, "supervisor")
        self.workstation.page.get_by_role("link", name="Dashboard").click()
        self.workstation.page.get_by_label("Kind of visit").select_option("eye_screening")

    def send_it_back(self) -> None:
        self.open_dashboard()
        approval = self._approval()
        approval.get_by_role("button", name="Return…").click()
        approval.get_by_label("Reason").fill(QUESTION)
        approval.get_by_role("button", name="Send back").click()
        expect(approval).to_have_count(0)
        expect(self.tablet.page.locator("footer.hand-off")).to_contain_text(QUESTION)

    def _approval(self) -> Any:
        return self.workstation.page.get_by_test_id("approval").filter(has_text=self.number)

    def approve_it(self) -> None:
        self.tablet.write("follow_up.date", "2031-01-15")
        self.tablet.page.get_by_role("button", name="Send to Supervisor's approval").click()
        approval = self._approval()
        approval.get_by_role("button", name="Approve").click()
        expect(approval.get_by_role("alert")).to_contain_text("Decision must be filled in.")
        approval.get_by_label("Decision").select_option("approved")
        approval.get_by_role("button", name="Approve").last.click()
        expect(self._approval()).to_have_count(0)
        expect(self.tablet.page.locator(".banner")).to_contain_text("completed")
        expect(self.tablet.field(RIGHT_EYE).locator("input")).to_have_count(0)

    def look_back(self) -> None:
        self.tablet.page.get_by_role("link", name="History").click()
        self.tablet.page.get_by_label("Field", exact=True).select_option(RIGHT_EYE)
        rows = self.tablet.page.locator(f'[data-field-change="{RIGHT_EYE}"]')
        expect(rows).to_have_count(3)
        decided, doctors, technicians = rows.nth(0), rows.nth(1), rows.nth(2)
        expect(technicians).to_contain_text("6/12")
        expect(technicians).to_contain_text("Demo vision technician")
        expect(doctors).to_contain_text("6/9")
        expect(doctors).to_contain_text("overruled by a later write")
        expect(doctors).to_contain_text("Demo doctor · Doctor")
        expect(decided).to_contain_text("6/9")
        for said in ("written", "received", "Chrome", "127.0.0.1"):
            expect(doctors).to_contain_text(said)


STEPS = {
    "Lose the network": MobileUnit.lose_the_network,
    "Register a patient all the same": MobileUnit.register_a_patient,
    "Get the network back": MobileUnit.get_the_network_back,
    "Work on it together": MobileUnit.work_on_it_together,
    "Hand it on": MobileUnit.hand_it_on,
    "Hold a field": MobileUnit.hold_a_field,
    "Measure the same eye twice": MobileUnit.measure_the_same_eye,
    "See both values": MobileUnit.see_both_values,
    "Decide": MobileUnit.decide,
    "Make the diagnosis": MobileUnit.make_the_diagnosis,
    "Send it back": MobileUnit.send_it_back,
    "Approve it": MobileUnit.approve_it,
    "Look back": MobileUnit.look_back,
}
"""Each step by its title in the README."""
