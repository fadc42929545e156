"""What a live room announces, and when: a `Herald` (sync/announcing.py) and its alarm clock.

What is due leaves with a batch of the room and is stored in its transaction. The herald wakes the
room when something becomes due and nobody writes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec
from ulid import ULID

from permissions.model import Principal
from server.attendance import EVENT
from server.executor import Batch
from sync.announcing import Herald, Plan, facts_from, person_of
from sync.effects import Announcement
from sync.place import RECORD_ROOT
from sync.room import Room

__all__ = ["MOST_PRESENT", "Announcer"]

MOST_PRESENT = 200
"""People of one session who are told by name of what happens in it; the others hear it live."""

SOONEST_SECONDS = 0.01
"""The herald wakes the room no sooner: its clock and the loop's need not agree."""


class Announcer:
    """Announces for one room. wake: lets the room take a turn, in which it calls `collect`."""

    def __init__(self, plan: Plan, room: Room, window_s: float, wake: Callable[[], None]) -> None:
        self._room = room
        self._plan = plan
        self._wake = wake
        self._facts = facts_from(room.document.section(RECORD_ROOT))
        self._herald = Herald(plan, room.record_id, self._facts, window_s)
        self._present: dict[str, Principal] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._is_last = False

    def collect(self, batch: Batch, present: Iterable[Principal], at: datetime) -> None:
        """Add to the batch what is due of its changes and of what waited.

        present: who is on the record.
        """
        self._present = {principal.user_id: principal for principal in present}
        profile = self._plan.profile
        people = {}
        for author, names in batch.edits:
            person = people[author.user_id] = person_of(author, profile)
            self._herald.note_edit(person, names)
        if batch.has_facts:
            for id, one in self._present.items():
                people.setdefault(id, person_of(one, profile))
            facts = facts_from(self._room.document.section(RECORD_ROOT))
            self._herald.note_facts(facts, people)
        for announcement in batch.announcements:
            if announcement.event == EVENT:
                self._note_presence(announcement)
        for tell in self._herald.due(time.monotonic(), last=self._is_last):
            batch.announcements.append(
                Announcement(
                    id=str(ULID.from_datetime(at)), at=at, event=tell.event,
                    record_id=batch.record_id, version=batch.version, profile=profile.name,
                    roles=tell.roles, users=tell.users, session=tell.session, payload=tell.payload,
                )
            )  # fmt: skip
        if batch.announcements:
            batch.announcements[:] = [self._addressed(one) for one in batch.announcements]
        self._set_alarm()

    def _note_presence(self, announcement: Announcement) -> None:
        told: Any = announcement.payload
        self._herald.note_presence(told["user"], told["action"])

    def _addressed(self, announcement: Announcement) -> Announcement:
        if not announcement.session or announcement.present:
            return announcement
        present = tuple(list(self._present)[:MOST_PRESENT])
        return msgspec.structs.replace(announcement, present=present)

    def finish(self) -> None:
        """The room leaves memory: what waits is told in a last turn."""
        self._is_last = True
        if self._alarm is not None:
            self._wake()
        self.stop()

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        due = self._herald.next_due_s()
        if self._alarm is not None or due is None or self._is_last:
            return
        delay = max(due - time.monotonic(), SOONEST_SECONDS if due else 0.0)
        self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._wake()
