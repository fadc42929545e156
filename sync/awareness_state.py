"""What of a peer's awareness state others may be shown: where somebody is, never what they write.

Awareness reaches everybody on the record at once and is judged by nobody, so nothing of a record
may travel in it. Known keys in their known shapes stay, everything else is left out. SPEC PRES-2.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

__all__ = ["DROPPED", "Dropped", "shown_parts"]

Dropped: TypeAlias = Literal[
    "size", "json", "foreign", "ids", "rate", "key", "page", "typing", "cursor"
]
"""Why a state, or a part of one, was left out. The last four are parts."""

DROPPED: tuple[Dropped, ...] = (
    "size", "json", "foreign", "ids", "rate", "key", "page", "typing", "cursor",
)  # fmt: skip

STAMPED = frozenset({"user", "last_activity", "device", "server"})
"""What only the server says; stock clients send a `user` of their own, and ours back to us."""

CURSORS = frozenset({"cursor", "selection"})
"""Where stock editors (y-prosemirror, y-codemirror, y-monaco, y-quill) put relative positions."""

_PAGE = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z", re.ASCII)
"""An identifier: free text would be content."""

MAX_ID = 2**53 - 1


def shown_parts(
    state: Mapping[str, object], is_field: Callable[[str], bool], is_root: Callable[[str], bool]
) -> tuple[dict[str, object], list[Dropped]]:
    """The parts of a state that others are shown, and why others were left out."""
    shown: dict[str, object] = {}
    dropped: list[Dropped] = []
    for key, value in state.items():
        if key in STAMPED:
            continue
        if key == "page":
            if value is None or (isinstance(value, str) and _PAGE.match(value)):
                shown[key] = value
            else:
                dropped.append("page")
        elif key == "typing":
            if value is None or (isinstance(value, str) and is_field(value)):
                shown[key] = value
            else:
                dropped.append("typing")
        elif key in CURSORS:
            if value is None or _is_range(value, is_root):
                shown[key] = value
            else:
                dropped.append("cursor")
        else:
            dropped.append("key")
    return shown, dropped


def _is_range(value: object, is_root: Callable[[str], bool]) -> bool:
    """Two of Yjs's relative positions: `{anchor, head}`."""
    return (
        isinstance(value, dict)
        and value.keys() <= {"anchor", "head"}
        and all(_is_position(position, is_root) for position in value.values())
    )


def _is_position(value: object, is_root: Callable[[str], bool]) -> bool:
    """A relative position as JSON: ids of structs and the name of a root, no text."""
    if value is None:
        return True
    if not isinstance(value, dict) or not value.keys() <= {"type", "tname", "item", "assoc"}:
        return False
    name, assoc = value.get("tname"), value.get("assoc", 0)
    return (
        all(_is_id(value.get(key)) for key in ("type", "item"))
        and (name is None or (isinstance(name, str) and is_root(name)))
        and _are_numbers([assoc], -1, 0)
    )


def _is_id(value: object) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and value.keys() == {"client", "clock"}
        and _are_numbers(value.values(), 0, MAX_ID)
    )


def _are_numbers(values: Iterable[object], least: int, most: int) -> bool:
    return all(type(value) is int and least <= value <= most for value in values)
