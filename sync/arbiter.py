"""The arbiter: decides registers and says what the server must write so that the document agrees.

Works on registers and values only; `room.py` writes the corrections. SPEC ARB-1 to ARB-9, LOCK-8.
"""

from collections.abc import Collection, Generator

import msgspec

from sync.arbitration import Arbitration
from sync.document import ABSENT, Absent
from sync.effects import Conflict, ConflictValue
from sync.frame import Frame, Knowledge
from sync.json_value import plain
from sync.judgement import Clear, Hit, Touch
from sync.locks import Hold
from sync.place import Place
from sync.placement import STEP
from sync.registers import EVERYBODY, NOBODY, Register, Tail, Write, insert_in_order
from sync.structs import Id, Struct

__all__ = [
    "arbitrate_clear",
    "arbitrate_writes",
    "cleared_tail",
    "concurrent_writes",
    "describe_conflict",
    "note_correction",
]


def arbitrate_writes(
    register: Register, touches: list[Touch], hits: list[Hit], frame: Frame, version: int
) -> Generator[None, None, Arbitration]:
    """Let one update's writes of a key take part, in their order. SPEC ARB-1 to ARB-5, LOCK-8.

    Yields now and then where a backlog brings thousands.
    The deletions of the same update count only against its last write: the others are how Yjs
    encodes overwriting.
    """
    outcome = Arbitration()
    last = touches[-1]
    if last.live and last.write is not None and _is_hit(last.last, hits):
        outcome.everyday = False
        touches = [*touches[:-1], _removed_by_author(last)]
    exact = True
    touched: set[Id] = set()
    yielding: set[Id] = set()
    losing = list(register.contenders)
    continued = {touch.origin for touch in touches}
    for at, touch in enumerate(touches, 1):
        if not at % STEP:
            yield
        basis = register.basis(touch.origin)
        at_tail = touch.origin == register.tail
        write = touch.write
        if not touch.live and (touch.last in continued or basis is None):
            write = None  # overwritten by its own author, or removed where nothing had been
        held = touch.held
        follows = write is not None and held is None and register.follows(basis, write.login_id)
        if write is not None and at_tail and follows:
            register.succeed(write, touch.origin, live=touch.live)
            if write.written_at != frame.written_at:
                outcome.everyday = False
            continue
        outcome.everyday = False
        exact = exact and at_tail
        if _insert(register, touch, basis, frame, version) and not touch.live:
            write = None  # it was overwritten at its author's, not cleared by them
        if write is None:
            register.alias(touch.last, basis)
        elif follows:
            register.standing = write
        else:
            if held is not None:
                _keep_for(register, held, frame, version)
                yielding.add(write.id)
            register.contend(basis, write)
            if basis is not None:
                touched.discard(basis)
            touched.add(write.id)
    if register.contenders:
        _settle(register, touched, yielding, losing, outcome)
    _correct_if_wrong(register, exact, touches[-1], outcome)
    return outcome


def cleared_tail(
    register: Register, hits: list[Hit], touches: list[Touch], knowledge: Knowledge, user_id: str
) -> Tail | None:
    """What the author of these deletions cleared: the struct that came last in what they knew.

    Anything else in a delete set is an echo of older deletions or how Yjs encodes overwriting; so
    is a deletion of what came deleted, and one that was judged before. touches: what the author
    wrote in the same update. SPEC ARB-6.
    """
    trail = register.trail
    if touches:
        trail = trail.copy()
        own = {touch.last for touch in touches}
        for touch in touches:
            if touch.origin in own:
                continue  # it stands right behind another of theirs, which says as much
            if not register.reaches(touch.origin):
                return None
            insert_in_order(trail, Tail(touch.last, -1, touch.origin, None, None, NOBODY))
    for tail in reversed(trail):
        hit = _is_hit(tail.id, hits)
        if hit or tail.version < 0 or knowledge.knows(tail.id, tail.version):
            fresh = hit and tail.live in (EVERYBODY, user_id) and user_id not in tail.cleared_by
            return tail if fresh else None
    return None


def arbitrate_clear(register: Register, clear: Clear, frame: Frame, version: int) -> Arbitration:
    """Let a deletion of what the key showed take part. SPEC ARB-6 to ARB-8."""
    outcome = Arbitration(everyday=False)
    tail, author, standing = clear.tail, frame.author, register.standing
    register.note_cleared(tail.id, author.user_id)
    if clear.decision.allowed and standing is not None:
        basis = register.basis(tail.id)
        write = Write(
            (0, version), author.user_id, clear.decision.role, author.login_id, author.device,
            frame.written_at, frame.received_at, version, None, True, basis,
        )  # fmt: skip
        losing, touched = list(register.contenders), set()
        yields = clear.held is not None
        if yields or not register.follows(basis, author.login_id):
            register.contend(basis, write)
            touched = {write.id}
        elif not standing.cleared:
            register.standing = write
        _settle(register, touched, touched if yields else (), losing, outcome)
        outcome.cleared = register.standing is write
    if outcome.cleared or register.tail == tail.id:
        outcome.correct, outcome.correction = True, _value(register)
    return outcome


def note_correction(register: Register, struct: Struct, version: int, cleared: bool) -> None:
    """The server wrote `struct` over the key: it stands for the standing write (SPEC ARB-3)."""
    standing = register.standing
    if cleared and standing is not None:
        # A clear by deletion has no struct of its own: its tombstone becomes its id, so that
        # whoever writes next shows whether they had seen it.
        register.standing = standing = msgspec.structs.replace(
            standing, id=(struct.client, struct.clock)
        )
    struct_id = (struct.client, struct.clock)
    shows = None if standing is None else standing.id
    if shows != struct_id:
        register.alias(struct_id, shows)
    value = None if standing is None else standing.value
    live = NOBODY if standing is None or standing.cleared else EVERYBODY
    register.advance(Tail(struct_id, version, struct.origin, shows, value, live))


def describe_conflict(register: Register, place: Place, conflict_id: str) -> Conflict:
    """The register's concurrent values as a conflict, in the order of their arrival."""
    assert register.standing is not None, "a conflict has a standing value"
    writes = concurrent_writes(register)
    return Conflict(
        id=conflict_id,
        field=place.name,
        critical=place.field is not None and place.field.critical,
        status="open",
        base=_json(register.base),
        values=tuple(
            ConflictValue(
                value=_json(write.value), author=write.author, written_at=write.written_at,
                at=write.at, device=write.device, version=write.version, login_id=write.login_id,
            )
            for write in writes
        ),
        standing=writes.index(register.standing),
    )  # fmt: skip


def concurrent_writes(register: Register) -> list[Write]:
    """The standing write and those that lost, in the order of their arrival."""
    standing = [] if register.standing is None else [register.standing]
    return sorted([*register.contenders, *standing], key=lambda write: (write.version, write.id))


def _settle(
    register: Register,
    touched: set[Id],
    yielding: Collection[Id],
    losing: list[Write],
    outcome: Arbitration,
) -> None:
    """Decide between what is concurrent now; yielding: what met a lock; losing: what had lost."""
    held = len(register.contenders)
    register.settle(touched, yielding)
    if len(register.contenders) != held:
        outcome.everyday = False
    outcome.changed_conflict = bool(register.contenders) or register.conflict_id is not None
    outcome.lost = [write for write in register.contenders if write not in losing]


def _correct_if_wrong(register: Register, exact: bool, last: Touch, outcome: Arbitration) -> None:
    standing = register.standing
    if exact:
        if standing is not None and not standing.cleared:
            if register.tail == standing.id:
                return
        elif last.write is None or last.write.cleared:
            return
    outcome.everyday = False
    outcome.correct, outcome.correction = True, _value(register)


def _keep_for(register: Register, hold: Hold, frame: Frame, version: int) -> None:
    """Where nothing stands yet, let the holder's empty field stand: there is nothing else that
    what was written offline could be in conflict with."""
    if register.standing is None:
        who = hold.holder
        register.standing = Write(
            (0, version), who.user_id, hold.role, who.login_id, who.device,
            hold.acquired_at, frame.received_at, version, None, True,
        )  # fmt: skip


def _value(register: Register) -> object | Absent:
    standing = register.standing
    return ABSENT if standing is None or standing.cleared else standing.value


def _insert(register: Register, touch: Touch, basis: Id | None, frame: Frame, version: int) -> bool:
    """Put a struct where it belongs in the trail; whether its author had seen something after it.

    Where the trail does not reach back to its origin nobody can tell its place. Then it stays out,
    and until its author has seen the correction that follows, no deletion of theirs is a clearing.
    """
    user_id = frame.author.user_id
    if not register.reaches(touch.origin):
        for tail in list(register.trail):
            register.note_cleared(tail.id, user_id)
        return True
    write, standing, live = touch.write, register.standing, NOBODY
    if write is not None:
        live = EVERYBODY if touch.live else NOBODY
        tail = Tail(touch.last, version, touch.origin, write.id, write.value, live)
    else:
        if touch.live and standing is not None and not standing.cleared:
            live = user_id
        value = register.value_before(basis)
        tail = Tail(touch.last, version, touch.origin, basis, value, live)
    after = register.insert(tail)
    return any(frame.knowledge.knows(tail.id, tail.version) for tail in after)


def _is_hit(struct_id: Id, hits: list[Hit]) -> bool:
    client, clock = struct_id
    return any(hit.client == client and hit.start <= clock < hit.end for hit in hits)


def _removed_by_author(touch: Touch) -> Touch:
    """A write that its author removed in the same update, content and all."""
    assert touch.write is not None, "only writes are removed"
    write = msgspec.structs.replace(touch.write, value=None, cleared=True)
    return touch._replace(write=write, live=False)


def _json(value: object) -> str:
    return msgspec.json.encode(plain(value)).decode()
