"""Refusals and conflicts as columns. Both are upserted by (record, id), in order of first sight."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import literal, or_, select
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import conflict_values, conflict_values_text, instant, micros
from storage.errors import RefusalNotFound
from storage.heads import HEAD_COLUMNS, head_of
from storage.ports import ConflictFilter, FoundRefusal, RefusalFilter
from storage.tables import conflicts, records, refusals
from sync.effects import Conflict, Refusal

__all__ = [
    "CONFLICT_COLUMNS",
    "REFUSAL_COLUMNS",
    "conflict_row",
    "list_conflicts",
    "list_refusals",
    "read_all_conflicts",
    "read_all_refusals",
    "read_conflicts",
    "read_refusal",
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
        refusal.decided_by,
        None if refusal.decided_at is None else micros(refusal.decided_at),
        refusal.decision_reason,
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


def _refusal(values: dict[str, Any]) -> Refusal:
    values["at"] = instant(values["at"])
    values["written_at"] = instant(values["written_at"])
    if values["decided_at"] is not None:
        values["decided_at"] = instant(values["decided_at"])
    return Refusal(**values)


def read_all_refusals(connection: sqlite3.Connection, record_id: str) -> list[Refusal]:
    """All refusals of the record, oldest first, in a reader thread."""
    names = REFUSAL_COLUMNS[1:]
    found = connection.execute(_ALL.format(_listed(names), "refusals"), (record_id,))
    return [_refusal(dict(zip(names, row, strict=True))) for row in found]


def read_all_conflicts(connection: sqlite3.Connection, record_id: str) -> list[Conflict]:
    """All conflicts of the record, oldest first, in a reader thread."""
    names = CONFLICT_COLUMNS[1:]
    found = connection.execute(_ALL.format(_listed(names), "conflicts"), (record_id,))
    return [_conflict(dict(zip(names, row, strict=True))) for row in found]


_ALL = "SELECT {} FROM {} WHERE record_id = ? ORDER BY sequence"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _conflict(values: dict[str, Any]) -> Conflict:
    values["critical"] = bool(values["critical"])
    values["values"] = conflict_values(values["values"])
    return Conflict(**values)


async def read_refusals(connection: AsyncConnection, record_id: str) -> Sequence[Refusal]:
    """All refusals of the record, oldest first."""
    columns = [refusals.c[name] for name in REFUSAL_COLUMNS[1:]]
    wanted = select(*columns).where(refusals.c.record_id == record_id)
    found = await connection.execute(wanted.order_by(refusals.c.sequence))
    return [_refusal(row._asdict()) for row in found]


async def read_refusal(connection: AsyncConnection, record_id: str, refusal_id: str) -> Refusal:
    """Raises RefusalNotFound."""
    columns = [refusals.c[name] for name in REFUSAL_COLUMNS[1:]]
    wanted = select(*columns).where(refusals.c.record_id == record_id, refusals.c.id == refusal_id)
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise RefusalNotFound
    return _refusal(row._asdict())


async def list_refusals(
    connection: AsyncConnection, wanted: RefusalFilter
) -> Sequence[FoundRefusal]:
    """One page, oldest first."""
    columns = [refusals.c[name] for name in REFUSAL_COLUMNS[1:] if name != "original"]
    heads = [records.c[name].label(f"head_{name}") for name in HEAD_COLUMNS]
    query = select(*columns, literal(b"").label("original"), *heads).join(
        records, records.c.id == refusals.c.record_id
    )
    whose = []
    if wanted.author is not None:
        whose.append(refusals.c.author == wanted.author)
    if wanted.profiles:
        whose.append(records.c.profile.in_(sorted(wanted.profiles)))
    query = query.where(or_(*whose) if whose else literal(value=False))
    if wanted.record_id is not None:
        query = query.where(refusals.c.record_id == wanted.record_id)
    if wanted.status is not None:
        query = query.where(refusals.c.status == wanted.status)
    if wanted.after is not None:
        of_record, refusal_id = wanted.after
        last = select(refusals.c.sequence).where(
            refusals.c.record_id == of_record, refusals.c.id == refusal_id
        )
        query = query.where(refusals.c.sequence > last.scalar_subquery())
    found = await connection.execute(query.order_by(refusals.c.sequence).limit(wanted.limit))
    return [_found(row._asdict()) for row in found]


def _found(row: dict[str, Any]) -> FoundRefusal:
    head = {name: row.pop(f"head_{name}") for name in HEAD_COLUMNS}
    return FoundRefusal(head=head_of(head), refusal=_refusal(row))


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
    return [_conflict(row._asdict()) for row in found]


async def read_conflicts(connection: AsyncConnection, record_id: str) -> Sequence[Conflict]:
    """All conflicts of the record, oldest first."""
    columns = [conflicts.c[name] for name in CONFLICT_COLUMNS[1:]]
    wanted = select(*columns).where(conflicts.c.record_id == record_id)
    found = await connection.execute(wanted.order_by(conflicts.c.sequence))
    return [_conflict(row._asdict()) for row in found]
