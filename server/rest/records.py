"""Records: the queue board, creating, reading, editing with `If-Match`, and adding entries.

Every write proposes to the record's room like a socket does; every read is audited.
"""

import re
from typing import Annotated, Literal

import msgspec

from permissions.model import Rule
from permissions.policy import Policy
from server.addresses import record_id_of
from server.errors import MalformedRequest, NotAllowed
from server.ports import Json, NewRecord, RecordView
from server.problems import invalid
from server.rest.access import audit_call, audit_read, may_open, may_take, opened_profiles
from server.rest.board import (
    BoardRow,
    board_rows,
    board_tag,
    is_found_to_take,
    is_unchanged,
    place_after,
    queue_cursor,
    unchanged,
)
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.if_match import etag, given_version, required_version
from server.rest.past import past_record
from server.rest.shapes import (
    PAGE_LIMIT,
    Cursor,
    Listing,
    cursor_after,
    id_after,
)
from storage.heads import queue_place
from storage.ports import RecordFilter, RecordHead

__all__ = ["ENDPOINTS"]

_Ulid = Annotated[str, msgspec.Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$(?!\n)")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_PatientId = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,128}$(?!\n)")]
MAX_FENCES = 100
_FENCE = re.compile(r"[0-9]{1,16}\Z", re.ASCII)


class RecordRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new record starts with. fields: `{"section.field": value}`.

    number: one that `POST /api/numbers` gave the caller; without it the server gives the next.
    """

    profile: _Name
    id: _Ulid | None = None
    number: _Name | None = None
    patient_id: _PatientId | None = None
    fields: dict[str, Json] = {}


class BoardQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the queue board. patient: whose visits. q: part of a name, number or village."""

    profile: _Name | None = None
    step: _Name | None = None
    status: Literal["open", "completed", "cancelled"] | None = None
    assigned: Literal["me"] | None = None
    patient: _PatientId | None = None
    q: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Cursor | None = None


class RecordQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which state of a record: at a version, or the highest one received at or before an instant.

    After a clock that jumped, that version may hold rows with a later time.
    """

    version: Annotated[int, msgspec.Meta(ge=1)] | None = None
    at: Annotated[str, msgspec.Meta(max_length=40)] | None = None


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The ULID of a new entry."""

    id: str


async def create_record(call: Call[RecordRequest, Empty]) -> Answer:
    """A new record with its first fields, all of them or nothing."""
    if call.body.profile not in call.house.policies:
        raise invalid("profile", Rule.UNKNOWN_FIELD, "No such profile is served here.")
    wanted = NewRecord(
        profile=call.body.profile,
        id=call.body.id,
        number=call.body.number,
        patient_id=call.body.patient_id,
        fields=call.body.fields,
    )
    view = await call.house.rooms.create(call.principal, wanted)
    return _record(view, status=201, location=True)


async def list_records(call: Call[None, BoardQuery]) -> Answer:
    """The queue board: what the caller may open or take, newest first; of a step as its queue.

    304 where the caller has it already.
    """
    query = call.query
    profiles = opened_profiles(call.house, call.principal)
    _check_filters(call, query)
    tag = board_tag(call)
    if is_unchanged(call, tag):
        return unchanged(tag)
    queued = query.step is not None
    after = None if queued else id_after(query.cursor)
    place = place_after(query.cursor) if queued else None
    heads: list[RecordHead] = []
    if query.profile is not None and query.profile not in profiles:
        raise NotAllowed("You have no role in this profile.")
    only = query.profile or (next(iter(profiles)) if len(profiles) == 1 else None)
    while profiles and len(heads) <= query.limit:
        page = await call.house.store.records.list(
            RecordFilter(
                profile=only,
                step=query.step,
                status=query.status,
                assigned=call.principal.user_id if query.assigned else None,
                patient=query.patient,
                text=query.q or None,
                after=after,
                queued=queued,
                after_queued=place,
                limit=query.limit + 1,
            )
        )
        heads += [
            head
            for head in page
            if (policy := profiles.get(head.facts.profile)) is not None
            and _is_listed(policy, call, head)
        ]
        if len(page) <= query.limit:
            break
        after = None if queued else page[-1].id
        place = queue_place(page[-1]) if queued else None
    await audit_call(call, "query", detail=_asked(query))
    rows = await board_rows(call.house, call.principal, heads[: query.limit])
    following = None
    if len(heads) > query.limit:
        last = heads[query.limit - 1]
        following = queue_cursor(last) if queued else cursor_after(last.id)
    return Answer(value=Listing(rows, following), headers={"ETag": tag})


async def read_record(call: Call[None, RecordQuery]) -> Answer:
    """The record as it stands or once stood, with its version as ETag."""
    if call.query.version is not None or call.query.at is not None:
        return _record(await past_record(call, call.query.version, call.query.at))
    record_id = await record_id_of(call.house.store, call.path["id"])
    async with audit_read(call, record_id) as seen:
        view = await call.house.rooms.view(record_id, call.principal)
        seen.version = view.version
    return _record(view)


async def edit_record(call: Call[dict[str, Json], Empty]) -> Answer:
    """Set fields, all or none, if the record is still as the caller read it."""
    version = required_version(call)
    if not call.body:
        raise invalid("", Rule.TYPE, "Name at least one field.")
    record_id = await record_id_of(call.house.store, call.path["id"])
    view = await call.house.rooms.edit(
        call.principal, record_id, call.body, if_version=version,
        fences=_fences(call.header("lock-fence")),
    )  # fmt: skip
    return _record(view)


async def add_entry(call: Call[dict[str, Json], Empty]) -> Answer:
    """Add an entry to an append-only section; `replaces` names the one it corrects."""
    version = given_version(call)
    record_id = await record_id_of(call.house.store, call.path["id"])
    entry_id = await call.house.rooms.add_entry(
        call.principal, record_id, call.path["section"], call.body, if_version=version
    )
    return Answer(value=NewEntry(id=entry_id), status=201)


def _record(view: RecordView, *, status: int = 200, location: bool = False) -> Answer:
    headers = etag(view.version)
    if location:
        headers["Location"] = f"/api/records/{view.id}"
    return Answer(value=view, status=status, headers=headers)


def _fences(header: str | None) -> tuple[int, ...]:
    """The fencing numbers of locks without which the edit shall not count."""
    if header is None:
        return ()
    parts = [part.strip() for part in header.split(",")]
    if len(parts) > MAX_FENCES or not all(_FENCE.match(part) for part in parts):
        raise MalformedRequest("Lock-Fence must be fencing numbers, separated by commas.")
    return tuple(int(part) for part in parts)


def _is_listed(policy: Policy, call: Call[None, BoardQuery], head: RecordHead) -> bool:
    """What may be opened; also what may only be taken, but not by what is not told of it."""
    who, query = call.principal, call.query
    return may_open(policy, who, head) or (
        query.patient is None
        and may_take(policy, who, head)
        and (not query.q or is_found_to_take(policy, who, head, query.q))
    )


def _check_filters(call: Call[None, BoardQuery], query: BoardQuery) -> None:
    served = call.house.policies
    if query.profile is not None and query.profile not in served:
        raise invalid("profile", Rule.UNKNOWN_FIELD, "No such profile is served here.")
    searched = served if query.profile is None else {query.profile: served[query.profile]}
    steps = {step.id for policy in searched.values() for step in policy.profile.steps}
    if query.step is not None and query.step not in steps:
        raise invalid("step", Rule.UNKNOWN_FIELD, "No profile has such a step.")


def _asked(query: BoardQuery) -> str:
    """What was asked for, without the text that was searched: that is a name."""
    asked = {"profile": query.profile, "step": query.step, "status": query.status}
    asked |= {"assigned": query.assigned, "q": "given" if query.q else None}
    return " ".join(f"{name}={value}" for name, value in asked.items() if value is not None)


ENDPOINTS = (
    Endpoint(
        method="POST", path="/api/records", summary="Create a record", handle=create_record,
        body=RecordRequest, answer=RecordView, status=201, statuses=(400, 403, 409, 413, 422, 503),
    ),
    Endpoint(
        method="GET", path="/api/records", summary="The queue board", handle=list_records,
        audit="query", query=BoardQuery, answer=Listing[BoardRow],
        request_headers=("If-None-Match",), statuses=(403, 422),
    ),
    Endpoint(
        method="GET", path="/api/records/{id}", summary="Read a record by id or number",
        handle=read_record, query=RecordQuery, answer=RecordView,
        statuses=(403, 404, 409, 422, 503),
    ),
    Endpoint(
        method="PATCH", path="/api/records/{id}", summary="Edit fields of a record",
        handle=edit_record, body=dict[str, Json], answer=RecordView,
        request_headers=("If-Match", "Lock-Fence"),
        statuses=(400, 403, 404, 409, 412, 413, 422, 428, 503),
    ),
    Endpoint(
        method="POST", path="/api/records/{id}/entries/{section}", summary="Add an entry",
        handle=add_entry, body=dict[str, Json], answer=NewEntry, status=201,
        request_headers=("If-Match",), statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
)  # fmt: skip
