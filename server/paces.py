"""How long steps usually take here: medians of the most recent ones, kept in memory.

Every finished step that is stored here is noted as it happens; `load` also takes in what other
processes stored, and forgets what was pruned.
"""

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from statistics import median

from permissions.fields import Step
from permissions.profile import Profile
from storage.ports import Records
from sync.effects import StepTiming
from sync.estimates import Pace

__all__ = ["Paces"]

FEWEST = 3
"""Finished steps below which the profile's `expected_minutes` says more than their median."""


class Paces:
    """The medians of one site. samples: how many of the most recent steps of a kind count."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._recent: dict[tuple[str, str], deque[StepTiming]] = {}
        self._known: dict[tuple[str, str], Pace] = {}

    async def load(self, records: Records, profiles: Iterable[Profile]) -> None:
        """Go by what is stored now."""
        for profile in profiles:
            for step in profile.steps:
                found = await records.timings(profile.name, step.id, self._samples)
                kind = (profile.name, step.id)
                self._recent[kind] = deque(reversed(found), maxlen=self._samples)
                self._known.pop(kind, None)

    def note(self, timing: StepTiming) -> None:
        """Take in a finished step; the oldest of its kind no longer counts."""
        kind = (timing.profile, timing.step)
        self._recent.setdefault(kind, deque(maxlen=self._samples)).append(timing)
        self._known.pop(kind, None)

    def of(self, profile: Profile, step: Step) -> Pace:
        """How long the step usually takes; what the profile expects where too few are known."""
        kind = (profile.name, step.id)
        pace = self._known.get(kind)
        if pace is None:
            pace = self._known[kind] = self._median(kind, step)
        return pace

    def _median(self, kind: tuple[str, str], step: Step) -> Pace:
        recent = self._recent.get(kind, ())
        if len(recent) < FEWEST:
            return Pace(timedelta(0), timedelta(minutes=step.expected_minutes))
        waited = median((one.started_at - one.ready_at).total_seconds() for one in recent)
        lasted = median((one.completed_at - one.started_at).total_seconds() for one in recent)
        return Pace(timedelta(seconds=waited), timedelta(seconds=lasted))
