"""Collects the mistakes of one profile, each with its line and the words for where it is."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from permissions.errors import Problem, ProfileError
from permissions.source_lines import Path, line_of, scan_lines

__all__ = ["Problems"]

Declared = TypeVar("Declared", bound=msgspec.Struct)
# msgspec ends its messages with "at `$.flags[...]`" or "at `key` in `$.flags`".
_AT_KEY = re.compile(r"\$\.(\w+)")
_UNKNOWN_KEY = re.compile(r"unknown field `(.*)`", re.DOTALL)
_WORDS = {
    "sections": "section",
    "fields": "field",
    "narratives": "narrative",
    "roles": "role",
    "steps": "step",
    "events": "event",
    "metrics": "metric",
}


class Problems:
    """The mistakes found so far in one TOML text."""

    __slots__ = ("_file", "_found", "_lines")

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines: Mapping[Path, int] = scan_lines(text)
        self._found: set[Problem] = set()

    def add(self, path: Path, reason: str) -> None:
        """Note a mistake at the table or key of the path."""
        words = _place(path)
        told = f"{words}: {reason}" if words and f"'{words}'" not in reason else reason
        self._found.add(Problem(line_of(self._lines, path), told))

    def convert(self, table: object, to: type[Declared], path: Path) -> Declared | None:
        """The table as its declared form, or None after noting what does not fit."""
        try:
            return msgspec.convert(table, to)
        except msgspec.ValidationError as error:
            reason, _, where = str(error).partition(" - at `")
            key = _offending_key(reason, where)
            self.add((*path, key) if key else path, _in_words(reason, key))
            return None

    def raise_if_any(self) -> None:
        """Raises ProfileError when a mistake was noted."""
        if self._found:
            raise ProfileError(self._file, tuple(sorted(self._found)))


def _place(path: Path) -> str:
    """("sections", "vitals", "fields", "pulse", …) → "section vitals, field pulse"."""
    words = [
        f"{_WORDS[kind]} {name}"
        for kind, name in zip(path[::2], path[1::2], strict=False)
        if kind in _WORDS
    ]
    return ", ".join(words) or "".join(path[:1])


def _offending_key(reason: str, where: str) -> str:
    """The key of the table that msgspec complains of: by its path, or named in the reason."""
    found = _AT_KEY.search(where) or _UNKNOWN_KEY.search(reason)
    return found[1] if found else ""


def _in_words(reason: str, key: str) -> str:
    sentence = reason.replace("`", "'")
    for technical, plain in _PLAIN.items():
        sentence = sentence.replace(technical, plain)
    return sentence if not key or f"'{key}'" in sentence else f"'{key}': {sentence}"


_PLAIN = {
    "Object contains unknown field": "unknown key",
    "Object missing required field": "missing key",
    "Invalid enum value": "not one of the known values:",
    "Expected": "expected",
    "'object'": "a table",
}
