"""Field locks over REST: hold, renew, release, break, ask for; who holds what."""

from typing import Annotated, Literal

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.errors import LockNotFound
from server.executor import Batch
from server.field_locks import acquire, ask_for, break_lock, holder_of, release
from server.live_room import LiveRoom
from server.problems import invalid
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.shapes import Instant, Listing, Person, instant
from sync.locks import Hold

__all__ = ["ENDPOINTS"]


class LockWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """fence: renew exactly this lock. take_over: from another window of the caller."""

    fence: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None = None
    take_over: bool = False


class BreakQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """fence: release exactly this lock. reason: why somebody else's lock is broken; audited."""

    fence: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None = None
    reason: Literal["left", "urgent", "mistake", "other"] | None = None


class FieldLock(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a field until when. fence: shown to the holder alone."""

    id: str
    field: str
    holder: Person
    acquired_at: Instant
    expires_at: Instant
    fence: int | None


async def put_lock(call: Call[LockWish, Empty]) -> Answer:
    """Hold a field, or renew it."""
    who, wish = call.principal, call.body

    async def work(live: LiveRoom, batch: Batch) -> Hold:
        live.check_open(who)
        return await acquire(
            live, batch, who, call.path["field"], call.house.clock(),
            fence=wish.fence, take_over=wish.take_over,
        )  # fmt: skip

    record_id = await record_id_of(call.house.store, call.path["id"])
    return Answer(value=_lock(await call.house.rooms.ask(record_id, work), who.user_id))


async def delete_lock(call: Call[None, BreakQuery]) -> Answer:
    """Release one's own lock, or break somebody else's with the power to, giving a reason."""
    who, query, name = call.principal, call.query, call.path["field"]

    async def work(live: LiveRoom, batch: Batch) -> None:
        live.check_open(who)
        at = call.house.clock()
        hold = live.locks.hold_of(live.record_id, name)
        if hold is None or hold.is_over(at):
            raise LockNotFound("Nobody holds this field.")
        if hold.holder.user_id == who.user_id:
            await release(live, batch, who, name, at, query.fence)
            return
        if live.room.policy.may(who, "break_locks").allowed and query.reason is None:
            raise invalid("reason", Rule.TYPE, "Say why somebody else's lock is broken.")
        await break_lock(live, batch, who, name, query.reason or "", at)

    record_id = await record_id_of(call.house.store, call.path["id"])
    await call.house.rooms.ask(record_id, work)
    return Answer(status=204)


async def ask_for_lock(call: Call[None, Empty]) -> Answer:
    """Ask the holder to let the field go."""
    who = call.principal

    async def work(live: LiveRoom, batch: Batch) -> Hold:
        live.check_open(who)
        return await ask_for(live, batch, who, call.path["field"], call.house.clock())

    record_id = await record_id_of(call.house.store, call.path["id"])
    return Answer(value=_lock(await call.house.rooms.ask(record_id, work), who.user_id))


async def list_locks(call: Call[None, Empty]) -> Answer:
    """The locks of the record, on fields that the caller may read."""
    who = call.principal

    async def work(live: LiveRoom, batch: Batch) -> list[Hold]:
        live.check_open(who)
        room, now = live.room, call.house.clock()
        return [
            hold
            for hold in live.locks.holds(live.record_id).values()
            if not hold.is_over(now)
            and room.policy.may_read(who, room.profile.fields.get(hold.field)).allowed
        ]

    record_id = await record_id_of(call.house.store, call.path["id"])
    async with audit_read(call, record_id, detail="locks"):
        holds = await call.house.rooms.ask(record_id, work)
    return Answer(value=Listing([_lock(hold, who.user_id) for hold in holds]))


def _lock(hold: Hold, user_id: str) -> FieldLock:
    return FieldLock(
        id=hold.field,
        field=hold.field,
        holder=Person(**holder_of(hold)),
        acquired_at=instant(hold.acquired_at),
        expires_at=instant(hold.expires_at),
        fence=hold.fence if hold.holder.user_id == user_id else None,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/records/{id}/locks", summary="Held fields of a record",
        handle=list_locks, answer=Listing[FieldLock], statuses=(403, 404, 503),
    ),
    Endpoint(
        method="PUT", path="/api/records/{id}/locks/{field}", summary="Hold a field, or renew",
        handle=put_lock, audit="lock_acquired", body=LockWish, may_be_empty=True, answer=FieldLock,
        statuses=(400, 403, 404, 409, 413, 422, 423, 503),
    ),
    Endpoint(
        method="DELETE", path="/api/records/{id}/locks/{field}",
        summary="Release a field, or break somebody else's lock",
        handle=delete_lock, audit="lock_broken", query=BreakQuery, status=204,
        statuses=(403, 404, 409, 422, 503),
    ),
    Endpoint(
        method="POST", path="/api/records/{id}/locks/{field}/ask",
        summary="Ask the holder to let a field go",
        handle=ask_for_lock, audit="lock_acquired", answer=FieldLock,
        statuses=(403, 404, 409, 422, 503),
    ),
)  # fmt: skip
