"""Alerts that stand: what is past a threshold and was announced, so that no restart tells it again.

Each changes in one transaction with the announcement that tells of it. One that is over is a row no
more; the announcements are its history.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.announcements import announced_columns
from storage.columns import instant, micros
from storage.event_rows import store_announced
from storage.memory_announcements import MemoryAnnouncements
from storage.tables import alerts
from sync.effects import Announcement

__all__ = ["Alert", "Alerts", "MemoryAlerts", "SqliteAlerts"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One that stands. key: what it is about. profile: "" for the server itself."""

    id: str
    key: str
    profile: str
    kind: str
    subject: str
    record_id: str
    started_at: datetime


class Alerts(Protocol):
    """The alerts that stand."""

    async def standing(self) -> Sequence[Alert]:
        """Oldest first."""

    async def change(
        self,
        begun: Sequence[Alert],
        ended: Sequence[str],
        announcements: Sequence[Announcement],
    ) -> None:
        """Store new ones, forget those of these ids and store what is told, or nothing of it."""


_COLUMNS = tuple(column.name for column in alerts.c)


def _values(alert: Alert) -> dict[str, object]:
    return {**msgspec.structs.asdict(alert), "started_at": micros(alert.started_at)}


class SqliteAlerts:
    """Keeps `Alerts`. write, read: run a statement in the writer thread, on a reader."""

    def __init__(
        self,
        write: Callable[[Callable[[Connection], None]], Awaitable[None]],
        read: Callable[[Callable[[AsyncConnection], Awaitable[Sequence[RowMapping]]]],
                       Awaitable[Sequence[RowMapping]]],
    ) -> None:  # fmt: skip
        self._write = write
        self._read = read

    async def standing(self) -> Sequence[Alert]:
        async def run(on: AsyncConnection) -> Sequence[RowMapping]:
            query = select(*(alerts.c[name] for name in _COLUMNS))
            found = await on.execute(query.order_by(alerts.c.started_at, alerts.c.id))
            return found.mappings().all()

        return [
            Alert(**{**row, "started_at": instant(row["started_at"])})
            for row in await self._read(run)
        ]

    async def change(
        self,
        begun: Sequence[Alert],
        ended: Sequence[str],
        announcements: Sequence[Announcement],
    ) -> None:
        rows = [_values(alert) for alert in begun]
        announced = [announced_columns(one) for one in announcements]

        def run(on: Connection) -> None:
            on.execute(delete(alerts).where(alerts.c.id.in_(ended)))
            if rows:
                on.execute(insert(alerts), rows)
            store_announced(on, announced)

        await self._write(run)


class MemoryAlerts:
    """Keeps `Alerts` in memory. require_open: raises when the store is closed."""

    def __init__(
        self, announcements: MemoryAnnouncements, require_open: Callable[[], None]
    ) -> None:
        self._announcements = announcements
        self._require_open = require_open
        self._standing: dict[str, Alert] = {}

    async def standing(self) -> Sequence[Alert]:
        self._require_open()
        return sorted(self._standing.values(), key=lambda one: (one.started_at, one.id))

    async def change(
        self,
        begun: Sequence[Alert],
        ended: Sequence[str],
        announcements: Sequence[Announcement],
    ) -> None:
        self._require_open()
        for alert in begun:
            _values(alert)  # raises for instants that the store on disk would refuse
        self._standing = {id: one for id, one in self._standing.items() if id not in ended}
        self._standing.update({alert.id: alert for alert in begun})
        self._announcements.take_in(announcements)
