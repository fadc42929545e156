"""The stream of events, and the notifications that wait to be acknowledged."""

import re
from typing import Annotated, Literal

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.problems import invalid
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.shapes import Cursor, Instant, cursor_after, id_after, instant
from server.telling import hearer_of, shown
from storage.errors import AnnouncementNotFound

__all__ = ["ENDPOINTS"]

PAGE_LIMIT = 200
MOST_FOLLOWED = 20
"""Records one stream follows; a screen shows one."""

_SEQUENCE = re.compile(r"[0-9]{1,18}\Z", re.ASCII)
_ULID = re.compile(r"[0-9A-Z]{26}\Z", re.ASCII)


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """last_event_id: as the header `Last-Event-ID`, for who cannot send headers.

    record: records whose session is followed, by id or number, separated by commas; without it the
    stream has the sessions that one is in.
    """

    last_event_id: Annotated[str, msgspec.Meta(max_length=18)] | None = None
    record: Annotated[str, msgspec.Meta(max_length=MOST_FOLLOWED * 65)] | None = None


class NotificationQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which notifications: those that wait (unread), or all that are kept."""

    status: Literal["unread", "all"] = "unread"
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Cursor | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One event that was told to the caller, and beside these keys what the event carries.

    acknowledged_at: null while it waits.
    """

    id: str
    event: str
    title: str
    at: Instant
    record: str
    profile: str
    version: int
    acknowledged_at: Instant | None


class Notifications(msgspec.Struct, frozen=True, kw_only=True):
    """One page, newest first. unread: how many wait, counted up to 1000."""

    items: list[Notification]
    next: str | None
    unread: int


async def stream_events(call: Call[None, StreamQuery]) -> Answer:
    """The caller's notifications, the sessions they are in and changes of their boards, live."""
    header = call.header("last-event-id")
    after = _sequence(header if header is not None else call.query.last_event_id)
    records = [await _followed(call, address) for address in _addresses(call.query.record)]
    subscription = call.house.events.subscribe(call.principal, tuple(records), after)
    return Answer(
        stream=subscription, media_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )  # fmt: skip


def _sequence(text: str | None) -> int | None:
    if not text:
        return None
    if not _SEQUENCE.match(text):
        raise invalid("last_event_id", Rule.TYPE, "This is not the id of an event of this stream.")
    return int(text)


def _addresses(text: str | None) -> list[str]:
    addresses = list(dict.fromkeys(filter(None, (text or "").split(","))))
    if len(addresses) > MOST_FOLLOWED:
        raise invalid("record", Rule.SIZE, f"A stream follows at most {MOST_FOLLOWED} records.")
    return addresses


async def _followed(call: Call[None, StreamQuery], address: str) -> str:
    """The id of a record that the caller may open; following it is audited like reading it."""
    record_id = await record_id_of(call.house.store, address)
    async with audit_read(call, record_id, "events") as seen:
        view = await call.house.rooms.view(record_id, call.principal)
        seen.version = view.version
    return record_id


async def list_notifications(call: Call[None, NotificationQuery]) -> Answer:
    """What was told to the caller's roles or to the caller by name, newest first."""
    query, house = call.query, call.house
    hearer = hearer_of(call.principal, house.policies)
    before = _sequence(id_after(query.cursor))
    page = await house.store.announcements.notifications(
        hearer, unread=query.status == "unread", before=before, limit=query.limit + 1
    )
    items = []
    for stored in page[: query.limit]:
        told = shown(stored, call.principal, house.policies)
        if told is not None:
            acked = stored.acknowledged_at
            items.append(told | {"acknowledged_at": instant(acked) if acked else None})
    more = len(page) > query.limit
    return Answer(
        value={
            "items": items,
            "next": cursor_after(str(page[query.limit - 1].sequence)) if more else None,
            "unread": await house.store.announcements.count_unread(hearer),
        }
    )


async def acknowledge(call: Call[None, Empty]) -> Answer:
    """Note that the caller has seen it; again is the same."""
    id = call.path["id"]
    if not _ULID.match(id):
        raise AnnouncementNotFound
    hearer = hearer_of(call.principal, call.house.policies)
    await call.house.store.announcements.acknowledge(hearer, id, call.house.clock())
    return Answer(status=204)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/events", summary="Events as they happen", handle=stream_events,
        answer=str, query=StreamQuery, media_type="text/event-stream",
        request_headers=("Last-Event-ID",), statuses=(403, 404, 422, 429, 503),
    ),
    Endpoint(
        method="GET", path="/api/notifications", summary="What I was told",
        handle=list_notifications, answer=Notifications, query=NotificationQuery, statuses=(422,),
    ),
    Endpoint(
        method="POST", path="/api/notifications/{id}/ack", summary="Acknowledge a notification",
        handle=acknowledge, status=204, statuses=(403, 404),
    ),
)  # fmt: skip
