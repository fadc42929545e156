"""The three ways to read the file; none can write, their connections are query_only.

Records are opened, and logs read and verified, in reader threads: their hash checks would hold up
the event loop. Boards, lists and the audit trail are read through SQLAlchemy's async engine. A row
by its key is read at once, on the event loop: that takes 15 µs, and handing it over takes 400.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import StoreSettings, connect, open_async_engine, open_engine, wrapped
from storage.errors import StoreUnavailable
from storage.migrations import require_current

__all__ = ["Readers"]

T = TypeVar("T")


class Readers:
    """Reading connections to one file."""

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        self._sync = open_engine(path, settings, writer=False)
        self._async = open_async_engine(path, settings)
        self._threads = ThreadPoolExecutor(settings.readers, "fieldchart-reader")
        self._path = path
        self._settings = settings
        self._near: sqlite3.Connection | None = None
        self._closed = False

    async def require_current(self) -> None:
        """Raises StoreIncompatible, StoreUnavailable, StoreCorrupt."""
        with wrapped():
            await asyncio.to_thread(require_current, self._sync)

    async def in_thread(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run `read` in a reader thread, in one read transaction. Raises StorageError."""
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, read)

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with wrapped(), self._sync.connect() as connection, connection.begin():
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            return read(driver)

    async def at_once(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run `read`, which looks up a row or two by key, here and now. Raises StorageError.

        A reader of a WAL waits for nobody, but for recovery and truncation; then a thread waits.
        """
        self._require_open()
        with wrapped():
            try:
                return read(self._nearby())
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
        return await self.in_thread(read)

    def _nearby(self) -> sqlite3.Connection:
        if self._near is None:
            self._near = connect(self._path, self._settings, writer=False)
            self._near.execute("PRAGMA busy_timeout=0")
        return self._near

    async def on_loop(self, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `read` on an aiosqlite connection. Raises StorageError."""
        self._require_open()
        with wrapped():
            async with self._async.connect() as connection:
                return await read(connection)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("it is closed")

    async def close(self) -> None:
        """Wait for running reads, then close every connection. Idempotent."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        if self._near is not None:
            self._near.close()
            self._near = None
        self._sync.dispose()
        await self._async.dispose()
