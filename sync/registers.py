"""Registers: what each keyed field holds, by right, and which struct of the document carries it.

Yjs lets the higher client id win among concurrent writes of one key. A register decides by time
instead: a write that continues what the register holds succeeds it; any other write is concurrent
with it, and the later one stands. Values only; `arbiter.py` applies the outcome to the document.
SPEC REG-1 to REG-9.
"""

from datetime import datetime

import msgspec

from sync.structs import Id

__all__ = ["MAX_ALIASES", "MAX_CONTENDERS", "MAX_TRAIL", "Register", "Tail", "Write"]

MAX_TRAIL = 8
"""Past tails a register remembers. It bounds how far back a clear or a conflict's base is recognised."""

MAX_CONTENDERS = 8
"""Concurrent values that one register keeps beside the standing one."""

MAX_ALIASES = 128
"""Structs that stand for others which a register remembers; forgetting one can only raise a false alarm."""


class Write(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One authorised write of a keyed field. `value` is JSON; None with `cleared` where it was removed."""

    id: Id
    author: str
    role: str
    login_id: str
    device: str
    written_at: datetime
    at: datetime
    version: int
    value: object = None
    cleared: bool = False

    def equals(self, other: "Write") -> bool:
        """Whether both leave the field with the same value, so that there is nothing to decide."""
        return self.cleared == other.cleared and self.value == other.value


class Tail(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A struct that was the last of the key's chain from `version` on, and the write it showed."""

    id: Id
    version: int
    shows: Id | None
    value: object = None


class Register(msgspec.Struct, array_like=True):
    """One key of one root map.

    standing: the rightful write; None before the first. tail: the last struct of the key's chain in
    the document, the one a client's next write continues. contenders: concurrent writes that lost.
    stands_for: struct id → id of the write it stands for (corrections, refused writes, equal values).
    cleared_of: where the standing write is a clear, the struct that was removed. conflict_id: the
    open conflict. base: the value that conflict started from.
    """

    root: str
    key: str
    standing: Write | None = None
    tail: Id | None = None
    trail: list[Tail] = []
    contenders: list[Write] = []
    stands_for: dict[Id, Id | None] = {}
    cleared_of: Id | None = None
    conflict_id: str | None = None
    base: object = None

    def basis(self, origin: Id | None) -> Id | None:
        """The write that the author of a struct with this origin had before them (SPEC REG-2)."""
        if origin is None or not self.stands_for:
            return origin
        return self.stands_for.get(origin, origin)

    def alias(self, struct_id: Id, write_id: Id | None) -> None:
        """Remember that `struct_id` stands for `write_id`."""
        if len(self.stands_for) >= MAX_ALIASES:
            del self.stands_for[next(iter(self.stands_for))]
        self.stands_for[struct_id] = write_id

    def follows(self, basis: Id | None, login_id: str) -> bool:
        """Whether a write on `basis` succeeds the standing one (SPEC REG-3).

        Whoever cleared the field continues from the struct they removed: their own clear has no id
        on their side.
        """
        standing = self.standing
        if standing is None or basis == standing.id:
            return True
        return standing.cleared and basis == self.cleared_of and login_id == standing.login_id

    def value_before(self, basis: Id | None) -> object:
        """The value a branch started from, as far as the trail reaches; None beyond."""
        for tail in reversed(self.trail):
            if tail.shows == basis:
                return tail.value
        return None

    def advance(self, tail: Id, version: int, shows: Id | None, value: object) -> None:
        """Note the key's new last struct."""
        self.tail = tail
        self.trail.append(Tail(tail, version, shows, value))
        if len(self.trail) > MAX_TRAIL:
            del self.trail[0]

    def succeed(self, write: Write) -> None:
        """Let `write` stand, whose struct is the new tail: the everyday case."""
        self.standing = write
        self.cleared_of = None
        self.advance(write.id, write.version, write.id, write.value)

    def contend(self, basis: Id | None, write: Write) -> None:
        """Keep a concurrent write: it replaces the branch it continues, or opens a new one (REG-4)."""
        for at, head in enumerate(self.contenders):
            if head.id == basis:
                self.contenders[at] = write
                return
        if not self.contenders:
            self.base = self.value_before(basis)
        self.contenders.append(write)
        if len(self.contenders) > MAX_CONTENDERS:
            del self.contenders[0]

    def settle(self, touched: set[Id]) -> bool:
        """Decide between the standing write and the touched contenders: the later stands (REG-5).

        A tie in time goes to the one that arrived later. Equal values are no conflict (REG-6).
        Returns whether a conflict remains.
        """
        for head in [head for head in self.contenders if head.id in touched]:
            standing = self.standing
            assert standing is not None, "contenders exist only beside a standing write"
            if head.equals(standing):
                self.contenders.remove(head)
                self.alias(head.id, standing.id)
            elif head.written_at >= standing.written_at:
                self.contenders[self.contenders.index(head)] = standing
                self.standing = head
                self.cleared_of = None
        return bool(self.contenders)
