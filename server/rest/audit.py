"""The audit trail: who did what, when and from where, for supervisors and administrators.

A supervisor sees what happened to the records of their profiles, an administrator everything. The
trail holds ids; the names of people are looked up for the answer. Reading it is audited.
"""

from typing import Annotated, Any, Literal

import msgspec

from permissions.model import Principal, Rule
from server.audit.actions import ACTIONS
from server.audit.export import ExportFormat, ExportStream, described, export_lines
from server.audit.selection import AuditSelection, asked_for, filter_of
from server.errors import NotAllowed
from server.house import House
from server.problems import invalid
from server.rest.access import audit_call
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
from storage.ports import AuditFilter, RecordName
from sync.effects import AuditEntry

__all__ = ["ENDPOINTS"]

PAGE_LIMIT = 200
NDJSON = "application/x-ndjson"


class AuditQuery(AuditSelection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of which entries."""

    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Cursor | None = None


class ExportQuery(AuditSelection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries, and how: our own JSON lines, or FHIR R4 AuditEvent, one resource a line."""

    format: ExportFormat = "jsonl"


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. id: its place in the chain. user: nobody for what the server or a command did.

    number: the human number of the record; empty where it is about none, or about one that is gone.

    hash: what the chain stands at with this entry, as `audit head` tells it.
    """

    id: str
    at: Instant
    action: str
    meaning: str
    outcome: str
    user: Person | None
    login_id: str
    device: str
    address: str
    record_id: str
    number: str
    version: int
    detail: str
    hash: str


async def list_audit(call: Call[None, AuditQuery]) -> Answer:
    """The audit trail of the caller's profiles (an administrator's: all of it), newest first."""
    query = call.query
    profiles = _audited_profiles(call.house, call.principal)
    wanted = await filter_of(call.house.store, query, profiles)
    found = await call.house.store.audit(
        **_named(wanted),
        newest_first=query.order == "newest",
        after=_seq_of(query.cursor),
        limit=query.limit + 1,
    )
    await audit_call(call, "audit_read", wanted.record_id or "", detail=asked_for(wanted))
    people = await People.read(call.house.store)
    page = found[: query.limit]
    more = cursor_after(str(page[-1][0])) if len(found) > query.limit else None
    hashes = await call.house.store.audit_hashes([seq for seq, _ in page])
    about = {entry.record_id for _, entry in page if entry.record_id}
    names = await call.house.store.records.names(about)
    lines = [
        _line(seq, entry, hashes[seq], people, names.get(entry.record_id)) for seq, entry in page
    ]
    return Answer(value=Listing(lines, more))


async def export_audit(call: Call[None, ExportQuery]) -> Answer:
    """What the caller may read of the trail, oldest first, a line per entry. It is audited."""
    form = call.query.format
    profiles = _audited_profiles(call.house, call.principal)
    wanted = await filter_of(call.house.store, call.query, profiles)
    await audit_call(call, "audit_export", wanted.record_id or "", detail=described(wanted, form))
    source = call.house.settings.audit_source
    return Answer(
        stream=ExportStream(export_lines(call.house.store, wanted, form, source)),
        media_type="application/fhir+ndjson" if form == "fhir" else NDJSON,
        headers={"Content-Disposition": f'attachment; filename="audit.{form}.ndjson"'},
    )


def _audited_profiles(house: House, who: Principal) -> frozenset[str] | None:
    """The profiles of whose records this person may read the trail; None is everything.

    Raises NotAllowed.
    """
    if "admin" in who.roles:
        return None
    profiles = frozenset(
        name for name, policy in house.policies.items() if policy.may(who, "see_dashboard").allowed
    )
    if not profiles:
        raise NotAllowed("Only supervisors and administrators read the audit trail.")
    return profiles


def _named(wanted: AuditFilter) -> dict[str, Any]:
    names = ("record_id", "user_id", "action", "outcome", "since", "until", "profiles")
    return {name: getattr(wanted, name) for name in names}


def _seq_of(cursor: str | None) -> int:
    place = id_after(cursor)
    if place is None:
        return 0
    if not place.isascii() or not place.isdigit() or not 0 < int(place) < 2**63:
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.")
    return int(place)


def _line(
    seq: int, entry: AuditEntry, hash_: bytes, people: People, name: RecordName | None
) -> AuditLine:
    return AuditLine(
        id=str(seq),
        at=instant(entry.at),
        action=entry.action,
        meaning=ACTIONS[entry.action].meaning if entry.action in ACTIONS else "",
        outcome=entry.outcome,
        user=people.person(entry.user_id) if entry.user_id else None,
        login_id=entry.login_id,
        device=entry.device,
        address=entry.address,
        record_id=entry.record_id,
        number="" if name is None else name.number,
        version=entry.version,
        detail=entry.detail,
        hash=hash_.hex(),
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/audit", summary="The audit trail", handle=list_audit,
        query=AuditQuery, answer=Listing[AuditLine], statuses=(403, 422, 503), audit="audit_read",
    ),
    Endpoint(
        method="GET", path="/api/audit/export", summary="Export the audit trail",
        handle=export_audit, query=ExportQuery, answer=str, media_type=NDJSON,
        statuses=(403, 422, 503), audit="audit_export",
    ),
)  # fmt: skip
