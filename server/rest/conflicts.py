"""Conflicts of a record: listing them with every value, and deciding one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from permissions.fields import Field
from permissions.model import Rule
from permissions.policy import Policy
from server.addresses import record_id_of
from server.errors import PageNotFound
from server.executor import Batch
from server.inbox import Later
from server.live_room import LiveRoom
from server.people import Instant, People, Person, instant
from server.ports import Json
from server.preconditions import check_current, check_open
from server.problems import invalid
from server.resolutions import Choice, resolve_conflict
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.if_match import etag, given_version
from server.rest.shapes import (
    JUDGEMENT,
    PAGE_LIMIT,
    Cursor,
    Listing,
    Reason,
    cursor_after,
    id_after,
    judgement_id,
    stored_json,
)
from storage.errors import LoginNotFound
from storage.ports import ConflictFilter, Store
from sync.effects import Conflict, ConflictValue

__all__ = ["ENDPOINTS"]


class ConflictQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Literal["open", "resolved"] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Cursor | None = None


class Resolution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either `choice`, an index into the conflict's values, or `value`, null to clear the field."""

    reason: Reason
    choice: Annotated[int, msgspec.Meta(ge=0, le=1000)] | msgspec.UnsetType = msgspec.UNSET
    value: Json | msgspec.UnsetType = msgspec.UNSET


class DisputedValue(msgspec.Struct, frozen=True, kw_only=True):
    """One of the concurrent values of a conflict.

    skew_ms: how far the device's clock runs ahead, where it told; `written_at` is without it.
    """

    value: msgspec.Raw
    author: Person
    written_at: Instant
    at: Instant
    device: str
    skew_ms: int | None
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


Skews = Mapping[str, int | None]


async def list_conflicts(call: Call[None, ConflictQuery]) -> Answer:
    """The conflicts of the record, oldest first, with every value and who wrote it."""
    house, query = call.house, call.query
    record_id = await record_id_of(house.store, call.path["id"])
    async with audit_read(call, record_id, detail="conflicts") as seen:
        view = await house.rooms.view(record_id, call.principal)
        seen.version = view.version
    after = id_after(query.cursor, JUDGEMENT)
    conflicts = await house.store.records.list_conflicts(
        ConflictFilter(record_id=record_id, status=query.status, after=after, limit=query.limit + 1)
    )
    policy = house.policies[view.profile]
    people = await People.read(house.store)
    skews = await _skews(house.store, conflicts)
    items = [
        _conflict(conflict, people, skews)
        for conflict in conflicts[: query.limit]
        if policy.may_read(call.principal, _field_named(policy, conflict.field)).allowed
    ]
    more = len(conflicts) > query.limit
    following = cursor_after(conflicts[query.limit - 1].id) if more else None
    return Answer(value=Listing(items, following), headers=etag(view.version))


async def resolve(call: Call[Resolution, Empty]) -> Answer:
    """Decide: one of the values, or another one. Whoever may write the field, or a supervisor."""
    body, who, house = call.body, call.principal, call.house
    if (body.choice is msgspec.UNSET) is (body.value is msgspec.UNSET):
        raise invalid("choice", Rule.TYPE, "Give either a choice or a value.")
    index = None if isinstance(body.choice, msgspec.UnsetType) else body.choice
    choice = Choice(reason=body.reason.strip(), index=index, value=body.value)
    if_version = given_version(call)
    record_id = await record_id_of(house.store, call.path["id"])
    conflict_id = judgement_id(call.path["cid"])
    if conflict_id is None:
        raise PageNotFound("The record has no such conflict.")
    at = house.clock()

    async def work(live: LiveRoom, batch: Batch) -> Later[tuple[Conflict, int]]:
        check_open(live, who)
        await check_current(live, if_version, who, house.store)
        records = house.store.records
        conflict = await resolve_conflict(live, batch, who, conflict_id, choice, at, records)
        return Later(lambda: (conflict, live.room.version))

    decided: tuple[Conflict, int] = await house.rooms.ask(record_id, work)
    people, skews = await People.read(house.store), await _skews(house.store, [decided[0]])
    return Answer(value=_conflict(decided[0], people, skews), headers=etag(decided[1]))


def _field_named(policy: Policy, name: str) -> Field | None:
    """The field of a conflict; an entry's own name is `section.ulid`, its field is the section."""
    fields = policy.profile.fields
    return fields.get(name) or fields.get(name.partition(".")[0])


async def _skews(store: Store, conflicts: Sequence[Conflict]) -> Skews:
    """How far the clocks were ahead that the values were written by, by log-in."""
    skews: dict[str, int | None] = {}
    for login_id in {value.login_id for conflict in conflicts for value in conflict.values}:
        try:
            skews[login_id] = (await store.directory.login(login_id)).skew_ms
        except LoginNotFound:  # the server's own, and values from before log-ins were noted
            skews[login_id] = None
    return skews


def _conflict(conflict: Conflict, people: People, skews: Skews) -> RecordConflict:
    resolved_by = conflict.resolved_by
    return RecordConflict(
        id=conflict.id,
        field=conflict.field,
        critical=conflict.critical,
        status=conflict.status,
        base=stored_json(conflict.base),
        values=[_value(value, people, skews) for value in conflict.values],
        standing=conflict.standing,
        resolved_by=people.person(resolved_by) if resolved_by else None,
        reason=conflict.reason,
    )


def _value(value: ConflictValue, people: People, skews: Skews) -> DisputedValue:
    return DisputedValue(
        value=stored_json(value.value),
        author=people.person(value.author),
        written_at=instant(value.written_at),
        at=instant(value.at),
        device=value.device,
        skew_ms=skews[value.login_id],
        version=value.version,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/records/{id}/conflicts", summary="Conflicts of a record",
        handle=list_conflicts, query=ConflictQuery, answer=Listing[RecordConflict],
        statuses=(403, 404, 422, 503),
    ),
    Endpoint(
        method="POST", path="/api/records/{id}/conflicts/{cid}/resolve",
        summary="Decide a conflict", handle=resolve, body=Resolution, answer=RecordConflict,
        audit="resolve", request_headers=("If-Match",),
        statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
)  # fmt: skip
