"""A store in memory that behaves like the one on disk, for tests and the demo. Nothing survives."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from storage import audit as audit_trail
from storage import update_log
from storage.alerts import MemoryAlerts
from storage.emergencies import MemoryEmergencies
from storage.memory_announcements import MemoryAnnouncements
from storage.memory_directory import MemoryDirectory
from storage.memory_overview import overview_of
from storage.memory_records import MemoryRecords
from storage.memory_trail import MemoryTrail
from storage.overview import Overview, OverviewFilter
from storage.ports import AuditFilter
from storage.update_log import Break
from sync.effects import EMPTY_HASH, AuditEntry

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps `storage.ports.Store` without a disk."""

    def __init__(self) -> None:
        self._trail = MemoryTrail()
        self._announcements = MemoryAnnouncements(self._trail)
        self._records = MemoryRecords(self._trail, self._announcements)
        self._directory = MemoryDirectory(self._trail)
        self._emergencies = MemoryEmergencies(self._trail)
        self._alerts = MemoryAlerts(self._announcements, self._trail.require_open)

    @property
    def records(self) -> MemoryRecords:
        return self._records

    @property
    def directory(self) -> MemoryDirectory:
        return self._directory

    @property
    def alerts(self) -> MemoryAlerts:
        return self._alerts

    @property
    def emergencies(self) -> MemoryEmergencies:
        return self._emergencies

    @property
    def announcements(self) -> MemoryAnnouncements:
        return self._announcements

    async def overview(self, wanted: OverviewFilter) -> Overview:
        self._trail.require_open()
        records = self._records.everything()
        return overview_of(
            wanted,
            [one.head for one in records.values()],
            {id: one.refusals.values() for id, one in records.items()},
            {id: one.conflicts.values() for id, one in records.items()},
            self._records.all_timings(),
            self._emergencies.everything(),
            self._directory.all_logins(),
        )

    async def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        self._trail.extend(entries)

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
        self._trail.require_open()
        of_profiles = self._records.of_profiles(profiles)
        found = [
            (seq, entry)
            for seq, entry in enumerate(self._trail.entries, 1)
            if audit_trail.matches(wanted, seq, entry)
            and (of_profiles is None or entry.record_id in of_profiles)
        ]
        return (found[::-1] if newest_first else found)[:limit]

    async def audit_hashes(self, seqs: Sequence[int]) -> Mapping[int, bytes]:
        self._trail.require_open()
        return {seq: audit_trail.after(self._trail.rows[seq - 1])[1] for seq in seqs}

    async def audit_head(self) -> audit_trail.Chain:
        self._trail.require_open()
        return self._trail.chain

    async def verify_log(self, record_id: str) -> Break | None:
        """Where the record's log breaks first, or None. Raises RecordNotFound."""
        return update_log.first_break(
            EMPTY_HASH, 0, await self.records.rows(record_id, limit=2**62)
        )

    async def verify_audit(self, kept: Mapping[int, bytes] | None = None) -> Break | None:
        """Where the audit trail breaks first, or None. kept: heads (seq → hash) noted elsewhere."""
        kept = kept or {}
        broken = audit_trail.first_break(audit_trail.FIRST, self._trail.rows, kept)
        return broken or audit_trail.missing_end(self._trail.chain, kept)

    async def close(self) -> None:
        """Further calls raise StoreUnavailable. Idempotent."""
        self._trail.closed = True
