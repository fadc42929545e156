"""One SQLite file as those who keep its tables see it: its readers and its writer."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from storage.errors import StoreUnavailable
from storage.readers import Readers
from storage.writer import Writer

__all__ = ["Database"]

T = TypeVar("T")


class Database:
    """One file: its readers, and its writer unless it was opened for reading."""

    def __init__(
        self, path: Path, readers: Readers, writer: Writer | None, ladder_updates: int
    ) -> None:
        self.path = path
        self.ladder_updates = ladder_updates
        self.readers = readers
        self._writer = writer

    @property
    def writer(self) -> Writer:
        """Raises StoreUnavailable on a store that was opened for reading."""
        if self._writer is None:
            raise StoreUnavailable("it was opened for reading")
        return self._writer

    async def write(self, run: Callable[[Connection], T]) -> T:
        return await self.writer.call(run)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
        await self.readers.close()
