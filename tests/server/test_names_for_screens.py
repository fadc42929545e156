"""The names by which the app finds words: web/src/i18n/server_names.json holds all that there are.

`make docs` (`python -m tests.server.test_names_for_screens`) writes it anew; the app's own tests
(words.test.ts) then ask for words in every language.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from permissions.model import RecordStatus, Rule
from server.audit.actions import ACTIONS
from server.problems import INTERNAL, PROBLEMS
from sync.effects import AuditOutcome, ChangeKind
from sync.flow import StepStatus

ROOT = Path(__file__).parents[2]
NAMES = ROOT / "web" / "src" / "i18n" / "server_names.json"
DECIDED = ("applied", "dismissed")
"""What becomes of a refusal; the event is named after it."""
COME_BACK_SLOWLY = 4508
"""The one close code that no error of the table has: it is about the connection alone."""
PROFILES_OWN = {"session_user_joined"}
"""Declared by a profile as well, which gives it its title."""


def own_events() -> Iterator[str]:
    """What the server announces besides a profile's events: from each call of `announce`."""
    for path in sorted((ROOT / "server").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Assign(
                    targets=[ast.Name(id="EVENT")], value=ast.Constant(value=str(name))
                ):
                    yield name
                case ast.Call(
                    func=ast.Attribute(attr="announce"), args=[ast.Constant(value=str(name)), *_]
                ):
                    yield name
                case ast.Call(func=ast.Attribute(attr="announce"), args=[ast.JoinedStr(), *_]):
                    yield from (f"refusal_{status}" for status in DECIDED)


def names() -> dict[str, Any]:
    kinds = [*PROBLEMS.values(), INTERNAL]
    return {
        "actions": sorted(ACTIONS),
        "changes": sorted(ChangeKind.__args__),
        "ends": sorted({*(kind.close_code for kind in kinds), COME_BACK_SLOWLY}),
        "events": sorted(set(own_events()) - PROFILES_OWN),
        "outcomes": sorted(AuditOutcome.__args__),
        "problems": sorted({kind.slug for kind in kinds}),
        "rules": sorted(rule.value for rule in Rule),
        "statuses": sorted(RecordStatus.__args__),
        "steps": sorted(StepStatus.__args__),
    }


def written() -> str:
    return json.dumps(names(), indent=2) + "\n"


def test_the_app_knows_every_name_that_the_server_says() -> None:
    assert NAMES.read_text("utf-8") == written(), "run `make docs`"


def test_the_events_of_the_server_are_found_in_its_source() -> None:
    assert {"conflict", "lock_asked", "refusal_applied", "break_glass", "alert"} <= set(
        own_events()
    )


if __name__ == "__main__":
    NAMES.write_text(written(), "utf-8")
