"""Every rule of sync/SPEC.md has a test, and every mark names a rule."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def rules() -> set[str]:
    """The numbered rules of the specification."""
    text = (ROOT / "sync" / "SPEC.md").read_text()
    return set(re.findall(r"^- \*\*([A-Z]+-\d+)\*\*", text, re.MULTILINE))


def marks() -> dict[str, str]:
    """The rules that tests name, each with one file that does."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path != Path(__file__) and "node_modules" not in path.parts:
            for rule in re.findall(r"""mark\.rule\(\s*["']([^"']+)["']""", path.read_text()):
                found[rule] = str(path.relative_to(ROOT))
    return found


def test_every_rule_has_a_test() -> None:
    assert sorted(rules() - set(marks())) == []


def test_every_mark_names_a_rule() -> None:
    known = rules()

    assert {rule: where for rule, where in marks().items() if rule not in known} == {}
