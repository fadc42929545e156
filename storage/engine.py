"""Opening the SQLite file: pragmas, permissions, transactions; the one place errors are wrapped.

One file has one writer connection (`storage/writer.py`), a few reader connections for opening
records (sync, in threads) and a pool of aiosqlite connections for the REST side. No SQL here reads
or writes records. Needs SQLite 3.40, nothing newer.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from storage.errors import StorageError, StoreCorrupt, StoreUnavailable

__all__ = [
    "StoreSettings",
    "connect",
    "hold",
    "is_outage",
    "open_async_engine",
    "open_engine",
    "translated",
    "wrapped",
]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a store, each with its reason."""

    busy_timeout_ms: int = 5000
    """How long a transaction waits for another process (the CLI beside the server)."""
    cache_kib: int = 65_536
    """Page cache of the writer; readers have an eighth of it each."""
    journal_size_limit_bytes: int = 64 * 2**20
    """To what the WAL is truncated after a checkpoint."""
    wal_autocheckpoint_pages: int = 4000
    """16 MiB of WAL; beyond it the committing group pays for a checkpoint."""
    checkpoint_idle_s: float = 5.0
    """After this long without a write the WAL is copied back and truncated."""
    max_group: int = 256
    """Operations in one transaction: bounds latency and what one failure touches."""
    window_ms: float = 0.0
    """How long a group waits for company. 0: the running commit is the window."""
    max_queued: int = 10_000
    """Operations waiting for the writer; beyond it StoreUnavailable, so memory is bounded."""
    readers: int = 2
    """Threads that open records; more only compete for the interpreter lock."""
    ladder_updates: int = 5000
    """Besides the newest snapshots one is kept for so many updates: an earlier version of a record
    is replayed from there (50 ms). Each costs as much as the record's document."""
    max_pages: int | None = None
    """Upper bound of the file in pages of 4 KiB; None is the disk."""


def _pragmas(settings: StoreSettings, *, writer: bool) -> Iterator[str]:
    """No mmap_size: a page that a failing disk cannot give would be SIGBUS instead of an error."""
    yield f"busy_timeout={settings.busy_timeout_ms}"
    if not writer:
        yield "query_only=ON"
        yield f"cache_size=-{settings.cache_kib // 8}"
        yield "temp_store=MEMORY"
        return
    yield "journal_mode=WAL"
    yield "synchronous=FULL"
    yield "foreign_keys=ON"
    yield "recursive_triggers=ON"  # else INSERT OR REPLACE deletes past the append-only triggers
    yield "temp_store=MEMORY"
    yield f"cache_size=-{settings.cache_kib}"
    yield f"journal_size_limit={settings.journal_size_limit_bytes}"
    yield f"wal_autocheckpoint={settings.wal_autocheckpoint_pages}"
    if settings.max_pages is not None:
        yield f"max_page_count={settings.max_pages}"


def connect(path: Path, settings: StoreSettings, *, writer: bool) -> sqlite3.Connection:
    """A connection in autocommit mode, its pragmas set. A writer creates the file, with mode 0600.

    Raises sqlite3.Error, OSError.
    """
    if writer:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=settings.busy_timeout_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in _pragmas(settings, writer=writer):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_engine(path: Path, settings: StoreSettings, *, writer: bool) -> Engine:
    """A sync engine; as a writer it has one connection, whose transactions are IMMEDIATE.

    A deferred transaction that reads, then writes, would fail at once with "database is locked".
    """
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: connect(path, settings, writer=writer),
        poolclass=QueuePool,
        pool_size=1 if writer else settings.readers,
        max_overflow=0,
        pool_reset_on_return="rollback",
        hide_parameters=True,
    )
    begin = "BEGIN IMMEDIATE" if writer else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def open_async_engine(path: Path, settings: StoreSettings) -> AsyncEngine:
    """A read-only engine on aiosqlite for what is not on the hot path."""
    engine = create_async_engine(
        URL.create(
            "sqlite+aiosqlite",
            database=path.absolute().as_uri(),
            query={"mode": "rw", "uri": "true"},
        ),
        hide_parameters=True,
        pool_size=settings.readers,
        max_overflow=0,
        connect_args={"timeout": settings.busy_timeout_ms / 1000},
    )

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in _pragmas(settings, writer=False):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    return engine


@contextlib.contextmanager
def hold(path: Path, *, alone: bool) -> Iterator[None]:
    """Mark the database as in use: shared by every writing process, alone for a restore.

    Raises StoreUnavailable when somebody holds it in a way that excludes this one.
    """
    with wrapped():
        descriptor = os.open(
            path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            reason = "it is in use by a running program" if alone else "it is being restored"
            raise StoreUnavailable(reason) from error
        yield
    finally:
        os.close(descriptor)


_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another program holds the database",
    sqlite3.SQLITE_LOCKED: "another program holds the database",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_PERM: "the database may not be read",
}


_OUTAGES = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}


def is_outage(error: Exception) -> bool:
    """Whether the next operation would fail just the same: trying again at once has no point."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", None)
    return isinstance(origin, OSError) or (code is not None and code & 0xFF in _OUTAGES)


def translated(error: Exception) -> StorageError:
    """The storage error for a foreign one; the caller raises it `from` the foreign error."""
    if isinstance(error, StorageError):
        return error
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, sqlite3.Error):
        # No code: raised by Python's own layer (a closed connection, text that is not UTF-8).
        code = getattr(origin, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in _DAMAGED:
            return StoreCorrupt("the database file is damaged")
        if code is None and "decode" in str(origin):
            return StoreCorrupt("a text is not UTF-8")
        return StoreUnavailable(_REASONS.get(primary or 0, "the database refused the operation"))
    if isinstance(origin, OSError):
        return StoreUnavailable("the disk reported an error")
    return StoreUnavailable("the database driver failed")


@contextlib.contextmanager
def wrapped() -> Iterator[None]:
    """Turn the driver's, SQLAlchemy's and the system's errors into ours, keeping the cause."""
    try:
        yield
    except StorageError:
        raise
    except (sqlite3.Error, SQLAlchemyError, OSError) as error:
        raise translated(error) from error
    except (msgspec.MsgspecError, OverflowError) as error:
        raise StoreCorrupt("a stored value does not parse") from error
