"""What the gate found in one update: what stays, what was refused and why, what to arbitrate."""

from typing import NamedTuple

import msgspec

from permissions.model import Decision, Rule
from sync.intents import Asked
from sync.locks import Hold
from sync.place import Place
from sync.registers import Tail, Write
from sync.structs import Deletes, Id, Kind, Struct, StructsByClient

__all__ = [
    "MAX_REFUSED_FIELDS", "Clear", "Hit", "Judgement", "RefusedField", "Restore", "Touch",
]  # fmt: skip

MAX_REFUSED_FIELDS = 600
"""Refusals one frame may leave behind; beyond it they are gathered under one name. It equals the
connection's budget for a minute, which such a frame uses up."""


class Touch(NamedTuple):
    """A struct in a keyed place: the write it makes, None where its author may not write there.

    live: it came with content. held: somebody else's lock, which an edit written offline meets.
    """

    last: Id
    origin: Id | None
    write: Write | None
    live: bool
    held: Hold | None = None


class Clear(NamedTuple):
    """A deletion of what a key showed (`tail`) and whether its author may clear the field.

    held: somebody else's lock, which a clearing done offline meets.
    """

    tail: Tail
    decision: Decision
    held: Hold | None = None


class Hit(NamedTuple):
    """Clocks [start, end) of `client` that the update deletes."""

    client: int
    start: int
    end: int


class Restore(NamedTuple):
    """Text that a refused deletion took: clocks [start, end) of `client`."""

    place: Place
    client: int
    start: int
    end: int


class RefusedField(msgspec.Struct):
    """All that one update tried on one field and that was refused under one rule."""

    name: str
    rule: Rule
    reason: str
    structs: list[Struct]
    deleted: bool = False


class Judgement(msgspec.Struct):
    """Mutable while it is made, read-only after.

    structs, deletes: the rewritten update. touches, hits: structs and deletions per keyed place, in
    order. clears: what hits without writes amount to. removed_originals: allowed deletions of text
    that may have been restored under other ids. restores: text to put back. splits: surrogate pairs
    to delete in a transaction of their own first. widened: what is deleted is more than was sent.
    kept: the rewritten structs in the order in which they were placed, with their places.
    changed: names of the fields that an accepted part changes, in order (a dict for its order).
    intents: step changes that were asked for, to be judged by the workflow when the rest stands.
    amendments: entries that amend a signed record.
    role: the role that allowed the last accepted write, else the first accepted deletion.
    """

    structs: StructsByClient = {}
    deletes: Deletes = {}
    touches: dict[Place, list[Touch]] = {}
    hits: dict[Place, list[Hit]] = {}
    clears: dict[Place, Clear] = {}
    removed_originals: list[Hit] = []
    restores: list[Restore] = []
    splits: list[Id] = []
    widened: bool = False
    kept: list[tuple[Struct, Place]] = []
    refused: dict[tuple[str, Rule], RefusedField] = {}
    changed: dict[str, None] = {}
    intents: list[Asked] = []
    amendments: int = 0
    role: str = ""

    def delete(self, client: int, clock: int, length: int) -> None:
        """Let the rewritten update delete these clocks."""
        self.deletes.setdefault(client, []).append((clock, length))

    def hollow(self) -> int:
        """How many of the kept structs hold nothing: blank, GC, or deleted before they came."""
        return sum(struct.kind in (Kind.GC, Kind.DELETED) for struct, _ in self.kept)

    def refuse(self, name: str, decision: Decision, struct: Struct | None) -> None:
        """Note a refused struct, or (None) a refused deletion."""
        rule = decision.rule or Rule.ROLE
        refused = self.refused.get((name, rule))
        if refused is None:
            if len(self.refused) >= MAX_REFUSED_FIELDS:
                name = "?"
                refused = self.refused.get((name, rule))
            if refused is None:
                refused = self.refused[name, rule] = RefusedField(name, rule, decision.reason, [])
        if struct is None:
            refused.deleted = True
        else:
            refused.structs.append(struct)
