"""The compiled core runs only while it is of these sources, and both pass the same tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import native
from native import build

ROOT = Path(native.__file__).parent.parent
COMPILED = native.is_compiled()
compiled_only = pytest.mark.skipif(not COMPILED, reason="the core is not compiled: `make core`")

WHERE = "import native, sync.gate; print(native.is_compiled(), sync.gate.__file__)"


def run(*command: str, at: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != native.SWITCH}
    return subprocess.run(
        [sys.executable, *command], cwd=at, capture_output=True, text=True, check=False,
        env={**kept, "PYTHONPATH": str(at), "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )  # fmt: skip


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The core and its compiled form in a folder of their own."""
    for package in (*native.PACKAGES, "native"):
        ignored = shutil.ignore_patterns("work", "__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


@pytest.mark.skipif(
    not os.environ.get("CI") or shutil.which("cc") is None, reason="elsewhere nobody has to"
)
def test_where_there_is_a_compiler_ci_tests_the_compiled_core() -> None:
    assert COMPILED or os.environ.get(native.SWITCH)


@compiled_only
def test_the_compiled_form_is_what_runs(copied: Path) -> None:
    told = run("-c", WHERE, at=copied).stdout.split()

    assert told == ["True", told[1]]
    assert Path(told[1]).parent == copied / "native" / "lib" / "sync"


@compiled_only
@pytest.mark.parametrize("module", ["sync/gate.py", "sync/frame.py", "permissions/model.py"])
def test_after_any_change_of_the_core_the_sources_run(copied: Path, module: str) -> None:
    with (copied / module).open("a", encoding="utf-8") as source:
        source.write("\n# changed\n")

    assert run("-c", WHERE, at=copied).stdout.split() == ["False", str(copied / "sync/gate.py")]


@compiled_only
def test_a_build_that_broke_off_counts_for_nothing(copied: Path) -> None:
    (copied / "native/lib" / native.STAMP).unlink()

    assert run("-c", WHERE, at=copied).stdout.split() == ["False", str(copied / "sync/gate.py")]


@compiled_only
def test_what_another_python_compiled_counts_for_nothing(copied: Path) -> None:
    other = "import importlib.machinery as m; m.EXTENSION_SUFFIXES.insert(0, '.cpython-399.so'); "

    assert run("-c", other + WHERE, at=copied).stdout.split()[0] == "False"


@compiled_only
def test_the_sources_run_where_somebody_asks_for_them(copied: Path) -> None:
    told = run("-c", WHERE, at=copied, **{native.SWITCH: "1"}).stdout.split()

    assert told == ["False", str(copied / "sync/gate.py")]


@compiled_only
def test_the_tests_of_the_core_pass_interpreted_too() -> None:
    """The rest of the suite runs compiled: so both forms are held to the same rules."""
    done = run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sync", "tests/permissions",
        "tests/security",
        **{native.SWITCH: "1"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@compiled_only
@pytest.mark.parametrize("seed", ["1", "2"])
def test_both_forms_make_the_same_of_mutated_frames(seed: str) -> None:
    script = str(Path(__file__).with_name("mutated_frames.py"))

    compiled = run(script, seed, "2000")
    sources = run(script, seed, "2000", **{native.SWITCH: "1"})

    assert compiled.returncode == 0, compiled.stderr
    assert "'accepted':" in compiled.stdout
    assert compiled.stdout == sources.stdout


@pytest.mark.parametrize("name", build.COMPILED)
def test_no_compiled_module_defines_values(name: str) -> None:
    build.check(name)


@pytest.mark.parametrize(
    "text",
    [
        "import msgspec\nclass Id(msgspec.Struct, frozen=True):\n    n: int\n",
        "import msgspec\nclass Id(msgspec.Struct):\n    n: int\n",
        "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass Id:\n    n: int\n",
    ],
)
def test_a_module_that_defines_values_is_not_compiled(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "values.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(build, "ROOT", tmp_path)

    with pytest.raises(ValueError, match="defines Id"):
        build.check("values.py")


def test_without_a_compiler_the_build_says_so_and_is_no_error(copied: Path) -> None:
    done = run("-m", "native.build", at=copied, CC="there-is-no-such-compiler")

    assert done.returncode == 0
    assert done.stdout == "No C compiler: the core runs as Python, about half as fast.\n"


def test_a_compiler_that_fails_leaves_the_sources(copied: Path) -> None:
    done = run("-m", "native.build", at=copied, CC="false")

    assert done.returncode == 0, done.stderr
    assert "could not be compiled" in done.stdout
    assert run("-c", WHERE, at=copied).stdout.split()[0] == "False"
