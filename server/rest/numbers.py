"""Human numbers in advance: a device keeps a few for patients who are registered offline."""

from typing import Annotated

import msgspec

from permissions.model import Rule
from server.errors import NotAllowed
from server.problems import invalid
from server.rest.access import audit_call
from server.rest.endpoint import Answer, Call, Empty, Endpoint

__all__ = ["ENDPOINTS"]

MOST_AT_ONCE = 20
"""A device's pool: more patients than one tablet registers while it is away."""


class NumbersWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many numbers of which kind of record."""

    profile: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    count: Annotated[int, msgspec.Meta(ge=1, le=MOST_AT_ONCE)]


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that are the caller's alone, for ever."""

    profile: str
    numbers: list[str]


async def post_numbers(call: Call[NumbersWanted, Empty]) -> Answer:
    """Hand out numbers for records that the caller will make."""
    house, who, body = call.house, call.principal, call.body
    policy = house.policies.get(body.profile)
    if policy is None:
        raise invalid("profile", Rule.UNKNOWN_FIELD, "No such profile is served here.")
    decision = policy.may_create(who)
    if not decision.allowed:
        raise NotAllowed(decision.reason)
    prefix = policy.profile.number_prefix
    given = await house.store.records.hand_numbers(prefix, body.count, who.user_id, house.clock())
    await audit_call(call, "create", detail=f"numbers {given[0]} to {given[-1]}")
    return Answer(value=Numbers(profile=body.profile, numbers=list(given)), status=201)


ENDPOINTS = (
    Endpoint(
        method="POST", path="/api/numbers", summary="Numbers for records to be made offline",
        handle=post_numbers, body=NumbersWanted, answer=Numbers, status=201,
        audit="create", statuses=(400, 403, 409, 413, 422, 503),
    ),
)  # fmt: skip
