"""The two ways to read the file; neither can write, their connections are query_only.

Records are opened, and logs read and verified, in reader threads: their hash checks would hold up
the event loop. Boards, accounts and the audit trail are read through SQLAlchemy's async engine.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import StoreSettings, open_async_engine, open_engine, wrapped
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
        self._sync.dispose()
        await self._async.dispose()
