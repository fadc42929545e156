"""Who is on a record, told as an event: `session_user_joined`, when somebody has come or gone.

Compared once a round (`server/expiry.py`) by people, not by sockets: another window of somebody who
is there, or a connection that was back before the round, is no event.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from permissions.model import Principal
from permissions.profile import Profile
from server.executor import Batch
from sync.announcing import Person, person_of

if TYPE_CHECKING:
    from server.live_room import LiveRoom

__all__ = ["EVENT", "Attendance", "tell_attendance"]

EVENT = "session_user_joined"
"""The name is record.md's; `action` says which of both it was."""

MAX_SHOWN = 100
"""People of whom an event says that they are there; the server's awareness has them all."""


class Attendance:
    """Who was there when it was last told."""

    def __init__(self) -> None:
        self._told: dict[str, Principal] = {}

    def has_changed(self, present: Iterable[Principal]) -> bool:
        """Whether others are there than was told."""
        return {who.user_id for who in present} != self._told.keys()

    def take(self, present: Iterable[Principal]) -> tuple[list[Principal], list[Principal]]:
        """Who came and who went since this was last asked."""
        now = {who.user_id: who for who in present}
        came = [who for user_id, who in now.items() if user_id not in self._told]
        went = [who for user_id, who in self._told.items() if user_id not in now]
        self._told = now
        return came, went

    def people(self, profile: Profile) -> list[Person]:
        """Those who were last told to be there, as the contract shows people."""
        return [person_of(who, profile) for who in list(self._told.values())[:MAX_SHOWN]]


async def tell_attendance(live: "LiveRoom", batch: Batch, at: datetime) -> None:
    """In the room's turn: one notice for each person who came or went, and, where the profile has
    events of presence, an announcement of each, stored before anybody is told."""
    came, went = live.attendance.take(live.present())
    profile = live.room.profile
    users = live.attendance.people(profile)
    for action, people in (("joined", came), ("left", went)):
        for who in people:
            told = {
                "session_id": live.record_id, "action": action,
                "user": person_of(who, profile), "active_users": users,
            }  # fmt: skip
            batch.notice(EVENT, **told)
            _announce(live, batch, told, at)


def _announce(live: "LiveRoom", batch: Batch, payload: Mapping[str, object], at: datetime) -> None:
    for event in live.room.profile.events.values():
        if event.trigger == "presence_changed":
            assigned = event.audience == "assigned"
            batch.announce(
                event.name, at, roles=event.notify, session=event.audience == "session",
                users=live.room.state.assigned if assigned else (), payload=payload,
            )  # fmt: skip
