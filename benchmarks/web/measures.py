"""The five figures of issue 5, "Speed and size", and what lies behind each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from playwright.sync_api import Browser

from benchmarks.results import Result, Scale
from benchmarks.servers import Running
from benchmarks.web.browser import Window, open_window
from benchmarks.web.clinic import FIELDS, NARRATIVE, Clinic, value_field
from benchmarks.web.colleague import Colleague
from benchmarks.web.trace import key_costs, traced

__all__ = ["MEASURES", "Stand"]

KEYS = 40
TEXT_BOX = '[data-field="exam_03.value_5"] input'
KEY_GAP_MS = 110
REMOTE_EDITS = 20
OPENINGS = 7
SCREEN = 20
SCROLLED_PX = 12_000
PIXELS_A_SECOND = 4_000
SLOW_CPU = 4
FRAME_MS = 16.7
EMPTY_PAGE = (
    "data:text/html,<input id=box><div style='height:30000px;"
    "background:linear-gradient(white,teal)'></div>"
)


@dataclass(frozen=True, slots=True)
class Stand:
    """A browser in front of a running server."""

    browser: Browser
    running: Running
    clinic: Clinic
    scale: Scale

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.target.port}"


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def _times(
    scenario: str, what: str, values: Sequence[float], target: float | None = None, note: str = ""
) -> list[Result]:
    return [
        Result(scenario=scenario, what=f"{what}: median", value=median(values), unit="ms"),
        Result(scenario=scenario, what=f"{what}: p95", value=_p95(values), unit="ms",
               target=target, note=note),
    ]  # fmt: skip


# -- first load ----------------------------------------------------------------------------------


def first_load(stand: Stand) -> Sequence[Result]:
    """What the browser fetches until the queue stands there, and how long a slow one takes."""
    with open_window(stand.browser, stand.url) as window:
        fetched = _fetched(window)
        window.sign_in()
        script = sum(size for kind, size in fetched if kind == "Script")
        others = sum(size for kind, size in fetched if kind not in {"Script", "Fetch"})
    results = [
        Result(scenario="first_load", what="script until the queue stands, as transferred",
               value=script / 1000, unit="kB", target=250),
        Result(scenario="first_load", what="page, styles and pictures", value=others / 1000,
               unit="kB"),
    ]  # fmt: skip
    for slower in (1, SLOW_CPU):
        form, queue, cpu = zip(
            *(_loaded(stand, slower) for _ in range(stand.scale.of(5, least=1))), strict=True
        )
        what = "" if slower == 1 else f", CPU {slower} times slower"
        results += [
            Result(scenario="first_load", what=f"address to sign-in{what}", value=median(form),
                   unit="ms"),
            Result(scenario="first_load", what=f"… main thread{what}", value=median(cpu),
                   unit="ms CPU"),
            Result(scenario="first_load", what=f"password to queue{what}", value=median(queue),
                   unit="ms"),
        ]  # fmt: skip
    return results


def _fetched(window: Window) -> list[tuple[str, int]]:
    """Filled while the page loads: the kind of each resource and its bytes on the wire."""
    kinds: dict[str, str] = {}
    fetched: list[tuple[str, int]] = []
    window.tools.send("Network.enable")
    window.tools.on(
        "Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]})
    )
    window.tools.on(
        "Network.loadingFinished",
        lambda event: fetched.append(
            (kinds.get(event["requestId"], ""), event["encodedDataLength"])
        ),
    )
    return fetched


def _loaded(stand: Stand, slower: int) -> tuple[float, float, float]:
    """ms to the painted sign-in, ms from the button to the painted queue, CPU ms of the first."""
    with open_window(stand.browser, stand.url) as window:
        window.tools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        cpu = window.cpu_ms(lambda: window.page.goto(window.url))
        window.page.locator('input[autocomplete="username"]').wait_for()
        form = window.probe("probes.painted()")
        window.probe(
            """() => addEventListener('submit', () => {
              const from = performance.now()
              const look = () => document.querySelector('table.queue a.who') === null
                ? requestAnimationFrame(look)
                : probes.painted().then((at) => { globalThis.queued = at - from })
              look()
            }, true)"""
        )
        window.fill_in()
        window.until("() => globalThis.queued !== undefined")
        return form, float(window.probe("globalThis.queued")), cpu


# -- keys ----------------------------------------------------------------------------------------


def keys(stand: Stand) -> Sequence[Result]:
    """Typing into a field and into the narrative of the long record, while it is synced."""
    presses = stand.scale.of(KEYS, least=3)
    with open_window(stand.browser, EMPTY_PAGE) as window:
        window.page.goto(EMPTY_PAGE)
        results = _typed(stand, window, "a box in an empty page", "#box", presses)
    with open_window(stand.browser, stand.url) as window:
        _open_long_record(stand, window)
        boxes = {"text field": TEXT_BOX, "narrative": f'[data-field="{NARRATIVE}"] textarea'}
        for what, box in boxes.items():
            results += _typed(stand, window, f"{what}, while 500 records come", box, presses)
        _wait_for_all(stand, window)
        for what, box in boxes.items():
            results += _typed(stand, window, what, box, presses, target=16)
    return results


def _open_long_record(stand: Stand, window: Window) -> None:
    window.sign_in()
    window.go(f"/records/{stand.clinic.long_record}/all")
    window.until("n => document.querySelectorAll('.field-row').length >= n", FIELDS)
    window.page.locator('[data-testid="record-state"][data-state="saved"]').wait_for()


def _typed(
    stand: Stand, window: Window, what: str, box: str, presses: int, target: float | None = None
) -> list[Result]:
    window.page.locator(box).scroll_into_view_if_needed()
    window.page.locator(box).focus()
    window.pause(1500)
    idle = window.cpu_ms(lambda: window.pause(presses * KEY_GAP_MS))

    def press() -> None:
        for number in range(presses):
            window.page.keyboard.press("abcdefgh"[number % 8])
            window.pause(KEY_GAP_MS)

    window.probe("probes.keys.length = 0")
    cpu = window.cpu_ms(press)
    walls = window.probe("probes.keys")
    costs = key_costs(traced(stand.browser, window.page, press))
    window.pause(1500)
    complete = "" if len(walls) == presses == len(costs) else "INCOMPLETE"
    return [
        Result(scenario="keys", what=f"{what}: key to frame, median", value=median(costs),
               unit="ms CPU"),
        Result(scenario="keys", what=f"{what}: key to frame, p95", value=_p95(costs),
               unit="ms CPU", target=target, note=complete),
        *_times("keys", f"{what}: passed, with the wait for the frame", walls),
        Result(scenario="keys", what=f"{what}: all that a key causes",
               value=(cpu - idle) / presses, unit="ms CPU"),
    ]  # fmt: skip


def _wait_for_all(stand: Stand, window: Window) -> None:
    """Until every record of the queue is on the device."""
    window.until(
        "n => fieldchart.at.workplace.store.records().then((all) => all.length >= n)",
        len(stand.clinic.others),
    )
    window.pause(2000)


# -- remote edits --------------------------------------------------------------------------------


def remote(stand: Stand) -> Sequence[Result]:
    """From the WebSocket's message to the frame that shows a colleague's edit."""
    edits = stand.scale.of(REMOTE_EDITS, least=2)
    with (
        open_window(stand.browser, stand.url) as window,
        Colleague(stand.clinic, stand.url.replace("http", "ws")) as colleague,
    ):
        _open_long_record(stand, window)
        box = f'[data-field="{value_field(4)}"] input'
        area = f'[data-field="{NARRATIVE}"] textarea'
        found = "([box, text]) => probes.heard(() => document.querySelector(box)?.value{})"

        def field(number: int) -> list[float]:
            shows = found.format(" === text")
            return _heard(
                window, shows, [box, str(200 + number)],
                lambda: colleague.write(value_field(4), 200 + number),
            )  # fmt: skip

        def typed(number: int) -> list[float]:
            mark = f" <{number}>"
            shows = found.format(".endsWith(text)")
            return _heard(window, shows, [area, mark], lambda: colleague.type(mark))

        cpu_field, in_field = _each(window, edits, field)
        cpu_text, in_text = _each(window, edits, typed)
    return [
        *_times("remote", "edit of a field: message to frame", in_field, 100),
        Result(scenario="remote", what="… main thread, all that it causes", value=cpu_field,
               unit="ms CPU"),
        *_times("remote", "edit of the narrative: message to frame", in_text, 100),
        Result(scenario="remote", what="… main thread, all that it causes", value=cpu_text,
               unit="ms CPU"),
    ]  # fmt: skip


def _each(
    window: Window, count: int, edit: Callable[[int], list[float]]
) -> tuple[float, list[float]]:
    took: list[float] = []
    cpu = window.cpu_ms(lambda: [took.extend(edit(number)) for number in range(count)])
    return cpu / count, took


def _heard(window: Window, shows: str, argument: object, write: Callable[[], None]) -> list[float]:
    window.probe(f"argument => {{ globalThis.waited = ({shows})(argument) }}", argument)
    write()
    return [float(window.probe("globalThis.waited"))]


# -- opening without the server --------------------------------------------------------------------


def offline(stand: Stand) -> Sequence[Result]:
    """From the link to banner and all boxes painted; the server is gone, the record is stored."""
    shows = "() => document.querySelectorAll('.field-row :is(input, select, textarea)').length"
    with open_window(stand.browser, stand.url) as window:
        _open_long_record(stand, window)
        window.pause(1500)
        window.until("() => navigator.serviceWorker.ready.then((one) => one.active !== null)")
        window.go("/queue")
        stand.running.stop()
        window.pause(1500)
        openings = stand.scale.of(OPENINGS, least=2)
        first, took, cpu = list[float](), list[float](), list[float]()
        for _ in range(openings):
            _leave(window)
            first.append(_opened(stand, window, shows, SCREEN))
            _leave(window)
            cpu.append(window.cpu_ms(lambda: took.append(_opened(stand, window, shows, FIELDS))))
        again = []
        for _ in range(stand.scale.of(3, least=1)):
            window.page.reload()
            again.append(_all_painted(window, shows))
            window.pause(500)
    return [
        *_times("offline", "link to banner and a screen of boxes", first, 300),
        *_times("offline", "link to banner and 200 boxes", took),
        Result(scenario="offline", what="… main thread", value=median(cpu), unit="ms CPU"),
        Result(scenario="offline", what="reload to banner and 200 boxes: median",
               value=median(again), unit="ms"),
    ]  # fmt: skip


def _leave(window: Window) -> None:
    """To the queue, and long enough that the record is closed."""
    window.go("/queue")
    window.pause(1200)


def _opened(stand: Stand, window: Window, shows: str, boxes: int) -> float:
    return float(
        window.probe(
            f"""async ([path, fields]) => {{
              const from = performance.now()
              history.pushState(null, '', path)
              dispatchEvent(new PopStateEvent('popstate'))
              const there = () => document.querySelector('.banner h1') !== null
                && ({shows})() >= fields
              while (!there()) await new Promise((done) => requestAnimationFrame(done))
              return (await probes.painted()) - from
            }}""",
            [f"/records/{stand.clinic.long_record}/all", boxes],
        )
    )


def _all_painted(window: Window, shows: str) -> float:
    window.until(f"n => ({shows})() >= n", FIELDS)
    return float(window.probe("probes.painted()"))


# -- the queue -------------------------------------------------------------------------------------


def queue(stand: Stand) -> Sequence[Result]:
    """Scrolling through all who wait: distances of frames, and what each costs."""
    results: list[Result] = []
    with open_window(stand.browser, EMPTY_PAGE) as window:
        window.page.goto(EMPTY_PAGE)
        results += _scrolled(stand, window, "an empty page", "")
    with open_window(stand.browser, stand.url) as window:
        window.sign_in()
        results += _scrolled(stand, window, "just signed in", "table.queue tbody tr a, tr:has(a)")
        _wait_for_all(stand, window)
        rows = window.probe("document.querySelectorAll('table.queue tbody tr').length")
        results.append(
            Result(scenario="queue", what="rows in the document", value=rows, unit="", target=80)
        )
        results += _scrolled(stand, window, "all fetched", "table.queue tbody tr:has(a)", FRAME_MS)
    return results


def _scrolled(
    stand: Stand, window: Window, what: str, wanted: str, target: float | None = None
) -> list[Result]:
    distance = stand.scale.of(SCROLLED_PX, least=1000)
    window.pause(300)
    window.probe("probes.long.length = 0")
    window.probe("wanted => probes.watchFrames(wanted)", wanted)

    def scroll() -> None:
        for way in (-1, 1):
            window.tools.send(
                "Input.synthesizeScrollGesture",
                {"x": 640, "y": 400, "yDistance": way * distance, "speed": PIXELS_A_SECOND,
                 "gestureSourceType": "mouse"},
            )  # fmt: skip

    cpu = window.cpu_ms(scroll)
    seen = window.probe("probes.seenFrames()")
    deltas = seen["deltas"]
    late = sum(1 for delta in deltas if delta > 1.5 * FRAME_MS) / max(1, len(deltas)) * 100
    empty = f"{seen['empty']} of {seen['looked']} frames empty" if wanted else ""
    return [
        Result(scenario="queue", what=f"{what}: frame to frame, median", value=median(deltas),
               unit="ms"),
        Result(scenario="queue", what=f"{what}: frame to frame, p95", value=_p95(deltas),
               unit="ms", target=target and target * 1.05, note=empty),
        Result(scenario="queue", what=f"{what}: frames left out", value=late, unit="%"),
        Result(scenario="queue", what=f"{what}: main thread", value=cpu / max(1, len(deltas)),
               unit="ms CPU/frame", target=target),
        Result(scenario="queue", what=f"{what}: longest task",
               value=max(window.probe("probes.long") or [0]), unit="ms"),
    ]  # fmt: skip


MEASURES: Mapping[str, Callable[[Stand], Sequence[Result]]] = {
    "first_load": first_load,
    "keys": keys,
    "remote": remote,
    "queue": queue,
    "offline": offline,  # last: it stops the server
}
