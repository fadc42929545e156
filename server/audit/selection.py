"""Which entries of the audit trail somebody wants, over HTTP or on the command line."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from permissions.model import Rule
from server.addresses import record_id_of
from server.problems import invalid
from server.rest.shapes import instant
from storage.errors import RecordNotFound, RecordPruned, UserNotFound
from storage.ports import AuditFilter, Store
from sync.effects import AuditAction, AuditOutcome

__all__ = ["AuditSelection", "asked_for", "filter_of"]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Time = Annotated[datetime, msgspec.Meta(tz=True, description="ISO 8601 with its zone.")]


class AuditSelection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries. record: id or number; user: id or user name; since ≤ time < until."""

    record: _Name | None = None
    user: _Name | None = None
    action: AuditAction | None = None
    outcome: AuditOutcome | None = None
    since: _Time | None = None
    until: _Time | None = None


async def filter_of(
    store: Store, wanted: AuditSelection, profiles: frozenset[str] | None
) -> AuditFilter:
    """The selection with its record and person found. Raises InvalidRequest with the field."""
    since, until = _utc("since", wanted.since), _utc("until", wanted.until)
    if since is not None and until is not None and since >= until:
        raise invalid("until", Rule.RANGE, "This must be after `since`.")
    return AuditFilter(
        record_id=None if wanted.record is None else await _record(store, wanted.record),
        user_id=None if wanted.user is None else await _user(store, wanted.user),
        action=wanted.action,
        outcome=wanted.outcome,
        since=since,
        until=until,
        profiles=profiles,
    )


def asked_for(wanted: AuditFilter) -> str:
    """The filter as ids, for the entry that says somebody read the trail."""
    asked = {
        "user": wanted.user_id,
        "action": wanted.action,
        "outcome": wanted.outcome,
        "since": wanted.since and instant(wanted.since),
        "until": wanted.until and instant(wanted.until),
    }
    return " ".join(f"{name}={value}" for name, value in asked.items() if value is not None)


def _utc(name: str, at: datetime | None) -> datetime | None:
    try:
        return at and at.astimezone(UTC)
    except OverflowError as error:
        raise invalid(name, Rule.RANGE, "There is no such instant.") from error


async def _record(store: Store, address: str) -> str:
    try:
        return await record_id_of(store, address)
    except RecordPruned as error:
        return error.record_id  # its entries stay
    except RecordNotFound as error:
        raise invalid("record", Rule.UNKNOWN_FIELD, "There is no such record.") from error


async def _user(store: Store, address: str) -> str:
    for find in (store.directory.user, store.directory.user_by_username):
        try:
            return (await find(address)).id
        except UserNotFound:
            continue
    raise invalid("user", Rule.UNKNOWN_FIELD, "There is no such person.")
