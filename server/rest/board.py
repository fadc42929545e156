"""What the queue board shows of records, how full each queue is, and when nothing has changed."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from permissions.fields import Step
from permissions.model import Principal, Rule
from permissions.policy import Policy
from permissions.profile import Profile
from server.errors import NotAllowed
from server.house import House
from server.problems import invalid
from server.rest.access import audit_call, may_open, opened_profiles
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.shapes import Instant, People, Person, cursor_after, id_after, instant
from storage.columns import folded, micros
from storage.columns import instant as from_micros
from storage.ports import RecordHead, StepCount

__all__ = [
    "ENDPOINTS",
    "BoardRow",
    "board_rows",
    "board_tag",
    "is_found_to_take",
    "is_unchanged",
    "place_after",
    "queue_cursor",
    "unchanged",
]

Level = Literal["", "amber", "red"]
"""Whether somebody has waited longer than the step's profile finds good, or much too long."""

_PLACE = re.compile(r"[0-9]{1,9}-[0-9]{1,18}-[0-9A-Z]{26}\Z", re.ASCII)


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record as the board shows it.

    priority: the option that the profile orders by; urgency: its place, 0 is the most urgent.
    waiting_since, waiting_seconds, level: of the step at which it stands; null once it is closed.
    staff: who is responsible for its steps, `assigned` their ids.
    opens: false of what waits for the caller's role and must be taken before it is opened: whose
    visit it is stays out of the row but for the name, if the role may read that.
    """

    id: str
    number: str
    profile: str
    patient_id: str
    version: int
    status: str
    current_step: str
    step_status: str
    priority: str | None
    urgency: int
    waiting_since: Instant | None
    waiting_seconds: int | None
    level: Level
    title: str
    disputed: list[str]
    assigned: list[str]
    staff: list[Person]
    opens: bool
    created_at: Instant
    updated_at: Instant


class BoardOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which profile's board."""

    profile: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class StepOnBoard(msgspec.Struct, frozen=True, kw_only=True):
    """One step's queue. oldest_waiting: since when who waits longest does; null if nobody does."""

    step: str
    title: str
    role: str | None
    waiting: int
    in_progress: int
    oldest_waiting: Instant | None
    oldest_seconds: int
    level: Level
    amber_minutes: int
    red_minutes: int


class RoleOnBoard(msgspec.Struct, frozen=True, kw_only=True):
    """All the steps of one role together."""

    role: str
    waiting: int
    in_progress: int
    oldest_waiting: Instant | None


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """How full each queue of a profile is."""

    profile: str
    steps: list[StepOnBoard]
    roles: list[RoleOnBoard]


async def read_board(call: Call[None, BoardOf]) -> Answer:
    """How many wait for each step and role, and how long; 304 while nothing has changed."""
    name = call.query.profile
    policy = call.house.policies.get(name)
    if policy is None:
        raise invalid("profile", Rule.UNKNOWN_FIELD, "No such profile is served here.")
    if name not in opened_profiles(call.house, call.principal):
        raise NotAllowed("You have no role in this profile.")
    tag = board_tag(call)
    if is_unchanged(call, tag):
        return unchanged(tag)
    counts = await call.house.store.records.step_counts(name)
    await audit_call(call, "query", detail=f"board profile={name}")
    now = call.house.clock()
    steps = [_step(step, counts, now) for step in policy.profile.steps if step.role is not None]
    roles = [_role(role, steps) for role in dict.fromkeys(step.role for step in steps) if role]
    return Answer(value=Board(profile=name, steps=steps, roles=roles), headers={"ETag": tag})


def _step(step: Step, counts: Sequence[StepCount], now: datetime) -> StepOnBoard:
    here = [each for each in counts if each.step == step.id]
    waiting = [each for each in here if each.step_status != "in_progress"]
    oldest = min((each.oldest for each in waiting), default=None)
    seconds = _seconds(oldest, now) if oldest else 0
    return StepOnBoard(
        step=step.id, title=step.title, role=step.role,
        waiting=sum(each.count for each in waiting),
        in_progress=sum(each.count for each in here) - sum(each.count for each in waiting),
        oldest_waiting=instant(oldest) if oldest else None, oldest_seconds=seconds,
        level=_level(step, seconds), amber_minutes=step.amber_minutes,
        red_minutes=step.red_minutes,
    )  # fmt: skip


def _role(role: str, steps: Sequence[StepOnBoard]) -> RoleOnBoard:
    own = [step for step in steps if step.role == role]
    return RoleOnBoard(
        role=role, waiting=sum(step.waiting for step in own),
        in_progress=sum(step.in_progress for step in own),
        oldest_waiting=min((s.oldest_waiting for s in own if s.oldest_waiting), default=None),
    )  # fmt: skip


async def board_rows(house: House, who: Principal, heads: Sequence[RecordHead]) -> list[BoardRow]:
    """The heads as rows for this person, with the people who are responsible."""
    anybody = any(head.facts.assigned for head in heads)
    people = await People.read(house.store) if anybody else None
    now = house.clock()
    rows = []
    for head in heads:
        policy = house.policies[head.facts.profile]
        row = _row(head, policy.profile, people, now)
        rows.append(row if may_open(policy, who, head) else _to_take(row, policy, who))
    return rows


def is_found_to_take(policy: Policy, who: Principal, head: RecordHead, text: str) -> bool:
    """Whether the text is in what the row of one who may only take the record says of it.

    Whoever could find it by anything else would learn that by searching.
    """
    shown = head.facts.title if _may_name(policy, who) else ""
    return folded(text) in folded(head.facts.number, shown)


def _to_take(row: BoardRow, policy: Policy, who: Principal) -> BoardRow:
    """What must be known of somebody to call them in."""
    title = row.title if _may_name(policy, who) else ""
    return msgspec.structs.replace(row, opens=False, patient_id="", disputed=[], title=title)


def _may_name(policy: Policy, who: Principal) -> bool:
    profile = policy.profile
    return all(policy.may_read(who, profile.fields[it]).allowed for it in profile.summary.title)


def _row(head: RecordHead, profile: Profile, people: People | None, now: datetime) -> BoardRow:
    facts = head.facts
    step = profile.step(facts.current_step)
    is_open = facts.status == "open"
    seconds = _seconds(facts.waiting_since, now) if is_open else None
    waits = seconds is not None and step is not None and facts.step_status != "in_progress"
    return BoardRow(
        id=head.id, number=facts.number, profile=facts.profile, patient_id=facts.patient_id,
        version=head.version, status=facts.status, current_step=facts.current_step,
        step_status=facts.step_status, priority=_priority(facts.priority, profile),
        urgency=facts.priority,
        waiting_since=instant(facts.waiting_since) if is_open else None,
        waiting_seconds=seconds, level=_level(step, seconds) if waits and step and seconds else "",
        title=facts.title, disputed=list(facts.disputed), assigned=list(facts.assigned),
        staff=[people.person(id) for id in facts.assigned] if people else [], opens=True,
        created_at=instant(facts.created_at), updated_at=instant(facts.updated_at),
    )  # fmt: skip


def _priority(place: int, profile: Profile) -> str | None:
    name = profile.summary.priority
    options = list(profile.fields[name].rules.options) if name is not None else []
    return str(options[place]) if place < len(options) else None


def _seconds(since: datetime, now: datetime) -> int:
    return max(0, int((now - since).total_seconds()))


def _level(step: Step, seconds: int) -> Level:
    if seconds >= step.red_minutes * 60:
        return "red"
    return "amber" if seconds >= step.amber_minutes * 60 else ""


# -- nothing has changed ---------------------------------------------------------------------------


def board_tag(call: Call[Any, Any]) -> str:
    """A weak ETag: the board's state, who asks and for what. Taken before the board is read."""
    who = call.principal
    asked = f"{who.user_id} {sorted(who.roles)} {call.scope['path']} {call.query!r}"
    short = hashlib.sha256(asked.encode()).hexdigest()[:12]
    return f'W/"{call.house.events.board_tag()}.{short}"'


def is_unchanged(call: Call[Any, Any], tag: str) -> bool:
    """Whether the caller has this state already (RFC 9110, 13.1.2)."""
    given = call.header("if-none-match") or ""
    return tag in (each.strip() for each in given.split(","))


def unchanged(tag: str) -> Answer:
    """304: what the caller has still stands. Waiting times follow from `waiting_since`."""
    return Answer(status=304, headers={"ETag": tag})


def queue_cursor(head: RecordHead) -> str:
    """A cursor to what follows in a queue."""
    facts = head.facts
    return cursor_after(f"{facts.priority}-{micros(facts.waiting_since)}-{head.id}")


def place_after(cursor: str | None) -> tuple[int, datetime, str] | None:
    """The place in a queue inside a `queue_cursor`. Raises InvalidRequest for any other."""
    place = id_after(cursor, _PLACE)
    if place is None:
        return None
    priority, since, id = place.split("-")
    try:
        return int(priority), from_micros(int(since)), id
    except OverflowError as error:
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.") from error


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/board", summary="How full each queue is", handle=read_board,
        audit="query", query=BoardOf, answer=Board, request_headers=("If-None-Match",),
        statuses=(403, 422),
    ),
)  # fmt: skip
