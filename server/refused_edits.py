"""Refusals in the room's turn: applying one in somebody's name for its author, or dismissing it.

Each is decided once. Whoever may write the field themself applies it, and whoever has the power
`apply_refusals`; its author and that power dismiss it. Whatever stood against the author is judged
again for whoever applies it.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from permissions.fields import Power
from permissions.model import Principal, Rule
from server.asking import may_take_over
from server.errors import AlreadyDecided, EditRefused, FieldViolation, NotAllowed
from server.executor import Batch
from server.live_room import LiveRoom
from server.record_edits import add_entry, desk_client, edit_fields, propose_update
from storage.errors import RefusalNotFound
from storage.ports import Records
from sync.document import Absent
from sync.effects import Refusal
from sync.errors import NotRepeatable
from sync.repeating import repeat_text, require_repeatable, tried_value
from sync.room import Room

__all__ = ["apply_refusal", "dismiss_refusal", "sees_refusal"]

POWER: Power = "apply_refusals"


def sees_refusal(room: Room, who: Principal, refusal: Refusal) -> bool:
    """Whether this person sees the refusal: its author, and who may apply it. SPEC APPLY-7."""
    return (
        refusal.author == who.user_id
        or room.policy.may(who, POWER).allowed
        or may_take_over(room.policy, who, refusal)
    )


async def apply_refusal(
    live: LiveRoom, batch: Batch, who: Principal, refusal_id: str, reason: str | None,
    at: datetime, records: Records,
) -> Refusal:  # fmt: skip
    """Propose again what was refused, in the name of `who`. The refusal as it is stored.

    Raises RefusalNotFound, AlreadyDecided, NotRepeatable, EditRefused (the refusal stays open).
    """
    refusal = await _open_refusal(live, batch, refusal_id, records)
    require_repeatable(refusal)
    _propose_again(live, batch, who, refusal, at)
    return _decide(batch, refusal, "applied", who, reason, at)


async def dismiss_refusal(
    live: LiveRoom, batch: Batch, who: Principal, refusal_id: str, reason: str,
    at: datetime, records: Records,
) -> Refusal:  # fmt: skip
    """Lay a refusal aside. Raises RefusalNotFound, AlreadyDecided, NotAllowed."""
    known = await _refusal(live, batch, refusal_id, records)
    power = live.room.policy.may(who, POWER)
    if known.author != who.user_id and not power.allowed:
        raise NotAllowed(power.reason)
    refusal = await _open_refusal(live, batch, refusal_id, records)
    return _decide(batch, refusal, "dismissed", who, reason, at)


async def _refusal(live: LiveRoom, batch: Batch, refusal_id: str, records: Records) -> Refusal:
    decided = batch.decided.get(refusal_id)
    return decided or await records.refusal(live.record_id, refusal_id)


async def _open_refusal(live: LiveRoom, batch: Batch, refusal_id: str, records: Records) -> Refusal:
    refusal = await _refusal(live, batch, refusal_id, records)
    if refusal.status != "open":
        raise AlreadyDecided(f"This refusal is {refusal.status}.")
    return refusal


def _decide(
    batch: Batch, refusal: Refusal, status: str, who: Principal, reason: str | None, at: datetime
) -> Refusal:
    decided = msgspec.structs.replace(
        refusal, status=status, decided_by=who.user_id, decided_at=at, decision_reason=reason
    )
    batch.add_decision(decided, who, at)
    return decided


def _propose_again(
    live: LiveRoom, batch: Batch, who: Principal, refusal: Refusal, at: datetime
) -> None:
    room, name = live.room, refusal.field
    root, _, key = name.partition(".")
    if room.profile.roots.get(name) == "text":
        place = room.books.places.at(name, None)
        if not room.policy.may_read(who, place.field).allowed:
            raise RefusalNotFound
        update = repeat_text(room, place, refusal, desk_client(live, who))
        if update.structs or update.deletes:
            propose_update(room, batch, who, update, at, POWER)
        return
    field = room.profile.field_at(root, key)
    if room.books.places.at(root, key).kind == "intent":
        raise NotRepeatable("A step is asked for again by whoever may do it; nothing is repeated.")
    if field is None:
        raise NotRepeatable("The profile has no such field.")
    if not room.policy.may_read(who, field).allowed:
        raise RefusalNotFound
    value = tried_value(refusal)
    if field.kind != "entry":
        tried = {name: None if isinstance(value, Absent) else value}
        edit_fields(live, batch, who, tried, at, POWER)
        return
    if isinstance(value, Absent) or not isinstance(value, Mapping):
        reason = f"{field.title}: an entry is not removed; a correction is a new one."
        raise EditRefused([FieldViolation(name, Rule.APPEND_ONLY, reason)])
    entry = {part: value[part] for part in value if part not in ("id", "at", "by")}
    register = room.registers.get(room.books.places.at(root, key))
    if register is not None and register.standing is not None:
        entry["replaces"] = key  # what was refused was a change of an entry that stands
    add_entry(live, batch, who, root, entry, at, POWER)
