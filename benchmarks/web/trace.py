"""What a browser's trace says: CPU time of a page's main thread between a key and its frame.

Trace Event Format: complete events (`X`) carry `tdur`, CPU time of their thread in µs, which does
not grow while other programs have the core.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Browser, Page

__all__ = ["key_costs", "traced"]

CATEGORIES = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]
FRAME = frozenset({"Commit"})
"""The main thread hands what it painted to the compositor."""


def traced(browser: Browser, page: Page, work: Callable[[], object]) -> list[dict[str, Any]]:
    """The trace of `work`: events of the main thread of `page`'s renderer, in order of time."""
    browser.start_tracing(page=page, categories=CATEGORIES)
    work()
    events = json.loads(browser.stop_tracing())["traceEvents"]
    dispatches = [one for one in events if _is_key(one)]
    if not dispatches:
        return []
    home = (dispatches[0]["pid"], dispatches[0]["tid"])
    mine = [one for one in events if (one["pid"], one.get("tid")) == home and "ts" in one]
    return sorted(mine, key=lambda one: float(one["ts"]))


def key_costs(events: Sequence[dict[str, Any]]) -> list[float]:
    """CPU ms of each key: all tasks from that of its first event to that which ends its frame."""
    tasks = [one for one in events if one["name"] == "RunTask" and one.get("ph") == "X"]
    starts = [float(one["ts"]) for one in events if _is_key(one)]
    frames = [float(one["ts"]) for one in events if one["name"] in FRAME]
    costs = []
    for begun in starts:
        framed = next((at for at in frames if at > begun), None)
        if framed is None:
            continue
        between = [
            one for one in tasks
            if float(one["ts"]) + float(one["dur"]) >= begun and float(one["ts"]) <= framed
        ]  # fmt: skip
        costs.append(sum(float(one.get("tdur", 0)) for one in between) / 1000)
    return costs


def _is_key(event: dict[str, Any]) -> bool:
    return (
        event["name"] == "EventDispatch"
        and event.get("args", {}).get("data", {}).get("type") == "keydown"
    )
