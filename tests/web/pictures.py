"""`python -m tests.web.pictures`: the pictures in docs/screens anew, from a server with demo data.

Three widths, both directions, light and dark. Look at them after a change of the screens.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.live_server import LiveServer
from tests.web.conftest import CHROMIUM, ROOT, SIZES, Window

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
            browser.close()
        finally:
            server.kill()


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
