"""Compiles the core with mypyc: `python -m native.build`.

Nothing is done where nothing changed.
"""

import ast
import contextlib
import io
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

from native import LIBRARY, PACKAGES, ROOT, STAMP, digest_of_sources

__all__ = ["COMPILED", "check", "compile_core"]

WORK = Path(__file__).parent / "work"

COMPILED = (
    "permissions/entries.py", "permissions/policy.py", "sync/anchors.py", "sync/any_value.py",
    "sync/arbiter.py", "sync/bench.py", "sync/books.py", "sync/deciding.py", "sync/fields.py",
    "sync/gate.py", "sync/healing.py", "sync/history.py", "sync/json_text.py",
    "sync/json_value.py", "sync/placement.py", "sync/ranges.py", "sync/record_facts.py",
    "sync/refusing.py", "sync/repeating.py", "sync/replay.py", "sync/room.py", "sync/session.py",
    "sync/slicing.py", "sync/text_judging.py", "sync/update_decode.py", "sync/update_encode.py",
    "sync/varint.py", "sync/wire.py",
)  # fmt: skip
"""What every edit passes through; not `sync/document.py`, whose callbacks pycrdt asks for their
signatures: compiled functions do not tell them."""

GROUP = "sync.core"
"""All is one library: of many small ones each call would meet code that is not in the cache."""

VALUES = {"Struct", "dataclass"}


def check(name: str) -> None:
    """Raises ValueError for a module that defines values: mypyc drops what their classes say of
    themselves (`frozen`, `eq`, `gc`) without a word."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    for one in ast.walk(tree):
        if isinstance(one, ast.ClassDef) and (one.keywords or VALUES & set(_named(one))):
            raise ValueError(f"{name} defines {one.name}: values belong into a module of their own")


def _named(one: ast.ClassDef) -> Iterator[str]:
    """What a class is made from and decorated with."""
    for expression in (*one.bases, *one.decorator_list):
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr


def compile_core() -> int:
    """Leave the compiled core in `native/lib`; returns how many modules it has."""
    for name in COMPILED:
        check(name)
    stamp = LIBRARY / STAMP
    stamp.unlink(missing_ok=True)
    digest = digest_of_sources()
    WORK.mkdir(exist_ok=True)
    os.chdir(ROOT)
    options = [f"--cache-dir={WORK / 'mypy'}", "--config-file=", "--no-warn-unused-configs"]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):  # it calls every generator in a sum a waste
            extensions = mypycify(
                [*options, *COMPILED], opt_level="2", debug_level="0",
                separate=[(list(COMPILED), GROUP)], target_dir=str(WORK),
            )  # fmt: skip
    except SystemExit:
        sys.stderr.write(said.getvalue())
        raise
    for extension in extensions:
        extension.extra_link_args = [*(extension.extra_link_args or ()), "-Wl,-s"]
    command = build_ext(Distribution({"name": "fieldchart-core", "ext_modules": extensions}))
    command.build_lib = str(WORK / "lib")
    command.build_temp = str(WORK)
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()
    _put_in_place()
    stamp.write_text(digest, encoding="ascii")
    return len(COMPILED)


def _put_in_place() -> None:
    """Take over what was made, each file at once: a server may be running from the old ones."""
    stems = {name.removesuffix(".py") for name in COMPILED} | {GROUP.replace(".", "/")}
    for package in PACKAGES:
        target = LIBRARY / package
        target.mkdir(parents=True, exist_ok=True)
        made = {
            path.name: path
            for path in (WORK / "lib" / package).iterdir()
            if f"{package}/{path.name.split('.')[0].removesuffix('__mypyc')}" in stems
        }
        for name, path in made.items():
            shutil.copy2(path, target / f"{name}.new")
            (target / f"{name}.new").replace(target / name)
        for path in target.iterdir():
            if path.name not in made:
                path.unlink()


def main() -> int:
    """Compile, and say so in one line; without a C compiler say that, which is no error."""
    compiler = os.environ.get("CC", "cc").split()[0]
    if shutil.which(compiler) is None:
        print("No C compiler: the core runs as Python, about half as fast.")  # noqa: T201
        return 0
    logging.getLogger().setLevel(logging.WARNING)
    begun = time.monotonic()
    try:
        count = compile_core()
    except (BaseError, CCompilerError) as error:
        print(f"The core could not be compiled, it runs as Python: {str(error)[:300]}")  # noqa: T201
        return 0
    print(f"Compiled {count} modules of the core in {time.monotonic() - begun:.0f} s.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
