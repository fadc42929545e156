"""Keeps each profile's dashboard: drawn when somebody asks and something has changed, once for all.

What changes it is noted from the batches that were stored; while somebody who oversees listens to
events they are told so, once a second at most. Minutes pass without a change: a view is drawn anew
when a minute is over. SPEC DASH-4.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ulid import ULID

from permissions.model import Principal
from permissions.policy import Policy
from server.attendance import EVENT as ATTENDANCE
from server.dashboard import WINDOW, draw_dashboard
from server.dashboard_shapes import Alarm, Dashboard
from server.executor import Batch
from server.people import People
from server.settings import Settings
from server.telling import encode
from storage.overview import OverviewFilter
from storage.ports import Store

__all__ = ["Overseeing"]

TELL_SECONDS = 1.0
"""The least time between two `dashboard` events of a profile."""


class _Rooms(Protocol):
    def present(self, profile: str) -> Sequence[tuple[str, Principal]]:
        """Record and person of each open socket."""


class _Streams(Protocol):
    def tell_overseers(self, profile: str, frame: bytes) -> int:
        """Put a frame on the streams of those who may see the dashboard; to how many."""


class Overseeing:
    """The dashboards of all profiles."""

    def __init__(
        self,
        store: Store,
        rooms: _Rooms,
        streams: _Streams,
        policies: Mapping[str, Policy],
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._streams = streams
        self._policies = policies
        self._settings = settings
        self._clock = clock
        self._boot = str(ULID())
        self._revisions = dict.fromkeys(policies, 0)
        self._drawn: dict[str, tuple[str, Dashboard]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._told_at: dict[str, float] = {}
        self.alarms: dict[str, list[Alarm]] = {}

    def stored(self, batch: Batch) -> None:
        """A batch is on disk: note whether its profile's dashboard shows any of it."""
        if (
            batch.facts is not None
            or batch.refusals
            or batch.decided
            or batch.conflicts
            or any(notice.get("event") == ATTENDANCE for notice in batch.notices)
        ):
            self.note(batch.profile)

    def note(self, profile: str) -> None:
        """The profile's dashboard has changed: whoever has it open is told, a little later."""
        if profile not in self._revisions:
            return
        self._revisions[profile] += 1
        if profile not in self._timers:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._told_at.get(profile, 0.0) + TELL_SECONDS)
            self._timers[profile] = loop.call_at(due, self._tell, profile)

    def tag(self, profile: str) -> str:
        """What changes whenever the dashboard does, and when a minute is over."""
        minute = int(self._clock().timestamp() // 60)
        return f"{self._boot}.{self._revisions[profile]}.{minute}"

    async def dashboard(self, profile: str) -> Dashboard:
        """As it stands. Raises KeyError for a profile that is not served, storage errors."""
        # One drawing serves everybody who asked meanwhile.
        async with self._turns.setdefault(profile, asyncio.Lock()):
            tag = self.tag(profile)
            known = self._drawn.get(profile)
            if known is not None and known[0] == tag:
                return known[1]
            drawn = await self._draw(profile)
            self._drawn[profile] = (tag, drawn)
            return drawn

    async def _draw(self, name: str) -> Dashboard:
        profile, now = self._policies[name].profile, self._clock()
        wanted = OverviewFilter(
            profile=name, steps=tuple(step.id for step in profile.steps), since=now - WINDOW,
            now=now, samples=max(500, self._settings.pace_samples),
        )  # fmt: skip
        overview = await self._store.overview(wanted)
        people = await People.read(self._store)
        return draw_dashboard(
            profile, overview, people, self._rooms.present(name), now,
            self._settings.pace_samples, self.alarms.get(name, ()),
        )  # fmt: skip

    def _tell(self, profile: str) -> None:
        self._timers.pop(profile, None)
        self._told_at[profile] = asyncio.get_running_loop().time()
        told = {"profile": profile, "dashboard": self.tag(profile)}
        self._streams.tell_overseers(profile, b"event: dashboard\ndata: %s\n\n" % encode(told))
