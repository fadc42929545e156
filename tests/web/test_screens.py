"""Every screen, both directions and colour schemes: axe-core finds nothing, nothing overflows."""

import pytest
from playwright.sync_api import expect

from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window

SCREENS = {
    "/queue": "#queue-title",
    "/new": "#new-title",
    "/help": "article dl",
    "/no-such-screen": "section h1",
    "/records/{record}/triage": ".banner h1",
    "/records/{record}/registration": ".banner h1",
    "/records/{record}/all": ".hand-off",
    "/records/{record}/history": "[data-testid=side-by-side]",
    "/records/{record}/trends": ".trend >> nth=0",
    "/records/{record}/conflicts": ".page-title",
    "/notifications": "#notifications-title",
    "/refusals": "#refusals-title",
    "/records/{record}/print": ".sheet h3",
    "/devices": "[data-login] >> nth=0",
}
"""Address → what shows that it is there. A new screen is a line here."""


def show(window: Window, path: str, record: str) -> None:
    window.page.evaluate(
        "path => { history.pushState(null, '', path);"
        " dispatchEvent(new PopStateEvent('popstate')) }",
        path.format(record=record),
    )
    expect(window.page.locator(SCREENS[path])).to_be_visible()


def demo_record(server: LiveServer) -> str:
    answer = server.request("GET", "/api/records/OPD-000004", "supervisor")
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("language", "scheme", "size"),
    [("en-GB", "light", "desk"), ("ar-EG", "dark", "phone"), ("en-GB", "dark", "tablet")],
)
def test_axe_finds_nothing_and_nothing_overflows(
    server: LiveServer, open_window: OpenWindow, language: str, scheme: str, size: str
) -> None:
    window = open_window(server, size=size, language=language, scheme=scheme)
    expect(window.page.locator("#sign-in-title")).to_be_visible()
    found = {"/sign-in": window.axe()}
    window.sign_in("receptionist")
    record = demo_record(server)
    wide = []
    for path in SCREENS:
        show(window, path, record)
        found[path] = window.axe()
        if window.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    window.chip.click()
    expect(window.page.get_by_role("dialog")).to_be_visible()
    found["/sync list"] = window.axe()

    assert {path: problems for path, problems in found.items() if problems} == {}
    assert wide == []


def test_arabic_turns_the_page_round_and_english_back(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "nurse", language="ar-EG")
    html = window.page.locator("html")
    expect(html).to_have_attribute("dir", "rtl")
    expect(window.page.locator("#queue-title")).to_have_text("قائمة الانتظار")
    chip, brand = window.chip.bounding_box(), window.page.locator(".brand").bounding_box()
    assert chip is not None
    assert brand is not None
    assert chip["x"] < brand["x"]

    window.page.locator("header button.chip").last.click()
    window.page.get_by_role("menuitem", name="English").click()

    expect(html).to_have_attribute("dir", "ltr")
    expect(window.page.locator("#queue-title")).to_have_text("Queue")


def test_what_is_touched_is_large_enough(server: LiveServer, open_window: OpenWindow) -> None:
    window = open_window(server, "nurse", size="phone")
    record = demo_record(server)
    show(window, "/records/{record}/triage", record)

    small = window.page.evaluate(
        "() => [...document.querySelectorAll("
        "'button, input, select, textarea, .rail-link, .frame-link')]"
        ".filter(one => one.offsetParent !== null && one.ariaHidden !== 'true')"
        ".map(one => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])"
        ".filter(([, box]) => box.height < 43.5 || box.width < 43.5).map(([html]) => html)"
    )

    assert small == []


def test_the_queue_is_searched_by_slash_and_opened_by_keyboard(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "nurse")
    expect(window.page.locator("table.queue")).to_be_visible()

    window.page.keyboard.press("/")
    window.page.keyboard.type("Testperson")
    window.page.get_by_role("button", name="All (").click()
    expect(window.page.locator("table.queue tbody tr")).to_have_count(1)
    window.page.locator("a.who").focus()
    window.page.keyboard.press("Enter")

    expect(window.page.locator(".banner h1")).to_have_text("TESTPERSON, Dalila")


def test_the_banner_stays_while_the_form_scrolls(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server, "nurse", size="phone")
    show(window, "/records/{record}/all", demo_record(server))
    # Again until it stays there: what comes meanwhile makes the form longer.
    window.until(
        "async () => { const last = document.querySelector('.sections > :last-child');"
        " last.scrollIntoView(); await new Promise(requestAnimationFrame);"
        " const { top, bottom } = last.getBoundingClientRect();"
        " return bottom > 0 && top < innerHeight }"
    )

    expect(window.page.locator(".banner h1")).to_be_in_viewport()
    expect(window.page.locator(".allergies")).to_be_in_viewport()


def test_wrong_password_says_so_and_locks_ask_again(
    server: LiveServer, open_window: OpenWindow
) -> None:
    window = open_window(server)
    window.page.get_by_label("User name").fill("nurse")
    window.page.get_by_label("Password", exact=True).fill("wrong")
    window.page.get_by_role("button", name="Sign in").click()
    expect(window.page.get_by_role("alert")).to_contain_text("wrong")

    window.sign_in("nurse")
    window.page.get_by_role("button", name=": menu").click()
    window.page.get_by_role("menuitem", name="Lock").click()
    expect(window.page.get_by_text("your work is where you left it")).to_be_visible()
    assert not window.page.locator("#main").is_visible()
    window.sign_in("nurse")
    expect(window.page.locator("#main")).to_be_visible()
