"""The supervisor's view of one profile, added up of an overview, with the records behind it.

No clinical value is in it but as a share of many, and no name of a patient: records are named by id
and number. Times are since when; minutes are as of `at`. SPEC DASH-1, DASH-3.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from permissions.fields import Step
from permissions.model import Principal
from permissions.policy import Policy
from permissions.profile import Profile
from server.dashboard_shapes import (
    MOST_BEHIND,
    Alarm,
    Approval,
    BrokenGlass,
    Dashboard,
    Device,
    FieldCount,
    Hour,
    Link,
    Pace,
    RecordRef,
    StepLine,
    Waiting,
    Worker,
    reference_to,
)
from server.figures import draw_figures, median_minutes
from server.people import People, instant
from storage.overview import OpenRecord, Overview, Undecided
from sync.effects import StepTiming

__all__ = ["WINDOW", "draw_dashboard", "is_overseen", "seen_by"]

WINDOW = timedelta(hours=24)
"""How far the dashboard looks back: to what was completed, and to the steps of the day."""

MOST_LISTED = 200
"""People at work, approvals and devices that are listed."""


def is_overseen(profile: Profile, step: Step) -> bool:
    """Whether the step is done by those who oversee: what waits there waits for approval."""
    role = profile.roles.get(step.role or "")
    return role is not None and "see_dashboard" in role.powers


def draw_dashboard(
    profile: Profile,
    overview: Overview,
    people: People,
    present: Sequence[tuple[str, Principal]],
    now: datetime,
    samples: int,
    alerts: Sequence[Alarm] = (),
) -> Dashboard:
    """Add it up. present: record id and person of each open socket of the profile's records."""
    since = now - WINDOW
    by_step: dict[str, list[OpenRecord]] = {}
    for one in overview.open:
        by_step.setdefault(one.step, []).append(one)
    paces = {step.id: _paces(overview.timings.get(step.id, ()), since, samples)
             for step in profile.steps}  # fmt: skip
    steps = [
        _step(step, by_step.get(step.id, ()), paces[step.id], now)
        for step in profile.steps
        if step.role is not None
    ]
    return Dashboard(
        profile=profile.name,
        at=instant(now),
        since=instant(since),
        steps=steps,
        working=_working(overview.open, people, present),
        completed=len(overview.closed),
        hours=_hours([one.closed_at for one in overview.closed], now),
        refused=_fields(profile, overview.refused),
        conflicts=_fields(profile, overview.conflicts),
        disputed=_fields(profile, _disputed(overview.open)),
        metrics=draw_figures(profile, overview, steps, since),
        approvals=[
            _approval(step, one, now)
            for step in profile.steps
            if is_overseen(profile, step)
            for one in sorted(by_step.get(step.id, ()), key=lambda one: one.waiting_since)
        ][:MOST_LISTED],
        devices=_devices(profile, overview, people, present),
        emergencies=[
            BrokenGlass(
                record=RecordRef(id=one.record_id, number=one.number),
                person=people.person(one.user_id), since=instant(one.started_at),
                until=instant(one.until),
            )
            for one in overview.emergencies
        ],
        alerts=list(alerts),
    )  # fmt: skip


def seen_by(dashboard: Dashboard, policy: Policy, who: Principal) -> Dashboard:
    """Without fields that the person may not read, nor which records a share of them counts."""

    def is_known(name: str) -> bool:
        field = policy.profile.fields.get(name)
        return field is None or policy.may_read(who, field).allowed

    return msgspec.structs.replace(
        dashboard,
        refused=[one for one in dashboard.refused if is_known(one.field)],
        conflicts=[one for one in dashboard.conflicts if is_known(one.field)],
        disputed=[one for one in dashboard.disputed if is_known(one.field)],
        metrics=[
            one if is_known(one.of or "") else msgspec.structs.replace(one, records=[])
            for one in dashboard.metrics
        ],
    )


# -- queues and paces ------------------------------------------------------------------------------


def _step(
    step: Step, here: Sequence[OpenRecord], paces: tuple[Pace, Pace], now: datetime
) -> StepLine:
    waiting = [one for one in here if one.step_status != "in_progress"]
    oldest = min(waiting, key=lambda one: (one.waiting_since, one.id), default=None)
    minutes = _minutes(now - oldest.waiting_since) if oldest else 0.0
    return StepLine(
        step=step.id, title=step.title, role=step.role, waiting=len(waiting),
        in_progress=len(here) - len(waiting),
        oldest=None if oldest is None else Waiting(
            id=oldest.id, number=oldest.number, waiting_since=instant(oldest.waiting_since),
            waiting_minutes=minutes,
        ),
        level=_level(step, minutes), amber_minutes=step.amber_minutes,
        red_minutes=step.red_minutes, wait=paces[0], handling=paces[1],
    )  # fmt: skip


def _level(step: Step, minutes: float) -> Literal["", "amber", "red"]:
    if minutes >= step.red_minutes:
        return "red"
    return "amber" if minutes >= step.amber_minutes else ""


def _paces(timings: Sequence[StepTiming], since: datetime, samples: int) -> tuple[Pace, Pace]:
    """Of waiting and of handling."""
    recent = timings[:samples]
    day = [one for one in timings if one.completed_at >= since]

    def pace(length: Callable[[StepTiming], timedelta]) -> Pace:
        return Pace(
            recent=median_minutes(map(length, recent)), recent_count=len(recent),
            day=median_minutes(map(length, day)), day_count=len(day),
        )  # fmt: skip

    return pace(lambda t: t.started_at - t.ready_at), pace(lambda t: t.completed_at - t.started_at)


def _minutes(length: timedelta) -> float:
    return round(max(0.0, length.total_seconds()) / 60, 1)


def _hours(closed: Sequence[datetime], now: datetime) -> list[Hour]:
    """Twenty-four hours, the last of which ends now."""
    counts = [0] * 24
    for at in closed:
        ago = int((now - at) / timedelta(hours=1))
        if 0 <= ago < len(counts):
            counts[ago] += 1
    return [
        Hour(begins=instant(now - timedelta(hours=ago + 1)), completed=counts[ago])
        for ago in reversed(range(len(counts)))
    ]


# -- people ----------------------------------------------------------------------------------------


def _working(
    open: Sequence[OpenRecord], people: People, present: Sequence[tuple[str, Principal]]
) -> list[Worker]:
    here = {(record_id, who.user_id): who for record_id, who in present}
    workers: list[Worker] = []
    records = {one.id: one for one in open}
    for one in open:
        if len(workers) == MOST_LISTED:
            break
        if one.step_status == "in_progress" and one.started_by:
            was_here = here.pop((one.id, one.started_by), None)
            workers.append(
                Worker(
                    person=people.person(one.started_by), record=reference_to(one), step=one.step,
                    doing="step", since=instant(one.started_at) if one.started_at else None,
                    is_here=was_here is not None,
                )
            )  # fmt: skip
    for record_id, user_id in here:
        if record_id in records:
            workers.append(
                Worker(
                    person=people.person(user_id), record=reference_to(records[record_id]),
                    step=records[record_id].step, doing="present", since=None, is_here=True,
                )
            )  # fmt: skip
    return workers[:MOST_LISTED]


def _devices(
    profile: Profile,
    overview: Overview,
    people: People,
    present: Sequence[tuple[str, Principal]],
) -> list[Device]:
    here = {who.login_id for _, who in present}
    return [
        Device(
            login=one.id, person=people.person(one.user_id), device=one.device,
            last_seen=instant(one.last_used_at), skew_ms=one.skew_ms, is_here=one.id in here,
        )
        for one in overview.logins
        if not people.roles(one.user_id).isdisjoint(profile.roles)
    ][:MOST_LISTED]  # fmt: skip


def _approval(step: Step, one: OpenRecord, now: datetime) -> Approval:
    minutes = _minutes(now - one.waiting_since)
    href = f"/api/sessions/{one.id}/steps/{step.id}"
    return Approval(
        id=one.id, number=one.number, waiting_since=instant(one.waiting_since),
        waiting_minutes=minutes, step=step.id, step_status=one.step_status,
        level=_level(step, minutes), required=[list(each.any_of) for each in step.required],
        returns_to=list(step.returns_to),
        approve=Link(method="PUT", href=href, body={"status": "completed"}),
        send_back=Link(method="PUT", href=href, body={"status": "returned"}),
    )  # fmt: skip


# -- fields and figures ----------------------------------------------------------------------------


def _disputed(open: Sequence[OpenRecord]) -> list[Undecided]:
    return [
        Undecided(record_id=one.id, number=one.number, field=name, count=1, critical=True)
        for one in open
        for name in one.disputed
    ]


def _fields(profile: Profile, undecided: Sequence[Undecided]) -> list[FieldCount]:
    """By field and rule, what is most often the matter first."""
    groups: dict[tuple[str, str], list[Undecided]] = {}
    for one in undecided:
        groups.setdefault((one.field, one.rule), []).append(one)
    lines = []
    for (name, rule), found in groups.items():
        field = profile.fields.get(name)
        lines.append(
            FieldCount(
                field=name, title=field.title if field is not None else name, rule=rule,
                critical=any(one.critical for one in found),
                count=sum(one.count for one in found),
                records=[RecordRef(id=one.record_id, number=one.number)
                         for one in found[:MOST_BEHIND]],
            )
        )  # fmt: skip
    return sorted(lines, key=lambda line: (-line.count, line.field, line.rule))
