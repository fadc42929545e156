"""Registers: what each keyed field holds, by right, and which struct of the document carries it.

Yjs lets the higher client id win among concurrent writes of one key. A register decides by time
instead: a write that continues what the register holds succeeds it; any other write is concurrent
with it, and the later one stands. Values only; `arbiter.py` applies the outcome to the document.
SPEC REG-1 to REG-8.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from sys import intern

import msgspec

from sync.structs import Id

__all__ = [
    "EVERYBODY",
    "MAX_ALIASES",
    "MAX_CONTENDERS",
    "MAX_TRAIL",
    "NOBODY",
    "Register",
    "Tail",
    "Write",
    "insert_in_order",
]

MAX_TRAIL = 16
"""Structs of a key's chain that a register remembers: how far back a clearing or a conflict's base
is recognised. Where it does not reach, a clearing counts for nothing rather than for too much."""

MAX_CONTENDERS = 8
"""Concurrent values that one register keeps beside the standing one."""

MAX_CLEARERS = 8
"""People whose deletion of one struct is remembered; forgetting one can only refuse it twice."""

MAX_ALIASES = 128
"""Structs standing for others that are remembered; forgetting one can only raise a false alarm."""


EVERYBODY = "*"
NOBODY = ""


class Write(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One authorised write of a keyed field. `value` is JSON; None, `cleared`: it was removed.

    removed: of a clear by deletion, the write that it removed. Such a clear has no struct of its
    author's: until its tombstone is written, and where it lost, its id is `(0, version)`.
    """

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
    removed: Id | None = None

    def shared(self) -> "Write":
        """The same, with the names of people, roles and devices as everybody else has them."""
        at = self.written_at if self.at == self.written_at else self.at
        return Write(
            self.id, intern(self.author), intern(self.role), intern(self.login_id),
            intern(self.device), self.written_at, at, self.version, self.value, self.cleared,
            self.removed,
        )  # fmt: skip

    def equals(self, other: "Write") -> bool:
        """Whether both leave the field with the same value, so that there is nothing to decide."""
        return self.cleared == other.cleared and self.value == other.value


class Tail(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A struct of the key's chain, which entered the record at `version`, and the write it shows.

    origin: what it was written on. live: whose deletion of it is a deed: everybody's, if it came
    with content; its author's alone, if it was refused and replaced at once; nobody's of a
    tombstone, which comes deleted.
    cleared_by: users whose deletion of it was judged; when they repeat it, it is an echo.
    """

    id: Id
    version: int
    origin: Id | None
    shows: Id | None
    value: object = None
    live: str = EVERYBODY
    cleared_by: tuple[str, ...] = ()


class Register(msgspec.Struct, array_like=True):
    """One key of one root map.

    standing: the rightful write; None before the first. tail: the last struct of the key's chain in
    the document, the one a client's next write continues. trail: the last few structs of the chain,
    in Yjs's order. contenders: concurrent writes that lost.
    stands_for: struct id → id of the write it stands for (corrections, refused writes, equal
    values).
    conflict_id: the open conflict. base: the value that conflict started from.
    """

    root: str
    key: str
    standing: Write | None = None
    tail: Id | None = None
    trail: list[Tail] = []
    contenders: list[Write] = []
    stands_for: dict[Id, Id | None] = {}
    conflict_id: str | None = None
    base: object = None

    def share(self) -> None:
        """Keep equal parts once: a decoded register has one of each for each mention."""
        standing = self.standing
        if standing is not None:
            self.standing = standing = standing.shared()
        for at, tail in enumerate(self.trail):
            own = tail.id
            if standing is not None and own == standing.id:
                own = standing.id
            shows = own if tail.shows == own else tail.shows
            self.trail[at] = msgspec.structs.replace(tail, id=own, shows=shows)
        self.contenders = [write.shared() for write in self.contenders]
        if self.trail and self.tail == self.trail[-1].id:
            self.tail = self.trail[-1].id

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
        return self.standing is None or _continues(self.standing, basis, login_id)

    def value_before(self, basis: Id | None) -> object:
        """The value a branch started from, as far as the trail reaches; None beyond."""
        for tail in reversed(self.trail):
            if tail.shows == basis:
                return tail.value
        return None

    def reaches(self, origin: Id | None) -> bool:
        """Whether the trail goes back to `origin`, so that nothing after it was forgotten."""
        if origin is None:
            return len(self.trail) < MAX_TRAIL
        return any(tail.id == origin for tail in self.trail)

    def advance(self, tail: Tail) -> None:
        """Note the key's new last struct."""
        self.tail = tail.id
        self.trail.append(tail)
        if len(self.trail) > MAX_TRAIL:
            del self.trail[0]

    def insert(self, tail: Tail) -> list[Tail]:
        """Note a struct that may not come last; returns what comes after it in the chain."""
        trail = self.trail
        after = trail[insert_in_order(trail, tail) + 1 :]
        if len(trail) > MAX_TRAIL:
            del trail[0]
        self.tail = trail[-1].id
        return after

    def note_cleared(self, struct_id: Id, user_id: str) -> None:
        """Remember that this person's deletion of the struct was judged."""
        for at, tail in enumerate(self.trail):
            if tail.id == struct_id:
                cleared_by = (*tail.cleared_by, user_id)[-MAX_CLEARERS:]
                self.trail[at] = msgspec.structs.replace(tail, cleared_by=cleared_by)

    def succeed(self, write: Write, origin: Id | None, *, live: bool) -> None:
        """Let `write` stand, whose struct is the new tail: the everyday case."""
        self.standing = write
        whose = EVERYBODY if live else NOBODY
        self.advance(Tail(write.id, write.version, origin, write.id, write.value, whose))

    def contend(self, basis: Id | None, write: Write) -> None:
        """Keep a concurrent write: it replaces the branch it continues, or opens one (REG-4)."""
        for at, head in enumerate(self.contenders):
            if _continues(head, basis, write.login_id):
                self.contenders[at] = write
                return
        if not self.contenders:
            self.base = self.value_before(basis)
        self.contenders.append(write)
        if len(self.contenders) > MAX_CONTENDERS:
            # Whoever brought the most loses their oldest: nobody crowds out a colleague's value.
            share = Counter(head.author for head in self.contenders)
            most = max(share.values())
            crowded = next(n for n, one in enumerate(self.contenders) if share[one.author] == most)
            del self.contenders[crowded]

    def settle(self, touched: set[Id], yielding: Collection[Id] = ()) -> None:
        """Decide between the standing write and the touched contenders: the later stands (REG-5).

        A tie in time goes to the one that arrived later. Equal values are no conflict (REG-6).
        yielding: contenders that met somebody's lock: they never take its holder's place (LOCK-8).
        """
        for head in [head for head in self.contenders if head.id in touched]:
            standing = self.standing
            assert standing is not None, "contenders exist only beside a standing write"
            if head.equals(standing):
                self._agree(head, standing)
            elif head.id not in yielding and head.written_at >= standing.written_at:
                self.contenders[self.contenders.index(head)] = standing
                self.standing = head
        for head in list(self.contenders):
            if self.standing is not None and head.equals(self.standing):
                self._agree(head, self.standing)

    def _agree(self, head: Write, standing: Write) -> None:
        self.contenders.remove(head)
        self.alias(head.id, standing.id)

    def resolve(self, write: Write, origin: Id | None) -> None:
        """Let somebody's decision stand, whose struct is the new tail (SPEC RES-1).

        It stands for none of the values it decided between: whoever continues one of those has not
        seen the decision, and contends with it.
        """
        self.succeed(write, origin, live=not write.cleared)
        self.close_conflict()

    def close_conflict(self) -> None:
        """Forget what lost: nothing is left to decide."""
        self.contenders = []
        self.conflict_id = self.base = None


def _continues(head: Write, basis: Id | None, login_id: str) -> bool:
    if basis == head.id:
        return True
    # Without a struct of its own (client 0) it continues for its author from what it removed, or,
    # of a field that was held empty, from nothing.
    has_no_struct = head.removed is not None or head.id[0] == 0
    return has_no_struct and basis == head.removed and login_id == head.login_id


def insert_in_order(trail: list[Tail], tail: Tail) -> int:
    """Insert a struct where Yjs puts it in its key's chain; returns its position.

    So what somebody had before them is the last of the trail that they knew. Where the trail does
    not reach back to the struct's origin, it goes first.
    Source: yjs 13, `Item.integrate`, for items without a right origin.
    """
    at = 1 + next((i for i, other in enumerate(trail) if other.id == tail.origin), -1)
    left = at
    before: set[Id] = set()
    conflicting: set[Id] = set()
    for position, other in enumerate(trail[at:], at + 1):
        before.add(other.id)
        conflicting.add(other.id)
        if other.origin == tail.origin:
            if other.id[0] >= tail.id[0]:
                break
        elif other.origin not in before:
            break
        elif other.origin in conflicting:
            continue
        left = position
        conflicting.clear()
    trail.insert(left, tail)
    return left
