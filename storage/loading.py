"""Opening a record, and checking that a log or the audit trail is whole. Runs in a reader thread.

Works beside a running server: each call is one read transaction. A damaged record is StoreCorrupt,
never a new one; a damaged snapshot is passed over for the older one or the log.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from storage import audit as audit_trail
from storage.changes import is_due, read_all_changes
from storage.columns import micros
from storage.errors import RecordNotFound, StoreCorrupt
from storage.heads import HEAD_COLUMNS, head_of
from storage.ports import RecordHead, SoundRecord, StoredRecord
from storage.refusals import read_all_conflicts, read_all_refusals
from storage.snapshots import digest, read_newest
from storage.update_log import Break, first_break, read_rows, require_whole
from sync.effects import EMPTY_HASH, Change, Conflict, Refusal, Snapshot, UpdateRow

__all__ = [
    "Judged",
    "WholeRecord",
    "load",
    "load_past",
    "load_sound",
    "load_whole",
    "read_log",
    "unaudited_end",
    "unlogged_entry",
    "verify_audit",
    "verify_log",
    "version_at",
]

_PAGE = 1000
_HEAD = f"SELECT hash, {', '.join(HEAD_COLUMNS)} FROM records WHERE id = ?"
_HAS_ROWS = "SELECT 1 FROM updates WHERE record_id = ? LIMIT 1"
_SNAPSHOTS = (
    'SELECT version, hash, document, "index", digest FROM snapshots '
    "WHERE record_id = ? ORDER BY version"
)
_VERSION_AT = (
    "SELECT version FROM updates WHERE record_id = ? AND received_at <= ? "
    "ORDER BY version DESC LIMIT 1"
)
_ROW_HASH = "SELECT hash FROM updates WHERE record_id = ? AND version = ?"
_AUDIT = f"SELECT {', '.join(audit_trail.COLUMNS)} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
_NEWEST_ROW = "SELECT record_id, version FROM updates ORDER BY sequence DESC LIMIT 1"
_ENTRY_OF = "SELECT 1 FROM audit WHERE record_id = ? AND record_id <> '' AND version = ?"
_JUDGED = (
    "SELECT action, version, detail FROM audit WHERE record_id = ? AND record_id <> '' "
    "AND version > 0 AND ((action = 'refuse' AND outcome = 'denied') "
    "OR (action IN ('resolve', 'apply', 'dismiss') AND outcome = 'success')) ORDER BY seq"
)
_UNLOGGED = (
    "SELECT audit.seq, audit.record_id, audit.version FROM audit "
    "LEFT JOIN records ON records.id = audit.record_id "
    "WHERE audit.action IN ('create', 'update') AND audit.outcome = 'success' "
    "AND audit.record_id <> '' AND (records.id IS NULL OR records.version < audit.version) "
    "AND audit.record_id NOT IN (SELECT record_id FROM pruned) ORDER BY audit.seq LIMIT 1"
)
_AUDIT_START = "SELECT min(seq) FROM audit"


def _head(connection: sqlite3.Connection, record_id: str) -> tuple[bytes, RecordHead]:
    """The hash at which the log ends, and the head. Raises RecordNotFound, StoreCorrupt."""
    found = connection.execute(_HEAD, (record_id,)).fetchone()
    if found is not None:
        return found[0], head_of(dict(zip(HEAD_COLUMNS, found[1:], strict=True)))
    if connection.execute(_HAS_ROWS, (record_id,)).fetchone() is not None:
        raise StoreCorrupt("a log has lost its record", record_id=record_id)
    raise RecordNotFound


def load(connection: sqlite3.Connection, record_id: str) -> StoredRecord:
    """Raises RecordNotFound, StoreCorrupt."""
    try:
        hash_, head = _head(connection, record_id)
        snapshot = read_newest(connection, record_id, head.version)
        after = snapshot.version if snapshot else 0
        rows = read_rows(connection, record_id, after)
    except OverflowError as error:
        raise StoreCorrupt("an instant is out of range", record_id=record_id) from error
    require_whole(
        record_id,
        rows,
        after=after,
        previous=snapshot.hash if snapshot else EMPTY_HASH,
        version=head.version,
        head=hash_,
    )
    due = is_due(connection, record_id)
    return StoredRecord(head=head, snapshot=snapshot, rows=tuple(rows), history_due=due)


def load_past(
    connection: sqlite3.Connection, record_id: str, version: int, snapshot_until: int | None
) -> StoredRecord:
    """Raises RecordNotFound, StoreCorrupt."""
    _, head = _head(connection, record_id)
    until = version if snapshot_until is None else min(version, snapshot_until)
    snapshot = read_newest(connection, record_id, until)
    after = snapshot.version if snapshot else 0
    rows = read_rows(connection, record_id, after, max(version - after, 0))
    return StoredRecord(head=head, snapshot=snapshot, rows=rows)


def load_sound(connection: sqlite3.Connection, record_id: str) -> SoundRecord:
    """Raises RecordNotFound; StoreCorrupt where not even the head can be read."""
    hash_, head = _head(connection, record_id)
    rows, unread = _readable_rows(connection, record_id)
    broken = first_break(EMPTY_HASH, 0, rows)
    last = rows[-1].version if rows else 0
    if broken is None and unread:
        broken = Break(position=last + 1, reason="a row cannot be read")
    if broken is None and last != head.version:
        missing = last < head.version
        reason = "a row is missing" if missing else "the log is longer than its record says"
        broken = Break(position=min(last, head.version) + 1, reason=reason)
    if broken is None and (rows[-1].hash if rows else EMPTY_HASH) != hash_:
        broken = Break(position=last, reason="the log ends in another hash than its record")
    if broken is None:
        return SoundRecord(head=head, rows=rows)
    sound = rows[: broken.position - 1]
    return SoundRecord(head=head, rows=sound, broken_at=broken.position, reason=broken.reason)


def _readable_rows(connection: sqlite3.Connection, record_id: str) -> tuple[list[UpdateRow], bool]:
    """The rows up to one whose columns cannot be read, and whether there is one."""
    try:
        return read_rows(connection, record_id, 0), False
    except OverflowError:
        rows: list[UpdateRow] = []
        with contextlib.suppress(OverflowError):
            while page := read_rows(connection, record_id, len(rows), 1):
                rows += page
        return rows, True


def version_at(connection: sqlite3.Connection, record_id: str, at: datetime) -> int:
    """Raises RecordNotFound, StoreCorrupt."""
    found = connection.execute(_VERSION_AT, (record_id, micros(at))).fetchone()
    if found is None:
        _head(connection, record_id)
        return 0
    version: int = found[0]
    return version


class Judged(NamedTuple):
    """What the trail says of refusals that were raised, or of something that was decided."""

    action: str
    version: int
    detail: str


class WholeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record's log, history, refusals and conflicts as they stand on disk, nothing checked.

    history_due: nobody has derived the changes yet.
    """

    head: RecordHead
    rows: list[UpdateRow]
    changes: list[Change]
    history_due: bool
    refusals: list[Refusal]
    conflicts: list[Conflict]
    judged: list[Judged]


def load_whole(connection: sqlite3.Connection, record_id: str) -> WholeRecord:
    """Raises RecordNotFound, StoreCorrupt."""
    return WholeRecord(
        head=_head(connection, record_id)[1],
        rows=read_rows(connection, record_id, 0),
        changes=read_all_changes(connection, record_id),
        history_due=is_due(connection, record_id),
        refusals=read_all_refusals(connection, record_id),
        conflicts=read_all_conflicts(connection, record_id),
        judged=[Judged(*found) for found in connection.execute(_JUDGED, (record_id,))],
    )


def read_log(
    connection: sqlite3.Connection, record_id: str, after: int, limit: int
) -> list[UpdateRow]:
    """Rows with version > after, ascending. Raises RecordNotFound, StoreCorrupt."""
    rows = read_rows(connection, record_id, after, limit)
    if not rows:
        _head(connection, record_id)
    return rows


def verify_log(connection: sqlite3.Connection, record_id: str) -> Break | None:
    """The first row, or snapshot, of the record that is not what was written; None if all is well.

    Reads the log from its first row, a page at a time. Raises RecordNotFound, StoreCorrupt.
    """
    hash_, head = _head(connection, record_id)
    after, previous = 0, EMPTY_HASH
    while rows := read_rows(connection, record_id, after, _PAGE):
        broken = first_break(previous, after, rows)
        if broken is not None:
            return broken
        after, previous = rows[-1].version, rows[-1].hash
    if after != head.version:
        missing = after < head.version
        reason = "a row is missing" if missing else "the log is longer than its record says"
        return Break(position=min(after, head.version) + 1, reason=reason)
    if previous != hash_:
        return Break(position=after, reason="the log ends in another hash than its record")
    return _verify_snapshots(connection, record_id)


def _verify_snapshots(connection: sqlite3.Connection, record_id: str) -> Break | None:
    for version, hash_, document, index, told in connection.execute(_SNAPSHOTS, (record_id,)):
        snapshot = Snapshot(version=version, hash=hash_, document=document, index=index)
        row = connection.execute(_ROW_HASH, (record_id, version)).fetchone()
        if row is None or row[0] != hash_:
            return Break(position=version, reason="a snapshot does not match its log row")
        if digest(snapshot) != told:
            return Break(position=version, reason="a snapshot does not match its digest")
    return None


def unaudited_end(connection: sqlite3.Connection) -> Break | None:
    """Whether the newest row of all logs has no entry: the end of the trail was cut off, then.

    Says nothing where the log was cut off with it; a head that was kept elsewhere does.
    """
    newest = connection.execute(_NEWEST_ROW).fetchone()
    if newest is None or connection.execute(_ENTRY_OF, newest).fetchone() is not None:
        return None
    (seq,) = connection.execute("SELECT max(seq) FROM audit").fetchone()
    reason = f"the end is cut off: version {newest[1]} of record {newest[0]} has no entry"
    return Break(position=(seq or 0) + 1, reason=reason)


def unlogged_entry(connection: sqlite3.Connection) -> Break | None:
    """The first entry of the trail about a version that no log has: the end of one, or all of it,
    is gone."""
    found = connection.execute(_UNLOGGED).fetchone()
    if found is None:
        return None
    seq, record_id, version = found
    return Break(position=seq, reason=f"version {version} of record {record_id} is in no log")


def verify_audit(connection: sqlite3.Connection, kept: Mapping[int, bytes]) -> Break | None:
    """The first audit entry that does not continue the chain, or None.

    kept: heads (seq → hash) that were noted elsewhere; without one an end that was cut off shows
    nowhere.
    """
    (start,) = connection.execute(_AUDIT_START).fetchone()
    if start is not None and start < 1:
        return Break(position=start, reason="an entry stands before the first")
    chain = audit_trail.FIRST
    while rows := connection.execute(_AUDIT, (chain[0], _PAGE)).fetchall():
        broken = audit_trail.first_break(chain, rows, kept)
        if broken is not None:
            return broken
        chain = audit_trail.after(rows[-1])
    return audit_trail.missing_end(chain, kept)
