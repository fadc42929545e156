"""Reading one row by its key: at once, and by a thread where the file is busy."""

import sqlite3
import threading
from pathlib import Path

import pytest

from storage.engine import StoreSettings
from storage.errors import StoreUnavailable
from storage.readers import Readers
from storage.sqlite import SqliteStore


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite3"
    await (await SqliteStore.open(path)).close()
    return path


async def test_a_row_is_read_without_leaving_the_thread_that_asks(path: Path) -> None:
    readers = Readers(path, StoreSettings())

    asked = await readers.at_once(lambda driver: threading.get_ident())

    assert asked == threading.get_ident()
    await readers.close()


async def test_a_reader_thread_waits_where_the_file_is_busy(path: Path) -> None:
    readers = Readers(path, StoreSettings())
    threads: list[int] = []

    def read(driver: sqlite3.Connection) -> str:
        threads.append(threading.get_ident())
        if len(threads) == 1:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy
        return "read"

    assert await readers.at_once(read) == "read"
    assert threads[0] == threading.get_ident() != threads[1]
    await readers.close()


async def test_a_closed_file_is_not_read(path: Path) -> None:
    readers = Readers(path, StoreSettings())
    await readers.at_once(lambda driver: driver.execute("SELECT 1").fetchone())
    await readers.close()

    with pytest.raises(StoreUnavailable):
        await readers.at_once(lambda driver: None)
