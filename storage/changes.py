"""Changes as columns: the history of each record, derived from its log and stored beside it.

A change is upserted by (record, version, ordinal): a narrative's grows with its sitting. Unlike the
log these rows may be derived again; `fieldchart verify` compares them with what the log says.
Records whose log is older than this table are listed in `history_due` until they are derived.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, select, tuple_
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import instant, micros
from storage.ports import ChangeFilter, StoredChange
from storage.tables import changes, history_due, updates
from sync.effects import Change

__all__ = [
    "CHANGE_COLUMNS",
    "change_row",
    "is_due",
    "newest_of_each",
    "read_all_changes",
    "read_changes",
    "replace_changes",
    "upsert_changes",
]

CHANGE_COLUMNS = tuple(column.name for column in changes.c)

_REPLACED = ("last_version", "offset", "old", "new", "last_written_at", "last_at")
_PER_STEP = 500
_ALL = (
    f"SELECT {', '.join(CHANGE_COLUMNS)} FROM changes WHERE record_id = ? ORDER BY version, ordinal"
)
_DUE = "SELECT 1 FROM history_due WHERE record_id = ?"


def change_row(record_id: str, change: Change) -> tuple[object, ...]:
    """The change in the order of `CHANGE_COLUMNS`. Raises ValueError for an instant not in UTC."""
    at, written_at = micros(change.at), micros(change.written_at)
    last_at = at if change.last_at is change.at else micros(change.last_at)
    same = change.last_written_at is change.written_at
    last_written_at = written_at if same else micros(change.last_written_at)
    return (
        record_id, change.version, change.ordinal, change.last_version, change.field, change.entry,
        change.kind, change.offset, change.old, change.new, change.author, change.role,
        written_at, last_written_at, at, last_at, change.reason,
    )  # fmt: skip


def upsert_changes() -> sqlite.Insert:
    """The statement that adds a change, or lets the one with its key grow."""
    statement = sqlite.insert(changes)
    replaced = {name: statement.excluded[name] for name in _REPLACED}
    return statement.on_conflict_do_update(
        index_elements=["record_id", "version", "ordinal"], set_=replaced
    )


def newest_of_each(told: Iterable[Change]) -> list[Change]:
    """The last form of each change, in the order in which they began."""
    newest = {(change.version, change.ordinal): change for change in told}
    return [newest[key] for key in sorted(newest)]


def is_due(connection: sqlite3.Connection, record_id: str) -> bool:
    """Whether the record's changes have not been derived yet."""
    return connection.execute(_DUE, (record_id,)).fetchone() is not None


def replace_changes(connection: Connection, record_id: str, told: Sequence[Change]) -> None:
    """Store these as all the changes of the record; does nothing where they are not due any more.

    So whoever derived them second, from an older log, takes nothing away.
    """
    due = delete(history_due).where(history_due.c.record_id == record_id)
    if connection.execute(due).rowcount == 0:
        return
    connection.execute(delete(changes).where(changes.c.record_id == record_id))
    rows = [
        dict(zip(CHANGE_COLUMNS, change_row(record_id, change), strict=True))
        for change in newest_of_each(told)
    ]
    for start in range(0, len(rows), _PER_STEP):
        connection.execute(insert(changes), rows[start : start + _PER_STEP])


def _query(record_id: str, wanted: ChangeFilter) -> Select[Any]:
    c, u = changes.c, updates.c
    of_row = and_(u.record_id == c.record_id, u.version == c.version)
    query = select(
        *c, func.coalesce(u.login_id, ""), func.coalesce(u.device, ""), func.coalesce(u.address, "")
    ).select_from(changes.outerjoin(updates, of_row))
    query = query.where(c.record_id == record_id)
    if wanted.field is not None:
        query = query.where(c.field == wanted.field)
    if wanted.entry is not None:
        query = query.where(c.entry == wanted.entry)
    if wanted.hidden:
        query = query.where(c.field.not_in(sorted(wanted.hidden)))
    if wanted.author is not None:
        query = query.where(c.author == wanted.author)
    if wanted.role is not None:
        query = query.where(c.role == wanted.role)
    if wanted.since is not None:
        query = query.where(c.last_at >= micros(wanted.since))
    if wanted.until is not None:
        query = query.where(c.at <= micros(wanted.until))
    key = tuple_(c.version, c.ordinal)
    if wanted.after is not None:
        query = query.where(key < wanted.after if wanted.newest_first else key > wanted.after)
    if wanted.newest_first:
        return query.order_by(c.version.desc(), c.ordinal.desc()).limit(wanted.limit)
    return query.order_by(c.version, c.ordinal).limit(wanted.limit)


async def read_changes(
    connection: AsyncConnection, record_id: str, wanted: ChangeFilter
) -> Sequence[StoredChange]:
    """One page of the record's changes."""
    found = await connection.execute(_query(record_id, wanted))
    return [
        StoredChange(change=_change(row[:-3]), login_id=row[-3], device=row[-2], address=row[-1])
        for row in found
    ]


def read_all_changes(connection: sqlite3.Connection, record_id: str) -> list[Change]:
    """The whole history of the record, by version and ordinal."""
    return [_change(row) for row in connection.execute(_ALL, (record_id,))]


def _change(row: Sequence[Any]) -> Change:
    (
        _, version, ordinal, last_version, field, entry, kind, offset, old, new, author, role,
        written_at, last_written_at, at, last_at, reason,
    ) = row  # fmt: skip
    return Change(
        version=version, ordinal=ordinal, last_version=last_version, field=field, entry=entry,
        kind=kind, offset=offset, old=old, new=new, author=author, role=role,
        written_at=instant(written_at), last_written_at=instant(last_written_at),
        at=instant(at), last_at=instant(last_at), reason=reason,
    )  # fmt: skip
