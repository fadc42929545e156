"""How long a visit still takes, from how long its steps usually take at this site. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from permissions.fields import Step
from permissions.profile import Fields, Profile
from sync.flow import Flow
from sync.workflow import pending_steps

__all__ = ["Pace", "remaining"]

_NOW = timedelta(0)


class Pace(NamedTuple):
    """How long a step usually takes: waiting for it, and doing it."""

    waiting: timedelta
    handling: timedelta


def remaining(
    profile: Profile, flow: Flow, fields: Fields, pace_of: Callable[[Step], Pace], now: datetime
) -> timedelta:
    """From now to the end of the visit, if its steps take what they usually take.

    What has lasted longer than usual is taken to end any moment. Optional steps count while
    something is open for them. 0 of a record that is not open.
    """
    if flow.status != "open":
        return _NOW
    total = _NOW
    for step in pending_steps(profile, flow, fields):
        pace, state = pace_of(step), flow.of(step.id)
        if step.role is None:
            continue
        if step.id != flow.current:
            total += pace.waiting + pace.handling
        elif state.status == "in_progress":
            total += max(pace.handling - (now - (state.started_at or now)), _NOW)
        else:
            waited = now - (state.ready_at or now)
            total += max(pace.waiting - waited, _NOW) + pace.handling
    return total
