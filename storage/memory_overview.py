"""The overview of the store in memory, as `storage/overview.py` reads it from disk."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from storage.overview import (
    LOGINS_SINCE,
    MOST_CLOSED,
    MOST_LOGINS,
    MOST_UNDECIDED,
    ActiveEmergency,
    ActiveLogin,
    ClosedRecord,
    OpenRecord,
    Overview,
    OverviewFilter,
    Undecided,
)
from storage.ports import Emergency, Login, RecordHead
from sync.effects import Conflict, Refusal, StepTiming

__all__ = ["overview_of"]


def overview_of(
    wanted: OverviewFilter,
    heads: Iterable[RecordHead],
    refusals: Mapping[str, Iterable[Refusal]],
    conflicts: Mapping[str, Iterable[Conflict]],
    timings: Iterable[StepTiming],
    emergencies: Iterable[Emergency],
    logins: Iterable[Login],
) -> Overview:
    """What `read_overview` gives of the same rows. refusals, conflicts: by record."""
    own = {one.id: one for one in sorted(heads, key=lambda one: one.id)
           if one.facts.profile == wanted.profile}  # fmt: skip
    closed = [one for one in own.values() if one.facts.status == "completed"
              and one.facts.waiting_since >= wanted.since]  # fmt: skip
    closed.sort(key=lambda one: one.facts.waiting_since, reverse=True)
    newest = list(timings)[::-1]
    return Overview(
        open=[_open(one) for one in own.values() if one.facts.status == "open"],
        closed=[
            ClosedRecord(
                id=one.id, number=one.facts.number, created_at=one.facts.created_at,
                closed_at=one.facts.waiting_since, measures=one.facts.measures,
                updated_at=one.facts.updated_at,
            )
            for one in closed[:MOST_CLOSED]
        ],
        refused=_refused(own, refusals)[:MOST_UNDECIDED],
        conflicts=_conflicts(own, conflicts)[:MOST_UNDECIDED],
        timings={
            step: [t for t in newest if (t.profile, t.step) == (wanted.profile, step)][
                : wanted.samples
            ]
            for step in wanted.steps
        },
        emergencies=[
            ActiveEmergency(
                record_id=e.record_id, number=own[e.record_id].facts.number, user_id=e.user_id,
                started_at=e.started_at, until=e.until,
            )
            for e in emergencies
            if e.ended_at is None and e.until > wanted.now and e.record_id in own
        ],
        logins=_active(wanted, logins),
    )  # fmt: skip


def _open(head: RecordHead) -> OpenRecord:
    facts = head.facts
    return OpenRecord(
        id=head.id, number=facts.number, step=facts.current_step, step_status=facts.step_status,
        waiting_since=facts.waiting_since, started_at=facts.started_at,
        started_by=facts.started_by, assigned=facts.assigned, disputed=facts.disputed,
        measures=facts.measures, updated_at=facts.updated_at,
    )  # fmt: skip


def _refused(
    own: Mapping[str, RecordHead], refusals: Mapping[str, Iterable[Refusal]]
) -> list[Undecided]:
    counts = Counter(
        (id, one.field, one.rule) for id in own for one in refusals[id] if one.status == "open"
    )
    return [
        Undecided(
            record_id=id, number=own[id].facts.number, field=field, rule=rule, count=count
        )
        for (id, field, rule), count in sorted(counts.items())
    ]  # fmt: skip


def _conflicts(
    own: Mapping[str, RecordHead], conflicts: Mapping[str, Iterable[Conflict]]
) -> list[Undecided]:
    found: list[Undecided] = []
    for id, head in own.items():
        still = [one for one in conflicts[id] if one.status == "open"]
        for field in sorted({one.field for one in still}):
            here = [one for one in still if one.field == field]
            found.append(
                Undecided(
                    record_id=id, number=head.facts.number, field=field, count=len(here),
                    critical=any(one.critical for one in here),
                )
            )  # fmt: skip
    return found


def _active(wanted: OverviewFilter, logins: Iterable[Login]) -> Sequence[ActiveLogin]:
    since = wanted.now - LOGINS_SINCE
    found = [
        ActiveLogin(
            id=one.id, user_id=one.user_id, device=one.device, last_used_at=one.last_used_at,
            skew_ms=one.skew_ms,
        )
        for one in logins
        if one.ended_at is None and one.last_used_at >= since and one.expires_at > wanted.now
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.last_used_at, reverse=True)[:MOST_LOGINS]
