"""JSON texts inside frames: parsed strictly, as both `JSON.parse` and serde_json would.

What one of the two peers rejects must not pass: pycrdt refuses a whole update for one number out
of range or one escaped lone surrogate. Source: RFC 8259.
"""

import json
import re
from typing import TypeAlias

from sync.errors import FrameTooLarge, MalformedUpdate

__all__ = ["JsonValue", "parse_json"]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

# The closing quote is optional: otherwise each quote of an unclosed text is scanned to the end.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_COMMON: dict[str, JsonValue] = {"null": None, "true": True, "false": False}
_MAX_DIGITS = 400
"""A longer number exceeds a double, and Python's int() takes quadratic time on it."""


def parse_json(text: str, depth: int, items: list[int]) -> JsonValue:
    """The value of a JSON text of at most `depth` nested containers.

    items: one number, the entries that containers may still have; it is counted down, by commas
    and brackets and so rather too fast.
    Refuses NaN, infinities, numbers beyond a double, lone surrogates, repeated and `__proto__`
    keys. Raises MalformedUpdate, and FrameTooLarge for nesting and entries.
    """
    if text in _COMMON:
        return _COMMON[text]
    openings = text.count("[") + text.count("{")
    items[0] -= openings + text.count(",")
    if items[0] < 0:
        raise FrameTooLarge("The values have too many entries.")
    if openings > depth:
        _bound_nesting(text, depth)
    try:
        value: JsonValue = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        raise MalformedUpdate("A text is not valid JSON.") from None
    return value


def _bound_nesting(text: str, depth: int) -> None:
    level = 0
    for bracket in re.finditer(r"[\[\]{}]", _STRING.sub("", text)):
        level += 1 if bracket.group() in "[{" else -1
        if level > depth:
            raise FrameTooLarge("A value is nested too deeply.")


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) != len(pairs) or "__proto__" in value:
        raise ValueError("An object repeats a key or replaces its prototype.")
    return value


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("A number is too long.")
    value = int(text)
    _real(text)
    return value


def _real(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("A number exceeds a double.")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
