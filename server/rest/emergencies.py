"""Break-glass over HTTP: emergency access to one record, for a while, with a reason."""

from typing import Annotated

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.errors import NotAllowed
from server.executor import Batch
from server.live_room import LiveRoom
from server.problems import invalid
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.shapes import Instant, Listing, People, Person, instant
from storage.ports import Emergency

__all__ = ["ENDPOINTS"]

SHORTEST_REASON = 10


class EmergencyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the record has to be opened now, for those who look at it later."""

    reason: Annotated[str, msgspec.Meta(min_length=SHORTEST_REASON, max_length=500)]


class EndingQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose access ends: one's own, or for supervisors that of the person with this id."""

    user: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None


class EmergencyAccess(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency access. ended_by: nobody where its time was up."""

    id: str
    user: Person
    reason: str
    started_at: Instant
    until: Instant
    ended_at: Instant | None
    ended_by: Person | None


async def start_access(call: Call[EmergencyRequest, Empty]) -> Answer:
    """Count as assigned to the record for a while; supervisors and all on the record are told."""
    reason = call.body.reason.strip()
    if len(reason) < SHORTEST_REASON or not reason.isprintable():
        raise invalid("reason", Rule.SIZE, "Say in a sentence why the record must be opened now.")
    record_id = await record_id_of(call.house.store, call.path["id"])
    emergency = await call.house.break_glass.start(call.principal, record_id, reason)
    people = await People.read(call.house.store)
    return Answer(value=_access(emergency, people), status=201)


async def end_access(call: Call[None, EndingQuery]) -> Answer:
    """End the caller's own access, or as a supervisor somebody else's."""
    record_id = await record_id_of(call.house.store, call.path["id"])
    user_id = call.query.user or call.principal.user_id
    if user_id != call.principal.user_id:
        await _require_overseer(call, record_id)
    await call.house.break_glass.stop(record_id, user_id, call.principal)
    return Answer(status=204)


async def list_accesses(call: Call[None, Empty]) -> Answer:
    """Who had emergency access to the record, why and for how long; for supervisors."""
    record_id = await record_id_of(call.house.store, call.path["id"])
    async with audit_read(call, record_id, detail="break-glass"):
        await _require_overseer(call, record_id)
    found = await call.house.store.emergencies.of_record(record_id)
    people = await People.read(call.house.store)
    return Answer(value=Listing([_access(each, people) for each in found]))


async def _require_overseer(
    call: Call[None, EndingQuery] | Call[None, Empty], record_id: str
) -> None:
    """Raises NotAllowed unless the caller may open the record and oversees its profile."""

    async def check(live: LiveRoom, batch: Batch) -> None:
        for decision in (
            live.room.policy.may_open(call.principal, live.room.state),
            live.room.policy.may(call.principal, "see_dashboard"),
        ):
            if not decision.allowed:
                raise NotAllowed(decision.reason)

    await call.house.rooms.ask(record_id, check)


def _access(emergency: Emergency, people: People) -> EmergencyAccess:
    ended_by = emergency.ended_by
    by_person = ended_by not in ("", "server")
    return EmergencyAccess(
        id=emergency.id,
        user=people.person(emergency.user_id),
        reason=emergency.reason,
        started_at=instant(emergency.started_at),
        until=instant(emergency.until),
        ended_at=instant(emergency.ended_at) if emergency.ended_at else None,
        ended_by=people.person(ended_by) if by_person else None,
    )


ENDPOINTS = (
    Endpoint(
        method="POST", path="/api/records/{id}/break-glass", summary="Emergency access",
        handle=start_access, body=EmergencyRequest, answer=EmergencyAccess, status=201,
        statuses=(400, 403, 404, 409, 413, 422, 429, 503), audit="break_glass",
    ),
    Endpoint(
        method="DELETE", path="/api/records/{id}/break-glass", summary="End emergency access",
        handle=end_access, query=EndingQuery, status=204, statuses=(403, 404, 503),
        audit="break_glass_end",
    ),
    Endpoint(
        method="GET", path="/api/records/{id}/break-glass", summary="Emergency accesses",
        handle=list_accesses, answer=Listing[EmergencyAccess], statuses=(403, 404, 503),
    ),
)  # fmt: skip
