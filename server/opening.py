"""Opens a stored record: replays it, and derives its history where nobody has yet."""

import asyncio

import msgspec

from permissions.policy import Policy
from storage.ports import Records, StoredRecord
from sync.effects import Change, UpdateRow
from sync.gate import Limits
from sync.replay import new_room, replay, snapshot_of
from sync.room import Room

__all__ = ["replayed_room"]

_PAGE = 5000


async def replayed_room(
    records: Records, stored: StoredRecord, policy: Policy, limits: Limits
) -> Room:
    """The room that was stored; replayed in steps that let others run.

    A record from before histories were kept is replayed from its first row, once: its changes are
    stored, after a snapshot that knows whose edits may still grow.
    Raises CorruptLog, DocumentSuspect, storage errors.
    """
    told: list[Change] | None = None
    if stored.history_due:
        told, rows = [], list[UpdateRow]()
        while page := await records.rows(stored.head.id, after=len(rows), limit=_PAGE):
            rows.extend(page)
        stored = msgspec.structs.replace(stored, snapshot=None, rows=rows)
    room = new_room(stored.head.id, stored.head.epoch, policy.profile, policy, limits)
    for _ in replay(room, stored.snapshot, stored.rows, told):
        await asyncio.sleep(0)
    if told is not None:
        await records.save_snapshot(room.record_id, snapshot_of(room))
        await records.replace_changes(room.record_id, told)
    return room
