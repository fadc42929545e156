"""Sittings: what one person types into a narrative without a long pause is one change.

A sitting is one region of one narrative. Its author's next splice joins it where it touches it;
what others write before it shifts it; what they write into it ends it. Values only. SPEC HIST-5.
"""

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec

__all__ = ["MAX_SITTINGS", "MAX_SITTING_CHARACTERS", "PAUSE", "Sitting", "Splice", "take_in"]

PAUSE = timedelta(minutes=5)
"""Whoever pauses for longer starts a new sitting: long enough to look something up."""

MAX_SITTINGS = 32
"""Sittings of one record that may still grow; more people than that do not write at once."""

MAX_SITTING_CHARACTERS = 2000
"""Words before and after, together: the row is written again with every keystroke."""


class Splice(NamedTuple):
    """`removed` at `offset` became `inserted`; offset in characters."""

    offset: int
    removed: str
    inserted: str


class Sitting(msgspec.Struct, array_like=True, gc=False):
    """A region of a narrative, from `offset`, that held `old` and holds `new`."""

    root: str
    author: str
    login_id: str
    role: str
    version: int
    ordinal: int
    written_at: datetime
    last_written_at: datetime
    at: datetime
    offset: int
    old: str
    new: str


class Writing(Protocol):
    """What a sitting needs of the row that a splice came with."""

    @property
    def version(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def login_id(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def written_at(self) -> datetime: ...
    @property
    def received_at(self) -> datetime: ...


def take_in(
    sittings: list[Sitting], root: str, splice: Splice, row: Writing, ordinal: int
) -> Sitting:
    """The sitting that the splice belongs to: one of `sittings`, which it grows, or a new one.

    ordinal: of the new one, among the changes of its row. Sittings that end leave the list.
    """
    offset, removed, inserted = splice
    end, shift = offset + len(removed), len(inserted) - len(removed)
    joined: Sitting | None = None
    ended: list[Sitting] = []
    for sitting in sittings:
        if sitting.root != root:
            continue
        start, stop = sitting.offset, sitting.offset + len(sitting.new)
        if _is_of(sitting, row):
            if end < start or offset > stop or not _goes_on(sitting, splice, row):
                ended.append(sitting)
            else:
                joined = sitting
        elif end <= start:
            sitting.offset += shift
        elif offset < stop:
            ended.append(sitting)
    for sitting in ended:
        sittings.remove(sitting)
    if joined is not None:
        _grow(joined, splice, row)
        return joined
    sitting = Sitting(
        root, row.author, row.login_id, row.role, row.version, ordinal, row.written_at,
        row.written_at, row.received_at, offset, removed, inserted,
    )  # fmt: skip
    if len(removed) + len(inserted) < MAX_SITTING_CHARACTERS:
        sittings.append(sitting)
        if len(sittings) > MAX_SITTINGS:
            del sittings[0]
    return sitting


def _is_of(sitting: Sitting, row: Writing) -> bool:
    return sitting.author == row.author and sitting.login_id == row.login_id


def _goes_on(sitting: Sitting, splice: Splice, row: Writing) -> bool:
    size = len(sitting.old) + len(sitting.new) + len(splice.removed) + len(splice.inserted)
    pause = abs(row.written_at - sitting.last_written_at)
    return size <= MAX_SITTING_CHARACTERS and pause <= PAUSE and sitting.role == row.role


def _grow(sitting: Sitting, splice: Splice, row: Writing) -> None:
    """Let the region take in a splice that touches it, and what that removed beside it."""
    offset, removed, inserted = splice
    start, stop = sitting.offset, sitting.offset + len(sitting.new)
    end = offset + len(removed)
    before, after = max(start - offset, 0), max(end - stop, 0)
    sitting.old = removed[:before] + sitting.old + removed[len(removed) - after :]
    sitting.new = (
        sitting.new[: max(offset - start, 0)] + inserted + sitting.new[max(end - start, 0) :]
    )
    sitting.offset = min(start, offset)
    sitting.last_written_at = row.written_at
