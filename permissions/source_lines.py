"""Finds the line on which a table or key of a TOML text stands, so that errors can name it.

tomllib drops positions. This scanner reads headers and the keys that begin a line; it never judges
the text (tomllib has accepted it before) and falls back to the nearest enclosing table.
"""

import re
import tomllib
from collections.abc import Mapping

__all__ = ["Path", "line_of", "scan_lines"]

Path = tuple[str, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_TOKEN = re.compile(r"""\"{3}|'{3}|"(?:\\.|[^"\\])*"|'[^']*'|#.*|[\[{]|[\]}]""")


def scan_lines(text: str) -> Mapping[Path, int]:
    """Path of each table and key → the first line on which it stands, counted from 1."""
    lines: dict[Path, int] = {}
    table: Path = ()
    depth, quote = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if depth == 0 and not quote:
            if header := _HEADER.match(line):
                table = _split(header[1])
                lines.setdefault(table, number)
                continue
            if key := _KEY.match(line):
                lines.setdefault(table + _split(key[1]), number)
        depth, quote = _after(line, depth, quote)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The first line of the path or of its nearest enclosing table; 1 when nothing encloses it."""
    for length in range(len(path), 0, -1):
        known = [line for one, line in lines.items() if one[:length] == path[:length]]
        if known:
            return min(known)
    return 1


def _split(dotted: str) -> Path:
    """The parts of a dotted key, quotes and escapes undone by TOML's own reader."""
    try:
        table: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    parts: list[str] = []
    while isinstance(table, dict):
        (part, table), *_ = table.items()
        parts.append(part)
    return tuple(parts)


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Bracket depth and open multi-line quote after the line."""
    at = 0
    while at < len(line):
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + 3, ""
            continue
        token = _TOKEN.search(line, at)
        if token is None:
            break
        at = token.end()
        match token[0]:
            case '"""' | "'''":
                quote = token[0]
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
    return depth, quote
