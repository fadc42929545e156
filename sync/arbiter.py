"""The arbiter: decides registers and says what the server must write so that the document agrees.

Works on registers and values only; `room.py` writes the corrections. SPEC ARB-1 to ARB-9.
"""

import msgspec

from permissions.model import Decision
from sync.document import ABSENT, Absent
from sync.effects import Conflict, ConflictValue
from sync.fields import Place
from sync.frame import Frame, Knowledge
from sync.judgement import Hit, Touch
from sync.registers import Register, Tail, Write
from sync.structs import Id

__all__ = ["Arbitration", "arbitrate_clear", "arbitrate_writes", "describe_conflict", "note_correction"]


class Arbitration(msgspec.Struct):
    """The outcome for one key.

    correction: what the server must write over the key (a value, or ABSENT), None if Yjs is right.
    changed_conflict: the conflict of this key was raised or its values changed.
    everyday: replaying the row's structs in order gives this register without any annotation.
    cleared: a clear by deletion alone won: its tombstone becomes the standing write.
    """

    correction: object | Absent | None = None
    correct: bool = False
    changed_conflict: bool = False
    everyday: bool = True
    cleared: bool = False


def arbitrate_writes(
    register: Register, touches: list[Touch], hits: list[Hit], frame: Frame, version: int
) -> Arbitration:
    """Let one update's writes of a key take part, in their order. SPEC ARB-1 to ARB-5.

    The deletions of the same update count only against its last write: the others are how Yjs
    encodes overwriting.
    """
    outcome = Arbitration()
    last = touches[-1]
    if last.write is not None and not last.write.cleared and _is_hit(last.last, hits):
        outcome.everyday = False
        touches = [*touches[:-1], last._replace(write=_as_clear(last.write))]
    exact = True
    touched: set[Id] = set()
    for touch in touches:
        basis = register.basis(touch.origin)
        at_tail = touch.origin == register.tail
        write = touch.write
        if write is not None and at_tail and register.follows(basis, write.login_id):
            register.succeed(write)
            if write.written_at != frame.written_at:
                outcome.everyday = False
            continue
        outcome.everyday = False
        exact = exact and at_tail
        if write is not None and not at_tail and _was_overwritten(register, write, frame.knowledge):
            write = None
        if write is None:
            register.alias(touch.last, basis)
            register.advance(touch.last, version, basis, register.value_before(basis))
        elif register.follows(basis, write.login_id):
            register.succeed(write)
        else:
            register.contend(basis, write)
            touched.discard(basis)  # type: ignore[arg-type] # None is never in the set
            touched.add(write.id)
            register.advance(write.id, version, write.id, write.value)
    if touched:
        outcome.changed_conflict = register.settle(touched)
    elif register.conflict_id is not None:
        outcome.changed_conflict = True
    _correct_if_wrong(register, exact, touches[-1], outcome)
    return outcome


def arbitrate_clear(
    register: Register, hits: list[Hit], decision: Decision, frame: Frame, version: int
) -> tuple[Arbitration, bool]:
    """Let a deletion without a write take part; returns the outcome and whether it counts at all.

    A deletion counts if it removes what its author had before them: the last struct of the chain
    that they knew. Anything else in a delete set is an echo of older deletions. SPEC ARB-6, ARB-7.
    """
    outcome = Arbitration(everyday=False)
    seen = _last_seen(register, hits, frame.knowledge)
    if seen is None or not _is_hit(seen.id, hits):
        return outcome, False
    standing = register.standing
    showing = standing is not None and not standing.cleared
    if not decision.allowed:
        if register.tail == seen.id and showing:
            outcome.correct, outcome.correction = True, _value(register)
        return outcome, True
    basis = register.basis(seen.id)
    author = frame.author
    write = Write(
        seen.id, author.user_id, decision.role, author.login_id, author.device,
        frame.written_at, frame.received_at, version, None, True,
    )  # fmt: skip
    if standing is None or (register.follows(basis, author.login_id) and not showing):
        return outcome, False
    if register.follows(basis, author.login_id):
        register.standing = write
        register.cleared_of = basis
        outcome.cleared = True
    else:
        assert basis is not None, "a struct that was shown stands for a write"
        write = msgspec.structs.replace(write, id=basis)
        if any(head.id == basis and head.cleared for head in register.contenders):
            return outcome, False
        register.contend(basis, write)
        outcome.changed_conflict = register.settle({basis})
        outcome.cleared = register.standing is write
        if outcome.cleared:
            register.cleared_of = basis
        elif register.tail != seen.id:
            return outcome, True
    outcome.changed_conflict = outcome.changed_conflict or register.conflict_id is not None
    outcome.correct, outcome.correction = True, _value(register)
    return outcome, True


def note_correction(register: Register, struct_id: Id, version: int, cleared: bool) -> None:
    """The server wrote `struct_id` over the key: it stands for the standing write (SPEC ARB-8)."""
    standing = register.standing
    if cleared and standing is not None:
        # A clear by deletion has no struct of its own: its tombstone becomes its id, so that
        # whoever writes next shows whether they had seen it.
        register.standing = standing = msgspec.structs.replace(standing, id=struct_id)
    shows = None if standing is None else standing.id
    if shows != struct_id:
        register.alias(struct_id, shows)
    register.advance(struct_id, version, shows, None if standing is None else standing.value)


def describe_conflict(register: Register, place: Place, conflict_id: str) -> Conflict:
    """The register's concurrent values as a conflict, in the order of their arrival."""
    assert register.standing is not None, "a conflict has a standing value"
    writes = sorted([*register.contenders, register.standing], key=lambda w: (w.version, w.id))
    return Conflict(
        id=conflict_id,
        field=place.name,
        critical=place.field is not None and place.field.critical,
        status="open",
        base=_json(register.base),
        values=tuple(
            ConflictValue(
                value=_json(write.value), author=write.author, written_at=write.written_at,
                at=write.at, device=write.device, version=write.version,
            )
            for write in writes
        ),
        standing=writes.index(register.standing),
    )  # fmt: skip


def _correct_if_wrong(
    register: Register, exact: bool, last: Touch, outcome: Arbitration
) -> None:
    standing = register.standing
    if exact:
        if standing is not None and not standing.cleared:
            if register.tail == standing.id:
                return
        elif last.write is None or last.write.cleared:
            return
    outcome.everyday = False
    outcome.correct, outcome.correction = True, _value(register)


def _value(register: Register) -> object | Absent:
    standing = register.standing
    return ABSENT if standing is None or standing.cleared else standing.value


def _was_overwritten(register: Register, write: Write, knowledge: Knowledge) -> bool:
    """Whether a write without content was overwritten at its author's, not cleared by them."""
    if not write.cleared or not register.trail:
        return False
    tail = register.trail[-1]
    return knowledge.knows(tail.id, tail.version)


def _last_seen(register: Register, hits: list[Hit], knowledge: Knowledge) -> Tail | None:
    for tail in reversed(register.trail):
        if knowledge.knows(tail.id, tail.version) or _is_hit(tail.id, hits):
            return tail
    return None


def _is_hit(struct_id: Id, hits: list[Hit]) -> bool:
    client, clock = struct_id
    return any(hit.client == client and hit.start <= clock < hit.end for hit in hits)


def _as_clear(write: Write) -> Write:
    return msgspec.structs.replace(write, value=None, cleared=True)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
