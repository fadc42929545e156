"""Who is responsible for a record: take, hand over, release; calling the next; cancelling."""

from typing import Annotated, Any, Literal

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.errors import NotAllowed, PageNotFound
from server.executor import Batch
from server.inbox import Later
from server.live_room import LiveRoom
from server.people import People, Person
from server.preconditions import check_current
from server.problems import invalid
from server.queueing import Waiting, call_next
from server.rest.access import own_profiles
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.if_match import etag, given_version
from server.visits import assign, cancel, current_flow
from storage.errors import UserNotFound
from storage.ports import User
from sync.flow import Flow
from sync.intents import REASON_MAX_CHARS

__all__ = ["ENDPOINTS"]


class AssignmentWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """user: an id or user name; null releases."""

    user: Annotated[str, msgspec.Meta(max_length=200)] | None


class StatusWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cancelling alone is asked for: completing is a step's work, and nothing reopens a record."""

    status: Literal["cancelled"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX_CHARS)]


class Assignments(msgspec.Struct, frozen=True, kw_only=True):
    """Role → who is responsible."""

    id: str
    version: int
    assigned: dict[str, Person]


class RecordStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a record stands."""

    id: str
    version: int
    status: str


async def put_assignment(call: Call[AssignmentWish, Empty]) -> Answer:
    """Take a role's work on a record, hand it over, or release it."""
    return await _assign(call, call.body.user)


async def delete_assignment(call: Call[None, Empty]) -> Answer:
    """Release a role's work on a record."""
    return await _assign(call, None)


async def _assign(call: Call[Any, Empty], name: str | None) -> Answer:
    house, who, role = call.house, call.principal, call.path["role"]
    if_version = given_version(call)
    record_id = await record_id_of(house.store, call.path["id"])
    user = None if name is None else await _user(call, name)

    async def work(live: LiveRoom, batch: Batch) -> Later[tuple[Flow, int]]:
        policy = live.room.policy
        if who.roles.isdisjoint(policy.profile.roles):
            raise NotAllowed("None of your roles has a part in this record.")
        if all(step.role != role for step in policy.profile.steps):
            raise PageNotFound("No step of the profile is this role's.")
        await check_current(live, if_version, who, house.store)
        assign(live, batch, who, role, user, house.clock())
        return Later(lambda: (current_flow(live), live.room.version))

    done: tuple[Flow, int] = await house.rooms.ask(record_id, work)
    people = await People.read(house.store)
    assigned = {its: people.person(user_id, its) for its, user_id in done[0].assigned.items()}
    answer = Assignments(id=record_id, version=done[1], assigned=assigned)
    return Answer(value=answer, headers=etag(done[1]))


async def _user(call: Call[Any, Empty], name: str) -> User:
    store = call.house.store
    user_id = (await People.read(store)).id_of(name)
    if user_id is None:
        raise invalid("user", Rule.UNKNOWN_FIELD, "There is no such person.")
    try:
        return await store.directory.user(user_id)
    except UserNotFound as error:
        raise invalid("user", Rule.UNKNOWN_FIELD, "There is no such person.") from error


async def put_status(call: Call[StatusWish, Empty]) -> Answer:
    """Cancel an open record."""
    house, who, body = call.house, call.principal, call.body
    if_version = given_version(call)
    record_id = await record_id_of(house.store, call.path["id"])
    if not body.reason.strip():
        raise invalid("reason", Rule.TYPE, "Say why the record is cancelled.")

    async def work(live: LiveRoom, batch: Batch) -> Later[RecordStatus]:
        await check_current(live, if_version, who, house.store)
        cancel(live, batch, who, body.reason.strip(), house.clock())
        room = live.room
        return Later(
            lambda: RecordStatus(id=record_id, version=room.version, status=room.state.status)
        )

    answer: RecordStatus = await house.rooms.ask(record_id, work)
    return Answer(value=answer, headers=etag(answer.version))


async def post_next(call: Call[None, Empty]) -> Answer:
    """Call who waits next for a step: the most urgent, then the longest waiting. 204: nobody."""
    house, who = call.house, call.principal
    policy = own_profiles(house, who).get(call.path["profile"])
    if policy is None and call.path["profile"] in house.policies:
        raise NotAllowed("You have no role in this profile.")
    step = policy.profile.step(call.path["step"]) if policy is not None else None
    if policy is None or step is None or step.role is None:
        raise PageNotFound("There is no such queue.")
    if step.role not in who.roles:
        raise NotAllowed(f"You do not do {step.title}.")
    called = await call_next(house.rooms, house.store.records, policy, who, step.id, house.clock)
    return Answer(status=204) if called is None else Answer(value=called)


ENDPOINTS = (
    Endpoint(
        method="PUT", path="/api/records/{id}/assignments/{role}",
        summary="Take, hand over or release a role's work on a record", handle=put_assignment,
        body=AssignmentWish, answer=Assignments, audit="assign", request_headers=("If-Match",),
        statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
    Endpoint(
        method="DELETE", path="/api/records/{id}/assignments/{role}",
        summary="Release a role's work on a record", handle=delete_assignment, answer=Assignments,
        audit="assign", request_headers=("If-Match",), statuses=(400, 403, 404, 409, 412, 503),
    ),
    Endpoint(
        method="PUT", path="/api/records/{id}/status", summary="Cancel a record",
        handle=put_status, body=StatusWish, answer=RecordStatus, audit="cancel",
        request_headers=("If-Match",), statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
    Endpoint(
        method="POST", path="/api/queue/{profile}/{step}/next",
        summary="Call who waits next for a step; 204 where nobody does", handle=post_next,
        answer=Waiting, audit="step", statuses=(403, 404, 503),
    ),
)  # fmt: skip
