"""The store in one SQLite file: every write through one writer, reads beside it."""

import asyncio
import contextlib
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from storage import audit as audit_trail
from storage import loading, pruning
from storage.alerts import SqliteAlerts
from storage.attesting import AlteredRow, altered_rows
from storage.backups import backup
from storage.database import Database
from storage.emergencies import SqliteEmergencies
from storage.engine import StoreSettings, hold, open_engine, wrapped
from storage.migrations import migrate
from storage.overview import Overview, OverviewFilter, read_overview
from storage.ports import (
    AuditFilter,
)
from storage.pruning import Prunable
from storage.readers import Readers
from storage.sqlite_announcements import SqliteAnnouncements
from storage.sqlite_directory import SqliteDirectory
from storage.sqlite_records import SqliteRecords
from storage.update_log import Break
from storage.writer import Writer
from sync.effects import (
    AuditEntry,
)

__all__ = ["SqliteStore"]


class SqliteStore:
    """Keeps `storage.ports.Store`. Made by `open`."""

    def __init__(self, database: Database, held: contextlib.ExitStack) -> None:
        self._database = database
        self._held = held
        self._records = SqliteRecords(database)
        self._directory = SqliteDirectory(database)
        self._emergencies = SqliteEmergencies(database.write, database.readers.on_loop)
        self._announcements = SqliteAnnouncements(database)
        self._alerts = SqliteAlerts(database.write, database.readers.on_loop)

    @classmethod
    async def open(
        cls,
        path: Path,
        settings: StoreSettings | None = None,
        *,
        read_only: bool = False,
        alone: bool = False,
    ) -> "SqliteStore":
        """Open the file, making it and bringing its schema up to date as needed.

        read_only: change nothing, not even the schema; works beside a running server. alone: while
        no other program has it open for writing.
        Raises StoreIncompatible, StoreCorrupt, StoreUnavailable.
        """
        settings = settings or StoreSettings()
        with contextlib.ExitStack() as held:
            writer = None
            if not read_only:
                held.enter_context(hold(path, alone=alone))
                engine = open_engine(path, settings, writer=True)
                held.callback(engine.dispose)
                with wrapped():
                    await asyncio.to_thread(migrate, engine)
            readers = Readers(path, settings)
            try:
                await readers.require_current()
            except BaseException:
                await readers.close()
                raise
            if not read_only:
                writer = Writer(engine, settings)
            database = Database(path, readers, writer, settings.ladder_updates)
            return cls(database, held.pop_all())

    @property
    def records(self) -> SqliteRecords:
        return self._records

    @property
    def directory(self) -> SqliteDirectory:
        return self._directory

    @property
    def alerts(self) -> SqliteAlerts:
        return self._alerts

    @property
    def emergencies(self) -> SqliteEmergencies:
        return self._emergencies

    @property
    def announcements(self) -> SqliteAnnouncements:
        return self._announcements

    async def overview(self, wanted: OverviewFilter) -> Overview:
        return await self._database.readers.in_thread(lambda driver: read_overview(driver, wanted))

    async def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        await self._database.writer.append_audit(entries)

    async def audit(
        self,
        *,
        record_id: str | None = None,
        user_id: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        profiles: frozenset[str] | None = None,
        newest_first: bool = False,
        after: int = 0,
        limit: int = 100,
        attests: bool = False,
    ) -> Sequence[tuple[int, AuditEntry]]:
        wanted = AuditFilter(
            record_id=record_id, user_id=user_id, action=action, outcome=outcome, since=since,
            until=until, profiles=profiles, newest_first=newest_first, after=after, limit=limit,
            attests=attests,
        )  # fmt: skip
        return await self._database.readers.on_loop(lambda on: audit_trail.read_audit(on, wanted))

    async def audit_hashes(self, seqs: Sequence[int]) -> Mapping[int, bytes]:
        return await self._database.readers.on_loop(lambda on: audit_trail.read_hashes(on, seqs))

    async def audit_head(self) -> audit_trail.Chain:
        return await self._database.readers.on_loop(audit_trail.read_head)

    async def whole(self, record_id: str) -> loading.WholeRecord:
        """The record's log and history, unchecked. Raises RecordNotFound, StoreCorrupt."""
        return await self._database.readers.in_thread(
            lambda driver: loading.load_whole(driver, record_id)
        )

    async def verify_log(self, record_id: str) -> Break | None:
        """Where the record's log or a snapshot breaks first, or None. Raises RecordNotFound."""
        return await self._database.readers.in_thread(
            lambda driver: loading.verify_log(driver, record_id)
        )

    async def verify_audit(self, kept: Mapping[int, bytes] | None = None) -> Break | None:
        """Where the audit trail breaks first, or None. kept: heads (seq → hash) noted elsewhere."""
        return await self._database.readers.in_thread(
            lambda driver: loading.verify_audit(driver, kept or {})
        )

    async def altered_rows(self, most: int) -> Sequence[AlteredRow]:
        """Up to `most` rows of `attesting.KEYS` that are not as the trail attests them.

        Raises StoreCorrupt where nobody can tell.
        """
        return await self._database.readers.in_thread(
            lambda driver: list(itertools.islice(altered_rows(driver), most))
        )

    async def prunable(self, before: datetime) -> Sequence[Prunable]:
        """The records that are over since before that instant, with nothing left to decide."""
        return await self._database.readers.on_loop(
            lambda on: on.run_sync(pruning.find_prunable, before)
        )

    async def prune(self, record: Prunable, entry: AuditEntry, by: str) -> None:
        """Remove a record as it was found, for good, with the audit entry that says so.

        Raises RecordNotFound when it has changed since. The store must have been opened `alone`: a
        server would still hold the record in memory.
        """
        await self._database.writer.call(
            lambda on: pruning.prune(on, record, entry.at, by), [entry]
        )

    async def unaudited_end(self) -> Break | None:
        """Where the audit trail ends before the logs do, or None."""
        return await self._database.readers.in_thread(loading.unaudited_end)

    async def unlogged_entry(self) -> Break | None:
        """The first audit entry about a version that no log has, or None."""
        return await self._database.readers.in_thread(loading.unlogged_entry)

    async def backup(self, target: Path) -> None:
        """Copy the database to `target` as it stands now, beside all other work.

        Raises StoreUnavailable, StoreCorrupt; an older file at `target` is then left as it was.
        """
        await asyncio.to_thread(backup, self._database.path, target)

    async def close(self) -> None:
        """Store what was submitted, then let go of the file. Idempotent."""
        await self._database.close()
        self._held.close()
