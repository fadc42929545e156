"""A second version of the web app: the same program, with no file under the name that it had.

What a build with a change in every module leaves, in a tenth of a second and without Node: each
file whose name carries a hash gets another one wherever it is named, so that an old window finds
nothing of its own.
"""

import re
import shutil
from pathlib import Path

__all__ = ["VERSION_MARK", "second_version"]

VERSION_MARK = "second"
"""`<html data-version="second">` in the page of the second version."""

TEXT = {".js", ".css", ".html", ".webmanifest"}
COMPRESSED = {".br", ".gz"}
HASHED = re.compile(r"-([\w-]{8})(\.\w+)$")


def second_version(first: Path, into: Path) -> Path:
    """Make it of the bundle in `first`; returns `into`. The compressed copies are left out."""
    shutil.copytree(first, into, ignore=shutil.ignore_patterns("*.br", "*.gz", ".vite"))
    names = {
        path.name: HASHED.sub(r"-\1second\2", path.name)
        for path in (into / "assets").iterdir()
        if HASHED.search(path.name)
    }
    assert len(names) > 20, "the bundle names its files in another way"
    named = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
    for path in sorted(into.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix in TEXT:
            text = named.sub(lambda found: names[found[0]], path.read_text("utf-8"))
            if path.name == "index.html":
                text = text.replace("<html", f'<html data-version="{VERSION_MARK}"', 1)
            if path.name == "sw.js":
                # The worker keeps a page whose revision it knows.
                text, changed = re.subn(r'(url:"index.html",revision:")', r"\g<1>second-", text)
                assert changed == 1, "the worker lists its page in another way"
            path.write_text(text, "utf-8")
        if path.name in names:
            path.rename(path.with_name(names[path.name]))
    return into
