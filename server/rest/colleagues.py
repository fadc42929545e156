"""Who else does a role's work: the people to whom a record can be handed."""

from typing import Annotated

import msgspec

from permissions.model import Rule
from server.errors import NotAllowed, PageNotFound
from server.people import Person
from server.problems import invalid
from server.rest.access import audit_call, own_profiles
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.shapes import Listing

__all__ = ["ENDPOINTS"]

MOST_COLLEAGUES = 500
"""People of one role in one answer: more than a hospital has, and still a short list."""


class ColleaguesOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose colleagues: a role of the profile."""

    role: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


async def list_colleagues(call: Call[None, ColleaguesOf]) -> Answer:
    """The people with a role, by name: for those who have it themselves, and who assign staff."""
    who, role = call.principal, call.query.role
    policy = own_profiles(call.house, who).get(call.path["name"])
    if policy is None:
        if call.path["name"] in call.house.policies:
            raise NotAllowed("You have no role in this profile.")
        raise PageNotFound("No such profile is served here.")
    if role not in policy.profile.roles:
        raise invalid("role", Rule.UNKNOWN_FIELD, "The profile has no such role.")
    if role not in who.roles and not policy.may(who, "assign_staff").allowed:
        raise NotAllowed("You neither have this role nor assign staff.")
    users = await call.house.store.directory.users()
    people = [
        Person(id=user.id, username=user.username, name=user.name, role=role)
        for user in users
        if role in user.roles and not user.disabled
    ]
    await audit_call(call, "query", detail=f"colleagues role={role}")
    people.sort(key=lambda person: (person.name.casefold(), person.id))
    return Answer(value=Listing(people[:MOST_COLLEAGUES]))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/profiles/{name}/colleagues",
        summary="The people to whom a role's work can be handed", handle=list_colleagues,
        audit="query", query=ColleaguesOf, answer=Listing[Person], statuses=(403, 404, 422),
    ),
)  # fmt: skip
