"""The pure core compiled, where there is a compiled form of exactly these sources.

In a checkout `python -m native.build` makes it of modules of `sync` and `permissions`, in
`native/lib`. Those packages search there first, but only while every source is byte for byte what
it was made from. Otherwise, from a wheel, and on a machine without a C compiler, the sources run as
they stand: slower, and the same in everything else.
"""

import hashlib
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

__all__ = ["LIBRARY", "PACKAGES", "SWITCH", "digest_of_sources", "is_compiled", "search_path"]

PACKAGES = ("permissions", "sync")

SWITCH = "INTERPRETED_CORE"
"""The environment variable that lets the sources run although they are compiled. No setting of the
server: nobody needs it but who compares the two."""

ROOT = Path(__file__).parent.parent
LIBRARY = Path(__file__).parent / "lib"
STAMP = "sources.blake2b"


def digest_of_sources() -> str:
    """Of every module of the core, also those that stay as they are: the others rely on them.

    And of what this Python calls its libraries: those of another one it does not find.
    """
    digest = hashlib.blake2b(EXTENSION_SUFFIXES[0].encode(), digest_size=32)
    for package in PACKAGES:
        for source in sorted((ROOT / package).glob("*.py")):
            text = source.read_bytes()
            digest.update(f"{package}/{source.name} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest()


@cache
def is_compiled() -> bool:
    """Whether the compiled modules are of these sources and wanted."""
    if os.environ.get(SWITCH):
        return False
    try:
        made_of = (LIBRARY / STAMP).read_text(encoding="ascii")
        return made_of == digest_of_sources()
    except (OSError, ValueError):
        return False


def search_path(package: str) -> list[str]:
    """Where the modules of `package` are found, in order."""
    source = str(ROOT / package)
    return [str(LIBRARY / package), source] if is_compiled() else [source]
