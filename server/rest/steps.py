"""The steps of a session, which is the visit that a record holds, and who comes next."""

from typing import Annotated, Literal

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.errors import PageNotFound
from server.executor import Batch
from server.inbox import Later
from server.live_room import LiveRoom
from server.preconditions import check_current, check_open
from server.problems import invalid
from server.queueing import Waiting, next_waiting
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.if_match import etag, given_version
from server.visits import change_step, current_flow
from sync.flow import Action, Flow
from sync.intents import REASON_MAX_CHARS

__all__ = ["ENDPOINTS"]

_ACTIONS: dict[str, Action] = {"started": "start", "completed": "complete", "returned": "return"}


class StepWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to become of the step. reason, to: of a return; to: the step it goes back to."""

    status: Literal["started", "completed", "returned"]
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX_CHARS)] = ""
    to: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class SessionStep(msgspec.Struct, frozen=True, kw_only=True):
    """Where the session stands. next: who waits next for the step that was left, if anybody."""

    session_id: str
    version: int
    status: str
    current_step: str
    step: str
    step_status: str
    next: Waiting | None


async def put_step(call: Call[StepWish, Empty]) -> Answer:
    """Start, complete or return a step. Repeating one's own change changes nothing."""
    house, who, body = call.house, call.principal, call.body
    step_id = call.path["step"]
    if_version = given_version(call)
    record_id = await record_id_of(house.store, call.path["id"])

    async def work(live: LiveRoom, batch: Batch) -> Later[tuple[Flow, int, str]]:
        check_open(live, who)
        await check_current(live, if_version, who, house.store)
        profile = live.room.profile
        if profile.step(step_id) is None:
            raise PageNotFound("The profile has no such step.")
        if body.to is not None and profile.step(body.to) is None:
            raise invalid("to", Rule.UNKNOWN_FIELD, "The profile has no such step.")
        change_step(
            live, batch, who, step_id, _ACTIONS[body.status], house.clock(),
            reason=body.reason, to=body.to,
        )  # fmt: skip
        return Later(lambda: (current_flow(live), live.room.version, profile.name))

    done: tuple[Flow, int, str] = await house.rooms.ask(record_id, work)
    flow, version, profile_name = done
    following = None
    if body.status != "started":
        policy = house.policies[profile_name]
        following = await next_waiting(house.store.records, policy, who, step_id, record_id)
    answer = SessionStep(
        session_id=record_id, version=version, status=flow.status, current_step=flow.current,
        step=step_id, step_status=flow.of(step_id).status, next=following,
    )  # fmt: skip
    return Answer(value=answer, headers=etag(version))


ENDPOINTS = (
    Endpoint(
        method="PUT", path="/api/sessions/{id}/steps/{step}",
        summary="Start, complete or return a step", handle=put_step, body=StepWish,
        answer=SessionStep, audit="step", request_headers=("If-Match",),
        statuses=(400, 403, 404, 409, 412, 413, 422, 503),
    ),
)  # fmt: skip
