"""The store in one SQLite file: every write through one writer, reads beside it."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection

from permissions.model import RoleChange
from storage import announcements as told
from storage import audit as audit_trail
from storage import directory, handed_numbers, heads, loading, pruning, refusals, snapshots
from storage.alerts import SqliteAlerts
from storage.attesting import AlteredRow, altered_rows
from storage.backups import backup
from storage.changes import read_changes, replace_changes
from storage.columns import micros
from storage.emergencies import SqliteEmergencies
from storage.engine import StoreSettings, hold, open_engine, wrapped
from storage.errors import RecordNotFound, StoreUnavailable
from storage.migrations import migrate
from storage.overview import Overview, OverviewFilter, read_overview
from storage.ports import (
    AuditFilter,
    ChangeFilter,
    ConflictFilter,
    Ending,
    FoundRefusal,
    Hearer,
    Login,
    RecordFilter,
    RecordHead,
    RefusalFilter,
    SoundRecord,
    StepCount,
    StoredAnnouncement,
    StoredChange,
    StoredRecord,
    User,
)
from storage.pruning import Prunable
from storage.readers import Readers
from storage.tables import records
from storage.timings import read_timings
from storage.update_log import Break, check_new
from storage.writer import Writer
from sync.effects import (
    Announcement,
    AuditEntry,
    Change,
    Commit,
    Conflict,
    Refusal,
    Snapshot,
    StepTiming,
    UpdateRow,
)

__all__ = ["SqliteAnnouncements", "SqliteDirectory", "SqliteRecords", "SqliteStore"]

T = TypeVar("T")

_PAGE = 1000


class _Database:
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


class SqliteRecords:
    """Keeps `storage.ports.Records`."""

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._readers = database.readers

    async def create(self, record_id: str, commit: Commit) -> None:
        check_new(record_id, commit)
        await self._database.writer.append(commit, creates=True)

    async def append(self, commit: Commit) -> None:
        await self._database.writer.append(commit)

    async def load(self, record_id: str) -> StoredRecord:
        return await self._readers.in_thread(lambda driver: loading.load(driver, record_id))

    async def resolve(self, id_or_number: str) -> str:
        return await self._readers.at_once(lambda driver: heads.resolve(driver, id_or_number))

    async def list(self, wanted: RecordFilter) -> Sequence[RecordHead]:
        return await self._readers.on_loop(lambda on: heads.read_board(on, wanted))

    async def step_counts(self, profile: str) -> Sequence[StepCount]:
        return await self._readers.on_loop(lambda on: heads.read_step_counts(on, profile))

    async def timings(self, profile: str, step: str, limit: int) -> Sequence[StepTiming]:
        return await self._readers.on_loop(lambda on: read_timings(on, profile, step, limit))

    async def queue(self, profile: str, step: str, limit: int) -> Sequence[RecordHead]:
        return await self._readers.on_loop(lambda on: heads.read_queue(on, profile, step, limit))

    async def rows(self, record_id: str, after: int = 0, limit: int = 1000) -> Sequence[UpdateRow]:
        return await self._readers.in_thread(
            lambda driver: loading.read_log(driver, record_id, after, limit)
        )

    async def past(
        self, record_id: str, version: int, *, snapshot_until: int | None = None
    ) -> StoredRecord:
        return await self._readers.in_thread(
            lambda driver: loading.load_past(driver, record_id, version, snapshot_until)
        )

    async def sound(self, record_id: str) -> SoundRecord:
        return await self._readers.in_thread(lambda driver: loading.load_sound(driver, record_id))

    async def version_at(self, record_id: str, at: datetime) -> int:
        return await self._readers.in_thread(
            lambda driver: loading.version_at(driver, record_id, at)
        )

    async def save_snapshot(self, record_id: str, snapshot: Snapshot) -> None:
        step = self._database.ladder_updates
        await self._database.write(lambda on: snapshots.save(on, record_id, snapshot, step))

    async def refusals(self, record_id: str) -> Sequence[Refusal]:
        async def read(on: AsyncConnection) -> Sequence[Refusal]:
            found = await refusals.read_refusals(on, record_id)
            return found or await _nothing_of(on, record_id)

        return await self._readers.on_loop(read)

    async def conflicts(self, record_id: str) -> Sequence[Conflict]:
        async def read(on: AsyncConnection) -> Sequence[Conflict]:
            found = await refusals.read_conflicts(on, record_id)
            return found or await _nothing_of(on, record_id)

        return await self._readers.on_loop(read)

    async def refusal(self, record_id: str, refusal_id: str) -> Refusal:
        return await self._readers.on_loop(
            lambda on: refusals.read_refusal(on, record_id, refusal_id)
        )

    async def list_refusals(self, wanted: RefusalFilter) -> Sequence[FoundRefusal]:
        return await self._readers.on_loop(lambda on: refusals.list_refusals(on, wanted))

    async def list_conflicts(self, wanted: ConflictFilter) -> Sequence[Conflict]:
        return await self._readers.on_loop(lambda on: refusals.list_conflicts(on, wanted))

    async def changes(self, record_id: str, wanted: ChangeFilter) -> Sequence[StoredChange]:
        async def read(on: AsyncConnection) -> Sequence[StoredChange]:
            found = await read_changes(on, record_id, wanted)
            return found or await _nothing_of(on, record_id)

        return await self._readers.on_loop(read)

    async def replace_changes(self, record_id: str, told: Sequence[Change]) -> None:
        await self._database.write(lambda on: replace_changes(on, record_id, told))

    async def record_ids(self) -> AsyncIterator[str]:
        """Ascending, read a page at a time: records made meanwhile may be missing."""
        page = select(records.c.id).order_by(records.c.id).limit(_PAGE)
        after = ""

        async def read(on: AsyncConnection) -> Sequence[str]:
            return (await on.execute(page.where(records.c.id > after))).scalars().all()

        while found := await self._readers.on_loop(read):
            for record_id in found:
                yield record_id
            after = found[-1]

    async def patients(self, record_ids: Collection[str]) -> Mapping[str, str]:
        wanted = select(records.c.id, records.c.patient_id).where(records.c.id.in_(record_ids))

        async def read(on: AsyncConnection) -> Mapping[str, str]:
            return {row[0]: row[1] for row in await on.execute(wanted)}

        return await self._readers.on_loop(read)

    async def next_number(self, prefix: str) -> str:
        return await self._database.write(lambda on: heads.next_number(on, prefix))

    async def hand_numbers(
        self, prefix: str, count: int, user_id: str, at: datetime
    ) -> Sequence[str]:
        return await self._database.write(
            lambda on: handed_numbers.hand_out(on, prefix, count, user_id, micros(at))
        )

    async def number_owner(self, number: str) -> str | None:
        return await self._readers.on_loop(lambda on: handed_numbers.owner_of(on, number))


async def _nothing_of(on: AsyncConnection, record_id: str) -> tuple[()]:
    """Nothing, of a record that exists. Raises RecordNotFound."""
    wanted = select(records.c.id).where(records.c.id == record_id)
    if (await on.execute(wanted)).first() is None:
        raise RecordNotFound
    return ()


class SqliteDirectory:
    """Keeps `storage.ports.Directory`."""

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._readers = database.readers

    async def add_user(self, user: User) -> None:
        await self._database.write(lambda on: directory.add_user(on, user))

    async def update_user(self, user: User, at: datetime) -> None:
        await self._database.write(lambda on: directory.update_user(on, user, at))

    async def role_changes(self, user_id: str) -> Sequence[RoleChange]:
        return await self._readers.on_loop(lambda on: directory.read_role_changes(on, user_id))

    async def user(self, user_id: str) -> User:
        return await self._readers.at_once(lambda driver: directory.read_user(driver, user_id))

    async def user_by_username(self, username: str) -> User:
        return await self._readers.at_once(
            lambda driver: directory.read_user_by_username(driver, username)
        )

    async def users(self) -> Sequence[User]:
        return await self._readers.on_loop(directory.read_users)

    async def add_login(self, login: Login) -> None:
        await self._database.write(lambda on: directory.add_login(on, login))

    async def login_by_token_hash(self, token_hash: bytes) -> Login:
        return await self._readers.at_once(
            lambda driver: directory.read_login_by_token_hash(driver, token_hash)
        )

    async def login(self, login_id: str) -> Login:
        return await self._readers.at_once(lambda driver: directory.read_login(driver, login_id))

    async def logins(self, user_id: str) -> Sequence[Login]:
        return await self._readers.on_loop(lambda on: directory.read_logins(on, user_id))

    async def touch_login(self, login_id: str, at: datetime) -> None:
        await self._database.write(lambda on: directory.touch_login(on, login_id, at))

    async def note_skew(self, login_id: str, skew_ms: int, at: datetime) -> None:
        await self._database.write(lambda on: directory.note_skew(on, login_id, skew_ms, at))

    async def end_login(self, login_id: str, at: datetime, how: Ending) -> None:
        await self._database.write(lambda on: directory.end_login(on, login_id, at, how))


class SqliteAnnouncements:
    """Keeps `storage.ports.Announcements`."""

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._readers = database.readers

    async def append(self, announcements: Sequence[Announcement]) -> None:
        await self._database.writer.append_announcements(announcements)

    async def after(self, sequence: int, limit: int) -> Sequence[StoredAnnouncement]:
        return await self._readers.on_loop(lambda on: told.read_after(on, sequence, limit))

    async def heard(
        self, hearer: Hearer, *, after: int, until: int, limit: int
    ) -> Sequence[StoredAnnouncement]:
        return await self._readers.on_loop(
            lambda on: told.read_heard(on, hearer, after, until, limit)
        )

    async def notifications(
        self, hearer: Hearer, *, unread: bool, before: int | None, limit: int
    ) -> Sequence[StoredAnnouncement]:
        return await self._readers.on_loop(
            lambda on: told.read_notifications(on, hearer, unread, before, limit)
        )

    async def count_unread(self, hearer: Hearer) -> int:
        return await self._readers.on_loop(lambda on: told.count_unread(on, hearer))

    async def acknowledge(self, hearer: Hearer, id: str, at: datetime) -> None:
        await self._database.write(lambda on: told.acknowledge(on, hearer, id, at))

    async def span(self) -> tuple[int, int]:
        return await self._readers.on_loop(told.read_span)

    async def trim(self, before: datetime, limit: int, now: datetime) -> int:
        return await self._database.write(lambda on: told.trim(on, before, limit, now))


class SqliteStore:
    """Keeps `storage.ports.Store`. Made by `open`."""

    def __init__(self, database: _Database, held: contextlib.ExitStack) -> None:
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
            database = _Database(path, readers, writer, settings.ladder_updates)
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
