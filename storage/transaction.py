"""One group of operations in one transaction: the hot path from prepared rows to COMMIT.

The statements (`statements`) run on the driver's cursor inside SQLAlchemy's transaction.

An operation that fails for its own reason (a guard says no) leaves the others alone. An error of
the driver rolls the group back; unless the disk is to blame, each operation is then tried alone.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from storage import audit as audit_trail
from storage.announcements import announced_columns
from storage.attesting import collected, read_key, standing_values
from storage.changes import CHANGE_COLUMNS, change_row, upsert_changes
from storage.engine import is_outage, translated
from storage.errors import (
    PatientWaits,
    RecordExists,
    RecordNotFound,
    StorageError,
    StoreCorrupt,
    StoreUnavailable,
    VersionConflict,
)
from storage.event_rows import Announced, announce, attested_event
from storage.heads import FACT_COLUMNS, fact_values
from storage.refusals import (
    CONFLICT_COLUMNS,
    REFUSAL_COLUMNS,
    conflict_row,
    refusal_row,
    upsert_conflicts,
    upsert_refusals,
)
from storage.statements import Bulk, compiled, guarded_update
from storage.tables import audit, records, updates
from storage.timings import TIMING_COLUMNS, insert_timing, timing_row
from storage.update_log import COLUMNS, check_commit, check_new, row_values
from sync.effects import EMPTY_HASH, Announcement, AuditEntry, Commit

__all__ = [
    "Append",
    "Call",
    "GroupStore",
    "Operation",
    "prepare",
    "prepare_announced",
    "prepare_entries",
]

Values = tuple[object, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class Operation:
    """What the writer does for one caller; afterwards `error` says why not."""

    error: Exception | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Append(Operation):
    """A commit as columns, or audit entries or announcements alone (then `guard` is None)."""

    record_id: str = ""
    base_version: int = 0
    creates: bool = False
    patient: Values | None = None
    guard: Values | None = None
    with_facts: bool = False
    rows: Sequence[Values] = ()
    changes: Sequence[Values] = ()
    refusals: Sequence[Values] = ()
    conflicts: Sequence[Values] = ()
    entries: Sequence[Values] = ()
    announced: Sequence[Announced] = ()
    timings: Sequence[Values] = ()


@dataclass(slots=True, eq=False, kw_only=True)
class Call(Operation):
    """Anything else: runs in a savepoint of the group's transaction; audited where it succeeds."""

    run: Callable[[Connection], object]
    entries: Sequence[Values] = ()


def prepare(commit: Commit, *, creates: bool = False) -> Append:
    """Turn a commit into columns, on the caller's side so that its mistakes surface there.

    Raises ValueError for rows out of sequence, an instant not in UTC, a new record without facts.
    """
    if creates:
        check_new(commit.record_id, commit)
    else:
        check_commit(commit)
    record_id, base = commit.record_id, commit.base_version
    rows = [row_values(record_id, row) for row in commit.rows]
    version = base + len(rows)
    head = commit.rows[-1].hash if rows else None
    facts = fact_values(commit.facts) if commit.facts is not None else ()
    if not creates:
        guard = (version, head, *facts, record_id, base)
    else:
        guard = (record_id, 0, version, head or EMPTY_HASH, *facts)
    return Append(
        record_id=record_id,
        base_version=base,
        creates=creates,
        patient=_patient(commit) if creates else None,
        guard=guard,
        with_facts=bool(facts),
        rows=rows,
        changes=[change_row(record_id, change) for change in commit.changes],
        refusals=[refusal_row(record_id, refusal) for refusal in commit.refusals],
        conflicts=[conflict_row(record_id, conflict) for conflict in commit.conflicts],
        entries=prepare_entries(commit.audit),
        announced=prepare_announced(commit.announcements),
        timings=[timing_row(timing) for timing in commit.timings],
    )


def _patient(commit: Commit) -> Values | None:
    """Who must not wait twice for the same: nobody where the record names no patient."""
    facts = commit.facts
    if facts is None or not facts.patient_id or facts.status != "open":
        return None
    return facts.patient_id, facts.profile, commit.record_id


def prepare_entries(entries: Iterable[AuditEntry]) -> list[Values]:
    """Audit entries as columns, not yet linked. Raises ValueError for an instant not in UTC."""
    return [audit_trail.entry_values(entry) for entry in entries]


def prepare_announced(announcements: Iterable[Announcement]) -> list[Announced]:
    """Announcements as columns. Raises ValueError for an instant not in UTC."""
    return [announced_columns(announcement) for announcement in announcements]


_CREATE_COLUMNS = ("id", "epoch", "version", "hash", *FACT_COLUMNS)
_CREATE = compiled(sqlite.insert(records).on_conflict_do_nothing(), _CREATE_COLUMNS)
_FOLLOW = guarded_update(("version", "hash"))
_FOLLOW_WITH_FACTS = guarded_update(("version", "hash", *FACT_COLUMNS))
_UPDATES = Bulk(insert(updates), COLUMNS)
_AUDIT = Bulk(insert(audit), audit_trail.COLUMNS)
_CHANGES = Bulk(upsert_changes(), CHANGE_COLUMNS)
_REFUSALS = compiled(upsert_refusals(), REFUSAL_COLUMNS)
_CONFLICTS = compiled(upsert_conflicts(), CONFLICT_COLUMNS)
_STANDS_AT = "SELECT version FROM records WHERE id = ?"
_TIMINGS = compiled(insert_timing(), TIMING_COLUMNS)
_WAITS = (
    "SELECT id, number FROM records "
    "WHERE patient_id = ? AND profile = ? AND status = 'open' AND id <> ? LIMIT 1"
)
_CHAIN = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"


@dataclass(slots=True, eq=False)
class _Buffered:
    """Rows whose guards have passed, waiting for one statement per table."""

    rows: list[Values] = field(default_factory=list)
    changes: list[Values] = field(default_factory=list)
    refusals: list[Values] = field(default_factory=list)
    conflicts: list[Values] = field(default_factory=list)
    timings: list[Values] = field(default_factory=list)
    entries: list[Values] = field(default_factory=list)
    announced: list[Announced] = field(default_factory=list)


class GroupStore:
    """The one writing connection. Belongs to one thread; reopens itself after an I/O error."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._chain = audit_trail.FIRST
        self._seen: int | None = None
        self._attesting_key: bytes | None = None

    def store(self, group: Sequence[Operation]) -> None:
        """Run the group; when this returns every operation is stored or has its error."""
        try:
            self._attempt(group)
        except Exception as error:
            self._abandon(error)
            self._settle(group, error)

    def checkpoint(self) -> None:
        """Copy the WAL back and truncate it, unless a reader is in the way."""
        if self._connection is None:
            return
        cursor = self._driver(self._connection).cursor()
        try:
            (timeout,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            cursor.execute("PRAGMA busy_timeout=0")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            cursor.execute(f"PRAGMA busy_timeout={timeout}")
        except sqlite3.Error as error:
            self._abandon(error)
        finally:
            cursor.close()

    def close(self) -> None:
        """Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def _attempt(self, group: Sequence[Operation]) -> None:
        connection = self._open()
        begun = connection.begin if any(type(o) is Call for o in group) else self._plainly_begun
        with begun():
            cursor = self._driver(connection).cursor()
            try:
                chain_ = self._current_chain(cursor)
                buffered = _Buffered()
                for operation in group:
                    match operation:
                        case Append():
                            self._guarded(cursor, operation, buffered)
                        case Call():
                            chain_ = self._flush(cursor, buffered, chain_)
                            buffered = _Buffered()
                            buffered.entries.extend(self._called(connection, operation))
                chain_ = self._flush(cursor, buffered, chain_)
            finally:
                cursor.close()
        self._chain = chain_

    @contextmanager
    def _plainly_begun(self) -> Iterator[None]:
        """A transaction on the driver itself, for groups of appends alone.

        SQLAlchemy's own begin and commit cost 80 to 100 µs of CPU a group, a third of a small one.
        """
        driver = self._driver(self._open())
        driver.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            driver.rollback()
            raise
        driver.execute("COMMIT")

    def _open(self) -> Connection:
        if self._connection is None:
            self._seen = None
            self._connection = self._engine.connect()
        return self._connection

    @staticmethod
    def _driver(connection: Connection) -> sqlite3.Connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def _current_chain(self, cursor: sqlite3.Cursor) -> audit_trail.Chain:
        """The end of the audit trail; read again when another process has written."""
        (seen,) = cursor.execute("PRAGMA data_version").fetchone()
        if seen != self._seen:
            self._chain = cursor.execute(_CHAIN).fetchone() or audit_trail.FIRST
            self._seen = seen
        return self._chain

    def _guarded(self, cursor: sqlite3.Cursor, append: Append, buffered: _Buffered) -> None:
        if append.guard is not None:
            if append.creates:
                text = _CREATE
                if append.patient and (found := cursor.execute(_WAITS, append.patient).fetchone()):
                    append.error = PatientWaits(*found)
                    return
            else:
                text = _FOLLOW_WITH_FACTS if append.with_facts else _FOLLOW
            if cursor.execute(text, append.guard).rowcount == 0:
                append.error = self._refused(cursor, append)
                return
            buffered.rows.extend(append.rows)
            buffered.changes.extend(append.changes)
            buffered.refusals.extend(append.refusals)
            buffered.conflicts.extend(append.conflicts)
            buffered.timings.extend(append.timings)
        buffered.entries.extend(append.entries)
        buffered.announced.extend(append.announced)

    @staticmethod
    def _refused(cursor: sqlite3.Cursor, append: Append) -> StorageError:
        if append.creates:
            return RecordExists()
        found = cursor.execute(_STANDS_AT, (append.record_id,)).fetchone()
        if found is None:
            return RecordNotFound()
        return VersionConflict(expected=append.base_version, actual=found[0])

    def _called(self, connection: Connection, call: Call) -> Sequence[Values]:
        """Run it; returns the entries that go with it, none where it failed."""
        collected(connection)
        try:
            with connection.begin_nested():
                call.run(connection)
        except (StorageError, ValueError) as error:
            call.error = error
            return ()
        touched = collected(connection)
        if not touched:
            return call.entries
        driver = self._driver(connection)
        return [*call.entries, *standing_values(driver, self._key(driver), touched)]

    def _key(self, driver: sqlite3.Connection) -> bytes:
        if self._attesting_key is None:
            self._attesting_key = read_key(driver)
        return self._attesting_key

    def _flush(
        self, cursor: sqlite3.Cursor, buffered: _Buffered, chain_: audit_trail.Chain
    ) -> audit_trail.Chain:
        if buffered.rows:
            _UPDATES.run(cursor, buffered.rows)
        if buffered.changes:
            _CHANGES.run(cursor, buffered.changes)
        if buffered.refusals:
            cursor.executemany(_REFUSALS, buffered.refusals)
        if buffered.conflicts:
            cursor.executemany(_CONFLICTS, buffered.conflicts)
        if buffered.timings:
            cursor.executemany(_TIMINGS, buffered.timings)
        entries = buffered.entries
        if buffered.announced:
            key = self._key(cursor.connection)
            for sequence, announced in announce(cursor, buffered.announced):
                entries.append(attested_event(key, sequence, announced))
        if not entries:
            return chain_
        linked = []
        for values in entries:
            row = audit_trail.link(chain_, values)
            linked.append(row)
            chain_ = audit_trail.after(row)
        _AUDIT.run(cursor, linked)
        return chain_

    def _abandon(self, error: Exception) -> None:
        """Give the connection up unless it is certainly usable: the next group opens a new one."""
        origin = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
        usable = code in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL)
        if self._connection is None or (usable and not self._driver_in_transaction()):
            return
        connection, self._connection = self._connection, None
        connection.invalidate()
        connection.close()

    def _driver_in_transaction(self) -> bool:
        return self._connection is not None and self._driver(self._connection).in_transaction

    def _settle(self, group: Sequence[Operation], error: Exception) -> None:
        if is_outage(error):
            for operation in group:
                operation.error = _caused(translated(error), error)
        elif len(group) == 1:
            group[0].error = _caused(_meaning(group[0], error), error)
        else:
            for operation in group:
                operation.error = None
                self.store([operation])


def _caused(own: Exception, cause: Exception) -> Exception:
    own.__cause__ = cause
    return own


def _meaning(operation: Operation, error: Exception) -> StorageError:
    """What an error of this one operation says to its caller."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, sqlite3.IntegrityError):
        return translated(error)
    refused = str(origin)
    if isinstance(operation, Append):
        if "records.number" in refused:
            return RecordExists()
        if "updates.record_id" in refused:
            return StoreCorrupt(
                "the log is longer than its record says",
                record_id=operation.record_id,
                version=operation.base_version + 1,
            )
    return StoreUnavailable("a constraint of the database refused the operation")
