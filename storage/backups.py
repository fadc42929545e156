"""Copies of the whole database: made beside a running server, put back when none runs.

A restored record has a higher epoch than any it had, so that clients start afresh and keep their
edits instead of merging with a history that no longer exists (close code 4409).
"""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec

from storage.attesting import attest_changed, digests, read_key
from storage.engine import StoreSettings, connect, hold, open_engine, wrapped
from storage.errors import StorageError, StoreCorrupt, StoreIncompatible, StoreUnavailable
from storage.migrations import REVISIONS, migrate

__all__ = ["Restored", "backup", "restore"]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore did.

    carried: whether the replaced database could be read, so that its numbers stay given out, its
    ended log-ins ended, its disabled accounts disabled and its epochs below the new ones.
    """

    records: int
    carried: bool


_CARRY = (
    "UPDATE records SET epoch = max(epoch, (SELECT r.epoch FROM replaced.records r "
    "WHERE r.id = records.id)) WHERE id IN (SELECT id FROM replaced.records)",
    "INSERT INTO numbers (prefix, last) SELECT prefix, last FROM replaced.numbers WHERE true "
    "ON CONFLICT (prefix) DO UPDATE SET last = max(last, excluded.last)",
    "UPDATE logins SET (ended_at, ending) = (SELECT r.ended_at, r.ending FROM replaced.logins r "
    "WHERE r.id = logins.id) WHERE id IN "
    "(SELECT id FROM replaced.logins WHERE ended_at IS NOT NULL)",
    "UPDATE users SET disabled = 1 WHERE id IN (SELECT id FROM replaced.users WHERE disabled = 1)",
)

_CARRY_HANDED = (
    "INSERT OR IGNORE INTO handed_numbers (number, prefix, user_id, at) "
    "SELECT number, prefix, user_id, at FROM replaced.handed_numbers"
)
"""Numbers on a tablet that is away stay its person's."""

_CARRY_EVENTS = (
    "INSERT INTO events (sequence, id, at, event, record_id, version, profile, session, payload) "
    "SELECT sequence + 1, 'restored.' || (sequence + 1), at, 'restored', '', 0, '', 0, '{}' "
    "FROM replaced.events WHERE sequence >= (SELECT coalesce(max(sequence), 0) FROM main.events) "
    "ORDER BY sequence DESC LIMIT 1"
)
"""A mark that nobody is told of, so that no sequence somebody may have seen is given out again."""


def backup(path: Path, target: Path) -> None:
    """Copy the database at `path` to `target`, as it stands at one moment, atomically replaced.

    Blocking. Raises StoreUnavailable, StoreCorrupt.
    """
    settings = StoreSettings()
    with wrapped():
        partial = _partial(target)
        try:
            with (
                closing(connect(path, settings, writer=False)) as source,
                closing(sqlite3.connect(partial, isolation_level=None)) as copy,
            ):
                source.backup(copy)
                _require_sound(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            _publish(partial, target)
        finally:
            partial.unlink(missing_ok=True)


def restore(source: Path, path: Path) -> Restored:
    """Put the backup `source` in place of the database at `path`; the old file stays beside it.

    The old one becomes `<name>.replaced`. Blocking. Raises StoreUnavailable when a program has the
    database open, StoreCorrupt or StoreIncompatible when the backup is not sound; then nothing
    has changed.
    """
    with hold(path, alone=True), wrapped():
        partial = _partial(path)
        try:
            if not source.exists():
                raise StoreUnavailable("the backup does not exist")
            shutil.copyfile(source, partial)
            with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
                copy.execute("PRAGMA journal_mode=DELETE")
                _require_sound(copy)
                _require_known(copy)
            _bring_up_to_date(partial)
            with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
                copy.execute("PRAGMA journal_mode=DELETE")
                restored = _raise_epochs(copy, path)
            _set_aside(path)
            _publish(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return restored


def _partial(target: Path) -> Path:
    """An empty file beside `target` that only the owner may read."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return partial


def _publish(partial: Path, target: Path) -> None:
    _sync(partial)
    partial.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_sound(copy: sqlite3.Connection) -> None:
    if copy.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise StoreCorrupt("the copy does not pass SQLite's check")


def _require_known(copy: sqlite3.Connection) -> None:
    try:
        found = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        raise StoreIncompatible("the backup is not one of this program") from error
    if found is None or found[0] not in REVISIONS:
        raise StoreIncompatible("the backup is not one this program knows")


def _bring_up_to_date(partial: Path) -> None:
    """Migrate an older backup: what is carried over goes into tables of today."""
    engine = open_engine(partial, StoreSettings(), writer=True)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _raise_epochs(copy: sqlite3.Connection, path: Path) -> Restored:
    key = read_key(copy)
    before = digests(copy, key)
    carried = _carry(copy, path)
    attest_changed(copy, key, before, time.time_ns() // 1000)
    changed = copy.execute("UPDATE records SET epoch = epoch + 1").rowcount
    return Restored(records=changed, carried=carried)


def _carry(copy: sqlite3.Connection, path: Path) -> bool:
    """Take over what must not go back in time; False when there is nothing readable to take."""
    if not path.exists():
        return False
    try:
        copy.execute("ATTACH ? AS replaced", (str(path),))
    except sqlite3.Error:
        return False
    copy.execute("BEGIN IMMEDIATE")
    try:
        for statement in _CARRY:
            copy.execute(statement)
        for table, statement in (("events", _CARRY_EVENTS), ("handed_numbers", _CARRY_HANDED)):
            if all(_has(copy, schema, table) for schema in ("main", "replaced")):
                copy.execute(statement)
        copy.execute("COMMIT")
        carried = True
    except sqlite3.Error:
        # A damaged or older database is why one restores: the backup alone must do then.
        if copy.in_transaction:
            copy.execute("ROLLBACK")
        carried = False
    copy.execute("DETACH replaced")
    return carried


def _has(copy: sqlite3.Connection, schema: str, table: str) -> bool:
    wanted = f"SELECT 1 FROM {schema}.sqlite_master WHERE type = 'table' AND name = ?"
    return copy.execute(wanted, (table,)).fetchone() is not None


def _set_aside(path: Path) -> None:
    """Keep the replaced database; never leave a WAL that belongs to another file."""
    if not path.exists():
        return
    try:
        with closing(connect(path, StoreSettings(), writer=True)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except (sqlite3.Error, StorageError):
        pass  # damaged: its WAL is kept beside it
    kept = path.with_name(path.name + ".replaced")
    for suffix in ("", "-wal", "-shm"):
        kept.with_name(kept.name + suffix).unlink(missing_ok=True)
    for suffix in ("-wal", "-shm"):
        leftover = path.with_name(path.name + suffix)
        if leftover.exists():
            leftover.replace(kept.with_name(kept.name + suffix))
    os.link(path, kept)
