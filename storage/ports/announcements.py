"""What people are told of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from sync.effects import Announcement

__all__ = ["Announcements", "Hearer", "StoredAnnouncement"]


class Hearer(msgspec.Struct, frozen=True, kw_only=True):
    """As whom somebody is told of things.

    roles: qualified by their profile (`storage.announcements.role_name`). records: those whose
    session they follow; whoever asks must have checked that they may.
    """

    user_id: str
    roles: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


class StoredAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    """An announcement in the order of all; what is read for one person is without its audience."""

    sequence: int
    announcement: Announcement
    acknowledged_at: datetime | None = None


class Announcements(Protocol):
    """What people are told of. Those of a batch are stored with it (`Commit.announcements`)."""

    async def append(self, announcements: Sequence[Announcement]) -> None:
        """Store what belongs to no batch; one whose id is known is left as it is."""

    async def after(self, sequence: int, limit: int) -> Sequence[StoredAnnouncement]:
        """Everything with a higher sequence, ascending, with its audience."""

    async def heard(
        self, hearer: Hearer, *, after: int, until: int, limit: int
    ) -> Sequence[StoredAnnouncement]:
        """What this person hears with after < sequence <= until, ascending."""

    async def notifications(
        self, hearer: Hearer, *, unread: bool, before: int | None, limit: int
    ) -> Sequence[StoredAnnouncement]:
        """What was told to their roles or to them by name, newest first; before: a sequence."""

    async def count_unread(self, hearer: Hearer) -> int:
        """Notifications that wait to be acknowledged, counted up to MOST_COUNTED."""

    async def acknowledge(self, hearer: Hearer, id: str, at: datetime) -> None:
        """Idempotent. Raises AnnouncementNotFound for what is not this person's, too."""

    async def span(self) -> tuple[int, int]:
        """The oldest and the newest sequence that is kept; zeros where there is none."""

    async def trim(self, before: datetime, limit: int, now: datetime) -> int:
        """Forget the oldest that are older, at most `limit`, never the newest; how many."""
