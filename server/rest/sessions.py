"""A session as it stands right now: its steps with their times, who is there, who holds what."""

from datetime import datetime

import msgspec

from server.accounts.credentials import is_secure
from server.addresses import record_id_of
from server.executor import Batch
from server.field_locks import holder_of
from server.inbox import Later
from server.live_room import LiveRoom
from server.people import Instant, People, Person, instant
from server.preconditions import check_open
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.if_match import etag
from server.visits import current_flow, time_left
from sync.flow import Flow
from sync.place import RECORD_ROOT
from sync.view import chart_of
from sync.workflow import pending_steps

__all__ = ["ENDPOINTS"]


class WorkflowStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step with its times. is_due: it is still to be done, optional steps if anything is open.

    waited_s: from ready to started, or to now; lasted_s: from started to completed, or to now.
    expected_s: how long doing it usually takes here. returned_by, reason: where it was sent back.
    """

    step: str
    title: str
    role: str | None
    status: str
    is_due: bool
    ready_at: Instant | None
    started_at: Instant | None
    started_by: Person | None
    completed_at: Instant | None
    completed_by: Person | None
    returned_by: Person | None
    reason: str | None
    waited_s: float | None
    lasted_s: float | None
    expected_s: float


class ActiveUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is on the record. page, typing: a page and a field, as their device says."""

    user: Person
    page: str | None
    typing: str | None
    last_activity: Instant | None
    device: str | None


class HeldField(msgspec.Struct, frozen=True, kw_only=True):
    """A field that somebody holds."""

    field: str
    holder: Person
    expires_at: Instant


class RealtimeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """estimated_completion: when the visit is probably over; null once it is."""

    session_id: str
    number: str
    patient_id: str
    version: int
    status: str
    current_step: str
    workflow_steps: list[WorkflowStep]
    assigned: dict[str, Person]
    estimated_completion: Instant | None
    active_users: list[ActiveUser]
    locks: list[HeldField]
    room: str
    websocket_url: str


async def realtime_status(call: Call[None, Empty]) -> Answer:
    """Everything about the session that changes while people work on it."""
    house, who = call.house, call.principal
    record_id = await record_id_of(house.store, call.path["id"])
    people = await People.read(house.store)
    url = _websocket_url(call, record_id)

    async def work(live: LiveRoom, batch: Batch) -> Later[RealtimeStatus]:
        check_open(live, who)
        return Later(lambda: _status(live, people, url, who.roles, house.clock()))

    async with audit_read(call, record_id, detail="session") as seen:
        status: RealtimeStatus = await house.rooms.ask(record_id, work)
        seen.version = status.version
    return Answer(value=status, headers=etag(status.version))


def _status(
    live: LiveRoom, people: People, url: str, roles: frozenset[str], now: datetime
) -> RealtimeStatus:
    room, flow = live.room, current_flow(live)
    facts = room.document.section(RECORD_ROOT)
    readable = {
        field.name for field in room.profile.fields.values() if not roles.isdisjoint(field.readers)
    }
    ends = instant(now + time_left(live, now)) if flow.status == "open" else None
    return RealtimeStatus(
        session_id=live.record_id,
        number=str(facts.get("number", "")),
        patient_id=str(facts.get("patient_id", "")),
        version=room.version,
        status=flow.status,
        current_step=flow.current,
        workflow_steps=_steps(live, flow, people, now),
        assigned={role: people.person(user, role) for role, user in flow.assigned.items()},
        estimated_completion=ends,
        active_users=_active(live, people),
        locks=[
            HeldField(
                field=hold.field, holder=Person(**holder_of(hold)),
                expires_at=instant(hold.expires_at),
            )
            for hold in live.locks.holds(live.record_id).values()
            if not hold.is_over(now) and hold.field in readable
        ],
        room=f"hospital_mobile_session_{live.record_id}",
        websocket_url=url,
    )  # fmt: skip


def _steps(live: LiveRoom, flow: Flow, people: People, now: datetime) -> list[WorkflowStep]:
    profile = live.room.profile
    due = {step.id for step in pending_steps(profile, flow, chart_of(live.room).fields)}
    steps: list[WorkflowStep] = []
    for step in profile.steps:
        state = flow.of(step.id)
        until = now if flow.status == "open" and step.id == flow.current else None
        steps.append(
            WorkflowStep(
                step=step.id, title=step.title, role=step.role, status=state.status,
                is_due=flow.status == "open" and step.id in due,
                ready_at=_instant(state.ready_at), started_at=_instant(state.started_at),
                started_by=_person(people, state.started_by, step.role),
                completed_at=_instant(state.completed_at),
                completed_by=_person(people, state.completed_by, step.role),
                returned_by=_person(people, state.returned_by), reason=state.reason,
                waited_s=_between(state.ready_at, state.started_at or state.completed_at or until),
                lasted_s=_between(state.started_at, state.completed_at or until),
                expected_s=live.paces.of(profile, step).handling.total_seconds(),
            )
        )  # fmt: skip
    return steps


def _active(live: LiveRoom, people: People) -> list[ActiveUser]:
    found: list[ActiveUser] = []
    for entry in live.presence.everybody():
        state = entry.state or {}
        user = state.get("user")
        if isinstance(user, dict):  # the server's own entry has none
            found.append(
                ActiveUser(
                    user=people.person(str(user.get("id")), str(user.get("role"))),
                    page=_text(state.get("page")), typing=_text(state.get("typing")),
                    last_activity=_text(state.get("last_activity")),
                    device=_text(state.get("device")),
                )
            )  # fmt: skip
    return found


def _websocket_url(call: Call[None, Empty], record_id: str) -> str:
    """Where this session is edited live, seen from where the caller stands."""
    scheme = "wss" if is_secure(call.scope) else "ws"
    host = call.header("host") or f"{call.house.settings.host}:{call.house.settings.port}"
    return f"{scheme}://{host}/sync/{record_id}"


def _person(people: People, user_id: str | None, role: str | None = None) -> Person | None:
    return None if user_id is None else people.person(user_id, role or "")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _between(since: datetime | None, until: datetime | None) -> float | None:
    return None if since is None or until is None else (until - since).total_seconds()


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/sessions/{id}/realtime-status",
        summary="A session as it stands right now", handle=realtime_status, answer=RealtimeStatus,
        statuses=(403, 404, 503),
    ),
)  # fmt: skip
