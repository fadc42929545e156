"""Compiles what a profile says of a value into ValueRules, noting every contradiction."""

import re
from types import MappingProxyType

from permissions.declaration import DeclaredField
from permissions.problems import Problems
from permissions.source_lines import Path
from permissions.values import LARGEST_NUMBER, NUMERIC, VALUE_MAX_BYTES, Threshold, ValueRules

__all__ = ["compile_rules"]

_NUMBER_KEYS = ("minimum", "maximum", "step", "decimals", "flags")


def compile_rules(declared: DeclaredField, path: Path, problems: Problems) -> ValueRules:
    """The rules of the declared value; what contradicts itself is in the problems."""
    _check_keys_fit_type(declared, path, problems)
    _check_range(declared, path, problems)
    _check_flags(declared, path, problems)
    _check_pattern(declared, path, problems)
    size = declared.max_bytes
    if size is not None and not 1 <= size <= VALUE_MAX_BYTES:
        problems.add((*path, "max_bytes"), f"max_bytes lies outside 1 to {VALUE_MAX_BYTES}")
    flags: dict[str, Threshold] = {
        level: Threshold(
            at_most=flag.at_most, below=flag.below, at_least=flag.at_least, above=flag.above
        )
        for level, flag in declared.flags.items()
    }
    return ValueRules(
        type=declared.type,
        unit=declared.unit,
        minimum=declared.minimum if _is_number(declared.minimum) else None,
        maximum=declared.maximum if _is_number(declared.maximum) else None,
        step=declared.step if _is_number(declared.step) else None,
        decimals=declared.decimals,
        flags=MappingProxyType(flags),
        options=MappingProxyType(declared.options),
        pattern=declared.pattern if _compiles(declared.pattern) else None,
        pattern_title=declared.pattern_title,
        refers_to=declared.refers_to,
        max_bytes=VALUE_MAX_BYTES if size is None else size,
    )


def _check_keys_fit_type(declared: DeclaredField, path: Path, problems: Problems) -> None:
    type_ = declared.type
    if not declared.title.strip():
        problems.add((*path, "title"), "the title is empty")
    if type_ not in NUMERIC:
        for key in _NUMBER_KEYS:
            if getattr(declared, key) not in (None, {}):
                problems.add((*path, key), f"{key} is for numbers, the type is {type_}")
    if declared.options and type_ != "choice":
        problems.add((*path, "options"), f"options are for choices, the type is {type_}")
    if type_ == "choice" and not declared.options:
        problems.add(path, "a choice needs options")
    if declared.max_bytes is not None and type_ not in ("text", "result"):
        problems.add((*path, "max_bytes"), f"max_bytes is for text, the type is {type_}")
    if (declared.refers_to is not None) != (type_ == "reference"):
        problems.add(path, "a reference, and only a reference, needs refers_to")


def _check_range(declared: DeclaredField, path: Path, problems: Problems) -> None:
    for key in ("minimum", "maximum", "step"):
        if not _is_number(getattr(declared, key)):
            problems.add((*path, key), f"{key} is no number that can be stored exactly")
    low, high = declared.minimum, declared.maximum
    if low is not None and high is not None and low >= high:
        problems.add((*path, "minimum"), "the range is upside down: minimum is not below maximum")
    if declared.step is not None and not declared.step > 0:
        problems.add((*path, "step"), "step is not above 0")
    if declared.step is not None and declared.type == "decimal":
        problems.add((*path, "step"), "a decimal has decimals, no step")
    if declared.decimals is not None and not 0 <= declared.decimals <= 9:
        problems.add((*path, "decimals"), "decimals lies outside 0 to 9")
    if declared.decimals is not None and (declared.step is not None or declared.type == "integer"):
        problems.add((*path, "decimals"), "decimals contradicts step or the type integer")


def _check_flags(declared: DeclaredField, path: Path, problems: Problems) -> None:
    low = float("-inf") if declared.minimum is None else declared.minimum
    high = float("inf") if declared.maximum is None else declared.maximum
    for level, flag in declared.flags.items():
        downwards = [limit for limit in (flag.at_most, flag.below) if limit is not None]
        upwards = [limit for limit in (flag.at_least, flag.above) if limit is not None]
        where = (*path, "flags")
        if not all(map(_is_number, (*downwards, *upwards))):
            problems.add(where, f"flag '{level}' has a limit that cannot be stored exactly")
        if not downwards and not upwards:
            problems.add(where, f"flag '{level}' has no limit")
        if any(not low <= limit <= high for limit in (*downwards, *upwards)):
            problems.add(where, f"flag '{level}' lies outside the hard limits")
        if downwards and upwards and max(downwards) >= min(upwards):
            problems.add(where, f"flag '{level}' covers every value")
        if level == "low" and upwards:
            problems.add(where, "flag 'low' begins at a lower limit, with at_most or below")
        if level == "high" and downwards:
            problems.add(where, "flag 'high' begins at an upper limit, with at_least or above")


def _check_pattern(declared: DeclaredField, path: Path, problems: Problems) -> None:
    if declared.pattern is None:
        return
    if declared.type != "text":
        problems.add((*path, "pattern"), f"pattern is for text, the type is {declared.type}")
    if not declared.pattern_title:
        problems.add((*path, "pattern"), "a pattern needs pattern_title, its meaning in words")
    if not _compiles(declared.pattern):
        problems.add((*path, "pattern"), "the pattern is not a regular expression")


def _is_number(limit: float | None) -> bool:
    """Whether the limit is absent or finite and small enough; false of NaN too."""
    return limit is None or -LARGEST_NUMBER <= limit <= LARGEST_NUMBER


def _compiles(pattern: str | None) -> bool:
    try:
        re.compile(pattern or "")
    except (re.error, OverflowError, RecursionError):
        return False
    return True
