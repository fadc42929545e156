"""The record as it stood: replayed from the log and the nearest snapshot, in steps on the loop.

The rows are read in a reader thread; nothing here touches a live room. A broken row on the way is
RecordDamaged with its place.
"""

import asyncio

from permissions.model import Principal
from permissions.policy import Policy
from server.errors import RecordDamaged
from server.ports import RecordView
from storage.errors import StoreCorrupt
from storage.ports import Records, StoredRecord
from sync.errors import CorruptLog, DocumentSuspect
from sync.past import Past
from sync.record_facts import state_in
from sync.view import Chart, chart_in

__all__ = ["charts_at", "view_from"]


async def charts_at(
    records: Records, policy: Policy, record_id: str, versions: list[int], who: Principal | None
) -> list[Chart]:
    """What the record showed at these versions (ascending), without what `who` may not read.

    Version 0 is the record before its first row. Raises RecordDamaged, RecordNotFound, storage
    errors.
    """
    first, last = versions[0], versions[-1]
    try:
        stored = await records.past(record_id, last, snapshot_until=first)
        past = Past(stored.head.epoch + 1, stored.snapshot)
        return [await _chart_at(past, stored, policy, version, who) for version in versions]
    except (CorruptLog, StoreCorrupt) as error:
        raise RecordDamaged(str(error), error.version) from error
    except DocumentSuspect as error:
        raise RecordDamaged("A stored snapshot does not load.", 0) from error


async def _chart_at(
    past: Past, stored: StoredRecord, policy: Policy, version: int, who: Principal | None
) -> Chart:
    for _ in past.advance(stored.rows, version):
        await asyncio.sleep(0)
    may_read = None if who is None else lambda field: policy.may_read(who, field).allowed
    return chart_in(past.document, policy.profile, version, may_read)


def view_from(record_id: str, profile: str, chart: Chart) -> RecordView:
    """A chart as REST shows it."""
    facts = chart.facts
    state = state_in(facts)
    return RecordView(
        id=record_id,
        number=str(facts.get("number", "")),
        profile=profile,
        patient_id=str(facts.get("patient_id", "")),
        version=chart.version,
        status=state.status,
        current_step=state.current_step or "",
        fields=chart.fields,
        texts=chart.texts,
        disputed=chart.disputed,
    )
