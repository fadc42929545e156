"""The house keeps its own rules: sizes, names, public lists, and nothing private in the files."""

import ast
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("fieldchart", "native", "permissions", "sync", "storage", "server")
MOST_LINES = 600
BANNED_NAMES = {"utils", "helpers", "manager", "common", "base", "data", "info"}

# Places on the machines that this was written on, spelt so that this file does not hold them.
PRIVATE = re.compile(
    r"/(?:ro{2}t|home/[a-z]+|wor[k]/main|op[t]/(?:pypi|wheels)|tmp/(?!\*))[\w/.-]*"
)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_module_is_longer_than_one_can_read() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in modules()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]

    assert not long


def test_no_module_has_a_name_that_says_nothing() -> None:
    words = {path: set(path.stem.split("_")) for path in modules()}

    assert [path.name for path, named in words.items() if named & BANNED_NAMES] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_lists_what_it_offers_and_is_typed(package: str) -> None:
    module = importlib.import_module(package)

    assert (ROOT / package / "py.typed").exists()
    assert isinstance(module.__all__, list)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_module_says_what_it_is_for_and_what_it_offers() -> None:
    silent = []
    for path in modules():
        if "migrations" in path.parts or (path.parent.name == "rest" and path.stem == "__init__"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        if len(ast.get_docstring(tree) or "") < 10 or "__all__" not in names:
            silent.append(str(path.relative_to(ROOT)))

    assert not silent


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in PRIVATE.finditer(text)]

    assert not found


def test_locked_packages_come_from_the_public_registries() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)/", (ROOT / "uv.lock").read_text("utf-8")))
    for lock in (path for path in tracked_files() if path.name == "package-lock.json"):
        hosts |= set(re.findall(r'"resolved": "https?://([^/"]+)/', lock.read_text("utf-8")))

    assert hosts <= {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *(one for group in project["dependency-groups"].values() for one in group),
    ]

    assert [one for one in wanted if "==" not in one and "include-group" not in one] == []


def test_the_changelog_says_what_is_not_released_yet() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert "Apache License" in text
    assert "limitations under the License." in text
