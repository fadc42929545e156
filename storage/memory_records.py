"""Records in memory: their logs, snapshots, refusals and conflicts."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from storage import handed_numbers, heads, snapshots, update_log
from storage.announcements import announced_columns
from storage.changes import change_row
from storage.columns import micros
from storage.engine import StoreSettings
from storage.errors import (
    NumbersHeld,
    PatientWaits,
    RecordExists,
    RecordNotFound,
    RefusalNotFound,
    VersionConflict,
)
from storage.memory_announcements import MemoryAnnouncements
from storage.memory_changes import page_of
from storage.memory_trail import MemoryTrail
from storage.ports import (
    ChangeFilter,
    ConflictFilter,
    FoundRefusal,
    RecordFilter,
    RecordHead,
    RecordName,
    RefusalFilter,
    SoundRecord,
    StepCount,
    StoredChange,
    StoredRecord,
)
from storage.timings import timing_row
from sync.effects import (
    EMPTY_HASH,
    Change,
    Commit,
    Conflict,
    RecordFacts,
    Refusal,
    Snapshot,
    StepTiming,
    UpdateRow,
)

__all__ = ["MemoryRecord", "MemoryRecords"]


class MemoryRecord:
    """One record's state."""

    __slots__ = ("changes", "conflicts", "hash", "head", "refusals", "rows", "snapshots")

    def __init__(self, head: RecordHead) -> None:
        self.head = head
        self.hash = EMPTY_HASH
        self.rows: list[UpdateRow] = []
        self.changes: dict[tuple[int, int], Change] = {}
        self.refusals: dict[str, Refusal] = {}
        self.conflicts: dict[str, Conflict] = {}
        self.snapshots: dict[int, Snapshot] = {}


class MemoryRecords:
    """Keeps `storage.ports.Records`."""

    def __init__(self, trail: MemoryTrail, announcements: MemoryAnnouncements) -> None:
        self._trail = trail
        self._announcements = announcements
        self._timings: list[StepTiming] = []
        self._records: dict[str, MemoryRecord] = {}
        self._by_number: dict[str, str] = {}
        self._refusal_order: dict[tuple[str, str], int] = {}
        self._numbers: dict[str, int] = {}
        self._handed: dict[str, tuple[str, str | None]] = {}

    async def create(self, record_id: str, commit: Commit) -> None:
        self._trail.require_open()
        update_log.check_new(record_id, commit)
        assert commit.facts is not None
        number = commit.facts.number
        if record_id in self._records or (number and number in self._by_number):
            raise RecordExists
        _check_instants(commit)
        self._check_patient(commit.facts)
        head = RecordHead(id=record_id, epoch=0, version=0, facts=commit.facts)
        self._records[record_id] = MemoryRecord(head)
        self._apply(commit)

    def _check_patient(self, facts: RecordFacts) -> None:
        for one in self._records.values():
            its = one.head.facts
            if facts.patient_id and (its.patient_id, its.profile, its.status, facts.status) == (
                facts.patient_id, facts.profile, "open", "open",
            ):  # fmt: skip
                raise PatientWaits(one.head.id, its.number)

    async def append(self, commit: Commit) -> None:
        self._trail.require_open()
        update_log.check_commit(commit)
        record = self._record(commit.record_id)
        if record.head.version != commit.base_version:
            raise VersionConflict(expected=commit.base_version, actual=record.head.version)
        if commit.facts is not None and commit.facts.number:
            holder = self._by_number.get(commit.facts.number, commit.record_id)
            if holder != commit.record_id:
                raise RecordExists
        _check_instants(commit)
        self._apply(commit)

    def _apply(self, commit: Commit) -> None:
        record = self._record(commit.record_id)
        record.rows.extend(commit.rows)
        if commit.rows:
            record.hash = commit.rows[-1].hash
        facts = record.head.facts if commit.facts is None else commit.facts
        self._by_number.pop(record.head.facts.number, None)
        if facts.number:
            self._by_number[facts.number] = commit.record_id
        record.head = RecordHead(
            id=commit.record_id,
            epoch=record.head.epoch,
            version=commit.base_version + len(commit.rows),
            facts=facts,
        )
        record.changes.update({(one.version, one.ordinal): one for one in commit.changes})
        record.refusals.update({refusal.id: refusal for refusal in commit.refusals})
        for refusal in commit.refusals:
            self._refusal_order.setdefault((commit.record_id, refusal.id), len(self._refusal_order))
        record.conflicts.update({conflict.id: conflict for conflict in commit.conflicts})
        self._announcements.take_in(commit.announcements)
        self._timings.extend(commit.timings)
        self._trail.extend(commit.audit)

    def _record(self, record_id: str) -> MemoryRecord:
        try:
            return self._records[record_id]
        except KeyError:
            raise RecordNotFound from None

    async def load(self, record_id: str) -> StoredRecord:
        self._trail.require_open()
        record = self._record(record_id)
        newest = max(record.snapshots, default=0)
        snapshot = record.snapshots.get(newest)
        rows = tuple(record.rows[newest:])
        update_log.require_whole(
            record_id,
            rows,
            after=newest,
            previous=snapshot.hash if snapshot else EMPTY_HASH,
            version=record.head.version,
            head=record.hash,
        )
        return StoredRecord(head=record.head, snapshot=snapshot, rows=rows)

    async def resolve(self, id_or_number: str) -> str:
        self._trail.require_open()
        if id_or_number in self._records:
            return id_or_number
        try:
            return self._by_number[id_or_number]
        except KeyError:
            raise RecordNotFound from None

    async def list(self, wanted: RecordFilter) -> Sequence[RecordHead]:
        self._trail.require_open()
        newest_first = sorted(self._records, reverse=True)
        found = [self._records[record_id].head for record_id in newest_first]
        if wanted.queued:
            found.sort(key=heads.queue_place)
        return [head for head in found if heads.matches(wanted, head)][: wanted.limit]

    async def step_counts(self, profile: str) -> Sequence[StepCount]:
        self._trail.require_open()
        groups: dict[tuple[str, str], list[datetime]] = {}
        for one in self._records.values():
            facts = one.head.facts
            if (facts.profile, facts.status) == (profile, "open"):
                key = (facts.current_step, facts.step_status)
                groups.setdefault(key, []).append(facts.waiting_since)
        return [
            StepCount(step=step, step_status=status, count=len(since), oldest=min(since))
            for (step, status), since in sorted(groups.items())
        ]

    async def timings(self, profile: str, step: str, limit: int) -> Sequence[StepTiming]:
        self._trail.require_open()
        newest = reversed(self._timings)
        return [one for one in newest if (one.profile, one.step) == (profile, step)][:limit]

    async def queue(self, profile: str, step: str, limit: int) -> Sequence[RecordHead]:
        self._trail.require_open()
        found = [one.head for one in self._records.values() if heads.waits(one.head, profile, step)]
        found.sort(key=lambda one: (one.facts.priority, one.facts.waiting_since, one.id))
        return found[:limit]

    async def rows(self, record_id: str, after: int = 0, limit: int = 1000) -> Sequence[UpdateRow]:
        self._trail.require_open()
        return self._record(record_id).rows[after : after + limit]

    async def past(
        self, record_id: str, version: int, *, snapshot_until: int | None = None
    ) -> StoredRecord:
        self._trail.require_open()
        record = self._record(record_id)
        until = version if snapshot_until is None else min(version, snapshot_until)
        after = max((one for one in record.snapshots if one <= until), default=0)
        rows = tuple(record.rows[after:version])
        return StoredRecord(head=record.head, snapshot=record.snapshots.get(after), rows=rows)

    async def sound(self, record_id: str) -> SoundRecord:
        self._trail.require_open()
        record = self._record(record_id)
        return SoundRecord(head=record.head, rows=tuple(record.rows))  # nothing decays in memory

    async def version_at(self, record_id: str, at: datetime) -> int:
        self._trail.require_open()
        rows = self._record(record_id).rows
        return max((row.version for row in rows if row.received_at <= at), default=0)

    async def save_snapshot(self, record_id: str, snapshot: Snapshot) -> None:
        self._trail.require_open()
        record = self._record(record_id)
        known = 1 <= snapshot.version <= len(record.rows)
        snapshots.require_match(
            record_id, snapshot, record.rows[snapshot.version - 1].hash if known else None
        )
        record.snapshots[snapshot.version] = snapshot
        step = StoreSettings().ladder_updates
        for version in record.snapshots.keys() - snapshots.kept(record.snapshots, step):
            del record.snapshots[version]

    async def refusals(self, record_id: str) -> Sequence[Refusal]:
        self._trail.require_open()
        return list(self._record(record_id).refusals.values())

    async def conflicts(self, record_id: str) -> Sequence[Conflict]:
        self._trail.require_open()
        return list(self._record(record_id).conflicts.values())

    async def refusal(self, record_id: str, refusal_id: str) -> Refusal:
        self._trail.require_open()
        record = self._records.get(record_id)
        if record is None or refusal_id not in record.refusals:
            raise RefusalNotFound
        return record.refusals[refusal_id]

    async def list_refusals(self, wanted: RefusalFilter) -> Sequence[FoundRefusal]:
        self._trail.require_open()
        order = self._refusal_order
        after = -1 if wanted.after is None else order.get(wanted.after, len(order))
        found: list[FoundRefusal] = []
        for (record_id, refusal_id), number in order.items():
            record = self._records[record_id]
            refusal = record.refusals[refusal_id]
            if (
                number > after
                and (
                    refusal.author == wanted.author or record.head.facts.profile in wanted.profiles
                )
                and wanted.record_id in (None, record_id)
                and wanted.status in (None, refusal.status)
            ):
                bare = msgspec.structs.replace(refusal, original=b"")
                found.append(FoundRefusal(head=record.head, refusal=bare))
        return found[: wanted.limit]

    async def list_conflicts(self, wanted: ConflictFilter) -> Sequence[Conflict]:
        self._trail.require_open()
        record = self._records.get(wanted.record_id)
        found = [] if record is None else list(record.conflicts.values())
        if wanted.after is not None:
            ids = [conflict.id for conflict in found]
            found = found[ids.index(wanted.after) + 1 :] if wanted.after in ids else []
        return [one for one in found if wanted.status in (None, one.status)][: wanted.limit]

    async def changes(self, record_id: str, wanted: ChangeFilter) -> Sequence[StoredChange]:
        self._trail.require_open()
        record = self._record(record_id)
        return page_of(record.changes.values(), record.rows, wanted)

    async def replace_changes(self, record_id: str, told: Sequence[Change]) -> None:
        self._trail.require_open()
        self._record(record_id)  # nothing is ever due here: changes come with their rows

    async def record_ids(self) -> AsyncIterator[str]:
        self._trail.require_open()
        for record_id in sorted(self._records):
            yield record_id

    def everything(self) -> Mapping[str, MemoryRecord]:
        """Every record by its id."""
        return self._records

    def all_timings(self) -> Sequence[StepTiming]:
        """Finished steps, oldest first."""
        return self._timings

    def of_profiles(self, profiles: frozenset[str] | None) -> set[str] | None:
        """The ids of the records of these profiles; None where any will do."""
        if profiles is None:
            return None
        return {id for id, each in self._records.items() if each.head.facts.profile in profiles}

    async def names(self, record_ids: Collection[str]) -> Mapping[str, RecordName]:
        self._trail.require_open()
        known = ((id, self._records.get(id)) for id in record_ids)
        facts = {id: each.head.facts for id, each in known if each is not None}
        return {
            id: RecordName(number=one.number, patient_id=one.patient_id)
            for id, one in facts.items()
        }

    async def next_number(self, prefix: str) -> str:
        self._trail.require_open()
        last = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return heads.human_number(prefix, last)

    async def hand_numbers(
        self, prefix: str, count: int, user_id: str, at: datetime
    ) -> Sequence[str]:
        self._trail.require_open()
        held = [one for one, its in self._handed.items() if its == (prefix, user_id)]
        unused = sum(one not in self._by_number for one in held)
        if unused + count > handed_numbers.MOST_UNUSED:
            raise NumbersHeld(unused)
        given = [await self.next_number(prefix) for _ in range(count)]
        self._handed |= dict.fromkeys(given, (prefix, user_id))
        return given

    async def number_owner(self, number: str) -> str | None:
        self._trail.require_open()
        return self._handed.get(number, ("", None))[1]


def _check_instants(commit: Commit) -> None:
    """Raises ValueError for what the store on disk would refuse, before anything changes."""
    for row in commit.rows:
        update_log.row_values(commit.record_id, row)
    for change in commit.changes:
        change_row(commit.record_id, change)
    for refusal in commit.refusals:
        micros(refusal.at), micros(refusal.written_at)
        if refusal.decided_at is not None:
            micros(refusal.decided_at)
    for entry in commit.audit:
        micros(entry.at)
    for announcement in commit.announcements:
        announced_columns(announcement)
    for timing in commit.timings:
        timing_row(timing)
    if commit.facts is not None:
        heads.fact_values(commit.facts)
