"""Whether the stored history says what the log says, and where it first does not."""

from collections.abc import Sequence
from itertools import zip_longest

from storage.changes import newest_of_each
from sync.effects import Change

__all__ = ["first_difference"]


def first_difference(told: Sequence[Change], stored: Sequence[Change]) -> tuple[int, str] | None:
    """(version, reason) of the first stored change that the log does not tell, or None.

    told: what replaying the whole log tells, in order. stored: by version and ordinal.
    """
    for right, kept in zip_longest(newest_of_each(told), stored):
        if right == kept:
            continue
        if kept is None or (right is not None and _key(right) < _key(kept)):
            return right.version, "a change is missing from the history"
        if right is None or _key(kept) < _key(right):
            return kept.version, "the history holds a change that the log does not tell"
        return right.version, "the history tells another change than the log"
    return None


def _key(change: Change) -> tuple[int, int]:
    return change.version, change.ordinal
