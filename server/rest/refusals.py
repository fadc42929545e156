"""Refusals of a record: what somebody tried and may not, kept whole until somebody acts on it."""

from typing import Literal

import msgspec

from server.people import Instant, People, Person, instant
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.shapes import Listing, record_id_of, stored_json
from sync.effects import Refusal

__all__ = ["ENDPOINTS"]


class RefusalQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Literal["open", "applied", "dismissed"] | None = None


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


def _refusal(refusal: Refusal, people: People) -> RefusedField:
    return RefusedField(
        id=refusal.id,
        field=refusal.field,
        value=stored_json(refusal.value),
        rule=refusal.rule,
        reason=refusal.reason,
        author=people.person(refusal.author, refusal.role),
        at=instant(refusal.at),
        written_at=instant(refusal.written_at),
        status=refusal.status,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/records/{id}/refusals", summary="Refused fields of a record",
        handle=list_refusals, query=RefusalQuery, answer=Listing[RefusedField],
        statuses=(403, 404, 422, 503),
    ),
)  # fmt: skip
