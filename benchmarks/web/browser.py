"""A window of Chromium with probes in it, and what its main thread used."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.web.clinic import PASSWORD, USER

__all__ = ["CHROMIUM", "Window", "chromium", "open_window"]

CHROMIUM = "/usr/bin/chromium"
PROBES = Path(__file__).with_name("probes.js")
PATIENCE_MS = 180_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, without a screen; frames come at 60 a second all the same."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Window:
    """A tablet of its own: nothing is cached in it yet."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.tools: CDPSession = page.context.new_cdp_session(page)
        # CPU time of the thread, not time that passed: others use this machine too.
        self.tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def cpu_ms(self, work: Callable[[], object]) -> float:
        """CPU time of the main thread while `work` runs."""
        before = self._tasks_s()
        work()
        return (self._tasks_s() - before) * 1000

    def _tasks_s(self) -> float:
        metrics = self.tools.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    def sign_in(self) -> None:
        self.page.goto(self.url)
        self.fill_in()

    def fill_in(self) -> None:
        """The form that is on screen, until the queue stands there."""
        self.page.locator('input[autocomplete="username"]').fill(USER)
        self.page.locator('input[autocomplete="current-password"]').fill(PASSWORD)
        self.page.locator('button[type="submit"]').click()
        self.page.locator("table.queue tbody tr a.who").first.wait_for()

    def go(self, path: str) -> None:
        """By the app's own navigation: nothing is loaded anew."""
        self.page.evaluate(
            "path => { history.pushState(null, '', path);"
            " dispatchEvent(new PopStateEvent('popstate')) }",
            path,
        )

    def until(self, holds: str, argument: object = None) -> None:
        """Until a function of the page says so, an async one too: wait_for_function takes none."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(holds, argument):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in time: {holds}")
            self.page.wait_for_timeout(50)

    def pause(self, ms: float) -> None:
        self.page.wait_for_timeout(ms)

    def probe(self, expression: str, argument: object = None) -> Any:
        return self.page.evaluate(expression, argument)


@contextmanager
def open_window(browser: Browser, url: str) -> Iterator[Window]:
    """A window of a desk's size with the probes in each of its pages."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.add_init_script(path=PROBES)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    try:
        yield Window(page, url)
    finally:
        context.close()
