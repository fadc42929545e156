"""The record as it stood: replayed from the log and the nearest snapshot, in steps on the loop.

The rows are read in a reader thread; nothing here touches a live room. A broken row on the way is
RecordDamaged with its place.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from permissions.model import Principal
from permissions.policy import Policy
from server.errors import NotAllowed, RecordDamaged
from server.ports import ReadOnly, RecordView
from storage.errors import StoreCorrupt
from storage.ports import Records, SoundRecord
from sync.effects import UpdateRow
from sync.errors import CorruptLog, DocumentSuspect
from sync.past import Past
from sync.record_facts import state_in
from sync.view import Chart, chart_in

__all__ = ["charts_at", "damage_of", "sound_view", "view_from"]


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
        return [await _chart_at(past, stored.rows, policy, version, who) for version in versions]
    except (CorruptLog, StoreCorrupt, DocumentSuspect) as error:
        raise damage_of(error) from error


def damage_of(error: CorruptLog | StoreCorrupt | DocumentSuspect) -> RecordDamaged:
    """What people are told of a record that cannot be loaded."""
    match error:
        case CorruptLog():
            return RecordDamaged(str(error), error.version)
        case StoreCorrupt():
            return RecordDamaged(error.reason, error.version)
        case _:
            return RecordDamaged("A stored document does not load.", 0)


async def sound_view(
    sound: SoundRecord, policy: Policy, who: Principal | None, damage: RecordDamaged
) -> RecordView:
    """A damaged record as far as its log is sound, read from its first row, marked `read_only`.

    Raises NotAllowed, by what the record said of itself then; `damage` where nothing is sound.
    """
    last = sound.rows[-1].version if sound.rows else 0
    broken_at = min((at for at in (sound.broken_at, damage.version) if at), default=last + 1)
    reason = sound.reason if sound.broken_at == broken_at else damage.reason
    last = min(last, broken_at - 1)
    past = Past(sound.head.epoch + 1, None)
    try:
        chart = await _chart_at(past, sound.rows, policy, last, who)
    except CorruptLog as error:  # a row that hangs together and still cannot be applied
        past, last, reason = Past(sound.head.epoch + 1, None), error.version - 1, str(error)
        chart = await _chart_at(past, sound.rows, policy, last, who)
    if last == 0:
        raise damage
    if who is not None:
        decision = policy.may_open(who, state_in(chart.facts))
        if not decision.allowed:
            raise NotAllowed(decision.reason)
    view = view_from(sound.head.id, policy.profile.name, chart)
    note = f"Its log is damaged at version {last + 1}: {reason.rstrip('.')}."
    return msgspec.structs.replace(view, read_only=ReadOnly(reason=note, version=last))


async def _chart_at(
    past: Past, rows: Sequence[UpdateRow], policy: Policy, version: int, who: Principal | None
) -> Chart:
    for _ in past.advance(rows, version):
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
