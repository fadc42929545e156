"""What people are told of: events with their audience, and who has acknowledged which.

The order is `sequence`: one writer stores them, so nothing ever appears before one that is visible.
An audience is a set of keys, fixed when the event is stored: `role` (qualified by its profile),
`user`, `present` (who was on the record) and `record` (who follows it). Reading for one person is a
range scan for each of their keys, newest or oldest first.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    RowMapping,
    Subquery,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.attesting import attest_until
from storage.columns import instant, micros
from storage.errors import AnnouncementNotFound
from storage.ports import Hearer, StoredAnnouncement
from storage.tables import event_acks, event_audience, events
from sync.effects import Announcement

__all__ = [
    "AUDIENCE_COLUMNS",
    "EVENT_COLUMNS",
    "MOST_COUNTED",
    "acknowledge",
    "announced_columns",
    "audience_of",
    "count_unread",
    "keys_of",
    "read_after",
    "read_heard",
    "read_notifications",
    "read_span",
    "role_name",
    "trim",
]

Key = tuple[str, str]
"""Kind and name."""

EVENT_COLUMNS = tuple(column.name for column in events.c)[1:]
AUDIENCE_COLUMNS = tuple(column.name for column in event_audience.c)

MOST_COUNTED = 1000
"""Unread notifications are counted up to here: nobody reads a larger number."""

_decode = msgspec.json.Decoder(dict[str, object]).decode


def role_name(profile: str, role: str) -> str:
    """A role as an audience names it: the nurses of one profile are not those of another."""
    return f"{profile}/{role}"


def audience_of(announcement: Announcement) -> list[Key]:
    """The keys of everybody who is told, without repetition."""
    keys = [("role", role_name(announcement.profile, role)) for role in announcement.roles]
    keys += [("user", user) for user in announcement.users]
    keys += [("present", user) for user in announcement.present]
    if announcement.session:
        keys.append(("record", announcement.record_id))
    return list(dict.fromkeys(keys))


def keys_of(hearer: Hearer, *, personal: bool = False) -> list[Key]:
    """The keys under which this person hears; personal: only what asks to be acknowledged."""
    keys = [("user", hearer.user_id), *(("role", role) for role in hearer.roles)]
    if not personal:
        keys += [("present", hearer.user_id), *(("record", each) for each in hearer.records)]
    return list(dict.fromkeys(keys))


def announced_columns(announcement: Announcement) -> tuple[tuple[object, ...], list[Key]]:
    """The event in the order of `EVENT_COLUMNS`, and its audience.

    Raises ValueError for an instant that is not UTC.
    """
    return (
        announcement.id,
        micros(announcement.at),
        announcement.event,
        announcement.record_id,
        announcement.version,
        announcement.profile,
        int(announcement.session),
        msgspec.json.encode(announcement.payload).decode(),
    ), audience_of(announcement)


def _stored(row: RowMapping, audience: Mapping[int, list[Key]] | None = None) -> StoredAnnouncement:
    values = dict(row)
    sequence: int = values.pop("sequence")
    acked: int | None = values.pop("acknowledged_at", None)
    values["at"] = instant(values["at"])
    values["session"] = bool(values["session"])
    values["payload"] = _decode(values["payload"])
    if audience is not None:
        told = audience.get(sequence, [])
        prefix = role_name(values["profile"], "")
        values["roles"] = tuple(n.removeprefix(prefix) for kind, n in told if kind == "role")
        values["users"] = tuple(name for kind, name in told if kind == "user")
        values["present"] = tuple(name for kind, name in told if kind == "present")
    return StoredAnnouncement(
        sequence=sequence,
        announcement=Announcement(**values),
        acknowledged_at=None if acked is None else instant(acked),
    )


async def read_after(
    connection: AsyncConnection, after: int, limit: int
) -> Sequence[StoredAnnouncement]:
    """Everything with sequence > after, ascending, with its audience."""
    wanted = select(*events.c).where(events.c.sequence > after)
    found = await connection.execute(wanted.order_by(events.c.sequence).limit(limit))
    rows = found.mappings().all()
    if not rows:
        return []
    first, last = rows[0]["sequence"], rows[-1]["sequence"]
    told = await connection.execute(
        select(event_audience.c.sequence, event_audience.c.kind, event_audience.c.name)
        .where(event_audience.c.sequence.between(first, last))
        .order_by(event_audience.c.sequence, event_audience.c.kind, event_audience.c.name)
    )
    audience: dict[int, list[Key]] = {}
    for sequence, kind, name in told:
        audience.setdefault(sequence, []).append((kind, name))
    return [_stored(row, audience) for row in rows]


def _heard(keys: Iterable[Key], limit: int, *conditions: Any, newest: bool = False) -> Subquery:
    """The sequences that somebody with these keys hears; `limit` of each key in the order asked.

    One range scan a key: over all keys at once SQLite would sort everything that each ever heard.
    """
    sequence = event_audience.c.sequence
    parts = [
        select(sequence)
        .where(event_audience.c.kind == kind, event_audience.c.name == name, *conditions)
        .order_by(sequence.desc() if newest else sequence)
        .limit(limit)
        .subquery()
        for kind, name in keys
    ]
    return union(*(select(part.c.sequence) for part in parts)).subquery()


async def read_heard(
    connection: AsyncConnection, hearer: Hearer, after: int, until: int, limit: int
) -> Sequence[StoredAnnouncement]:
    """What this person hears with after < sequence <= until, ascending, without audiences."""
    sequence = event_audience.c.sequence
    heard = _heard(keys_of(hearer), limit, sequence > after, sequence <= until)
    wanted = select(*events.c).join(heard, heard.c.sequence == events.c.sequence)
    found = await connection.execute(wanted.order_by(events.c.sequence).limit(limit))
    return [_stored(row) for row in found.mappings()]


def _acknowledged(hearer: Hearer) -> Any:
    return and_(
        event_acks.c.sequence == event_audience.c.sequence, event_acks.c.user_id == hearer.user_id
    )


async def read_notifications(
    connection: AsyncConnection, hearer: Hearer, unread: bool, before: int | None, limit: int
) -> Sequence[StoredAnnouncement]:
    """What this person was told and is to acknowledge, newest first."""
    conditions: list[Any] = []
    if before is not None:
        conditions.append(event_audience.c.sequence < before)
    if unread:
        conditions.append(~exists().where(_acknowledged(hearer)))
    heard = _heard(keys_of(hearer, personal=True), limit, *conditions, newest=True)
    acked = and_(event_acks.c.sequence == events.c.sequence, event_acks.c.user_id == hearer.user_id)
    wanted = (
        select(*events.c, event_acks.c.at.label("acknowledged_at"))
        .join(heard, heard.c.sequence == events.c.sequence)
        .outerjoin(event_acks, acked)
        .order_by(events.c.sequence.desc())
        .limit(limit)
    )
    return [_stored(row) for row in (await connection.execute(wanted)).mappings()]


async def count_unread(connection: AsyncConnection, hearer: Hearer) -> int:
    """How many notifications wait to be acknowledged, at most `MOST_COUNTED`."""
    unread = ~exists().where(_acknowledged(hearer))
    heard = _heard(keys_of(hearer, personal=True), MOST_COUNTED, unread, newest=True)
    found: int = (await connection.execute(select(func.count()).select_from(heard))).scalar_one()
    return min(found, MOST_COUNTED)


async def read_span(connection: AsyncConnection) -> tuple[int, int]:
    """The oldest and the newest sequence that is kept; zeros where there is none."""
    found = await connection.execute(
        select(func.min(events.c.sequence), func.max(events.c.sequence))
    )
    oldest, newest = found.one()
    return oldest or 0, newest or 0


def acknowledge(connection: Connection, hearer: Hearer, id: str, at: datetime) -> None:
    """Note that this person has seen it; again is nothing. Raises AnnouncementNotFound."""
    told = or_(
        *(
            and_(event_audience.c.kind == kind, event_audience.c.name == name)
            for kind, name in keys_of(hearer, personal=True)
        )
    )
    wanted = select(events.c.sequence).where(
        events.c.id == id, exists().where(event_audience.c.sequence == events.c.sequence, told)
    )
    sequence = connection.execute(wanted).scalar()
    if sequence is None:
        raise AnnouncementNotFound
    acked = insert(event_acks).values(user_id=hearer.user_id, sequence=sequence, at=micros(at))
    connection.execute(acked.on_conflict_do_nothing())


def trim(connection: Connection, before: datetime, limit: int, now: datetime) -> int:
    """Forget the oldest that are older than `before`, at most `limit`; how many.

    The newest of all stays, so that its sequence is never given out a second time.
    """
    oldest = select(events.c.sequence, events.c.at).order_by(events.c.sequence).limit(limit + 1)
    rows = connection.execute(oldest).all()
    cut = micros(before)
    old: list[int] = []
    for sequence, at in rows[:-1]:
        if at >= cut:
            break
        old.append(sequence)
    if old:
        for table in (event_acks, event_audience, events):
            connection.execute(delete(table).where(table.c.sequence <= old[-1]))
        attest_until(connection, "events", old[-1], micros(now))
    return len(old)
