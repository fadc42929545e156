"""The documentation is true: what it lists exists, what exists is listed, and the tour was run.

`make docs` (`python -m tests.test_docs`) writes the generated parts anew: the table of
`docs/settings.md` and the output in README's tour.
"""

import ast
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import typer.main

from permissions import declaration
from permissions.fields import Power
from permissions.model import Rule
from server.application import api_endpoints
from server.commands.cli import app
from server.metrics import Metrics
from server.problems import PROBLEMS
from server.settings import Settings
from server.settings_sources import describe

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "sync" / "SPEC.md"])
README = ROOT / "README.md"
TOUR_URL = "127.0.0.1:8420"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# -- settings, commands, rules, metrics, calls -----------------------------------------------------


def settings_table() -> str:
    rows = ["| setting | default | unit | meaning |", "|---|---|---|---|"]
    for row in describe(Settings()):
        default = ", ".join(row.default) if isinstance(row.default, tuple) else str(row.default)
        shown = f"`{default}`" if default else "none"
        rows.append(f"| `{row.name}` | {shown} | {row.unit.replace('|', 'or')} | {row.meaning} |")
    return "\n".join(rows)


def test_settings_page_holds_the_table_of_all_settings() -> None:
    assert settings_table() in page("docs/settings.md"), "run `make docs`"


def test_every_command_and_option_is_described_for_operators() -> None:
    text = page("docs/operations.md")

    missing = [
        name for name in (*_commands(typer.main.get_command(app)), *_options()) if name not in text
    ]

    assert not missing


def _commands(command: Any, path: str = "fieldchart") -> Iterator[str]:
    children = getattr(command, "commands", None)
    if not children:
        yield path
        return
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def _options(command: Any = None) -> Iterator[str]:
    command = command or typer.main.get_command(app)
    for child in getattr(command, "commands", {}).values():
        yield from _options(child)
    for parameter in command.params:
        yield from (name for name in parameter.opts if name.startswith("--") and name != "--help")


def test_every_metric_is_described_for_operators() -> None:
    text = page("docs/operations.md")
    names = [metric.name for metric in Metrics().registry.collect()]

    assert [name for name in names if name.removeprefix("fieldchart_") not in text] == []


def test_every_rule_and_close_code_is_described_for_editors() -> None:
    text = page("docs/protocol.md")
    codes = {str(kind.close_code) for kind in PROBLEMS.values()} | {"4508", "4429", "1012"}

    assert [rule.value for rule in Rule if f"`{rule.value}`" not in text] == []
    assert [code for code in sorted(codes) if code not in text] == []


def test_every_http_call_is_listed_for_editors() -> None:
    text = page("docs/protocol.md")
    calls = {endpoint.path for endpoint in api_endpoints() if endpoint.path.startswith("/api/")}

    assert sorted(path for path in calls if path not in text) == []


def test_every_key_of_a_profile_is_described() -> None:
    text = page("docs/profiles.md")
    keys = {
        name
        for kind in vars(declaration).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        for name in kind.__struct_fields__
    }
    keys |= set(Power.__args__) | set(declaration.DeclaredType.__args__)

    assert sorted(key for key in keys if f"`{key}`" not in text) == []


def test_every_family_of_rules_is_explained_and_every_rule_named_exists() -> None:
    rules = set(re.findall(r"^- \*\*([A-Z]+-\d+)\*\*", page("sync/SPEC.md"), re.MULTILINE))
    argument = page("docs/gate-security.md")
    families = {rule.split("-")[0] for rule in rules}

    named = {
        name
        for path in PAGES
        for name in re.findall(r"\b[A-Z]{3,6}-\d+\b", path.read_text("utf-8"))
    }

    assert sorted(family for family in families if family not in argument) == []
    assert (
        sorted(name for name in named if name.split("-")[0] in families and name not in rules) == []
    )


# -- names and links -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    named = re.findall(
        r"`((?:sync|server|storage|permissions|tests|docs|examples|profiles|fieldchart)/[\w/.*-]+)`",
        text,
    )

    broken = [link for link in links if not _link_resolves(link, path)]
    broken += [name for name in named if not list(ROOT.glob(name.rstrip("/")))]

    assert not broken


def _link_resolves(link: str, source: Path) -> bool:
    if re.match(r"https?:", link):
        return True
    file, _, anchor = link.partition("#")
    target = source.parent / file if file else source
    if not target.exists():
        return False
    if not anchor:
        return True
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_architecture_names_every_module_of_the_layers() -> None:
    text = page("ARCHITECTURE.md")
    modules = [
        path
        for layer in ("native", "permissions", "sync", "storage", "server")
        for path in (ROOT / layer).rglob("*.py")
        if path.name != "__init__.py" and not {"rest", "migrations"} & set(path.parts)
    ]

    names = {path.stem for path in modules} | {"rest/"}

    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_tests_named_in_the_security_argument_exist() -> None:
    text = page("docs/gate-security.md")
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}

    assert sorted(named - defined - files) == []


# -- the tour in README ----------------------------------------------------------------------------


class Step(NamedTuple):
    """One command of the tour and what the README says that it prints."""

    command: str
    output: str


def steps_of(text: str) -> list[Step]:
    steps: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append(Step(command, output))
    return steps


def run_tour(text: str, folder: Path) -> list[Step]:
    """Every command of the tour, with what it prints against a real server with demo data."""
    for name, content in re.findall(
        r"Save this as `([\w.]+)`:\n\n```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    ):
        (folder / name).write_text(content, encoding="utf-8")
    steps = steps_of(text)
    with served_demo(folder) as (address, environment):
        script = "".join(
            f"{step.command.replace(TOUR_URL, address)}\nprintf '\\036'\n" for step in steps
        )
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180, check=True,
        )  # fmt: skip
    outputs = done.stdout.decode().split("\036")[:-1]
    return [Step(step.command, out) for step, out in zip(steps, outputs, strict=True)]


@contextlib.contextmanager
def served_demo(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """`fieldchart serve --demo` in `folder` on a free port; its address, a shell's environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIELDCHART_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    environment = kept | {"PATH": path, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    server = subprocess.Popen(
        [sys.executable, "-m", "fieldchart", "serve", "--demo", "--port", "0"],
        cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        ready = server.stdout.readline()
        assert ready.startswith("listening on http://"), ready
        yield ready.removeprefix("listening on http://").strip(), environment
    finally:
        server.terminate()
        server.wait(20)
        if server.stdout is not None:
            server.stdout.close()


def shape_of(output: str) -> list[str]:
    """The output without what differs from run to run: ids, instants, hashes, widths."""
    output = re.sub(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<id>", output)
    output = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<instant>", output)
    return [line.rstrip() for line in output.strip().splitlines()]


def test_tour_prints_what_the_readme_shows(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")

    printed = run_tour(text, tmp_path)

    for shown, real in zip(steps_of(text), printed, strict=True):
        assert shape_of(shown.output) == shape_of(real.output), shown.command


# -- writing what is generated ---------------------------------------------------------------------


def write_generated() -> None:
    """Write the settings table and the tour's output anew."""
    settings = ROOT / "docs" / "settings.md"
    head, _, rest = settings.read_text(encoding="utf-8").partition("| setting |")
    tail = rest[rest.find("\n\n") :] if "\n\n" in rest else "\n"
    settings.write_text(head + settings_table() + tail, encoding="utf-8")

    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        steps = iter(run_tour(text, Path(folder)))

    def block(match: re.Match[str]) -> str:
        count = len(steps_of(match[0]))
        shown = (next(steps) for _ in range(count))
        lines = [f"$ {step.command}\n{_printed(step.output)}" for step in shown]
        return "```console\n" + "".join(lines) + "```"

    text = re.sub(r"^```console\n.*?^```", block, text, flags=re.DOTALL | re.MULTILINE)
    README.write_text(text, encoding="utf-8")


def _printed(output: str) -> str:
    return f"{output.rstrip()}\n" if output.strip() else ""


if __name__ == "__main__":
    write_generated()
