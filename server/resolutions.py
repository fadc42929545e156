"""Resolving a conflict in the room's turn: somebody entitled decides, with a reason."""

from datetime import datetime

import msgspec

from permissions.model import Principal, Rule
from server.errors import AlreadyDecided, EditRefused, FieldViolation, InvalidRequest, PageNotFound
from server.executor import Batch
from server.field_locks import check_unheld
from server.live_room import LiveRoom
from server.ports import Json
from server.record_edits import is_carried
from storage.ports import Records
from sync.document import ABSENT, Absent
from sync.effects import Conflict
from sync.place import Place
from sync.resolving import disputed_place, judge_resolution, offered_values, resolve
from sync.room import Room

__all__ = ["Choice", "resolve_conflict"]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decides: the value at `index` of those listed, or (None) `value` instead."""

    reason: str
    index: int | None = None
    value: Json = None


async def resolve_conflict(
    live: LiveRoom, batch: Batch, resolver: Principal, conflict_id: str, choice: Choice,
    at: datetime, records: Records,
) -> Conflict:  # fmt: skip
    """Let the resolver's choice stand. The conflict as it is stored.

    Raises PageNotFound, AlreadyDecided, InvalidRequest (no such index), EditRefused (also
    while somebody else holds the field).
    """
    room = live.room
    place = disputed_place(room, conflict_id)
    if place is None or not room.policy.may_read(resolver, place.field).allowed:
        known = [*await records.conflicts(room.record_id), *batch.conflicts]
        if place is None and any(conflict.id == conflict_id for conflict in known):
            raise AlreadyDecided("This conflict is resolved.")
        raise PageNotFound("The record has no such conflict.")
    value = _chosen(room, place, choice)
    decision = judge_resolution(room, place, value, resolver)
    if not decision.allowed:
        rule = decision.rule or Rule.ROLE
        raise EditRefused([FieldViolation(place.name, rule, decision.reason)])
    check_unheld(live, resolver, place.name, at)
    accepted, conflict = resolve(room, place, value, decision.role, resolver, choice.reason, at)
    batch.add_resolution(accepted, conflict, resolver, at)
    return conflict


def _chosen(room: Room, place: Place, choice: Choice) -> Json | Absent:
    if choice.index is None:
        if not is_carried(choice.value):
            wrong = FieldViolation("value", Rule.TYPE, "No record can hold this value.")
            raise InvalidRequest([wrong])
        return ABSENT if choice.value is None else choice.value
    offered = offered_values(room, place)
    if not 0 <= choice.index < len(offered):
        wrong = FieldViolation("choice", Rule.RANGE, f"There are {len(offered)} values, from 0.")
        raise InvalidRequest([wrong])
    return offered[choice.index]
