"""Refusals: what somebody tried and may not, kept whole until somebody acts on it."""

import base64
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec

from permissions.model import RecordState
from server.addresses import record_id_of
from server.asking import ask_role, may_take_over
from server.executor import Batch
from server.house import House
from server.inbox import Later
from server.live_room import LiveRoom
from server.people import Instant, People, Person, instant
from server.preconditions import check_current, check_open
from server.refused_edits import apply_refusal, dismiss_refusal, sees_refusal
from server.rest.access import audit_call, audit_read, may_open
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.if_match import etag, given_version
from server.rest.shapes import (
    PAGE_LIMIT,
    Cursor,
    Listing,
    Reason,
    cursor_after,
    id_after,
    judgement_id,
    stored_json,
)
from storage.errors import RefusalNotFound
from storage.ports import FoundRefusal, RefusalFilter
from sync.effects import Refusal

__all__ = ["ENDPOINTS"]

_CURSOR = re.compile(r"([0-9A-Za-z-]{1,64})/([1-9][0-9]{0,17}\.[1-9][0-9]{0,5})\Z", re.ASCII)


class RefusalQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Literal["open", "applied", "dismissed"] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Cursor | None = None


class Application(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason | None = None


class Dismissal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """role: one that writes the field."""

    role: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who was asked. told: to how many it is addressed, now or before; a role counts as one."""

    id: str
    role: str
    told: int


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
    decided_by: Person | None
    decided_at: Instant | None
    decision_reason: str | None


class ListedRefusal(RefusedField, frozen=True, kw_only=True):
    """A refusal with the record that it is of."""

    record_id: str
    number: str
    profile: str


class WholeRefusal(RefusedField, frozen=True, kw_only=True):
    """A refusal with the bytes that were sent of it (a Yjs update, v1), in base64."""

    original: str


async def list_refusals(call: Call[None, RefusalQuery]) -> Answer:
    """The caller's own refused fields and those that they may apply, oldest first."""
    house, who, query = call.house, call.principal, call.query
    record_id = await record_id_of(house.store, call.path["id"])
    after = _after(query)
    async with audit_read(call, record_id, detail="refusals") as seen:
        view = await house.rooms.view(record_id, who)
        seen.version = view.version
    policy = house.policies[view.profile]
    sees_all = policy.may(who, "apply_refusals").allowed
    wanted = RefusalFilter(
        record_id=record_id, author=who.user_id, profiles=frozenset({view.profile}),
        status=query.status, after=after, limit=query.limit + 1,
    )  # fmt: skip

    def is_seen(one: FoundRefusal) -> bool:
        mine = one.refusal.author == who.user_id
        return sees_all or mine or may_take_over(policy, who, one.refusal)

    found = await _found(house, wanted, is_seen)
    people = await People.read(house.store)
    items = [_refusal(one.refusal, people) for one in found[: query.limit]]
    return Answer(value=Listing(items, _next(found, query)), headers=etag(view.version))


async def list_all_refusals(call: Call[None, RefusalQuery]) -> Answer:
    """The caller's refused fields in all records, and those of others where they may apply them."""
    house, who, query = call.house, call.principal, call.query
    assigned = RecordState(assigned=frozenset({who.user_id}))
    profiles = frozenset(
        name
        for name, policy in house.policies.items()
        if policy.may(who, "apply_refusals").allowed and policy.may_open(who, assigned).allowed
    )
    wanted = RefusalFilter(
        author=who.user_id, profiles=profiles, status=query.status, after=_after(query),
        limit=query.limit + 1,
    )  # fmt: skip
    await audit_call(call, "query", detail=f"refusals status={query.status or 'any'}")

    def is_open(one: FoundRefusal) -> bool:
        policy = house.policies.get(one.head.facts.profile)
        return policy is not None and may_open(policy, who, one.head)

    found = await _found(house, wanted, is_open)
    people = await People.read(house.store)
    items = [_listed(one, people) for one in found[: query.limit]]
    return Answer(value=Listing(items, _next(found, query)))


async def _found(
    house: House, wanted: RefusalFilter, is_shown: Callable[[FoundRefusal], bool]
) -> list[FoundRefusal]:
    """A page of those that are shown, and one more where there is one."""
    found: list[FoundRefusal] = []
    while len(found) < wanted.limit:
        page = await house.store.records.list_refusals(wanted)
        found += filter(is_shown, page)
        if len(page) < wanted.limit:
            break
        wanted = msgspec.structs.replace(wanted, after=(page[-1].head.id, page[-1].refusal.id))
    return found


async def read_refusal(call: Call[None, Empty]) -> Answer:
    """One refusal with its original bytes, for its author and who may apply it."""
    house, who = call.house, call.principal
    record_id, refusal_id = await _addressed(call)

    async def work(live: LiveRoom, batch: Batch) -> tuple[Refusal, int]:
        check_open(live, who)
        refusal = await house.store.records.refusal(record_id, refusal_id)
        if not sees_refusal(live.room, who, refusal):
            raise RefusalNotFound
        return refusal, live.room.version

    async with audit_read(call, record_id, detail=f"refusal={refusal_id}") as seen:
        refusal, seen.version = await house.rooms.ask(record_id, work)
    shown = _parts(refusal, await People.read(house.store))
    original = base64.b64encode(refusal.original).decode()
    return Answer(value=WholeRefusal(original=original, **shown), headers=etag(seen.version))


async def apply(call: Call[Application, Empty]) -> Answer:
    """Propose again what was refused, in the caller's name for its author."""
    reason, at, records = call.body.reason, call.house.clock(), call.house.store.records

    async def work(live: LiveRoom, batch: Batch, refusal_id: str) -> Refusal:
        return await apply_refusal(live, batch, call.principal, refusal_id, reason, at, records)

    return await _decided(call, work)


async def dismiss(call: Call[Dismissal, Empty]) -> Answer:
    """Lay a refusal aside, with a reason: its author, or who may apply it."""
    reason, at, records = call.body.reason.strip(), call.house.clock(), call.house.store.records

    async def work(live: LiveRoom, batch: Batch, refusal_id: str) -> Refusal:
        return await dismiss_refusal(live, batch, call.principal, refusal_id, reason, at, records)

    return await _decided(call, work)


async def ask(call: Call[Question, Empty]) -> Answer:
    """Ask a role that writes the field to apply the refusal; each role is told once."""
    house, who = call.house, call.principal
    record_id, refusal_id = await _addressed(call)

    async def work(live: LiveRoom, batch: Batch) -> int:
        check_open(live, who)
        refusal = await house.store.records.refusal(record_id, refusal_id)
        if not sees_refusal(live.room, who, refusal):
            raise RefusalNotFound
        return await ask_role(live, batch, who, refusal, call.body.role, house.clock(), house.store)

    told = await house.rooms.ask(record_id, work)
    return Answer(value=Asked(id=refusal_id, role=call.body.role, told=told))


async def _decided(
    call: Call[Any, Empty], work: Callable[[LiveRoom, Batch, str], Awaitable[Refusal]]
) -> Answer:
    if_version = given_version(call)
    record_id, refusal_id = await _addressed(call)

    async def turn(live: LiveRoom, batch: Batch) -> Later[tuple[Refusal, int]]:
        check_open(live, call.principal)
        await check_current(live, if_version, call.principal, call.house.store)
        refusal = await work(live, batch, refusal_id)
        return Later(lambda: (refusal, live.room.version))

    decided: tuple[Refusal, int] = await call.house.rooms.ask(record_id, turn)
    people = await People.read(call.house.store)
    return Answer(value=_refusal(decided[0], people), headers=etag(decided[1]))


async def _addressed(call: Call[Any, Any]) -> tuple[str, str]:
    """Record and refusal that the path names. Raises RecordNotFound, RefusalNotFound."""
    record_id = await record_id_of(call.house.store, call.path["id"])
    refusal_id = judgement_id(call.path["rid"])
    if refusal_id is None:
        raise RefusalNotFound
    return record_id, refusal_id


def _after(query: RefusalQuery) -> tuple[str, str] | None:
    place = id_after(query.cursor, _CURSOR)
    match = None if place is None else _CURSOR.match(place)
    return None if match is None else (match[1], match[2])


def _next(found: list[FoundRefusal] | Any, query: RefusalQuery) -> str | None:
    if len(found) <= query.limit:
        return None
    last = found[query.limit - 1]
    return cursor_after(f"{last.head.id}/{last.refusal.id}")


def _refusal(refusal: Refusal, people: People) -> RefusedField:
    return RefusedField(**_parts(refusal, people))


def _listed(found: FoundRefusal, people: People) -> ListedRefusal:
    facts = found.head.facts
    return ListedRefusal(
        record_id=found.head.id, number=facts.number, profile=facts.profile,
        **_parts(found.refusal, people),
    )  # fmt: skip


def _parts(refusal: Refusal, people: People) -> dict[str, Any]:
    decided_by, decided_at = refusal.decided_by, refusal.decided_at
    return {
        "id": refusal.id,
        "field": refusal.field,
        "value": stored_json(refusal.value),
        "rule": refusal.rule,
        "reason": refusal.reason,
        "author": people.person(refusal.author, refusal.role),
        "at": instant(refusal.at),
        "written_at": instant(refusal.written_at),
        "status": refusal.status,
        "decided_by": None if decided_by is None else people.person(decided_by),
        "decided_at": None if decided_at is None else instant(decided_at),
        "decision_reason": refusal.decision_reason,
    }


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/refusals", summary="Refused fields in all records",
        handle=list_all_refusals, query=RefusalQuery, answer=Listing[ListedRefusal],
        audit="query", statuses=(422, 503),
    ),
    Endpoint(
        method="GET", path="/api/records/{id}/refusals", summary="Refused fields of a record",
        handle=list_refusals, query=RefusalQuery, answer=Listing[RefusedField],
        statuses=(403, 404, 422, 503),
    ),
    Endpoint(
        method="GET", path="/api/records/{id}/refusals/{rid}",
        summary="A refusal with its original bytes", handle=read_refusal, answer=WholeRefusal,
        statuses=(403, 404, 503),
    ),
    Endpoint(
        method="POST", path="/api/records/{id}/refusals/{rid}/apply",
        summary="Propose again what was refused", handle=apply, body=Application,
        without_body=b"{}", answer=RefusedField, audit="apply", request_headers=("If-Match",),
        statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
    Endpoint(
        method="POST", path="/api/records/{id}/refusals/{rid}/ask",
        summary="Ask a role that writes the field to apply it", handle=ask, body=Question,
        answer=Asked, audit="ask", statuses=(400, 403, 404, 409, 413, 422, 429, 503),
    ),
    Endpoint(
        method="POST", path="/api/records/{id}/refusals/{rid}/dismiss",
        summary="Lay a refusal aside", handle=dismiss, body=Dismissal, answer=RefusedField,
        audit="dismiss", request_headers=("If-Match",),
        statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
)  # fmt: skip
