"""Emergency access to records one is not assigned to ("break-glass"): who, why, from when to when.

The reason is kept here and nowhere else: the audit trail holds ids alone. Which access is in force
is the record's own fact (`emergency` in its `record` map); these rows say when it has to end, also
after a restart and for records that nobody has open.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Executable, RowMapping, Select, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.attesting import attest
from storage.columns import instant, micros
from storage.memory_trail import MemoryTrail
from storage.ports import Emergency
from storage.tables import emergency_access

__all__ = ["MemoryEmergencies", "SqliteEmergencies"]


SET_BACK = timedelta(minutes=5)
"""An access that begins later than this from now began before the clock was set back: nobody can
tell any more when its time is up, so it is."""

_NAMES = tuple(column.name for column in emergency_access.c)[1:]
_COLUMNS = tuple(emergency_access.c[name] for name in _NAMES)
_INSTANTS = ("started_at", "until", "ended_at")


def _values(emergency: Emergency) -> dict[str, object]:
    values = msgspec.structs.asdict(emergency)
    for name in _INSTANTS:
        values[name] = None if values[name] is None else micros(values[name])
    return values


def _emergency(row: RowMapping) -> Emergency:
    values = dict(row)
    for name in _INSTANTS:
        values[name] = None if values[name] is None else instant(values[name])
    return Emergency(**values)


class SqliteEmergencies:
    """Keeps `Emergencies`. write, read: run a statement in the writer thread, on a reader."""

    def __init__(
        self,
        write: Callable[[Callable[[Connection], None]], Awaitable[None]],
        read: Callable[[Callable[[AsyncConnection], Awaitable[Sequence[RowMapping]]]],
                       Awaitable[Sequence[RowMapping]]],
    ) -> None:  # fmt: skip
        self._write = write
        self._read = read

    async def start(self, emergency: Emergency) -> None:
        statement = insert(emergency_access).values(_values(emergency))
        at = micros(emergency.started_at)
        await self._write(lambda on: _run(on, statement, emergency.id, at))

    async def end(self, emergency_id: str, at: datetime, by: str) -> None:
        table = emergency_access
        statement = (
            update(table)
            .where(table.c.id == emergency_id, table.c.ended_at.is_(None))
            .values(ended_at=micros(at), ended_by=by)
        )
        await self._write(lambda on: _run(on, statement, emergency_id, micros(at)))

    async def of_record(self, record_id: str) -> Sequence[Emergency]:
        table = emergency_access
        found = select(*_COLUMNS).where(table.c.record_id == record_id)
        return await self._all(found.order_by(table.c.sequence.desc()))

    async def due(self, now: datetime, limit: int) -> Sequence[Emergency]:
        table = emergency_access
        is_over = or_(table.c.until <= micros(now), table.c.started_at > micros(now + SET_BACK))
        found = select(*_COLUMNS).where(table.c.ended_at.is_(None), is_over)
        return await self._all(found.order_by(table.c.until, table.c.sequence).limit(limit))

    async def count_since(self, user_id: str, since: datetime) -> int:
        table = emergency_access
        of_user = (table.c.user_id == user_id, table.c.started_at >= micros(since))
        (row,) = await self._rows(select(func.count().label("count")).where(*of_user))
        count: int = row["count"]
        return count

    async def _all(self, query: Select[Any]) -> Sequence[Emergency]:
        return [_emergency(row) for row in await self._rows(query)]

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        async def run(on: AsyncConnection) -> Sequence[RowMapping]:
            found: Sequence[RowMapping] = (await on.execute(query)).mappings().all()
            return found

        return await self._read(run)


def _run(on: Connection, statement: Executable, emergency_id: str, at: int) -> None:
    if on.execute(statement).rowcount:
        attest(on, "emergency_access", [emergency_id], at)


class MemoryEmergencies:
    """Keeps `Emergencies` in memory."""

    def __init__(self, trail: MemoryTrail) -> None:
        self._trail = trail
        self._require_open = trail.require_open
        self._rows: dict[str, Emergency] = {}

    def everything(self) -> Sequence[Emergency]:
        """Oldest first."""
        return list(self._rows.values())

    async def start(self, emergency: Emergency) -> None:
        self._require_open()
        _values(emergency)  # raises for instants that the store on disk would refuse
        self._keep(emergency, emergency.started_at)

    def _keep(self, emergency: Emergency, at: datetime) -> None:
        self._rows[emergency.id] = emergency
        self._trail.attest("emergency_access", emergency.id, at, emergency)

    async def end(self, emergency_id: str, at: datetime, by: str) -> None:
        self._require_open()
        found = self._rows.get(emergency_id)
        if found is not None and found.ended_at is None:
            self._keep(msgspec.structs.replace(found, ended_at=at, ended_by=by), at)

    async def of_record(self, record_id: str) -> Sequence[Emergency]:
        self._require_open()
        return [each for each in self._rows.values() if each.record_id == record_id][::-1]

    async def due(self, now: datetime, limit: int) -> Sequence[Emergency]:
        self._require_open()
        found = [
            e
            for e in self._rows.values()
            if e.ended_at is None and (e.until <= now or e.started_at > now + SET_BACK)
        ]
        return sorted(found, key=lambda each: each.until)[:limit]

    async def count_since(self, user_id: str, since: datetime) -> int:
        self._require_open()
        return sum(e.user_id == user_id and e.started_at >= since for e in self._rows.values())
