"""The supervisor's view of one profile, added up of an overview, with the records behind it.

No clinical value is in it but as a share of many, and no name of a patient: records are named by id
and number. Times are since when; minutes are as of `at`. SPEC DASH-1, DASH-3.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

import msgspec

from permissions.fields import Metric, Step
from permissions.model import Principal
from permissions.policy import Policy
from permissions.profile import Profile
from server.people import Instant, People, Person, instant
from storage.overview import ClosedRecord, OpenRecord, Overview, Undecided
from sync.effects import StepTiming
from sync.quality import measures_mark, read_measures

__all__ = [
    "WINDOW",
    "Alarm",
    "Dashboard",
    "Finding",
    "draw_dashboard",
    "findings_of",
    "is_overseen",
    "seen_by",
]

WINDOW = timedelta(hours=24)
"""How far the dashboard looks back: to what was completed, and to the steps of the day."""

MOST_BEHIND = 20
"""Records named behind one figure; the count says how many there are."""

MOST_LISTED = 200
"""People at work, approvals and devices that are listed."""

MinuteCount = float
"""Minutes, to a tenth."""


class RecordRef(msgspec.Struct, frozen=True, kw_only=True):
    """A record, one press away: `GET /api/records/{id}`."""

    id: str
    number: str


class Waiting(RecordRef, frozen=True, kw_only=True):
    waiting_since: Instant
    waiting_minutes: MinuteCount


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Medians in minutes, null where there is none, and of how many: recent ones, the day's."""

    recent: MinuteCount | None
    recent_count: int
    day: MinuteCount | None
    day_count: int


class StepLine(msgspec.Struct, frozen=True, kw_only=True):
    """A step's queue and pace. level: of who waits longest. wait, handling: of finished steps."""

    step: str
    title: str
    role: str | None
    waiting: int
    in_progress: int
    oldest: Waiting | None
    level: Literal["", "amber", "red"]
    amber_minutes: int
    red_minutes: int
    wait: Pace
    handling: Pace


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """Who works on what. doing: `step`, since it was started, or `present`: has it open.

    is_here: has the record open right now. since: null where only that is known.
    """

    person: Person
    record: RecordRef
    step: str
    doing: Literal["step", "present"]
    since: Instant | None
    is_here: bool


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    begins: Instant
    completed: int


class FieldCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often something is the matter with a field, and where. rule: of refusals."""

    field: str
    title: str
    rule: str = ""
    critical: bool = False
    count: int
    records: list[RecordRef]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of the profile against its threshold.

    value: in `unit`, null without data; numerator of denominator for shares, else denominator is
    how many it is the median or count of. Shares are of what is open or was closed in the window.
    """

    name: str
    title: str
    measure: str
    of: str | None
    unit: str
    value: float | None
    numerator: int
    denominator: int
    at_most: float | None
    at_least: float | None
    status: Literal["ok", "breached", "no data"]
    records: list[RecordRef]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A call to make."""

    method: str
    href: str
    body: dict[str, str]


class Approval(Waiting, frozen=True, kw_only=True):
    """A record that waits for those who oversee.

    required: what completing asks for, one of each list. approve: as it is; send_back: its body
    still wants a `reason`, and `to` one of returns_to.
    """

    step: str
    step_status: str
    level: Literal["", "amber", "red"]
    required: list[list[str]]
    returns_to: list[str]
    approve: Link
    send_back: Link


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in device. skew_ms: how far its clock runs ahead; null: it never told the time.

    unsent is always null: what a device has not sent, no server can know; last_seen says how long
    it had the occasion.
    """

    login: str
    person: Person
    device: str
    last_seen: Instant
    skew_ms: int | None
    is_here: bool
    unsent: int | None = None


class BrokenGlass(msgspec.Struct, frozen=True, kw_only=True):
    record: RecordRef
    person: Person
    since: Instant
    until: Instant


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that is breached. value, threshold: minutes, the metric's unit, ms, percent."""

    id: str
    kind: str
    subject: str
    record: str
    since: Instant
    value: float
    threshold: float


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A profile as those who oversee it see it."""

    profile: str
    at: Instant
    since: Instant
    steps: list[StepLine]
    working: list[Worker]
    completed: int
    hours: list[Hour]
    refused: list[FieldCount]
    conflicts: list[FieldCount]
    disputed: list[FieldCount]
    metrics: list[Figure]
    approvals: list[Approval]
    devices: list[Device]
    emergencies: list[BrokenGlass]
    alerts: list[Alarm] = []


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a dashboard that is past its threshold. key: the same while it lasts."""

    key: str
    kind: str
    subject: str
    record: str
    value: float
    threshold: float


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
    shares = _shares(profile, overview)
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
        metrics=[
            _figure(metric, overview, steps, since, shares)
            for metric in profile.metrics.values()
        ],
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
            recent=_median(map(length, recent)), recent_count=len(recent),
            day=_median(map(length, day)), day_count=len(day),
        )  # fmt: skip

    return pace(lambda t: t.started_at - t.ready_at), pace(lambda t: t.completed_at - t.started_at)


def _median(lengths: Iterable[timedelta]) -> float | None:
    found = [max(0.0, length.total_seconds()) for length in lengths]
    return round(median(found) / 60, 1) if found else None


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
                    person=people.person(one.started_by), record=_ref(one), step=one.step,
                    doing="step", since=instant(one.started_at) if one.started_at else None,
                    is_here=was_here is not None,
                )
            )  # fmt: skip
    for record_id, user_id in here:
        if record_id in records:
            workers.append(
                Worker(
                    person=people.person(user_id), record=_ref(records[record_id]),
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


def _figure(
    metric: Metric,
    overview: Overview,
    steps: Sequence[StepLine],
    since: datetime,
    shares: Mapping[str, tuple[int, int, list[RecordRef]]],
) -> Figure:
    numerator, denominator, value = 0, 0, None
    behind: list[RecordRef] = []
    match metric.measure:
        case "count_waiting":
            at = [step for step in steps if metric.subject in (None, step.step)]
            denominator = sum(step.waiting for step in at)
            value = float(denominator)
            behind = [
                _ref(one) for one in overview.open
                if one.step_status != "in_progress" and metric.subject in (None, one.step)
            ]  # fmt: skip
        case "count_completed" if metric.subject is None:
            denominator = len(overview.closed)
            value = float(denominator)
        case "count_completed":
            denominator = len(_of_day(overview, metric.subject, since))
            value = float(denominator)
        case "median_duration_minutes" if metric.subject is None:
            lengths = [one.closed_at - one.created_at for one in overview.closed]
            value, denominator = _median(lengths), len(lengths)
        case "median_wait_minutes" if metric.subject is None:
            timings = [t for step in steps for t in _of_day(overview, step.step, since)]
            value, denominator = _median(t.started_at - t.ready_at for t in timings), len(timings)
        case "median_wait_minutes":
            timings = _of_day(overview, metric.subject, since)
            value, denominator = _median(t.started_at - t.ready_at for t in timings), len(timings)
        case "median_duration_minutes":
            timings = _of_day(overview, metric.subject, since)
            denominator = len(timings)
            value = _median(t.completed_at - t.started_at for t in timings)
        case "share_flagged" | "share_equal":
            numerator, denominator, behind = shares.get(metric.name, (0, 0, []))
            value = round(100 * numerator / denominator, 1) if denominator else None
    return Figure(
        name=metric.name, title=metric.title, measure=metric.measure, of=metric.subject,
        unit=metric.unit, value=value, numerator=numerator, denominator=denominator,
        at_most=metric.at_most, at_least=metric.at_least, status=_status(metric, value),
        records=behind[:MOST_BEHIND],
    )  # fmt: skip


def _shares(profile: Profile, overview: Overview) -> dict[str, tuple[int, int, list[RecordRef]]]:
    """Hits, how many were looked at, and records with a hit, by metric; each record read once."""
    mark = measures_mark(profile)
    sums: dict[str, tuple[int, int, list[RecordRef]]] = {}
    for one in _measured(overview):
        for name, (hits, looked_at) in read_measures(one.measures, mark).items():
            hit, of, behind = sums.get(name, (0, 0, []))
            if hits and len(behind) < MOST_BEHIND:
                behind.append(RecordRef(id=one.id, number=one.number))
            sums[name] = (hit + hits, of + looked_at, behind)
    return sums


def _measured(overview: Overview) -> Iterator[OpenRecord | ClosedRecord]:
    yield from overview.open
    yield from overview.closed


def _of_day(overview: Overview, step: str | None, since: datetime) -> list[StepTiming]:
    return [one for one in overview.timings.get(step or "", ()) if one.completed_at >= since]


def _status(metric: Metric, value: float | None) -> Literal["ok", "breached", "no data"]:
    if value is None:
        return "no data"
    above = metric.at_most is not None and value > metric.at_most
    below = metric.at_least is not None and value < metric.at_least
    return "breached" if above or below else "ok"


def _ref(one: OpenRecord) -> RecordRef:
    return RecordRef(id=one.id, number=one.number)


def findings_of(profile: Profile, dashboard: Dashboard, skew_ms: int) -> Mapping[str, Finding]:
    """What of it is past a threshold, by key. skew_ms: how far a device's clock may be off."""
    found: list[Finding] = []

    def add(kind: str, subject: str, value: float, threshold: float, record: str = "") -> None:
        key = f"{profile.name}/{kind}/{subject}"
        found.append(
            Finding(key=key, kind=kind, subject=subject, record=record, value=value,
                    threshold=threshold)
        )  # fmt: skip

    overseen = {step.id for step in profile.steps if is_overseen(profile, step)}
    for step in dashboard.steps:
        if step.oldest is not None and step.level == "red":
            kind = "approval" if step.step in overseen else "wait"
            add(kind, step.step, step.oldest.waiting_minutes, step.red_minutes, step.oldest.id)
    for figure in dashboard.metrics:
        if figure.status == "breached" and figure.value is not None:
            is_above = figure.at_most is not None and figure.value > figure.at_most
            threshold = figure.at_most if is_above else figure.at_least
            add("metric", figure.name, figure.value, threshold or 0.0)
    for device in dashboard.devices:
        if device.skew_ms is not None and abs(device.skew_ms) > skew_ms:
            add("clock", device.login, device.skew_ms, skew_ms)
    return {one.key: one for one in found}
