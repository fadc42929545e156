"""Snapshots: a cache of a log prefix. Losing one costs time, never content.

A stored snapshot is used only when its digest holds and its hash is that of the log row it names;
otherwise the older one serves, or the log from its start. Older ones stay as a ladder, so that
the record at any version is replayed from one that is near.
"""

import hashlib
import sqlite3
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from storage.errors import RecordNotFound, StoreCorrupt
from storage.tables import records, snapshots, updates
from sync.effects import Snapshot

__all__ = ["KEPT", "digest", "kept", "read_newest", "require_match", "save"]

KEPT = 2
"""Snapshots kept for each record besides the ladder: the newest, and one to fall back on."""


def digest(snapshot: Snapshot) -> bytes:
    """SHA-256 over everything a snapshot says, so that a torn or swapped blob shows."""
    told = hashlib.sha256(
        b"%d\x1f%d\x1f%s" % (snapshot.version, len(snapshot.document), snapshot.hash)
    )
    told.update(snapshot.document)
    told.update(snapshot.index)
    return told.digest()


def require_match(record_id: str, snapshot: Snapshot, row_hash: bytes | None) -> None:
    """Raises StoreCorrupt unless the row that `snapshot` names exists with the snapshot's hash."""
    if row_hash != snapshot.hash:
        raise StoreCorrupt(
            "a snapshot does not match the log row it names",
            record_id=record_id,
            version=snapshot.version,
        )


_ROW_HASH = select(updates.c.hash).where(
    updates.c.record_id == bindparam("of"), updates.c.version == bindparam("at")
)
_RECORD = select(records.c.version).where(records.c.id == bindparam("of"))
_VERSIONS = select(snapshots.c.version).where(snapshots.c.record_id == bindparam("of"))
_DROP = delete(snapshots).where(
    snapshots.c.record_id == bindparam("of"),
    snapshots.c.version.in_(bindparam("dropped", expanding=True)),
)


def kept(versions: Iterable[int], ladder_updates: int) -> set[int]:
    """Of a record's snapshots the newest `KEPT`, and the first of every so many updates.

    Before the first rung the log from its start is as near.
    """
    ascending = sorted(versions)
    ladder: dict[int, int] = {}
    for version in (one for one in ascending if one >= ladder_updates):
        ladder.setdefault(version // ladder_updates, version)
    return {*ladder.values(), *ascending[-KEPT:]}


def save(connection: Connection, record_id: str, snapshot: Snapshot, ladder_updates: int) -> None:
    """Store the snapshot and drop those that are not `kept`. Idempotent.

    Raises RecordNotFound, StoreCorrupt.
    """
    if connection.execute(_RECORD, {"of": record_id}).first() is None:
        raise RecordNotFound
    found = connection.execute(_ROW_HASH, {"of": record_id, "at": snapshot.version}).scalar()
    require_match(record_id, snapshot, found)
    values = {
        "hash": snapshot.hash,
        "document": snapshot.document,
        "index": snapshot.index,
        "digest": digest(snapshot),
    }
    connection.execute(
        insert(snapshots)
        .values(record_id=record_id, version=snapshot.version, **values)
        .on_conflict_do_update(index_elements=["record_id", "version"], set_=values)
    )
    versions = set(connection.execute(_VERSIONS, {"of": record_id}).scalars())
    dropped = versions - kept(versions, ladder_updates)
    if dropped:
        connection.execute(_DROP, {"of": record_id, "dropped": sorted(dropped)})


_NEWEST = (
    'SELECT s.version, s.hash, s.document, s."index", s.digest FROM snapshots s '
    "JOIN updates u ON u.record_id = s.record_id AND u.version = s.version AND u.hash = s.hash "
    "WHERE s.record_id = ? AND s.version <= ? ORDER BY s.version DESC"
)


def read_newest(connection: sqlite3.Connection, record_id: str, head: int) -> Snapshot | None:
    """The newest snapshot that is whole and matches the log up to `head`, or None."""
    cursor = connection.execute(_NEWEST, (record_id, head))
    try:
        for version, hash_, document, index, told in cursor:
            snapshot = Snapshot(version=version, hash=hash_, document=document, index=index)
            if digest(snapshot) == told:
                return snapshot
    finally:
        cursor.close()
    return None
