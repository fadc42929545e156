"""What must hold before a change over REST: the caller may open the record, and knows it as it is.

Every call that changes a record goes this way, in the room's turn: `If-Match` names the version
that was read; a record that moved on is answered by what changed since, so that a client can offer
to keep both.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from permissions.model import Principal
from server.errors import ChangedField, NotAllowed, VersionMismatch
from server.live_room import LiveRoom
from server.people import People, instant
from server.steps import in_steps
from storage.ports import Records, Store
from sync.bounds import Bounds
from sync.document import ABSENT
from sync.fields import FieldIndex
from sync.json_value import plain
from sync.place import RECORD_ROOT, Place
from sync.placement import RESERVED_CLIENT_IDS
from sync.room import Room
from sync.structs import Kind
from sync.update import Update, decode_steps

__all__ = ["check_current", "check_open"]

STORED = Bounds(
    max_frame_bytes=2**31, max_structs=2**31, max_delete_ranges=2**31, max_value_items=2**31,
)  # fmt: skip

ROWS_LOOKED_AT, BYTES_LOOKED_AT, ROWS_PER_READ = 500, 1024 * 1024, 50
"""Rows read to tell a stale caller which narratives changed; beyond them the answer says `more`."""

FACTS_TOLD = frozenset({"status", "current_step", "assigned", "disputed"})
"""Facts of the server's whose change makes what a caller has read old."""

MAX_SHOWN_BYTES = 256 * 1024
"""What the values of all changes together may take in one answer; longer ones are left out."""


def check_open(live: LiveRoom, principal: Principal) -> None:
    """Raises NotAllowed unless the principal may open the record."""
    decision = live.room.policy.may_open(principal, live.room.state)
    if not decision.allowed:
        raise NotAllowed(decision.reason)


async def check_current(
    live: LiveRoom, if_version: int | None, reader: Principal, store: Store
) -> None:
    """Raises VersionMismatch unless the record stands at `if_version`; None asks for nothing."""
    room = live.room
    if if_version is None or if_version == room.version:
        return
    hands = {
        place: _Hand(write.author, write.role, write.at)
        for place, register in room.registers.items()
        if (write := register.standing) is not None
        and write.version > if_version
        and (place.field is not None or _is_told(place))
    }
    texts, more = await _text_hands(room, store.records, if_version)
    people = await People.read(store)
    changes, size = [], 0
    for place, hand in (hands | texts).items():
        if not _is_told(place) and not room.policy.may_read(reader, place.field).allowed:
            continue
        change = ChangedField(
            field=place.name, author=people.person(hand.author, hand.role),
            at=instant(hand.at), value=_shown(room, place),
        )  # fmt: skip
        size += len(msgspec.json.encode(change))
        if size > MAX_SHOWN_BYTES:
            change = msgspec.structs.replace(change, value=msgspec.UNSET)
        changes.append(change)
    changes.sort(key=lambda change: (change.at, change.field))
    raise VersionMismatch(room.version, changes, more=more)


class _Hand(NamedTuple):
    """Who changed a field last, as what, and when the server took it."""

    author: str
    role: str
    at: datetime


def _is_told(place: Place) -> bool:
    """Whether it is a fact of the server's that everybody on the record reads."""
    return place.root == RECORD_ROOT and place.key in FACTS_TOLD


def _shown(room: Room, place: Place) -> object:
    if place.key is None:
        return room.document.text(place.root)
    value = room.document.value(place.root, place.key)
    return None if value is ABSENT else plain(value)


async def _text_hands(
    room: Room, records: Records, version: int
) -> tuple[dict[Place, _Hand], bool]:
    """The narratives that rows after `version` changed, and by whom; whether there are more rows.

    Rows of the room's own turn that are not on disk yet are not among them.
    """
    hands: dict[Place, _Hand] = {}
    after, size, index = max(version, 0), 0, room.books.index
    while after < room.version:
        if after - version >= ROWS_LOOKED_AT or size >= BYTES_LOOKED_AT:
            return hands, True
        rows = await records.rows(room.record_id, after=after, limit=ROWS_PER_READ)
        if not rows:
            break
        for row in rows:
            update = await in_steps(decode_steps(row.update, STORED))
            for place in _texts_of(update, index):
                hands[place] = _Hand(row.author, row.role, row.received_at)
            size += len(row.update)
        after = rows[-1].version
    return hands, False


def _texts_of(update: Update, index: FieldIndex) -> set[Place]:
    """The narratives that show something else since the update; a refused part shows nothing."""
    changed: set[Place] = set()
    restored: set[Place] = set()
    for client, structs in update.structs.items():
        for struct in structs:
            place = index.place_of((client, struct.clock))
            if place is not None and place.kind == "text" and struct.kind == Kind.STRING:
                (restored if client < RESERVED_CLIENT_IDS else changed).add(place)
    for client, ranges in update.deletes.items():
        brought = update.structs.get(client)
        first_new = brought[0].clock if brought else None
        for clock, length in ranges:
            end = clock + length if first_new is None else min(clock + length, first_new)
            for _, _, place in index.runs(client, clock, max(clock, end)):
                if place.kind == "text" and place not in restored:
                    changed.add(place)
    return changed
