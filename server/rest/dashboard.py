"""The supervisor's view of a profile: 304 while nothing changes, `dashboard` on the stream."""

import hashlib
from typing import Annotated

import msgspec

from permissions.model import Rule
from server.dashboard import seen_by
from server.dashboard_shapes import Dashboard
from server.errors import NotAllowed
from server.problems import invalid
from server.rest.access import audit_call
from server.rest.board import is_unchanged, unchanged
from server.rest.endpoint import Answer, Call, Endpoint

__all__ = ["ENDPOINTS"]


class DashboardOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which profile's; without it the first whose dashboard the caller may see."""

    profile: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None


async def read_dashboard(call: Call[None, DashboardOf]) -> Answer:
    """How work stands in a profile, with the records behind each figure; no clinical values."""
    house, who, name = call.house, call.principal, call.query.profile
    seen = [n for n, policy in house.policies.items() if policy.may(who, "see_dashboard").allowed]
    if name is not None and name not in house.policies:
        raise invalid("profile", Rule.UNKNOWN_FIELD, "No such profile is served here.")
    if not seen or (name is not None and name not in seen):
        raise NotAllowed("You do not oversee this profile.")
    profile = name or seen[0]
    reader = hashlib.sha256(f"{profile} {sorted(who.roles)}".encode()).hexdigest()[:12]
    tag = f'W/"{house.overseeing.tag(profile)}.{reader}"'
    if is_unchanged(call, tag):
        return unchanged(tag)
    dashboard = await house.overseeing.dashboard(profile)
    await audit_call(call, "query", detail=f"dashboard profile={profile}")
    shown = seen_by(dashboard, house.policies[profile], who)
    return Answer(value=shown, headers={"ETag": tag})


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/dashboard", summary="How work stands, for who oversees it",
        handle=read_dashboard, audit="query", query=DashboardOf, answer=Dashboard,
        request_headers=("If-None-Match",), statuses=(403, 422, 503),
    ),
)  # fmt: skip
