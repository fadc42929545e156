"""How long finished steps took: rows of their own that name no record, so that they outlive it."""

from collections.abc import Sequence

from sqlalchemy import Insert, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import instant, micros
from storage.tables import step_timings
from sync.effects import StepTiming

__all__ = ["TIMING_COLUMNS", "insert_timing", "read_timings", "timing_row"]

TIMING_COLUMNS = ("profile", "step", "ready_at", "started_at", "completed_at")
"""The columns in the order of `timing_row`."""


def timing_row(timing: StepTiming) -> tuple[object, ...]:
    """The timing as columns. Raises ValueError for an instant that is not UTC."""
    return (
        timing.profile, timing.step,
        micros(timing.ready_at), micros(timing.started_at), micros(timing.completed_at),
    )  # fmt: skip


def insert_timing() -> Insert:
    return insert(step_timings).values({name: bindparam(name) for name in TIMING_COLUMNS})


async def read_timings(
    connection: AsyncConnection, profile: str, step: str, limit: int
) -> Sequence[StepTiming]:
    """The most recent ones of a step, newest first."""
    query = (
        select(*(step_timings.c[name] for name in TIMING_COLUMNS))
        .where(step_timings.c.profile == profile, step_timings.c.step == step)
        .order_by(step_timings.c.sequence.desc())
        .limit(limit)
    )
    return [
        StepTiming(
            profile=row.profile, step=row.step, ready_at=instant(row.ready_at),
            started_at=instant(row.started_at), completed_at=instant(row.completed_at),
        )
        for row in await connection.execute(query)
    ]  # fmt: skip
