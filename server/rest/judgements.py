"""What judging left behind in a record: the refused fields and the conflicts."""

from typing import Literal

import msgspec

from permissions.fields import Field
from permissions.policy import Policy
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.shapes import Instant, Listing, People, Person, instant, record_id_of
from sync.effects import Conflict, ConflictValue, Refusal

__all__ = ["ENDPOINTS"]


class RefusalQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Literal["open", "applied", "dismissed"] | None = None


class ConflictQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Literal["open", "resolved"] | None = None


class RefusedField(msgspec.Struct, frozen=True, kw_only=True):
    """One refused field with what somebody wanted to write, and why it does not stand."""

    id: str
    field: str
    value: msgspec.Raw
    rule: str
    reason: str
    author: Person
    at: Instant
    written_at: Instant
    status: str


class DisputedValue(msgspec.Struct, frozen=True, kw_only=True):
    """One of the concurrent values of a conflict."""

    value: msgspec.Raw
    author: Person
    written_at: Instant
    at: Instant
    device: str
    version: int


class RecordConflict(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict as people decide on it. standing: index into `values`."""

    id: str
    field: str
    critical: bool
    status: str
    base: msgspec.Raw
    values: list[DisputedValue]
    standing: int
    resolved_by: Person | None
    reason: str | None


async def list_refusals(call: Call[None, RefusalQuery]) -> Answer:
    """The caller's own refused fields; who may apply refusals sees everybody's."""
    record_id = await record_id_of(call.house.store, call.path["id"])
    who = call.principal
    async with audit_read(call, record_id, detail="refusals") as seen:
        view = await call.house.rooms.view(record_id, who)
        seen.version = view.version
    refusals = await call.house.store.records.refusals(record_id)
    people = await People.read(call.house.store)
    sees_all = call.house.policies[view.profile].may(who, "apply_refusals").allowed
    items = [
        _refusal(refusal, people)
        for refusal in refusals
        if call.query.status in (None, refusal.status)
        and (sees_all or refusal.author == who.user_id)
    ]
    return Answer(value=Listing(items))


async def list_conflicts(call: Call[None, ConflictQuery]) -> Answer:
    """The conflicts of the record, with every value and who wrote it."""
    record_id = await record_id_of(call.house.store, call.path["id"])
    async with audit_read(call, record_id, detail="conflicts") as seen:
        view = await call.house.rooms.view(record_id, call.principal)
        seen.version = view.version
    conflicts = await call.house.store.records.conflicts(record_id)
    policy = call.house.policies[view.profile]
    people = await People.read(call.house.store)
    items = [
        _conflict(conflict, people)
        for conflict in conflicts
        if call.query.status in (None, conflict.status)
        and policy.may_read(call.principal, _field_named(policy, conflict.field)).allowed
    ]
    return Answer(value=Listing(items))


def _field_named(policy: Policy, name: str) -> Field | None:
    """The field of a conflict; an entry's own name is `section.ulid`, its field is the section."""
    fields = policy.profile.fields
    return fields.get(name) or fields.get(name.partition(".")[0])


def _refusal(refusal: Refusal, people: People) -> RefusedField:
    return RefusedField(
        id=refusal.id,
        field=refusal.field,
        value=_json(refusal.value),
        rule=refusal.rule,
        reason=refusal.reason,
        author=people.person(refusal.author, refusal.role),
        at=instant(refusal.at),
        written_at=instant(refusal.written_at),
        status=refusal.status,
    )


def _conflict(conflict: Conflict, people: People) -> RecordConflict:
    resolved_by = conflict.resolved_by
    return RecordConflict(
        id=conflict.id,
        field=conflict.field,
        critical=conflict.critical,
        status=conflict.status,
        base=_json(conflict.base),
        values=[_value(value, people) for value in conflict.values],
        standing=conflict.standing,
        resolved_by=people.person(resolved_by) if resolved_by else None,
        reason=conflict.reason,
    )


def _value(value: ConflictValue, people: People) -> DisputedValue:
    return DisputedValue(
        value=_json(value.value),
        author=people.person(value.author),
        written_at=instant(value.written_at),
        at=instant(value.at),
        device=value.device,
        version=value.version,
    )


def _json(text: str) -> msgspec.Raw:
    """JSON text goes out as it was stored; an empty one is null."""
    return msgspec.Raw((text or "null").encode())


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/records/{id}/refusals", summary="Refused fields of a record",
        handle=list_refusals, query=RefusalQuery, answer=Listing[RefusedField],
        statuses=(403, 404, 422, 503),
    ),
    Endpoint(
        method="GET", path="/api/records/{id}/conflicts", summary="Conflicts of a record",
        handle=list_conflicts, query=ConflictQuery, answer=Listing[RecordConflict],
        statuses=(403, 404, 422, 503),
    ),
)  # fmt: skip
