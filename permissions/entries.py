"""Judges entries: the repeating facts of a section, each written once under its own ULID.

An entry is a flat map of its declared fields plus what every entry may carry: id, at, by, replaces
(contract, section 4), and why it amends a record that is signed.
"""

from collections.abc import Mapping

import msgspec

from permissions.fields import EntryField, gravest
from permissions.model import Decision, Principal, Rule
from permissions.values import (
    Interpretation,
    Interpreter,
    ValueRules,
    Violation,
    compile_violation,
    is_ulid,
    refuse,
)

__all__ = [
    "ENTRY_MARKS",
    "compile_entry_interpretation",
    "compile_entry_violation",
    "is_amendment",
]

ENTRY_MARKS = ("id", "at", "by", "replaces", "amendment_reason")
"""What every entry may carry beside its declared fields; no entry field has such a name."""
PERSON_MAX_CHARS = 200
AMENDMENT_REASON_MAX_CHARS = 2000
_LONGEST_NUMBER = 25


def compile_entry_violation(
    title: str,
    fields: Mapping[str, EntryField],
    at_least_one: tuple[str, ...],
    max_bytes: int,
) -> Violation:
    """The check of one entry. key: the ULID it stands under; principal: who signs it, if known."""
    checks = {key: entry_field.violation for key, entry_field in fields.items()}
    required = tuple(
        (key, refuse(Rule.TYPE, f"{title}: {entry_field.title} must be filled in."))
        for key, entry_field in fields.items()
        if entry_field.required
    )
    one_of = ", ".join(fields[key].title for key in at_least_one if key in fields)
    none_given = refuse(Rule.TYPE, f"{title}: one of {one_of} must be filled in.")
    wrong_type = refuse(Rule.TYPE, f"{title} takes whole entries.")
    wrong_key = refuse(Rule.TYPE, f"{title}: the entry does not stand under a valid ULID.")
    unknown_key = refuse(
        Rule.TYPE, f"{title}: the entry has a field that the profile does not know."
    )
    wrong_size = refuse(Rule.SIZE, f"{title}: the entry is longer than {max_bytes} bytes.")
    marks = _Marks(title)

    def violation(
        value: object, *, key: str | None = None, principal: Principal | None = None
    ) -> Decision | None:
        if type(value) is not dict:
            return wrong_type
        if key is not None and not is_ulid(key):
            return wrong_key
        for name, content in value.items():
            check = checks.get(name) if type(name) is str else None
            if check is not None:
                answer = check(content)
            elif name in ENTRY_MARKS:
                answer = marks(name, content, key, principal)
            else:
                answer = unknown_key
            if answer is not None:
                return answer
        for name, missing in required:
            if value.get(name) in (None, ""):
                return missing
        if at_least_one and all(value.get(name) in (None, "") for name in at_least_one):
            return none_given
        return wrong_size if _is_longer(value, max_bytes) else None

    return violation


def compile_entry_interpretation(fields: Mapping[str, EntryField]) -> Interpreter:
    """The gravest interpretation of an entry's fields."""
    assessed = tuple((key, one.interpretation) for key, one in fields.items() if one.rules.flags)

    def interpretation(value: object) -> Interpretation:
        if type(value) is not dict:
            return "not assessed"
        return gravest([interpret(value.get(key)) for key, interpret in assessed])

    return interpretation


class _Marks:
    """The check of id, at, by, replaces and amendment_reason."""

    __slots__ = (
        "_at", "_wrong_amendment", "_wrong_by", "_wrong_id", "_wrong_person", "_wrong_replaces",
    )  # fmt: skip

    def __init__(self, title: str) -> None:
        self._at = compile_violation(f"{title}: the time of the entry", ValueRules(type="datetime"))
        self._wrong_id = refuse(Rule.TYPE, f"{title}: the entry's id is not its own key.")
        self._wrong_by = refuse(Rule.TYPE, f"{title}: the entry does not say who wrote it.")
        self._wrong_person = refuse(
            Rule.IDENTITY, f"{title}: the entry is signed by somebody else."
        )
        self._wrong_replaces = refuse(
            Rule.TYPE, f"{title}: the entry does not name the entry that it replaces."
        )
        self._wrong_amendment = refuse(
            Rule.TYPE,
            f"{title}: the reason of an amendment is a text of at most "
            f"{AMENDMENT_REASON_MAX_CHARS} characters.",
        )

    def __call__(
        self, name: str, content: object, key: str | None, principal: Principal | None
    ) -> Decision | None:
        match name:
            case "id":
                right = content == key if key is not None else is_ulid(content)
                return None if type(content) is str and right else self._wrong_id
            case "at":
                return self._at("" if content is None else content)
            case "by":
                return self._by(content, principal)
            case "amendment_reason":
                return None if is_amendment_reason(content) else self._wrong_amendment
            case _:
                fine = content is None or is_ulid(content)
                return None if fine else self._wrong_replaces

    def _by(self, content: object, principal: Principal | None) -> Decision | None:
        if type(content) is not str or not content or len(content) > PERSON_MAX_CHARS:
            return self._wrong_by
        if principal is not None and content not in (principal.user_id, principal.username):
            return self._wrong_person
        return None


def is_amendment(value: object) -> bool:
    """Whether a value is an entry that says why it amends."""
    return type(value) is dict and is_amendment_reason(value.get("amendment_reason"))


def is_amendment_reason(content: object) -> bool:
    return (
        type(content) is str
        and bool(content.strip())
        and len(content) <= AMENDMENT_REASON_MAX_CHARS
    )


def _is_longer(entry: dict[str, object], max_bytes: int) -> bool:
    # Every field has passed its check: only flat values are left, and no lone surrogates. JSON
    # escapes a character into at most 6 bytes.
    at_most = sum(
        len(name) + 8 + (6 * len(content) if isinstance(content, str) else _LONGEST_NUMBER)
        for name, content in entry.items()
    )
    return at_most > max_bytes and len(msgspec.json.encode(entry)) > max_bytes
