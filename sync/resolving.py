"""Resolving: somebody entitled decides what a field holds of which there are concurrent values.

The decision is a write of its own, by the server's hand in the resolver's name. Whoever had not
seen it contends with it, like with any other write. SPEC RES-1 to RES-6.
"""

from datetime import datetime

import msgspec

from permissions.model import Decision, Operation, Principal, Rule
from sync.annotations import Annotations
from sync.arbiter import concurrent_writes, describe_conflict
from sync.document import ABSENT, Absent
from sync.effects import Conflict, ConflictValue
from sync.json_value import plain
from sync.place import Place
from sync.proposal import Accepted
from sync.registers import Register, Write
from sync.room import Room
from sync.update import encode_update

__all__ = ["disputed_place", "judge_resolution", "offered_values", "resolve"]

SIGNED = Decision(
    False, Rule.COMPLETED,
    "The record is closed: only the value that stands can be confirmed. Amend it to correct it.",
)  # fmt: skip


def disputed_place(room: Room, conflict_id: str) -> Place | None:
    """Where the open conflict with this id is; None where there is no such open conflict."""
    for place, register in room.books.registers.items():
        if register.conflict_id == conflict_id:
            return place
    return None


def offered_values(room: Room, place: Place) -> list[object | Absent]:
    """The concurrent values of a place, in the order in which its conflict lists them."""
    return [_value(write) for write in concurrent_writes(room.books.register(place))]


def judge_resolution(
    room: Room, place: Place, value: object | Absent, resolver: Principal
) -> Decision:
    """Whether the resolver may let this value stand: as a writer of the field, or by the power.

    In a signed or cancelled record nobody changes what stands; who has the power may confirm it.
    """
    field = place.field
    clears = isinstance(value, Absent)
    operation = Operation.DELETE if clears else Operation.WRITE
    decision = room.policy.decide_with(resolver, operation, field, room.state, "resolve_conflicts")
    if decision.rule is Rule.COMPLETED:
        power = room.policy.may(resolver, "resolve_conflicts")
        if power.allowed:
            return power if _stands(room.books.register(place), value) else SIGNED
    if not decision.allowed or clears or field is None:
        return decision
    return field.violation(value, key=place.key, principal=resolver) or decision


def resolve(
    room: Room, place: Place, value: object | Absent, role: str, resolver: Principal,
    reason: str, at: datetime,
) -> tuple[Accepted, Conflict]:  # fmt: skip
    """Write `value` (ABSENT: nothing) over the field and close its open conflict.

    value: as `judge_resolution` has allowed it, under `role`. Raises DocumentSuspect.
    """
    register = room.books.register(place)
    assert register.conflict_id is not None, "only an open conflict is resolved"
    conflict = describe_conflict(register, place, register.conflict_id)
    version = room.version + 1
    struct = room.document.write(place.root, register.key, value)
    room.books.absorb(struct, place)
    written = struct.content[0] if isinstance(struct.content, tuple) else None
    write = Write(
        (struct.client, struct.clock), resolver.user_id, role, resolver.login_id, resolver.device,
        at, at, version, written, isinstance(value, Absent),
    )  # fmt: skip
    resolved = _resolved(conflict, register, write, reason)
    register.resolve(write, struct.origin)
    structs = {room.document.server_client: [struct]}
    annotations = Annotations([], [], [register], reason)
    row, changes = room.next_row(encode_update(structs, {}), annotations, resolver, role, at, at)
    return Accepted(row, structs, {}, {}, changes), resolved


def _resolved(conflict: Conflict, register: Register, write: Write, reason: str) -> Conflict:
    """The conflict as decided: standing is the value chosen, a new one comes last."""
    values = conflict.values
    equal = (n for n, one in enumerate(concurrent_writes(register)) if one.equals(write))
    standing = next(equal, len(values))
    if standing == len(values):
        own = ConflictValue(
            value=msgspec.json.encode(plain(write.value)).decode(), author=write.author,
            written_at=write.written_at, at=write.at, device=write.device, version=write.version,
            login_id=write.login_id,
        )  # fmt: skip
        values = (*values, own)
    return msgspec.structs.replace(
        conflict, status="resolved", values=values, standing=standing,
        resolved_by=write.author, reason=reason,
    )  # fmt: skip


def _stands(register: Register, value: object | Absent) -> bool:
    standing = register.standing
    return standing is not None and _is_same(_value(standing), value)


def _is_same(one: object | Absent, other: object | Absent) -> bool:
    """Whether both are one JSON value; to Python `True` equals 1."""
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is other
    first, second = (
        msgspec.json.encode(plain(value), order="deterministic") for value in (one, other)
    )
    return first == second


def _value(write: Write) -> object | Absent:
    return ABSENT if write.cleared else write.value
