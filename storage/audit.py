"""The audit trail: one chain of hashes through the whole database.

hash = SHA-256(hash of the entry before ‖ JSON array of seq, instant in microseconds and the other
columns, UTF-8, no spaces), so that an auditor can check it with any tool. seq starts at 1, without
gaps. A changed, removed or reordered entry breaks the chain; entries cut off at the end do not.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import instant, micros
from storage.tables import audit
from storage.update_log import Break
from sync.effects import EMPTY_HASH, AuditEntry

__all__ = [
    "COLUMNS",
    "FIRST",
    "Chain",
    "after",
    "entry_values",
    "first_break",
    "link",
    "read_audit",
]

COLUMNS = tuple(column.name for column in audit.c)
"""The columns of `audit` in the order of `link`; the hash is last."""

_encode = msgspec.json.Encoder().encode
_sha256 = hashlib.sha256

Chain = tuple[int, bytes]
"""The seq and hash of the last entry."""

FIRST: Chain = (0, EMPTY_HASH)
"""The chain before the first entry."""


def entry_values(entry: AuditEntry) -> tuple[object, ...]:
    """The entry as columns, without seq and hash. Raises ValueError for an instant not in UTC."""
    return (
        micros(entry.at),
        entry.action,
        entry.outcome,
        entry.user_id,
        entry.login_id,
        entry.device,
        entry.address,
        entry.record_id,
        entry.version,
        entry.detail,
    )


def link(chain: Chain, values: tuple[object, ...]) -> tuple[object, ...]:
    """The row that follows `chain`: seq, the values, hash."""
    row = (chain[0] + 1, *values)
    return (*row, _sha256(chain[1] + _encode(row)).digest())


def after(row: tuple[object, ...]) -> Chain:
    """The chain that ends in `row`."""
    seq, hash_ = row[0], row[-1]
    assert isinstance(seq, int)
    assert isinstance(hash_, bytes)
    return seq, hash_


def first_break(chain: Chain, rows: Iterable[tuple[object, ...]]) -> Break | None:
    """The first of `rows` (seq first, hash last) that does not continue `chain`."""
    seq, previous = chain
    for row in rows:
        seq += 1
        if row[0] != seq:
            return Break(position=seq, reason="an entry is missing")
        previous = _sha256(previous + _encode(row[:-1])).digest()
        if row[-1] != previous:
            return Break(position=seq, reason="an entry does not match its hash")
    return None


def _entry(row: RowMapping) -> tuple[int, AuditEntry]:
    values = dict(row)
    seq = values.pop("seq")
    values["at"] = instant(values["at"])
    return seq, AuditEntry(**values)


async def read_audit(
    connection: AsyncConnection,
    *,
    record_id: str | None,
    user_id: str | None,
    action: str | None,
    since: datetime | None,
    after: int,
    limit: int,
) -> Sequence[tuple[int, AuditEntry]]:
    """Entries with seq > after that match everything given, ascending by seq."""
    wanted = select(*(audit.c[name] for name in COLUMNS[:-1])).where(audit.c.seq > after)
    if record_id is not None:
        wanted = wanted.where(audit.c.record_id == record_id)
        if record_id:  # said again so that SQLite may use the partial index
            wanted = wanted.where(audit.c.record_id != "")
    if user_id is not None:
        wanted = wanted.where(audit.c.user_id == user_id)
    if action is not None:
        wanted = wanted.where(audit.c.action == action)
    if since is not None:
        wanted = wanted.where(audit.c.at >= micros(since))
    found = await connection.execute(wanted.order_by(audit.c.seq).limit(limit))
    return [_entry(row) for row in found.mappings()]
