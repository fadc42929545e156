"""Removing records whose retention is over: the one way in which rows of a log ever go.

What is removed is named in `pruned` first; the triggers of `updates` and `records` let nothing else
go, and `pruned` itself is append-only, so that neither the id nor the number of such a record is
given out again. The audit trail stays whole. Everything of one record goes in one transaction with
the audit entry that says so.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Table, and_, delete, exists, func, insert, not_, select

from storage.attesting import attest
from storage.columns import instant, micros
from storage.errors import RecordNotFound
from storage.tables import (
    audit,
    conflicts,
    emergency_access,
    event_acks,
    event_audience,
    events,
    metadata,
    pruned,
    records,
    refusals,
    updates,
)

__all__ = ["OVER", "Prunable", "find_prunable", "prune"]

OVER = ("completed", "cancelled")
"""The statuses of records that may be pruned."""


class Prunable(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is over, with nothing left to decide. last_at: when its last update came."""

    id: str
    number: str
    profile: str
    version: int
    hash: bytes
    last_at: datetime


_OPEN_REFUSAL = exists().where(refusals.c.record_id == records.c.id, refusals.c.status == "open")
_OPEN_CONFLICT = exists().where(conflicts.c.record_id == records.c.id, conflicts.c.status == "open")
_COLUMNS = ("id", "number", "profile", "version", "hash")
_PRUNABLE = (
    select(*(records.c[name] for name in _COLUMNS), updates.c.received_at.label("last_at"))
    .join(
        updates,
        and_(updates.c.record_id == records.c.id, updates.c.version == records.c.version),
    )
    .where(records.c.status.in_(OVER), not_(_OPEN_REFUSAL), not_(_OPEN_CONFLICT))
)


def find_prunable(connection: Connection, before: datetime) -> Sequence[Prunable]:
    """The records that are over, whose last update came before that, the oldest first."""
    found = connection.execute(
        _PRUNABLE.where(updates.c.received_at < micros(before)).order_by(updates.c.received_at)
    )
    return [
        Prunable(**{**dict(row), "last_at": instant(row["last_at"])}) for row in found.mappings()
    ]


def prune(connection: Connection, record: Prunable, at: datetime, by: str) -> None:
    """Remove the record as it was found. Raises RecordNotFound when it has changed since."""
    unchanged = _PRUNABLE.where(
        records.c.id == record.id, records.c.version == record.version,
        records.c.hash == record.hash,
    )  # fmt: skip
    if connection.execute(unchanged).first() is None:
        raise RecordNotFound
    connection.exec_driver_sql("PRAGMA secure_delete=ON")  # freed pages are overwritten
    connection.execute(
        insert(pruned).values(
            record_id=record.id, number=record.number, profile=record.profile,
            version=record.version, hash=record.hash, at=micros(at), by=by,
        )
    )  # fmt: skip
    emergencies = select(emergency_access.c.id).where(emergency_access.c.record_id == record.id)
    gone = connection.execute(emergencies).scalars().all()
    attest(connection, "emergency_access", gone, micros(at))
    _forget_events(connection, record.id, at)
    for table in _tables_of_records():
        connection.execute(delete(table).where(table.c.record_id == record.id))
    connection.execute(delete(records).where(records.c.id == record.id))


def _tables_of_records() -> Sequence[Table]:
    """Every table whose rows belong to a record, those that hang on others first."""
    return [
        table
        for table in reversed(metadata.sorted_tables)
        if "record_id" in table.c and table not in (audit, pruned, events)
    ]


def _forget_events(connection: Connection, record_id: str, at: datetime) -> None:
    """All but the newest of all: its sequence must not be given out again."""
    newest = select(func.max(events.c.sequence)).scalar_subquery()
    gone = select(events.c.sequence).where(
        events.c.record_id == record_id, events.c.sequence < newest
    )
    attest(connection, "events", connection.execute(gone).scalars().all(), micros(at))
    for table in (event_acks, event_audience, events):
        connection.execute(delete(table).where(table.c.sequence.in_(gone)))
