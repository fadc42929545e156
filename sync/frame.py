"""An update on its way through the gate: who sent it, when it was written, what they had seen."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

import msgspec

from permissions.fields import Power
from permissions.model import Decision, Principal, RoleChange
from sync.structs import Id
from sync.update import Update

__all__ = ["Frame", "Knowledge", "WrittenRange", "WrittenTimes", "roles_since"]


MAX_KNOWN = 20_000
"""Client ids of which a peer's clocks are remembered: more than a record has (`check_owners`)."""


class Knowledge(msgspec.Struct):
    """What a peer is known to have: told by its state vectors and by what its updates carry.

    A state vector does not move with deletes, so this is what tells an echoed delete from a new one
    (gate.md, section 6). version: every broadcast up to it was processed by the peer.
    SPEC KNOW-1.
    """

    state_vector: dict[int, int] = {}
    version: int = 0

    def knows(self, struct_id: Id, version: int) -> bool:
        """Whether the peer had the struct, which entered the record at `version`."""
        return version <= self.version or struct_id[1] < self.state_vector.get(struct_id[0], 0)

    def learn(self, state_vector: dict[int, int]) -> None:
        """The peer stated or showed that it has these clocks."""
        known = self.state_vector
        for client, clock in state_vector.items():
            if clock > known.get(client, 0) and (client in known or len(known) < MAX_KNOWN):
                known[client] = clock


class WrittenRange(msgspec.Struct, frozen=True, gc=False):
    """A journal entry that was checked: clocks [start, end) of `client` were written at `at`.

    denied: why nothing of it is taken, where another log-in is named without proof.
    """

    client: int
    start: int
    end: int
    at: datetime
    denied: Decision | None = None


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded update with what judging it needs.

    written_at: when it was written, bounded by the server; without a journal the receipt.
    journal: finer times for clock ranges. whole: refuse everything if anything is refused (REST).
    live: it came as its author typed, not as what a replica had been missing (a SyncStep2).
    roles: the author's roles from each instant on, where they changed within the journal's times.
    denied: why nothing of the update is taken, though it keeps its clocks. SPEC JOUR-3, JOUR-6.
    power: under which the author writes what is not theirs (somebody's refusal, applied).
    """

    update: Update
    author: Principal
    knowledge: Knowledge
    received_at: datetime
    written_at: datetime
    journal: tuple[WrittenRange, ...] = ()
    whole: bool = False
    live: bool = True
    roles: tuple[RoleChange, ...] = ()
    denied: Decision | None = None
    power: Power | None = None


def roles_since(
    changes: Sequence[RoleChange], at: datetime, otherwise: frozenset[str]
) -> frozenset[str]:
    """The roles by the last change until `at`; before the first change, what it gave.

    An account begins with its first change, so only a clock that is wrong tells of anything before.
    """
    then = [change.roles for change in changes if change.at <= at]
    return then[-1] if then else changes[0].roles if changes else otherwise


class WrittenTimes:
    """When each struct of a frame was written; a look-up is one bisect in its client's journal."""

    __slots__ = ("_author", "_default", "_denied", "_ranges", "_roles")

    def __init__(self, frame: Frame) -> None:
        self._default = frame.written_at
        self._author = frame.author
        self._roles = frame.roles
        self._denied = frame.denied
        self._ranges: dict[int, list[WrittenRange]] = {}
        for entry in sorted(frame.journal, key=_start):
            self._ranges.setdefault(entry.client, []).append(entry)

    def of(self, client: int, clock: int) -> datetime:
        """The journal's time of this clock; the frame's where the journal has none."""
        entry = self._entry(client, clock)
        return self._default if entry is None else entry.at

    def author_of(self, client: int, clock: int) -> Principal:
        """The frame's author, with the roles that count for when this clock was written."""
        if not self._roles:
            return self._author
        roles = roles_since(self._roles, self.of(client, clock), self._author.roles)
        return msgspec.structs.replace(self._author, roles=roles)

    def denied(self, client: int, clock: int) -> Decision | None:
        """Why this clock is not taken at all, whatever it is."""
        if self._denied is not None or not self._ranges:
            return self._denied
        entry = self._entry(client, clock)
        return None if entry is None else entry.denied

    def _entry(self, client: int, clock: int) -> WrittenRange | None:
        ranges = self._ranges.get(client)
        if ranges is None:
            return None
        at = bisect_right(ranges, clock, key=_start) - 1
        return ranges[at] if at >= 0 and clock < ranges[at].end else None


def _start(entry: WrittenRange) -> int:
    return entry.start
