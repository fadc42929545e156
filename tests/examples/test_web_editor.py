"""The web editor in two windows of headless Chromium."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.live_server import LiveServer
from tests.support.patience import PATIENCE_MS

EDITOR = Path(__file__).parents[2] / "examples" / "web_editor"
CHROMIUM = "/usr/bin/chromium"

expect.set_options(timeout=PATIENCE_MS)

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="no node"),
    pytest.mark.skipif(
        not (EDITOR / "node_modules" / "vite").is_dir(),
        reason="examples/web_editor: no node_modules; run `npm ci` there",
    ),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    running = LiveServer(tmp_path_factory.mktemp("web_editor"))
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def address(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The editor, built and served as its README says, in front of our server."""
    environment = {**os.environ, "FIELDCHART_URL": server.url, "NO_COLOR": "1"}
    built = str(tmp_path_factory.mktemp("dist"))
    vite = str(EDITOR / "node_modules" / ".bin" / "vite")
    subprocess.run(
        [vite, "build", "--outDir", built], cwd=EDITOR, env=environment, check=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    serving = subprocess.Popen(
        [vite, "preview", "--outDir", built, "--port", "0"], cwd=EDITOR, env=environment,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert serving.stdout is not None
    try:
        for line in serving.stdout:
            if "http://" in line:
                yield line[line.index("http://") :].strip().rstrip("/")
                break
        else:
            raise AssertionError("the preview server did not start")
    finally:
        serving.kill()
        serving.communicate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def sign_in(browser: Browser, address: str, user: str) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_label("User").fill(user)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Record").select_option(label="OPD-000002, triage")
    expect(page.get_by_role("status")).to_have_text("Saved")
    return page


def test_two_windows_edit_refuse_heal_and_resync(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    nurse = sign_in(browser, address, "nurse")
    officer = sign_in(browser, address, "clinical_officer")

    expect(nurse.locator("#people")).to_have_text("Also here: Demo clinical officer")

    nurse.get_by_label("Pulse").fill("93")
    nurse.get_by_label("Notes").fill("Calm 😀.")
    expect(officer.get_by_label("Pulse")).to_have_value("93")
    expect(officer.get_by_label("Notes")).to_have_value("Calm 😀.")
    expect(officer.locator("#people")).to_contain_text("Demo nurse (in assessment.notes)")

    nurse.get_by_label("New diagnosis").fill("Malaria")
    nurse.get_by_role("button", name="Add").click()
    expect(nurse.get_by_label("Refused edits")).to_contain_text("Nurses do not write diagnoses.")
    expect(nurse.locator("#diagnoses li")).to_have_count(0)
    expect(officer.locator("#diagnoses li")).to_have_count(0)
    expect(nurse.get_by_role("status")).to_have_text("Saved")
    nurse.screenshot(path=tmp_path / "nurse.png", full_page=True)

    nurse.get_by_role("button", name="Work offline").click()
    nurse.get_by_label("SpO₂").fill("95")
    nurse.get_by_label("SpO₂").blur()
    expect(nurse.get_by_role("status")).to_have_text("Offline; 1 edit waits on this device")
    officer.get_by_label("Plan").fill("Rest.")
    nurse.get_by_role("button", name="Go online").click()
    expect(nurse.get_by_role("status")).to_have_text("Saved")
    expect(officer.get_by_label("SpO₂")).to_have_value("95")
    expect(nurse.get_by_label("Plan")).to_have_value("Rest.")
