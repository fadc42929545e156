"""The README's afternoon in a mobile unit: whoever follows it sees what it promises."""

import re

from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import ROOT, OpenWindow
from tests.web.mobile_unit import STEPS, MobileUnit, TabletNetwork


def test_two_windows_one_of_them_offline_see_each_thing_that_the_readme_promises(
    own_server: LiveServer, open_window: OpenWindow
) -> None:
    network = TabletNetwork(own_server)
    try:
        tablet = open_window(own_server, size="tablet", url=network.url)
        unit = MobileUnit(tablet, open_window(own_server), network)
        for step in STEPS.values():
            step(unit)
        assert tablet.axe() == []
        # What the tablet wrote has all arrived: nothing waits, nothing was refused.
        expect(tablet.chip).to_have_attribute("data-state", "saved")
        record = own_server.request("GET", f"/api/records/{unit.number}", "supervisor").json()
        assert record["status"] == "completed"
        assert record["disputed"] == []
        assert own_server.refusals(record["id"]) == []
    finally:
        network.end()


def test_the_steps_that_are_played_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    scenario = readme.split("## An afternoon in a mobile unit")[1].split("\n## ")[0]

    titles = re.findall(r"^\d+\. \*\*(.+?)\.\*\*", scenario, re.MULTILINE)

    assert titles == list(STEPS)
