"""`python -m tests.web.pictures`: the pictures in docs/screens anew, from a server with demo data.

Three widths, both directions, light and dark. Look at them after a change of the screens.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.live_server import LiveServer
from tests.web.conftest import CHROMIUM, ROOT, SIZES, Window
from tests.web.mobile_unit import STEPS, MobileUnit, TabletNetwork

PICTURES = ROOT / "docs" / "screens"
SETTLED_MS = 1500

WINDOWS = (
    ("desk", "en-GB", "light", "nurse"),
    ("tablet", "ar-EG", "light", "nurse"),
    ("phone", "sw-KE", "dark", "receptionist"),
)
"""size, language, colours, who: each shows every screen once, all together every kind of window."""


def main() -> None:
    """Write them; `sys.argv[1]` is another folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        server = LiveServer(Path(data))
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for size, language, scheme, user in WINDOWS:
                _picture(browser, server, folder, size, language, scheme, user)
            _mobile_unit(browser, server, folder)
            browser.close()
        finally:
            server.kill()


TAKEN = {
    "See both values": ("both-values", "tablet", "[data-testid=conflict]"),
    "Make the diagnosis": ("dashboard", "workstation", ".columns"),
    "Look back": ("history", "tablet", ".change >> nth=2"),
}
"""After which step of the README → the picture, of which window, what it shows."""


def _mobile_unit(browser: Browser, server: LiveServer, folder: Path) -> None:
    """The pictures of the README's afternoon, while it is played."""
    network = TabletNetwork(server)
    try:
        windows = []
        for size, url in (("tablet", network.url), ("desk", server.url)):
            width, height = SIZES[size]
            page = browser.new_context(
                viewport={"width": width, "height": min(height, 800)}, locale="en-GB",
                reduced_motion="reduce",
            ).new_page()  # fmt: skip
            windows.append(Window(page, server, url))
            windows[-1].go("/")
        unit = MobileUnit(*windows, network)
        for title, step in STEPS.items():
            step(unit)
            if title in TAKEN:
                name, which, shown = TAKEN[title]
                if name == "dashboard":
                    unit.open_dashboard()
                page = (unit.tablet if which == "tablet" else unit.workstation).page
                page.locator(shown).first.scroll_into_view_if_needed()
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=folder / f"mobile-unit-{name}.png")
    finally:
        network.end()


def _picture(
    browser: Browser, server: LiveServer, folder: Path, size: str, language: str, scheme: str,
    user: str,
) -> None:  # fmt: skip
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language,
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce",
    )  # fmt: skip
    window = Window(context.new_page(), server)

    def take(screen: str) -> None:
        window.page.wait_for_timeout(SETTLED_MS)
        window.page.screenshot(path=folder / f"{screen}-{size}-{language[:2]}.png")

    window.go("/")
    take("sign-in")
    window.sign_in(user)
    window.page.locator(".steps button").first.click()
    take("queue")
    record = server.request("GET", "/api/records/OPD-000004", "supervisor").json()["id"]
    window.open_record(record, "triage")
    window.page.locator(".field-row").first.wait_for()
    take("record")
    window.chip.click()
    take("saved-where")
    context.close()


if __name__ == "__main__":
    main()
