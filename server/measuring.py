"""Gives records from before what figures take from them, after an update of server or profile.

A few records a round, each in its room's turn, until none is left; then a round costs nothing. New
records and changed ones have theirs written with them (`server/facts.py`). SPEC DASH-2.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from permissions.policy import Policy
from permissions.profile import Profile
from server.dashboard import WINDOW
from server.executor import Batch
from server.facts import facts_of
from server.logs import Log, place_of
from server.ports import Rooms
from storage.overview import OverviewFilter
from storage.ports import Store
from sync.quality import is_measured, measures_mark

if TYPE_CHECKING:
    from server.live_room import LiveRoom

__all__ = ["Measuring"]

MOST_A_ROUND = 20
"""Records opened in one round: a thousand take a minute, and nobody's edit waits for them."""


class Measuring:
    """Finds and measures what was never measured as the profiles mean it now."""

    def __init__(
        self,
        store: Store,
        rooms: Rooms,
        policies: Mapping[str, Policy],
        clock: Callable[[], datetime],
        log: Log,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._due = {name: policy.profile for name, policy in policies.items()}
        self._clock = clock
        self._log = log
        self._unreadable: set[str] = set()

    async def round(self) -> None:
        """Measure some records of the profiles that have any left. Raises storage errors."""
        for profile in list(self._due.values()):
            found = await self._unmeasured(profile)
            if not found:
                del self._due[profile.name]
            for record_id, updated_at in found[:MOST_A_ROUND]:
                try:
                    await self._rooms.ask(record_id, _measured(updated_at))
                except Exception as error:  # a damaged record is for its reader to hear of
                    self._unreadable.add(record_id)
                    self._log.warning(
                        "record not measured", record=record_id, error=type(error).__name__,
                        place=place_of(error),
                    )  # fmt: skip

    async def _unmeasured(self, profile: Profile) -> list[tuple[str, datetime]]:
        now, mark = self._clock(), measures_mark(profile)
        wanted = OverviewFilter(
            profile=profile.name, steps=(), since=now - WINDOW, now=now, samples=1
        )
        overview = await self._store.overview(wanted)
        return [
            (one.id, one.updated_at)
            for listed in (overview.open, overview.closed)
            for one in listed
            if not is_measured(one.measures, mark) and one.id not in self._unreadable
        ]


def _measured(updated_at: datetime) -> "Callable[[LiveRoom, Batch], Awaitable[None]]":
    async def measure(live: "LiveRoom", batch: Batch) -> None:
        batch.facts = facts_of(live.room, live.created_at, updated_at)

    return measure
