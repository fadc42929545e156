"""Records in one SQLite file: appends through its writer, reads beside it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import handed_numbers, heads, loading, refusals, snapshots
from storage.changes import read_changes, replace_changes
from storage.columns import micros
from storage.database import Database
from storage.errors import RecordNotFound
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
from storage.tables import records
from storage.timings import read_timings
from storage.update_log import check_new
from sync.effects import (
    Change,
    Commit,
    Conflict,
    Refusal,
    Snapshot,
    StepTiming,
    UpdateRow,
)

__all__ = ["SqliteRecords"]

_PAGE = 1000


class SqliteRecords:
    """Keeps `storage.ports.Records`."""

    def __init__(self, database: Database) -> None:
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

    async def names(self, record_ids: Collection[str]) -> Mapping[str, RecordName]:
        columns = (records.c.id, records.c.number, records.c.patient_id)
        wanted = select(*columns).where(records.c.id.in_(record_ids))

        async def read(on: AsyncConnection) -> Mapping[str, RecordName]:
            found = await on.execute(wanted)
            return {id: RecordName(number=number, patient_id=who) for id, number, who in found}

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
