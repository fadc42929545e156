"""Everything that the supervisor's view is made of, read in one go and from no document.

Rows, not sums: who adds them up (`server/dashboard.py`) does the same for the store in memory, and
each figure keeps the records behind it.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from storage.columns import instant, micros, strings
from sync.effects import StepTiming

__all__ = [
    "ActiveEmergency",
    "ActiveLogin",
    "ClosedRecord",
    "OpenRecord",
    "Overview",
    "OverviewFilter",
    "Undecided",
    "read_overview",
]

MOST_UNDECIDED = 5000
"""Open refusals and conflicts, by field and record, that are looked at: more nobody can decide."""

MOST_LOGINS = 500
"""Signed-in devices, the most recently used ones."""

MOST_CLOSED = 20_000
"""Records that were closed since, the latest ones."""

LOGINS_SINCE = timedelta(days=7)
"""A device that was not seen for longer is no device that anybody waits for."""


class OverviewFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which profile and steps; what was closed or finished since when; how many timings a step."""

    profile: str
    steps: tuple[str, ...]
    since: datetime
    now: datetime
    samples: int = 500


class OpenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """See `RecordFacts`."""

    id: str
    number: str
    step: str
    step_status: str
    waiting_since: datetime
    started_at: datetime | None
    started_by: str
    assigned: tuple[str, ...]
    disputed: tuple[str, ...]
    measures: str
    updated_at: datetime


class ClosedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A completed record."""

    id: str
    number: str
    created_at: datetime
    closed_at: datetime
    measures: str
    updated_at: datetime


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """Refusals (rule) or conflicts (critical) of one field of one record that nobody decided."""

    record_id: str
    number: str
    field: str
    count: int
    rule: str = ""
    critical: bool = False


class ActiveEmergency(msgspec.Struct, frozen=True, kw_only=True):
    record_id: str
    number: str
    user_id: str
    started_at: datetime
    until: datetime


class ActiveLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is signed in. skew_ms: how far its clock runs ahead; None: it never said."""

    id: str
    user_id: str
    device: str
    last_used_at: datetime
    skew_ms: int | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. timings: step → finished ones, newest first."""

    open: Sequence[OpenRecord]
    closed: Sequence[ClosedRecord]
    refused: Sequence[Undecided]
    conflicts: Sequence[Undecided]
    timings: Mapping[str, Sequence[StepTiming]]
    emergencies: Sequence[ActiveEmergency]
    logins: Sequence[ActiveLogin]


_OPEN = (
    "SELECT id, number, current_step, step_status, waiting_since, started_at, started_by, assigned,"
    " disputed, measures, updated_at FROM records WHERE profile = ? AND status = 'open' ORDER BY id"
)
_CLOSED = (
    "SELECT id, number, created_at, waiting_since, measures, updated_at FROM records"
    " WHERE profile = ? AND status = 'completed' AND waiting_since >= ?"
    " ORDER BY waiting_since DESC, id LIMIT ?"
)
_REFUSED = (
    "SELECT r.id, r.number, f.field, f.rule, count(*) FROM refusals f"
    " JOIN records r ON r.id = f.record_id WHERE f.status = 'open' AND r.profile = ?"
    " GROUP BY r.id, f.field, f.rule ORDER BY r.id, f.field, f.rule LIMIT ?"
)
_CONFLICTS = (
    "SELECT r.id, r.number, c.field, max(c.critical), count(*) FROM conflicts c"
    " JOIN records r ON r.id = c.record_id WHERE c.status = 'open' AND r.profile = ?"
    " GROUP BY r.id, c.field ORDER BY r.id, c.field LIMIT ?"
)
_TIMINGS = (
    "SELECT ready_at, started_at, completed_at FROM step_timings WHERE profile = ? AND step = ?"
    " ORDER BY sequence DESC LIMIT ?"
)
_EMERGENCIES = (
    "SELECT r.id, r.number, e.user_id, e.started_at, e.until FROM emergency_access e"
    " JOIN records r ON r.id = e.record_id WHERE e.ended_at IS NULL AND e.until > ?"
    " AND r.profile = ? ORDER BY e.sequence"
)
_LOGINS = (
    "SELECT id, user_id, device, last_used_at, skew_ms FROM logins WHERE ended_at IS NULL"
    " AND last_used_at >= ? AND expires_at > ? ORDER BY last_used_at DESC, sequence LIMIT ?"
)


def read_overview(on: sqlite3.Connection, wanted: OverviewFilter) -> Overview:
    """Read it all in the connection's transaction."""
    profile, now = wanted.profile, micros(wanted.now)
    return Overview(
        open=[_open(row) for row in on.execute(_OPEN, (profile,))],
        closed=[
            ClosedRecord(
                id=id, number=number, created_at=instant(created), closed_at=instant(closed),
                measures=measures, updated_at=instant(updated),
            )
            for id, number, created, closed, measures, updated in on.execute(
                _CLOSED, (profile, micros(wanted.since), MOST_CLOSED)
            )
        ],
        refused=[
            Undecided(record_id=id, number=number, field=field, rule=rule, count=count)
            for id, number, field, rule, count in on.execute(_REFUSED, (profile, MOST_UNDECIDED))
        ],
        conflicts=[
            Undecided(
                record_id=id, number=number, field=field, critical=bool(critical), count=count
            )
            for id, number, field, critical, count in on.execute(
                _CONFLICTS, (profile, MOST_UNDECIDED)
            )
        ],
        timings={
            step: [
                StepTiming(
                    profile=profile, step=step, ready_at=instant(ready),
                    started_at=instant(started), completed_at=instant(completed),
                )
                for ready, started, completed in on.execute(
                    _TIMINGS, (profile, step, wanted.samples)
                )
            ]
            for step in wanted.steps
        },
        emergencies=[
            ActiveEmergency(
                record_id=id, number=number, user_id=user, started_at=instant(started),
                until=instant(until),
            )
            for id, number, user, started, until in on.execute(_EMERGENCIES, (now, profile))
        ],
        logins=[
            ActiveLogin(
                id=id, user_id=user, device=device, last_used_at=instant(used), skew_ms=skew_ms
            )
            for id, user, device, used, skew_ms in on.execute(
                _LOGINS, (micros(wanted.now - LOGINS_SINCE), now, MOST_LOGINS)
            )
        ],
    )  # fmt: skip


def _open(row: tuple[str, str, str, str, int, int, str, str, str, str, int]) -> OpenRecord:
    id, number, step, status, waiting, started, by, assigned, disputed, measures, updated = row
    return OpenRecord(
        id=id, number=number, step=step, step_status=status, waiting_since=instant(waiting),
        started_at=instant(started) if started else None, started_by=by,
        assigned=() if assigned == "[]" else strings(assigned),
        disputed=() if disputed == "[]" else strings(disputed), measures=measures,
        updated_at=instant(updated),
    )  # fmt: skip
