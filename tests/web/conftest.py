"""Chromium in front of real servers: windows of people, and what they show.

A window is a browser context of its own: another tablet. Two pages of one context are two windows
of one browser.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.live_server import LiveServer
from tests.support.patience import PATIENCE_MS, PATIENCE_S

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
BUNDLE = ROOT / "server" / "static" / "index.html"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"phone": (360, 780), "across": (780, 360), "tablet": (800, 1180), "desk": (1280, 800)}

expect.set_options(timeout=PATIENCE_MS)

OpenWindow = Callable[..., "Window"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser or a bundle the tests that need them are skipped, with the reason."""
    here = Path(__file__).parent
    why = None
    if not Path(CHROMIUM).exists():
        why = f"no {CHROMIUM}"
    elif not BUNDLE.is_file() or not AXE.is_file() or shutil.which("node") is None:
        why = "the web app is not built; run `make web`"
    for item in items:
        needs = {"window", "chromium", "open_window"} & set(getattr(item, "fixturenames", ()))
        if why is not None and here in item.path.parents and needs:
            item.add_marker(pytest.mark.skip(reason=why))


class Window:
    """One person's browser window."""

    def __init__(self, page: Page, server: LiveServer, url: str | None = None) -> None:
        self.page = page
        self.server = server
        self.url = url or server.url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(PATIENCE_MS)

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self, user: str, password: str = "demo") -> None:
        """From the form that is on screen."""
        self.page.locator('input[autocomplete="username"]').fill(user)
        self.page.locator('input[autocomplete="current-password"]').fill(password)
        self.page.locator('button[type="submit"]').click()
        expect(self.page.locator("header.frame-head")).to_be_visible()

    def open_record(self, record: str, page: str = "") -> None:
        """By the app's own navigation: a signed-in window does not load anew."""
        self.page.evaluate(
            "path => { history.pushState(null, '', path);"
            " dispatchEvent(new PopStateEvent('popstate')) }",
            f"/records/{record}/{page}".rstrip("/"),
        )
        expect(self.page.locator(".banner h1")).to_be_visible()

    def field(self, name: str) -> Any:
        return self.page.locator(f'[data-field="{name}"]')

    def box(self, name: str) -> Any:
        return self.field(name).locator("input, select, textarea").first

    def write(self, name: str, value: str) -> None:
        """Type into a field and leave it."""
        self.box(name).fill(value)
        self.box(name).blur()

    def until(self, holds: str | Callable[[], object]) -> None:
        """Wait until an async function of the page (wait_for_function takes none) or we say so."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self.page.evaluate(holds) if isinstance(holds, str) else holds()):
            assert time.monotonic() < deadline, f"not in time: {holds}"
            self.page.wait_for_timeout(50)

    def reload_stored(self) -> None:
        """Load the page anew, once what was typed is on disk: the chip counts a key at once."""
        self.until("async () => { await window.fieldchart.at.workplace.stored(); return true }")
        self.page.reload()

    @property
    def chip(self) -> Any:
        return self.page.get_by_test_id("sync-chip")

    def expect_saved(self) -> None:
        """Nothing waits, and the server has answered: what is not there yet says "saved", too."""
        self.expect_synced()
        expect(self.page.get_by_test_id("record-state")).to_have_attribute("data-state", "saved")
        expect(self.chip).to_have_attribute("data-state", "saved")

    def expect_synced(self) -> None:
        """The server has answered for the record on screen: what comes from now on is news."""
        self.until(
            "async () => fieldchart.at.workplace.overview.standings"
            ".some(({ open }) => open?.status.synced)"
        )

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 A and AA, in one line each."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate(
            "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa',"
            " 'wcag22aa', 'best-practice']})"
        )
        return [
            f"{one['id']}: {node['html'][:160]} {' '.join(node['failureSummary'].split())[:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for each module: Playwright's own event loop stands in the way of asynchronous tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Shared by tests that neither stop it nor count its records."""
    running = LiveServer(tmp_path_factory.mktemp("web"))
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LiveServer]:
    """For tests that stop it and start it again. Afterwards its data verifies."""
    running = LiveServer(tmp_path)
    try:
        yield running
        running.terminate()
        verified = running.verify()
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        running.kill()


@pytest.fixture
def open_window(chromium: Browser) -> Iterator[OpenWindow]:
    """`open_window(server, user)`: a tablet of its own, signed in; no error was thrown on any."""
    contexts: list[BrowserContext] = []
    windows: list[Window] = []

    def open_(
        server: LiveServer, user: str | None = None, *, size: str = "desk", beside: Any = None,
        language: str = "en-GB", scheme: Any = "light", url: str | None = None,
    ) -> Window:  # fmt: skip
        width, height = SIZES[size]
        if beside is None:
            context = chromium.new_context(
                viewport={"width": width, "height": height},
                locale=language,
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            contexts.append(context)
        else:
            context = beside.page.context
        window = Window(context.new_page(), server, url)
        windows.append(window)
        window.go("/")
        if user is not None:
            window.sign_in(user)
        return window

    yield open_
    errors = [error for window in windows for error in window.errors]
    for context in contexts:
        context.close()
    assert errors == []
