"""What makes the web app fast, counted: rendered components, rows in the document.

No test here asserts a time; `python -m benchmarks.web` measures them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from benchmarks.web.clinic import NARRATIVE, WIDE, wide_profile
from tests.support.live_server import LiveServer
from tests.web.conftest import OpenWindow, Window

COUNT_RENDERS = """
// What React's developer tools are told: after each commit, the tree as it is now.
globalThis.rendered = 0
globalThis.__REACT_DEVTOOLS_GLOBAL_HOOK__ = {
  supportsFiber: true, inject: () => 1, onCommitFiberUnmount() {}, onPostCommitFiberRoot() {},
  onCommitFiberRoot(_id, root) { count(root.current, root.current.alternate) },
}
const COMPONENTS = new Set([0, 11, 14, 15]) // functions, forwarded, memoised
const PERFORMED_WORK = 1
function count(now, before) {
  if (COMPONENTS.has(now.tag) && (before === null || before === undefined
    || now.memoizedProps !== before.memoizedProps || now.memoizedState !== before.memoizedState
    || now.ref !== before.ref || (now.flags & PERFORMED_WORK) === PERFORMED_WORK)) {
    globalThis.rendered++
  }
  if (before && now.child === before.child) return // left as it was, with everything below
  for (let child = now.child; child !== null; child = child.sibling) count(child, child.alternate)
}
"""
FIELDS = 200
COMPONENTS_A_FIELD = 12
"""Row, box (two to four), flag, history, and a share of the page; Mantine's were thirty."""
KEYS = 10
STILL_FRAMES = 25


@pytest.fixture(scope="module")
def wide_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Serves a profile with 200 fields beside the outpatient visit."""
    folder: Path = tmp_path_factory.mktemp("wide")
    profile = folder / "wide.toml"
    profile.write_text(wide_profile())
    running = LiveServer(folder, {"FIELDCHART_PROFILES": f"outpatient,{profile}"})
    try:
        yield running
    finally:
        running.kill()


def open_wide_record(server: LiveServer, open_window: OpenWindow) -> tuple[Window, str]:
    body = {"profile": WIDE, "fields": {"demographics.family_name": "Wideperson"}}
    answer = server.request("POST", "/api/records", "nurse", json=body)
    answer.raise_for_status()
    record = str(answer.json()["id"])
    window = open_window(server, None)
    window.page.add_init_script(COUNT_RENDERS)
    window.page.reload()
    window.sign_in("nurse")
    window.open_record(record, "all")
    expect(window.page.locator(".field-row")).to_have_count(FIELDS + 2)
    window.expect_saved()
    return window, record


def rendered(window: Window) -> int:
    """Since it was asked last, until everything is saved and nothing follows for some frames."""
    window.expect_saved()
    count = int(
        window.page.evaluate(
            """async frames => {
              for (let still = 0, before = rendered; still < frames; before = rendered) {
                await new Promise(requestAnimationFrame)
                still = rendered === before ? still + 1 : 0
              }
              return rendered
            }""",
            STILL_FRAMES,
        )
    )
    window.page.evaluate("globalThis.rendered = 0")
    return count


@pytest.mark.parametrize(
    "box", ['[data-field="exam_03.value_5"] input', f'[data-field="{NARRATIVE}"] textarea']
)
def test_a_key_renders_less_than_one_component_for_each_field(
    wide_server: LiveServer, open_window: OpenWindow, box: str
) -> None:
    window, _ = open_wide_record(wide_server, open_window)
    assert rendered(window) > FIELDS  # it counts: opening has rendered every field
    window.page.locator(box).focus()
    rendered(window)

    for _ in range(KEYS):
        window.page.keyboard.press("a")
        window.page.evaluate("() => new Promise(requestAnimationFrame)")

    expect(window.page.locator(box)).to_have_value("a" * KEYS)
    assert 0 < rendered(window) / KEYS < FIELDS / 2


def test_opening_a_record_renders_each_of_its_fields_once_and_lightly(
    wide_server: LiveServer, open_window: OpenWindow
) -> None:
    window, record = open_wide_record(wide_server, open_window)
    window.page.locator(".frame-link").first.click()
    expect(window.page.locator("table.queue")).to_be_visible()
    window.page.evaluate("globalThis.rendered = 0")

    window.open_record(record, "all")
    expect(window.page.locator(".field-row")).to_have_count(FIELDS + 2)

    assert FIELDS < rendered(window) < FIELDS * COMPONENTS_A_FIELD


def test_leaving_a_field_and_a_colleagues_edit_render_few_components(
    wide_server: LiveServer, open_window: OpenWindow
) -> None:
    window, record = open_wide_record(wide_server, open_window)
    opening = rendered(window)

    window.write("exam_03.value_5", "written")
    window.expect_saved()
    assert 0 < rendered(window) < opening / 10
    path = f"/api/records/{record}"
    tag = wide_server.request("GET", path, "nurse").headers["etag"]
    wide_server.request(
        "PATCH", path, "nurse", json={"exam_04.value_0": 77},
        headers={"if-match": tag, "authorization": f"Bearer {wide_server.token('nurse')}"},
    ).raise_for_status()  # fmt: skip
    expect(window.box("exam_04.value_0")).to_have_value("77")

    assert 0 < rendered(window) < opening / 10
