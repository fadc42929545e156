"""The record as it stood at a version or an instant, and what changed between two versions."""

from typing import Annotated, Any

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.errors import RecordDamaged
from server.past import charts_at, view_from
from server.ports import Json, RecordView
from server.problems import invalid
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.history import instant_of
from sync.past import differences

__all__ = ["ENDPOINTS", "past_record"]

_Version = Annotated[int, msgspec.Meta(ge=0)]


class DiffQuery(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}
):
    """Two versions; 0 is the record before its first one. to: the newest where it is left out."""

    start: _Version
    to: _Version | None = None


class FieldDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A field with what it showed at both versions; null: nothing."""

    field: str
    old: Json
    new: Json


class RecordDiff(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from"}):
    """The fields, entries, narratives and facts that differ, by name."""

    start: int
    to: int
    items: list[FieldDifference]


async def past_record(call: Call[None, Any], version: int | None, at: str | None) -> RecordView:
    """The record at a version or an instant. Raises InvalidRequest where it did not exist then."""
    house = call.house
    if version is not None and at is not None:
        raise invalid("at", Rule.TYPE, "Name a version or an instant, not both.")
    record_id = await record_id_of(house.store, call.path["id"])
    async with audit_read(call, record_id, detail="past") as seen:
        now = await house.rooms.view(record_id, call.principal)
        if version is None:
            moment = instant_of("at", at)
            assert moment is not None, "one of both is given"
            version = min(await house.store.records.version_at(record_id, moment), now.version)
            if version == 0:
                raise invalid("at", Rule.RANGE, "The record did not exist then.")
        _require(now, "version", version)
        policy = house.policies[now.profile]
        (chart,) = await charts_at(
            house.store.records, policy, record_id, [version], call.principal
        )
        seen.version = version
    return view_from(record_id, now.profile, chart)


async def compare_versions(call: Call[None, DiffQuery]) -> Answer:
    """The fields that differ between two versions, with both values."""
    house, start = call.house, call.query.start
    record_id = await record_id_of(house.store, call.path["id"])
    async with audit_read(call, record_id, detail="diff") as seen:
        now = await house.rooms.view(record_id, call.principal)
        to = now.version if call.query.to is None else call.query.to
        _require(now, "from", start)
        _require(now, "to", to)
        if start > to:
            raise invalid("from", Rule.RANGE, "The first version must not be after the second.")
        policy = house.policies[now.profile]
        before, after = await charts_at(
            house.store.records, policy, record_id, [start, to], call.principal
        )
        seen.version = to
    items = [
        FieldDifference(field=one.field, old=one.old, new=one.new)
        for one in differences(before, after)
    ]
    return Answer(value=RecordDiff(start=start, to=to, items=items))


def _require(now: RecordView, name: str, version: int) -> None:
    if now.read_only is not None and version > now.version:
        raise RecordDamaged(now.read_only.reason, now.version + 1)
    if version > now.version:
        raise invalid(name, Rule.RANGE, f"The record stands at version {now.version}.")


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/records/{id}/diff", summary="What changed between two versions",
        handle=compare_versions, query=DiffQuery, answer=RecordDiff,
        statuses=(403, 404, 409, 422, 503),
    ),
)  # fmt: skip
