"""Refusals and conflicts as columns. Both are upserted by (record, id), in order of first sight."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import conflict_values, conflict_values_text, instant, micros
from storage.ports import ConflictFilter
from storage.tables import conflicts, refusals
from sync.effects import Conflict, Refusal

__all__ = [
    "CONFLICT_COLUMNS",
    "REFUSAL_COLUMNS",
    "conflict_row",
    "list_conflicts",
    "read_conflicts",
    "read_refusals",
    "refusal_row",
    "upsert_conflicts",
    "upsert_refusals",
]

REFUSAL_COLUMNS = tuple(column.name for column in refusals.c)[1:]
CONFLICT_COLUMNS = tuple(column.name for column in conflicts.c)[1:]


def refusal_row(record_id: str, refusal: Refusal) -> tuple[object, ...]:
    """The refusal in the order of `REFUSAL_COLUMNS`."""
    return (
        record_id,
        refusal.id,
        refusal.field,
        refusal.rule,
        refusal.reason,
        refusal.value,
        refusal.author,
        refusal.role,
        refusal.login_id,
        refusal.device,
        refusal.address,
        micros(refusal.at),
        micros(refusal.written_at),
        refusal.original,
        refusal.status,
    )


def conflict_row(record_id: str, conflict: Conflict) -> tuple[object, ...]:
    """The conflict in the order of `CONFLICT_COLUMNS`."""
    return (
        record_id,
        conflict.id,
        conflict.field,
        int(conflict.critical),
        conflict.status,
        conflict.base,
        conflict_values_text(conflict.values),
        conflict.standing,
        conflict.resolved_by,
        conflict.reason,
    )


def upsert_refusals() -> Insert:
    """The statement that adds a refusal or replaces the one with its id."""
    statement = insert(refusals)
    replaced = {name: statement.excluded[name] for name in REFUSAL_COLUMNS[2:]}
    return statement.on_conflict_do_update(index_elements=["record_id", "id"], set_=replaced)


def upsert_conflicts() -> Insert:
    """The statement that adds a conflict or replaces the one with its id."""
    statement = insert(conflicts)
    replaced = {name: statement.excluded[name] for name in CONFLICT_COLUMNS[2:]}
    return statement.on_conflict_do_update(index_elements=["record_id", "id"], set_=replaced)


def _refusal(row: Row[Any]) -> Refusal:
    values = row._asdict()
    values["at"] = instant(values["at"])
    values["written_at"] = instant(values["written_at"])
    return Refusal(**values)


def _conflict(row: Row[Any]) -> Conflict:
    values = row._asdict()
    values["critical"] = bool(values["critical"])
    values["values"] = conflict_values(values["values"])
    return Conflict(**values)


async def read_refusals(connection: AsyncConnection, record_id: str) -> Sequence[Refusal]:
    """All refusals of the record, oldest first."""
    columns = [refusals.c[name] for name in REFUSAL_COLUMNS[1:]]
    wanted = select(*columns).where(refusals.c.record_id == record_id)
    found = await connection.execute(wanted.order_by(refusals.c.sequence))
    return [_refusal(row) for row in found]


async def list_conflicts(connection: AsyncConnection, wanted: ConflictFilter) -> Sequence[Conflict]:
    """One page, oldest first."""
    columns = [conflicts.c[name] for name in CONFLICT_COLUMNS[1:]]
    query = select(*columns).where(conflicts.c.record_id == wanted.record_id)
    if wanted.status is not None:
        query = query.where(conflicts.c.status == wanted.status)
    if wanted.after is not None:
        last = select(conflicts.c.sequence).where(
            conflicts.c.record_id == wanted.record_id, conflicts.c.id == wanted.after
        )
        query = query.where(conflicts.c.sequence > last.scalar_subquery())
    found = await connection.execute(query.order_by(conflicts.c.sequence).limit(wanted.limit))
    return [_conflict(row) for row in found]


async def read_conflicts(connection: AsyncConnection, record_id: str) -> Sequence[Conflict]:
    """All conflicts of the record, oldest first."""
    columns = [conflicts.c[name] for name in CONFLICT_COLUMNS[1:]]
    wanted = select(*columns).where(conflicts.c.record_id == record_id)
    found = await connection.execute(wanted.order_by(conflicts.c.sequence))
    return [_conflict(row) for row in found]
