"""Who changed what of a record, from what to what, when and from where."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from permissions.model import Principal, Rule
from permissions.policy import Policy
from server.addresses import record_id_of
from server.problems import invalid
from server.rest.access import audit_read
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.shapes import (
    Cursor,
    Instant,
    Listing,
    People,
    Person,
    cursor_after,
    id_after,
    instant,
)
from storage.ports import ChangeFilter, StoredChange
from sync.place import RECORD_ROOT

__all__ = ["ENDPOINTS", "instant_of"]

PAGE_LIMIT = 500

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Time = Annotated[str, msgspec.Meta(max_length=40, extra_json_schema={"format": "date-time"})]


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of a history. field: a field, a section of entries, one entry, or `record.status`.

    author: a user's id or name. since, until: when the server received it, both included.
    """

    field: _Name | None = None
    author: _Name | None = None
    role: _Name | None = None
    since: _Time | None = None
    until: _Time | None = None
    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 100
    cursor: Cursor | None = None


class RecordChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change. A narrative's covers one sitting: from `version` to `last_version`.

    at, last_at: received by the server; written_at, last_written_at: as claimed and bounded.
    offset: where in a narrative, in characters. kind overruled: `new` was written, `old` stands.
    reason: why a conflict was decided so, where the kind is resolution.
    """

    id: str
    version: int
    last_version: int
    at: Instant
    last_at: Instant
    written_at: Instant
    last_written_at: Instant
    author: Person
    role: str
    device: str
    address: str
    field: str
    kind: str
    old: msgspec.Raw
    new: msgspec.Raw
    offset: int | None
    reason: str


async def list_changes(call: Call[None, HistoryQuery]) -> Answer:
    """The history of the record, newest first unless asked, without what is not the caller's."""
    query = call.query
    record_id = await record_id_of(call.house.store, call.path["id"])
    async with audit_read(call, record_id, detail="history") as seen:
        view = await call.house.rooms.view(record_id, call.principal)
        seen.version = view.version
    policy = call.house.policies[view.profile]
    people = await People.read(call.house.store)
    field, entry = _field_of(query.field, policy)
    wanted = ChangeFilter(
        field=field,
        entry=entry,
        author=_author_of(query.author, people),
        role=_role_of(query.role, policy),
        since=instant_of("since", query.since),
        until=instant_of("until", query.until),
        hidden=_hidden_from(call.principal, policy),
        newest_first=query.order == "newest",
        after=_place_after(query.cursor),
        limit=query.limit + 1,
    )
    found = await call.house.store.records.changes(record_id, wanted)
    items = [_change(stored, people) for stored in found[: query.limit]]
    more = len(found) > query.limit
    return Answer(value=Listing(items, _cursor(found[query.limit - 1]) if more else None))


def _field_of(name: str | None, policy: Policy) -> tuple[str | None, str | None]:
    """The field and entry that a filter names. Raises InvalidRequest."""
    if name is None:
        return None, None
    fields = policy.profile.fields
    root, _, key = name.partition(".")
    if name in fields or (root == RECORD_ROOT and key):
        return name, None
    field = fields.get(root)
    if field is None or field.kind != "entry" or policy.profile.field_at(root, key) is None:
        raise invalid("field", Rule.UNKNOWN_FIELD, "The profile has no such field.")
    return root, key


def _author_of(name: str | None, people: People) -> str | None:
    if name is None:
        return None
    user_id = people.id_of(name)
    if user_id is None:
        raise invalid("author", Rule.UNKNOWN_FIELD, "There is no such user.")
    return user_id


def _role_of(role: str | None, policy: Policy) -> str | None:
    if role is not None and role not in policy.profile.roles:
        raise invalid("role", Rule.UNKNOWN_FIELD, "The profile has no such role.")
    return role


def instant_of(name: str, text: str | None) -> datetime | None:
    """The instant that a query names in ISO 8601, UTC without a zone. Raises InvalidRequest."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, Rule.TYPE, "This is not an instant in ISO 8601.") from error


def _hidden_from(who: Principal, policy: Policy) -> frozenset[str]:
    fields = policy.profile.fields.items()
    return frozenset(name for name, field in fields if not policy.may_read(who, field).allowed)


def _cursor(last: StoredChange) -> str:
    return cursor_after(f"{last.change.version}-{last.change.ordinal}")


def _place_after(cursor: str | None) -> tuple[int, int] | None:
    place = id_after(cursor)
    if place is None:
        return None
    version, dash, ordinal = place.partition("-")
    if not (dash and version.isdigit() and ordinal.isdigit() and len(place) <= 30):
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.")
    return int(version), int(ordinal)


def _change(stored: StoredChange, people: People) -> RecordChange:
    change = stored.change
    return RecordChange(
        id=f"{change.version}.{change.ordinal}",
        version=change.version,
        last_version=change.last_version,
        at=instant(change.at),
        last_at=instant(change.last_at),
        written_at=instant(change.written_at),
        last_written_at=instant(change.last_written_at),
        author=people.person(change.author, change.role),
        role=change.role,
        device=stored.device,
        address=stored.address,
        field=change.name,
        kind=change.kind,
        old=msgspec.Raw(change.old.encode()),
        new=msgspec.Raw(change.new.encode()),
        offset=change.offset if change.kind == "text" else None,
        reason=change.reason,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/records/{id}/history", summary="Who changed what of a record",
        handle=list_changes, query=HistoryQuery, answer=Listing[RecordChange],
        statuses=(403, 404, 422, 503),
    ),
)  # fmt: skip
