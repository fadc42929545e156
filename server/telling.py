"""What each person is shown of an announcement: fields that they may not read are not named.

SPEC TELL-6.
"""

from collections.abc import Callable, Mapping

import msgspec

from permissions.model import Principal
from permissions.policy import Policy
from storage.announcements import audience_of, keys_of, role_name
from storage.ports import Hearer, StoredAnnouncement
from sync.effects import Announcement
from sync.wire import encode_notice

__all__ = ["encode", "hearer_of", "may_hear_session", "notices_of", "shown"]

_NAMING = ("updated_data", "fields")
"""Keys of a payload that hold names of fields."""


def hearer_of(
    principal: Principal, policies: Mapping[str, Policy], records: tuple[str, ...] = ()
) -> Hearer:
    """As whom this person hears: their roles in each profile, and in none (the server's own)."""
    roles = [
        role_name(name, role)
        for name, policy in policies.items()
        for role in policy.profile.roles
        if role in principal.roles
    ]
    roles += [role_name("", role) for role in sorted(principal.roles)]
    return Hearer(user_id=principal.user_id, roles=tuple(roles), records=records)


def may_hear_session(
    principal: Principal, announcement: Announcement, policies: Mapping[str, Policy]
) -> bool:
    """Whether who follows a record is told of its session: where assignment is asked, the assigned.

    Who was on the record when it happened is told as such.
    """
    policy = policies.get(announcement.profile)
    if policy is None or not policy.profile.assignment_required:
        return policy is not None
    roles = (policy.profile.roles[role] for role in principal.roles & policy.profile.roles.keys())
    return any(role.opens_records and not role.needs_assignment for role in roles)


def shown(
    stored: StoredAnnouncement, principal: Principal, policies: Mapping[str, Policy]
) -> dict[str, object] | None:
    """The announcement as this person gets it; None where nothing of it is for them."""
    announcement = stored.announcement
    policy = policies.get(announcement.profile)
    payload = dict(announcement.payload)
    if policy is not None and not _redact(payload, principal, policy):
        return None
    event = policy.profile.events.get(announcement.event) if policy is not None else None
    if event is not None and event.carries:
        payload = {
            name: value for name, value in payload.items()
            if name in event.carries or name == "also_by"
        }  # fmt: skip
    at = announcement.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return payload | {
        "id": announcement.id,
        "event": announcement.event,
        "title": event.title if event is not None else announcement.event,
        "at": at,
        "record": announcement.record_id,
        "profile": announcement.profile,
        "version": announcement.version,
    }


def notices_of(
    stored: StoredAnnouncement, policies: Mapping[str, Policy]
) -> Callable[[Principal], bytes | None]:
    """What a person on the record is sent: message 103, or None for who is not of the audience."""
    audience = set(audience_of(stored.announcement))
    messages: dict[frozenset[str], bytes | None] = {}

    def notice_for(principal: Principal) -> bytes | None:
        if not stored.announcement.session and audience.isdisjoint(
            keys_of(hearer_of(principal, policies))
        ):
            return None
        if principal.roles not in messages:
            told = shown(stored, principal, policies)
            messages[principal.roles] = None if told is None else encode_notice(told)
        return messages[principal.roles]

    return notice_for


def _redact(payload: dict[str, object], principal: Principal, policy: Policy) -> bool:
    """Take out names of fields that the person may not read; False if no name is left."""
    for key in _NAMING:
        names = payload.get(key)
        if isinstance(names, list | tuple) and names:
            payload[key] = [name for name in names if _may_know(name, principal, policy)]
            if not payload[key]:
                return False
    if isinstance(name := payload.get("field"), str) and not _may_know(name, principal, policy):
        return False
    activity = payload.get("activity")
    if isinstance(activity, dict):
        payload["activity"] = activity = dict(activity)
        return _redact(activity, principal, policy)
    return True


def _may_know(name: object, principal: Principal, policy: Policy) -> bool:
    """What is no field of the profile is a fact or a step, which everybody on the record knows."""
    field = policy.profile.fields.get(str(name))
    return field is None or policy.may_read(principal, field).allowed


def encode(value: object) -> bytes:
    """JSON on one line, as a stream of events needs it."""
    return msgspec.json.encode(value)
