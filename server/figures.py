"""The metrics of a profile against their thresholds, added up of an overview. SPEC DASH-3."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from permissions.fields import Metric
from permissions.profile import Profile
from server.dashboard_shapes import MOST_BEHIND, Figure, RecordRef, StepLine, reference_to
from storage.overview import ClosedRecord, OpenRecord, Overview
from sync.effects import StepTiming
from sync.quality import measures_mark, read_measures

__all__ = ["draw_figures", "median_minutes"]


def draw_figures(
    profile: Profile, overview: Overview, steps: Sequence[StepLine], since: datetime
) -> list[Figure]:
    """Every metric of the profile, in its order; shares and times since `since`."""
    shares = _shares(profile, overview)
    return [_figure(metric, overview, steps, since, shares) for metric in profile.metrics.values()]


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
                reference_to(one) for one in overview.open
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
            value, denominator = median_minutes(lengths), len(lengths)
        case "median_wait_minutes" if metric.subject is None:
            timings = [t for step in steps for t in _of_day(overview, step.step, since)]
            value, denominator = (
                median_minutes(t.started_at - t.ready_at for t in timings),
                len(timings),
            )
        case "median_wait_minutes":
            timings = _of_day(overview, metric.subject, since)
            value, denominator = (
                median_minutes(t.started_at - t.ready_at for t in timings),
                len(timings),
            )
        case "median_duration_minutes":
            timings = _of_day(overview, metric.subject, since)
            denominator = len(timings)
            value = median_minutes(t.completed_at - t.started_at for t in timings)
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


def median_minutes(lengths: Iterable[timedelta]) -> float | None:
    """The median in minutes, to a tenth; None of nothing."""
    found = [max(0.0, length.total_seconds()) for length in lengths]
    return round(median(found) / 60, 1) if found else None
