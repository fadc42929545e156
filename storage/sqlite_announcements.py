"""What people are told of, in one SQLite file."""

from collections.abc import Sequence
from datetime import datetime

from storage import announcements as told
from storage.database import Database
from storage.ports import (
    Hearer,
    StoredAnnouncement,
)
from sync.effects import (
    Announcement,
)

__all__ = ["SqliteAnnouncements"]


class SqliteAnnouncements:
    """Keeps `storage.ports.Announcements`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readers = database.readers

    async def append(self, announcements: Sequence[Announcement]) -> None:
        await self._database.writer.append_announcements(announcements)

    async def after(self, sequence: int, limit: int) -> Sequence[StoredAnnouncement]:
        return await self._readers.on_loop(lambda on: told.read_after(on, sequence, limit))

    async def heard(
        self, hearer: Hearer, *, after: int, until: int, limit: int
    ) -> Sequence[StoredAnnouncement]:
        return await self._readers.on_loop(
            lambda on: told.read_heard(on, hearer, after, until, limit)
        )

    async def notifications(
        self, hearer: Hearer, *, unread: bool, before: int | None, limit: int
    ) -> Sequence[StoredAnnouncement]:
        return await self._readers.on_loop(
            lambda on: told.read_notifications(on, hearer, unread, before, limit)
        )

    async def count_unread(self, hearer: Hearer) -> int:
        return await self._readers.on_loop(lambda on: told.count_unread(on, hearer))

    async def acknowledge(self, hearer: Hearer, id: str, at: datetime) -> None:
        await self._database.write(lambda on: told.acknowledge(on, hearer, id, at))

    async def span(self) -> tuple[int, int]:
        return await self._readers.on_loop(told.read_span)

    async def trim(self, before: datetime, limit: int, now: datetime) -> int:
        return await self._database.write(lambda on: told.trim(on, before, limit, now))
