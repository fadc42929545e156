"""Field locks in a room's turn: who may hold, what is audited, who is told.

Everything here runs inside `Rooms.ask` or the room's own turn, so that a lock and the edits that it
refuses have one order; the audit entry is on disk before anybody is answered. SPEC LOCK-1 to
LOCK-6.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from permissions.fields import Field
from permissions.model import Decision, Operation, Principal, Rule
from server.audit.entries import entry_for
from server.errors import (
    EditRefused,
    FieldHeld,
    FieldViolation,
    LockNotFound,
    NotAllowed,
    ServerError,
)
from server.executor import Batch
from server.sockets.connection import Peer
from sync.effects import AuditAction, AuditEntry
from sync.errors import LockHeld, LockLost, SyncError, TooManyLocks
from sync.instants import instant
from sync.locks import Ended, Hold
from sync.messages import LockRequest

if TYPE_CHECKING:
    from server.live_room import LiveRoom

__all__ = [
    "acquire",
    "answer_request",
    "ask_for",
    "audit_of",
    "break_lock",
    "check_fences",
    "check_unheld",
    "holder_of",
    "locks_shown",
    "release",
]


async def acquire(
    live: "LiveRoom",
    batch: Batch,
    person: Principal,
    field_name: str,
    at: datetime,
    *,
    connection: str = "",
    fence: int | None = None,
    take_over: bool = False,
) -> Hold:
    """Hold a field for whoever may write it now, or renew.

    Raises LockNotFound (no such field), EditRefused (it is not theirs), FieldHeld, LockLost,
    TooManyLocks.
    """
    decision, field = _may_hold(live, person, field_name)
    if not decision.allowed:
        rule = decision.rule or Rule.ROLE
        raise EditRefused([FieldViolation(field.name, rule, decision.reason)])
    before = live.locks.hold_of(live.record_id, field.name)
    try:
        hold = await live.locks.acquire(
            live.record_id, field.name, person, decision.role, connection, at,
            fence=fence, take_over=take_over,
        )  # fmt: skip
    except LockHeld as error:
        raise _held(error) from error
    batch.locks_changed = True
    if before is None or before.fence != hold.fence:
        _audit(batch, "lock_acquired", person, at, field.name, hold.fence)
        batch.notice("lock_held", **_shown(hold))
    return hold


async def release(
    live: "LiveRoom",
    batch: Batch,
    person: Principal,
    field_name: str,
    at: datetime,
    fence: int | None = None,
) -> None:
    """Let go of one's own lock. Raises LockLost."""
    hold = await live.locks.release(live.record_id, field_name, person, at, fence)
    _audit(batch, "lock_released", person, at, hold.field, hold.fence)
    _tell_ended(batch, hold, "released")


async def break_lock(
    live: "LiveRoom", batch: Batch, person: Principal, field_name: str, reason: str, at: datetime
) -> None:
    """Take a field from its holder, who is told. Raises NotAllowed, LockNotFound.

    reason: a word of a closed list, which is audited.
    """
    hold = live.locks.hold_of(live.record_id, field_name)
    if hold is None or hold.is_over(at):
        raise LockNotFound("Nobody holds this field.")
    decision = live.room.policy.may(person, "break_locks")
    if not decision.allowed:
        raise NotAllowed(decision.reason)
    hold = await live.locks.break_lock(live.record_id, field_name, at)
    detail = f"holder={hold.holder.user_id} reason={reason}"
    _audit(batch, "lock_broken", person, at, hold.field, hold.fence, detail)
    told = {"field": hold.field, "by": _person(person, decision.role), "reason": reason}
    batch.announce("lock_broken", at, users=[hold.holder.user_id], payload=told)
    _tell_ended(batch, hold, "broken")


async def ask_for(
    live: "LiveRoom", batch: Batch, person: Principal, field_name: str, at: datetime
) -> Hold:
    """Ask the holder to let go; each person is passed on once. Raises as `acquire`."""
    decision, field = _may_hold(live, person, field_name)
    if not decision.allowed:
        rule = decision.rule or Rule.ROLE
        raise EditRefused([FieldViolation(field.name, rule, decision.reason)])
    try:
        asked = await live.locks.ask_for(live.record_id, field.name, person, at)
    except LockLost as error:
        raise LockNotFound("Nobody else holds this field.") from error
    hold = live.locks.hold_of(live.record_id, field.name)
    assert hold is not None, "it was held a moment ago"
    if asked is not None:
        told = {"field": field.name, "by": _person(person, decision.role)}
        batch.announce("lock_asked", at, users=[hold.holder.user_id], payload=told)
    return hold


async def answer_request(
    live: "LiveRoom", batch: Batch, peer: Peer, request: LockRequest, at: datetime
) -> None:
    """Do what message 104 asks, and answer it with a notice `{event: "lock", …}`."""
    if peer.closing or peer.id not in live.peers:
        return  # nobody would release what it got
    told: dict[str, object] = {"action": request.action, "field": request.field}
    try:
        if request.action == "release":
            await release(live, batch, peer.principal, request.field, at, request.fence)
        else:
            known = live.locks.hold_of(live.record_id, request.field)
            if request.action == "renew" and (known is None or known.connection != peer.id):
                if request.fence is None:
                    raise LockLost(request.field)
            hold = await acquire(
                live, batch, peer.principal, request.field, at,
                connection=peer.id, fence=request.fence, take_over=request.take_over,
            )  # fmt: skip
            told |= {**_shown(hold), "fence": hold.fence}
    except (ServerError, SyncError) as error:
        refusal = _refusal(error)
        told |= refusal
        detail = f"action={request.action} refused={refusal['refused']}"
        batch.audit.append(
            entry_for(peer.principal, "lock_acquired", "denied", at, live.record_id, 0, detail)
        )
    batch.tell(peer.id, "lock", **told)


def check_fences(live: "LiveRoom", person: Principal, fences: Iterable[int], at: datetime) -> None:
    """Raises LockLost unless each of these is the fence of a lock that the person holds now."""
    for fence in fences:
        if not any(
            hold.fence == fence and hold.holder.user_id == person.user_id and not hold.is_over(at)
            for hold in live.locks.holds(live.record_id).values()
        ):
            raise LockLost("")


def check_unheld(live: "LiveRoom", person: Principal, field: str, at: datetime) -> None:
    """Raises EditRefused while somebody else holds the field."""
    hold = live.room.hold_of(field)
    if hold is None or hold.is_over(at) or hold.holder.user_id == person.user_id:
        return
    raise EditRefused(
        [FieldViolation(field, Rule.LOCKED, f"{hold.holder.name} is editing this field.")]
    )


def locks_shown(holds: Mapping[str, Hold]) -> dict[str, object]:
    """The locks as the server's awareness state has them (contract, section 3)."""
    return {
        name: {
            "user": {"id": hold.holder.user_id, "name": hold.holder.name, "role": hold.role},
            "expires_at": instant(hold.expires_at),
        }
        for name, hold in holds.items()
    }


def holder_of(hold: Hold) -> dict[str, str]:
    """The holder as a person of the contract, section 4."""
    return _person(hold.holder, hold.role)


def audit_of(ended: Ended, at: datetime) -> AuditEntry:
    """The audit entry of a lock that ended without anybody's call."""
    hold = ended.hold
    detail = f"field={hold.field} fence={hold.fence} cause={ended.cause}"
    action: AuditAction = "lock_expired" if ended.cause == "expired" else "lock_released"
    return entry_for(hold.holder, action, "success", at, ended.record_id, 0, detail)


def _may_hold(live: "LiveRoom", person: Principal, name: str) -> tuple[Decision, Field]:
    room = live.room
    root, _, key = name.partition(".")
    field = room.profile.fields.get(name) or room.profile.field_at(root, key)
    if field is None:
        raise LockNotFound("There is no such field.")
    if field.kind == "entry":
        decision = Decision(False, Rule.TYPE, "Entries are only added; they need no lock.")
        return decision, field
    return room.policy.decide(person, Operation.WRITE, field, room.state), field


def _held(error: LockHeld) -> FieldHeld:
    hold = error.hold
    return FieldHeld(
        str(error), holder_of(hold), instant(hold.expires_at), elsewhere=error.elsewhere
    )


def _refusal(error: ServerError | SyncError) -> dict[str, object]:
    told: dict[str, object] = {"reason": str(error)}
    match error:
        case FieldHeld():
            told["refused"] = "held_elsewhere" if error.held_elsewhere else "held"
            told |= {"holder": error.holder, "expires_at": error.expires_at}
        case LockLost():
            told["refused"] = "lost"
        case LockNotFound():
            told["refused"] = "unknown_field"
        case EditRefused():
            violation = error.violations[0]
            told |= {"refused": violation.rule.value, "reason": violation.reason}
        case TooManyLocks():
            told["refused"] = "too_many"
        case _:
            raise error
    return told


def _shown(hold: Hold) -> dict[str, object]:
    return {
        "field": hold.field,
        "holder": holder_of(hold),
        "expires_at": instant(hold.expires_at),
    }


def _person(person: Principal, role: str) -> dict[str, str]:
    return {"id": person.user_id, "username": person.username, "name": person.name, "role": role}


def _tell_ended(batch: Batch, hold: Hold, cause: str) -> None:
    batch.locks_changed = True
    batch.notice("lock_released", field=hold.field, cause=cause)


def _audit(
    batch: Batch,
    action: AuditAction,
    who: Principal,
    at: datetime,
    field: str,
    fence: int,
    detail: str = "",
) -> None:
    text = f"field={field} fence={fence} {detail}".rstrip()
    batch.audit.append(entry_for(who, action, "success", at, batch.record_id, batch.version, text))
