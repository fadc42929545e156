"""What a record must show after any history, told from people's edits alone: the tests' oracle.

Every value and character that somebody enters is unique, so whatever a replica shows can be traced
to who entered it. Nothing here knows structs, client ids or the core's own decisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sync.structs import Kind
from sync.update import Update
from tests.support.replicas import Shown

__all__ = ["Clear", "FieldModel", "Lock", "RecordModel", "TextModel", "Write"]

MOST_HEADS = 8


@dataclass(eq=False)
class Write:
    """One value that somebody entered; basis is what their replica showed before."""

    value: object
    tablet: int
    user: str
    allowed: bool
    basis: "Write | None"
    written_at: datetime | None = None

    @property
    def arrived(self) -> bool:
        return self.written_at is not None

    def latest_at(self) -> datetime:
        """The latest time of this write and those it succeeds: what they beat, it has beaten."""
        assert self.written_at is not None
        basis = self.effective_basis()
        return self.written_at if basis is None else max(self.written_at, basis.latest_at())

    def effective_basis(self) -> "Write | None":
        """The last write before this one that the server has and that was allowed."""
        basis = self.basis
        while basis is not None and not (basis.allowed and basis.arrived):
            basis = basis.basis
        return basis


@dataclass(eq=False)
class Clear:
    """A removal of the value that the author's replica showed."""

    field: str
    tablet: int
    allowed: bool
    basis: Write
    written_at: datetime | None = None
    absorbed: bool = False
    certain: bool = True

    def is_of_something(self) -> bool:
        """Whether the server has what was removed."""
        return self.basis.arrived

    def removes(self, write: Write) -> bool:
        basis: Write | None = self.basis
        while basis is not None and not (basis.allowed and basis.arrived):
            basis = basis.basis
        return basis is write


@dataclass(frozen=True)
class Lock:
    """Somebody's hold of a field, as an edit by somebody else met it. refuses: it was live."""

    tablet: int
    user: str
    since: datetime
    refuses: bool


@dataclass
class FieldModel:
    """One keyed field. `exact` fields are never cleared: there the standing value is known.

    timeless: the server's clock was set back, so that of others nobody can tell what was later.
    unsure: somebody wrote where a holder kept it empty, and may or may not have been shown that.
    """

    name: str
    exact: bool
    writes: dict[object, Write] = field(default_factory=dict)
    clears: list[Clear] = field(default_factory=list)
    standing: Write | None = None
    contenders: list[Write] = field(default_factory=list)
    conflicts: int = 0
    overflowed: bool = False
    forgetful: bool = False
    timeless: bool = False
    unsure: bool = False
    settled: set[Write] = field(default_factory=set)
    """Writes that a decision has ended."""

    def arrive(self, write: Write, at: datetime, lock: "Lock | None" = None) -> None:
        """The server has taken a frame that carries this value. lock: the one that it met."""
        write.written_at = at
        if lock is not None and lock.refuses:
            write.allowed = False
        if not write.allowed or not self.exact:
            return
        basis = write.effective_basis()
        if lock is not None and self.standing is None:
            self.standing = Write(None, lock.tablet, lock.user, True, None, lock.since)
        held = self.standing if lock is None and basis is None else None
        if held is not None and held.value is None and held.tablet != write.tablet:
            self.unsure = True
        if lock is None and (self.standing is None or _continues(self.standing, basis, write)):
            self.standing = write
            return
        if not self.contenders:
            self.conflicts += 1
            self.overflowed = False
        branch = next((c for c in self.contenders if _continues(c, basis, write)), None)
        if branch is not None:
            self.contenders[self.contenders.index(branch)] = write
        else:
            self.contenders.append(write)
        self.overflowed = self.overflowed or len(self.contenders) > MOST_HEADS
        assert self.standing is not None
        assert self.standing.written_at is not None
        if lock is None and at >= self.standing.written_at:
            self.contenders[self.contenders.index(write)] = self.standing
            self.standing = write

    def decide(self, write: Write) -> None:
        """Somebody entitled has decided between what is concurrent."""
        self.settled |= {old for old in self.writes.values() if old.allowed and old.arrived}
        self.writes[write.value] = write
        if self.exact:
            self.standing, self.contenders = write, []

    def check(self, shown: object) -> None:
        """Compare with what every replica shows at rest (None: nothing)."""
        if self.unsure:
            assert shown is None or self.writes[shown].allowed
            return
        if self.exact:
            wanted = None if self.standing is None else self.standing.value
            assert shown == wanted, f"{self.name} shows {shown}, not {wanted}"
            return
        arrived = [w for w in self.writes.values() if w.allowed and w.arrived]
        followed = {w.effective_basis() for w in arrived}
        leaves = [w for w in arrived if w not in followed and w not in self.settled]
        clears = [c for c in self.clears if c.allowed and c.written_at is not None]
        if shown is None:
            for leaf in leaves:
                lost = not any(_removed(leaf, clear) for clear in clears)
                assert self.timeless or not lost, f"{self.name} lost {leaf}"
            return
        standing = self.writes[shown]
        assert standing.allowed, f"{self.name} shows a value that nobody may write"
        assert standing in leaves, f"{self.name} shows an old value"
        certain = [clear for clear in clears if clear.certain]
        removed = any(clear.removes(standing) for clear in certain)
        assert self.forgetful or not removed, f"{self.name} was cleared"
        for leaf in leaves:
            assert leaf.written_at is not None
            later = leaf.written_at > standing.latest_at()
            lost = (
                later and not self.timeless and not any(_removed(leaf, clear) for clear in clears)
            )
            assert not lost, f"{self.name} shows {standing.value}, not the later {leaf.value}"


def _continues(head: Write, basis: Write | None, write: Write) -> bool:
    """Whether a write goes on from this one; the holder of an empty field from its emptiness."""
    return basis is head or (head.value is None and basis is None and write.tablet == head.tablet)


def _removed(write: Write, clear: Clear) -> bool:
    assert write.written_at is not None
    assert clear.written_at is not None
    return clear.removes(write) or clear.written_at >= write.written_at


@dataclass
class TextModel:
    """One narrative, by its characters, each of which was entered once."""

    name: str
    authors: dict[str, tuple[int, bool]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    attacked: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)

    def check(self, shown: str) -> None:
        assert "\ufffd" not in shown or self.cut, f"{self.name} shows a torn character"
        seen = [c for c in shown if c != "\ufffd"]
        assert len(seen) == len(set(seen)), f"{self.name} shows a character twice: {shown}"
        for character, (_, allowed) in self.authors.items():
            if not allowed:
                assert character not in seen, f"{self.name} shows text that was refused"
            elif character in self.deleted:
                assert character not in seen, f"{self.name} shows deleted text"
            elif character not in self.cut:
                assert character in seen, f"{self.name} lost {character}"
        at = {character: position for position, character in enumerate(seen)}
        for run in self.runs:
            positions = [at[c] for c in run if c in at]
            assert positions == sorted(positions), f"{self.name} was put in another order"


class RecordModel:
    """All fields and narratives of a record, and who tried what they may not."""

    def __init__(self, fields: dict[str, bool], texts: tuple[str, ...]) -> None:
        self.fields = {name: FieldModel(name, exact) for name, exact in fields.items()}
        self.texts = {name: TextModel(name) for name in texts}
        self.entries: dict[str, dict[str, tuple[object, int, bool]]] = {}
        self.offences: set[tuple[str, str]] = set()
        self.by_value: dict[object, tuple[FieldModel, Write]] = {}

    def note_write(
        self, name: str, value: object, tablet: int, user: str, allowed: bool, basis: object
    ) -> None:
        model = self.fields[name]
        write = Write(value, tablet, user, allowed, model.writes.get(basis))
        model.writes[value] = write
        self.by_value[value] = model, write
        if not allowed:
            self.offences.add((user, name))

    def note_decision(self, name: str, value: object, user: str, at: datetime) -> None:
        model = self.fields[name]
        model.decide(Write(value, -1, user, True, model.standing, at))

    def note_applied(
        self, name: str, value: object, user: str, shown: object, at: datetime, lock: Lock | None
    ) -> None:
        """Somebody has written in their own name what was refused: it has nothing to do with it."""
        model = self.fields[name]
        write = Write(value, -1, user, True, model.writes.get(shown))
        model.writes[value] = write
        self.by_value[value] = model, write
        model.arrive(write, at, lock)

    def note_clear(self, name: str, tablet: int, user: str, allowed: bool, basis: object) -> None:
        model = self.fields[name]
        if not allowed:
            self.offences.add((user, name))
        if basis in model.writes:
            model.clears.append(Clear(name, tablet, allowed, model.writes[basis]))

    def arrive(
        self, update: Update, at: datetime, locks: Mapping[str, Lock] | None = None
    ) -> list[object]:
        """Note the values that a frame brought; returns those that were refused.

        locks: those of others, by field.
        """
        locks = locks or {}
        refused: list[object] = []
        for structs in update.structs.values():
            for struct in structs:
                if struct.kind != Kind.ANY or not isinstance(struct.content, tuple):
                    continue
                value = struct.content[0]
                if not isinstance(value, str | int | float) or value not in self.by_value:
                    continue
                model, write = self.by_value[value]
                if not write.arrived:
                    model.arrive(write, at, locks.get(model.name))
                    if not write.allowed:
                        self.offences.add((write.user, model.name))
                        refused.append(value)
        return refused

    def check_authority(self, tablet: int, shown: Shown) -> None:
        """Nobody sees a refused value but on the tablet where it was entered (I2)."""
        for name, model in self.fields.items():
            root, _, key = name.partition(".")
            value = shown.maps[root].get(key)
            if value is not None:
                write = model.writes[value]
                assert write.allowed or write.tablet == tablet, f"{name} shows a refused value"
        for name, text in self.texts.items():
            for character in shown.texts[name]:
                if character != "\ufffd":
                    author, allowed = text.authors[character]
                    assert allowed or author == tablet, f"{name} shows refused text"

    def check_rest(self, shown: Shown) -> None:
        """Compare with what every replica shows at rest (I2, I3, I4)."""
        assert not shown.pending, "something is pending"
        assert not shown.extra, "an unknown root is visible"
        for name, model in self.fields.items():
            root, _, key = name.partition(".")
            model.check(shown.maps[root].get(key))
        for name, text in self.texts.items():
            text.check(shown.texts[name])
        for root, entries in self.entries.items():
            wanted = {key: value for key, (value, _, allowed) in entries.items() if allowed}
            assert shown.maps[root] == wanted, f"{root} differs"
