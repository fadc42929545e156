"""Judges single values: compiles the rules of a field into a check and an interpretation.

Values come out of a CRDT that anybody may have written: integers arrive as floats, and anything
JSON-like may stand anywhere. A check never raises and its reason never repeats the value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from permissions.model import Decision, Principal, Rule

__all__ = [
    "NARRATIVE_MAX_BYTES",
    "VALUE_MAX_BYTES",
    "Interpretation",
    "Interpreter",
    "Threshold",
    "ValueRules",
    "ValueType",
    "Violation",
    "compile_interpretation",
    "compile_violation",
    "is_ulid",
]

VALUE_MAX_BYTES = 64 * 1024
"""The most that one value or entry takes (contract, section 4)."""
NARRATIVE_MAX_BYTES = 1024 * 1024
"""The most that one narrative takes (contract, section 4)."""
LARGEST_NUMBER = 2**53 - 1
"""Beyond it a JavaScript number is no longer the integer that was typed."""

Interpretation = Literal["low", "normal", "high", "critical", "not assessed"]
ValueType = Literal[
    "text",
    "integer",
    "number",
    "decimal",
    "choice",
    "boolean",
    "date",
    "time",
    "datetime",
    "visual_acuity",
    "result",
    "reference",
    "entry",
    "narrative",
]
NUMERIC: frozenset[ValueType] = frozenset({"integer", "number", "decimal"})


class Violation(Protocol):
    """A compiled check: None for a value that may stand, else the refusal."""

    def __call__(
        self, value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None: ...


Interpreter = Callable[[object], Interpretation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where a flag begins: from a limit on (at_most, at_least) or past it (below, above)."""

    at_most: float | None = None
    below: float | None = None
    at_least: float | None = None
    above: float | None = None

    def holds(self, value: float | Decimal) -> bool:
        """Whether the value carries the flag."""
        return (
            (self.at_most is not None and value <= self.at_most)
            or (self.below is not None and value < self.below)
            or (self.at_least is not None and value >= self.at_least)
            or (self.above is not None and value > self.above)
        )

    def limits(self) -> tuple[float, ...]:
        """The limits that are set."""
        every = (self.at_most, self.below, self.at_least, self.above)
        return tuple(limit for limit in every if limit is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRules:
    """What a value must be; limits are inclusive, flags are by level, options are value → title."""

    type: ValueType
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    decimals: int | None = None
    flags: Mapping[str, Threshold] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None
    pattern_title: str = ""
    refers_to: str | None = None
    max_bytes: int = VALUE_MAX_BYTES


_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}").fullmatch
_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.([0-9]{1,9}))?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?").fullmatch
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
).fullmatch
# Snellen with letters missed or won, logMAR, near print (N, J, M) and what is below the chart.
_ACUITY = re.compile(
    r"[0-9]{1,2}(?:\.[0-9])?/[0-9]{1,4}(?:\.[0-9])?(?: ?[+-][1-9])?"
    r"|[+-]?[0-3](?:\.[0-9]{1,2})?"
    r"|N ?[0-9]{1,2}(?:\.[0-9])?|J ?[0-9]{1,2}\+?|[0-9](?:\.[0-9]{1,2})? ?M"
    r"|(?:CF|HM)(?: ?@? ?[0-9](?:\.[0-9]{1,2})? ?m)?|LP|NLP"
).fullmatch
# Control characters but tab, line feed and carriage return; halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]").search


def is_ulid(key: object) -> bool:
    """Whether it is a str of a ULID's form: 26 characters, Crockford base32, upper case."""
    return type(key) is str and _ULID(key) is not None


def compile_violation(title: str, rules: ValueRules) -> Violation:
    """The check of a keyed value; None means cleared and is always fine.

    title: begins the reason, e.g. "Temperature must be between 25 and 45 °C."
    """
    match rules.type:
        case "integer" | "number":
            return _number(title, rules)
        case "decimal":
            return _decimal(title, rules)
        case "text" | "narrative":
            return _text(title, rules)
        case "choice":
            return _choice(title, rules)
        case "result":
            return _result(title, rules)
        case "boolean":
            return _of_form(title, "yes or no", lambda value: type(value) is bool)
        case "date":
            return _of_form(title, "a date such as 2024-05-31", _is_date)
        case "time":
            return _of_form(title, "a time such as 14:05", _is_time)
        case "datetime":
            return _of_form(title, "a date and time with its zone", _is_datetime)
        case "visual_acuity":
            form = "a visual acuity such as 6/12, 0.3, CF, HM, LP or NLP"
            return _of_form(title, form, _is_acuity)
        case "reference":
            return _of_form(title, "the number of an entry", is_ulid)
        case "entry":
            raise AssertionError("entries are compiled by permissions.entries")


def compile_interpretation(rules: ValueRules) -> Interpreter:
    """The interpretation of a value: by its flags, "not assessed" where there are none."""
    if not rules.flags or rules.type not in NUMERIC:
        return _not_assessed
    # The gravest first: what is critically low is also low.
    levels: tuple[Interpretation, ...] = ("critical", "low", "high")
    flags = tuple((level, rules.flags[level]) for level in levels if level in rules.flags)
    is_wrong = compile_violation("", rules)

    def interpretation(value: object) -> Interpretation:
        if value is None or is_wrong(value) is not None:
            return "not assessed"
        number = Decimal(value) if isinstance(value, str) else value
        assert isinstance(number, int | float | Decimal)
        for level, threshold in flags:
            if threshold.holds(number):
                return level
        return "normal"

    return interpretation


def refuse(rule: Rule, reason: str) -> Decision:
    """The refusal of a value, made once when the profile is read."""
    return Decision(False, rule, reason)


def within(rules: ValueRules) -> str:
    """The hard limits in words: "between 25 and 45 °C"."""
    unit = f" {rules.unit}" if rules.unit else ""
    match rules.minimum, rules.maximum:
        case None, None:
            return "a number that can be stored"
        case low, None:
            return f"at least {low:g}{unit}"
        case None, high:
            return f"at most {high:g}{unit}"
        case low, high:
            return f"between {low:g} and {high:g}{unit}"
    raise AssertionError(rules)


def _not_assessed(value: object) -> Interpretation:
    return "not assessed"


def _number(title: str, rules: ValueRules) -> Violation:
    whole = rules.type == "integer"
    low = -LARGEST_NUMBER if rules.minimum is None else rules.minimum
    high = LARGEST_NUMBER if rules.maximum is None else rules.maximum
    kind = "a whole number" if whole else "a number"
    wrong_type = refuse(Rule.TYPE, f"{title} must be {kind}.")
    wrong_range = refuse(Rule.RANGE, f"{title} must be {within(rules)}.")
    off_grid, wrong_grid = _grid(title, rules)

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        # Exact types: bool is an int to isinstance.
        if type(value) is float:
            if not low <= value <= high:
                # The comparison is false for NaN too, which is not a number at all.
                return wrong_type if value != value else wrong_range
            if whole and not value.is_integer():
                return wrong_type
        elif type(value) is int:
            if not low <= value <= high:
                return wrong_range
        elif value is None:
            return None
        else:
            return wrong_type
        if off_grid is not None and off_grid(value):
            return wrong_grid
        return None

    return violation


def _grid(title: str, rules: ValueRules) -> tuple[Callable[[float], bool] | None, Decision | None]:
    unit = f" {rules.unit}" if rules.unit else ""
    if (step := rules.step) is not None:
        reason = f"{title} goes in steps of {step:g}{unit}."

        def off_step(value: float) -> bool:
            return round(value / step, 6) % 1 != 0

        return off_step, refuse(Rule.RANGE, reason)
    if (decimals := rules.decimals) is not None:
        reason = f"{title} takes at most {decimals} decimal places."

        def off_decimals(value: float) -> bool:
            return round(value, decimals) != value

        return off_decimals, refuse(Rule.RANGE, reason)
    return None, None


def _decimal(title: str, rules: ValueRules) -> Violation:
    decimals = 9 if rules.decimals is None else rules.decimals
    wrong_type = refuse(Rule.TYPE, f"{title} must be a decimal number, written as text.")
    wrong_decimals = refuse(Rule.RANGE, f"{title} takes at most {decimals} decimal places.")
    wrong_range = refuse(Rule.RANGE, f"{title} must be {within(rules)}.")
    low = None if rules.minimum is None else Decimal(str(rules.minimum))
    high = None if rules.maximum is None else Decimal(str(rules.maximum))

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        if value is None:
            return None
        if type(value) is not str or (form := _DECIMAL(value)) is None:
            return wrong_type
        if len(form[1] or "") > decimals:
            return wrong_decimals
        number = Decimal(value)
        if (low is not None and number < low) or (high is not None and number > high):
            return wrong_range
        return None

    return violation


def _text(title: str, rules: ValueRules) -> Violation:
    max_bytes = rules.max_bytes
    # UTF-8 takes at most 4 bytes a character, so most texts need no encoding to be measured.
    surely_short = max_bytes // 4
    wrong_type = refuse(Rule.TYPE, f"{title} must be text.")
    wrong_size = refuse(Rule.SIZE, f"{title} is longer than {max_bytes} bytes.")
    unprintable = refuse(Rule.TYPE, f"{title} holds characters that cannot be shown.")
    matches = re.compile(rules.pattern).fullmatch if rules.pattern else None
    wrong_form = refuse(Rule.TYPE, f"{title} must be {rules.pattern_title}.")

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        if type(value) is not str:
            return None if value is None else wrong_type
        length = len(value)
        if length > surely_short and (
            length > max_bytes or len(value.encode("utf-8", "surrogatepass")) > max_bytes
        ):
            return wrong_size
        if _UNPRINTABLE(value) is not None:
            return unprintable
        if matches is not None and matches(value) is None:
            return wrong_form
        return None

    return violation


def _choice(title: str, rules: ValueRules) -> Violation:
    options = frozenset(rules.options)
    wrong_type = refuse(Rule.TYPE, f"{title} must be one of its options.")
    wrong_option = refuse(
        Rule.RANGE, f"{title} must be one of: {', '.join(rules.options.values())}."
    )

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        if type(value) is not str:
            return None if value is None else wrong_type
        return None if value in options else wrong_option

    return violation


def _result(title: str, rules: ValueRules) -> Violation:
    """A laboratory value: a number, or text such as "positive"."""
    as_number, as_text = _number(title, rules), _text(title, rules)
    wrong_type = refuse(Rule.TYPE, f"{title} must be a number or text.")

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        if type(value) is str:
            return as_text(value)
        answer = as_number(value)
        return wrong_type if answer is not None and answer.rule is Rule.TYPE else answer

    return violation


def _of_form(title: str, form: str, is_of_form: Callable[[object], bool]) -> Violation:
    wrong_type = refuse(Rule.TYPE, f"{title} must be {form}.")

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        return None if value is None or is_of_form(value) else wrong_type

    return violation


def _is_date(value: object) -> bool:
    if type(value) is not str or _DATE(value) is None:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_datetime(value: object) -> bool:
    if type(value) is not str or _DATETIME(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_time(value: object) -> bool:
    """A time of day, or a whole instant (a device may know the date too)."""
    return (type(value) is str and _TIME(value) is not None) or _is_datetime(value)


def _is_acuity(value: object) -> bool:
    if type(value) is str:
        return _ACUITY(value) is not None
    # logMAR as a number: -0.5 is better than any chart shows, 3.0 is light perception.
    return type(value) in (int, float) and -0.5 <= value <= 3.0  # type: ignore[operator]
