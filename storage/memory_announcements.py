"""Announcements in memory, as `storage/announcements.py` keeps them on disk."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from storage.announcements import MOST_COUNTED, announced_columns, audience_of, keys_of
from storage.columns import micros
from storage.errors import AnnouncementNotFound
from storage.memory_trail import MemoryTrail
from storage.ports import Hearer, StoredAnnouncement
from sync.effects import Announcement

__all__ = ["MemoryAnnouncements"]


class MemoryAnnouncements:
    """Keeps `storage.ports.Announcements`."""

    def __init__(self, trail: MemoryTrail) -> None:
        self._trail = trail
        self._require_open = trail.require_open
        self._kept: list[StoredAnnouncement] = []
        self._ids: set[str] = set()
        self._acks: dict[tuple[str, int], datetime] = {}
        self._last = 0

    def take_in(self, announcements: Sequence[Announcement]) -> None:
        """Store them; one that is known by its id is left as it is."""
        for announcement in announcements:
            if announcement.id in self._ids:
                continue
            self._last += 1
            self._ids.add(announcement.id)
            self._trail.attest("events", self._last, announcement.at, announcement)
            self._kept.append(
                StoredAnnouncement(
                    sequence=self._last,
                    announcement=msgspec.structs.replace(
                        announcement,
                        roles=tuple(sorted(set(announcement.roles))),
                        users=tuple(sorted(set(announcement.users))),
                        present=tuple(sorted(set(announcement.present))),
                    ),
                )
            )

    async def append(self, announcements: Sequence[Announcement]) -> None:
        self._require_open()
        for announcement in announcements:
            announced_columns(announcement)
        self.take_in(announcements)

    async def after(self, sequence: int, limit: int) -> Sequence[StoredAnnouncement]:
        self._require_open()
        return [each for each in self._kept if each.sequence > sequence][:limit]

    def _told(self, hearer: Hearer, *, personal: bool) -> list[StoredAnnouncement]:
        self._require_open()
        keys = set(keys_of(hearer, personal=personal))
        return [each for each in self._kept if keys.intersection(audience_of(each.announcement))]

    async def heard(
        self, hearer: Hearer, *, after: int, until: int, limit: int
    ) -> Sequence[StoredAnnouncement]:
        told = self._told(hearer, personal=False)
        return [_private(each) for each in told if after < each.sequence <= until][:limit]

    async def notifications(
        self, hearer: Hearer, *, unread: bool, before: int | None, limit: int
    ) -> Sequence[StoredAnnouncement]:
        found = []
        for each in reversed(self._told(hearer, personal=True)):
            acked = self._acks.get((hearer.user_id, each.sequence))
            if (unread and acked is not None) or (before is not None and each.sequence >= before):
                continue
            found.append(msgspec.structs.replace(_private(each), acknowledged_at=acked))
        return found[:limit]

    async def count_unread(self, hearer: Hearer) -> int:
        waiting = await self.notifications(hearer, unread=True, before=None, limit=MOST_COUNTED)
        return len(waiting)

    async def acknowledge(self, hearer: Hearer, id: str, at: datetime) -> None:
        for each in self._told(hearer, personal=True):
            if each.announcement.id == id:
                self._acks.setdefault((hearer.user_id, each.sequence), at)
                return
        raise AnnouncementNotFound

    async def span(self) -> tuple[int, int]:
        self._require_open()
        return (self._kept[0].sequence, self._last) if self._kept else (0, 0)

    async def trim(self, before: datetime, limit: int, now: datetime) -> int:
        self._require_open()
        micros(before)
        gone = 0
        while gone < limit and len(self._kept) > 1 and self._kept[0].announcement.at < before:
            self._ids.discard(self._kept.pop(0).announcement.id)
            gone += 1
        if gone:
            self._trail.attest("events", f"..{self._kept[0].sequence - 1}", now, None)
        return gone


def _private(each: StoredAnnouncement) -> StoredAnnouncement:
    """Without the audience: who else was told is nobody's business."""
    alone = msgspec.structs.replace(each.announcement, roles=(), users=(), present=())
    return msgspec.structs.replace(each, announcement=alone)
