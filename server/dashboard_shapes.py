"""What the supervisor's view consists of, as HTTP shows it. Values only."""

from typing import Literal

import msgspec

from server.people import Instant, Person
from storage.overview import OpenRecord

__all__ = [
    "MOST_BEHIND",
    "Alarm",
    "Approval",
    "BrokenGlass",
    "Dashboard",
    "Device",
    "FieldCount",
    "Figure",
    "Hour",
    "Link",
    "Pace",
    "RecordRef",
    "StepLine",
    "Waiting",
    "Worker",
    "reference_to",
]

MOST_BEHIND = 20
"""Records named behind one figure; the count says how many there are."""

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


def reference_to(one: OpenRecord) -> RecordRef:
    """The record, named."""
    return RecordRef(id=one.id, number=one.number)
