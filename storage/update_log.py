"""The log of a record: rows as columns, and the checks that say whether a log is whole.

A log is whole when versions run without a gap from 1 to the record's head and every row's hash is
`chain_hash` of the row before. Order is the version, never a clock.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from storage.columns import instant, micros
from storage.errors import StoreCorrupt
from sync.effects import Commit, UpdateRow, chain_hash

__all__ = [
    "COLUMNS",
    "Break",
    "check_commit",
    "check_new",
    "first_break",
    "read_rows",
    "require_whole",
    "row_values",
]


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain stops holding: the version of a row, or the seq of an audit entry."""

    position: int
    reason: str


COLUMNS = (
    "record_id",
    "version",
    "update",
    "annotations",
    "author",
    "role",
    "login_id",
    "device",
    "address",
    "written_at",
    "received_at",
    "hash",
)
"""The columns of `updates` in the order of `row_values`."""

# Text, not Core: opening a record reads up to 10,000 rows and wants plain driver tuples.
_READ = (
    'SELECT version, "update", annotations, author, role, login_id, device, address, '
    "written_at, received_at, hash FROM updates "
    "WHERE record_id = ? AND version > ? ORDER BY version LIMIT ?"
)


def check_commit(commit: Commit) -> None:
    """Raises ValueError when the rows do not follow `base_version` one by one."""
    expected = commit.base_version
    for row in commit.rows:
        expected += 1
        if row.version != expected:
            raise ValueError("The rows of a commit do not follow its base version.")


def check_new(record_id: str, commit: Commit) -> None:
    """Raises ValueError unless the commit can begin the record `record_id`."""
    if commit.record_id != record_id or commit.base_version != 0 or commit.facts is None:
        raise ValueError("A new record starts at version 0, under its own id, with facts.")
    check_commit(commit)


def row_values(record_id: str, row: UpdateRow) -> tuple[object, ...]:
    """The row as columns. Raises ValueError for an instant that is not UTC."""
    return (
        record_id,
        row.version,
        row.update,
        row.annotations,
        row.author,
        row.role,
        row.login_id,
        row.device,
        row.address,
        micros(row.written_at),
        micros(row.received_at),
        row.hash,
    )


def read_rows(
    connection: sqlite3.Connection, record_id: str, after: int, limit: int = -1
) -> list[UpdateRow]:
    """Rows with version > after, ascending; limit -1 is all. Raises what `wrapped` takes."""
    found = connection.execute(_READ, (record_id, after, limit)).fetchall()
    return [
        UpdateRow(
            version=version,
            update=update,
            annotations=annotations,
            author=author,
            role=role,
            login_id=login_id,
            device=device,
            address=address,
            written_at=instant(written_at),
            received_at=instant(received_at),
            hash=hash_,
        )
        for (
            version,
            update,
            annotations,
            author,
            role,
            login_id,
            device,
            address,
            written_at,
            received_at,
            hash_,
        ) in found
    ]


def first_break(previous: bytes, after: int, rows: Iterable[UpdateRow]) -> Break | None:
    """The first place where `rows` do not continue a log that stands at `after` with `previous`."""
    for row in rows:
        after += 1
        if row.version != after:
            return Break(position=after, reason="a row is missing")
        previous = chain_hash(previous, row)
        if row.hash != previous:
            return Break(position=after, reason="a row does not match its hash")
    return None


def require_whole(
    record_id: str,
    rows: Sequence[UpdateRow],
    *,
    after: int,
    previous: bytes,
    version: int,
    head: bytes,
) -> None:
    """Raises StoreCorrupt unless `rows` lead from (after, previous) to (version, head)."""
    broken = first_break(previous, after, rows)
    if broken is not None:
        raise StoreCorrupt(broken.reason, record_id=record_id, version=broken.position)
    last = rows[-1].version if rows else after
    if last != version:
        where = min(last, version) + 1
        reason = "a row is missing" if last < version else "the log is longer than its record says"
        raise StoreCorrupt(reason, record_id=record_id, version=where)
    if (rows[-1].hash if rows else previous) != head:
        raise StoreCorrupt(
            "the log ends in another hash than its record", record_id=record_id, version=version
        )
