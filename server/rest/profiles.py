"""Profiles as the forms need them, with what the caller may write, in a language."""

import hashlib
from typing import Annotated, Any

import msgspec

from permissions.model import Rule
from permissions.words import is_language
from server.errors import NotAllowed, PageNotFound
from server.problems import invalid
from server.rest.access import own_profiles
from server.rest.board import is_unchanged, unchanged
from server.rest.endpoint import Answer, Call, Endpoint
from server.rest.profile_forms import ProfileForm, ProfileSummary, form_of, summary_of
from server.rest.shapes import Listing

__all__ = ["ENDPOINTS"]

MOST_TAG_CHARACTERS = 20
"""A language, a script and a region take at most 11."""


class InLanguage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """lang: as BCP 47 names it, e.g. sw; where a profile lacks it, its own words are given."""

    lang: Annotated[str, msgspec.Meta(max_length=MOST_TAG_CHARACTERS)] = ""


async def list_profiles(call: Call[None, InLanguage]) -> Answer:
    """The profiles in which the caller has a role."""
    language, own = _language(call), own_profiles(call.house, call.principal)
    listing = Listing([summary_of(policy, call.principal, language) for policy in own.values()])
    return _tagged(call, listing)


async def read_profile(call: Call[None, InLanguage]) -> Answer:
    """One profile as forms are built from it; 304 where the caller has it already."""
    language = _language(call)
    policy = call.house.policies.get(call.path["name"])
    if policy is None:
        raise PageNotFound("No such profile is served here.")
    if call.principal.roles.isdisjoint(policy.profile.roles):
        raise NotAllowed("You have no role in this profile.")
    form = form_of(policy, call.principal, language)
    return _tagged(call, form, {"Content-Language": form.language})


def _language(call: Call[None, InLanguage]) -> str:
    language = call.query.lang
    if language and not is_language(language):
        raise invalid("lang", Rule.TYPE, "This is not a language, such as fr or pt-BR.")
    return language


def _tagged(call: Call[Any, Any], value: object, headers: dict[str, str] | None = None) -> Answer:
    """The answer under an ETag of its bytes: another language or other roles have another."""
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if is_unchanged(call, tag):
        return unchanged(tag)
    return Answer(value=body, headers={"ETag": tag, **(headers or {})})


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/profiles", summary="My profiles", handle=list_profiles,
        answer=Listing[ProfileSummary], query=InLanguage, request_headers=("If-None-Match",),
        statuses=(422,),
    ),
    Endpoint(
        method="GET", path="/api/profiles/{name}", summary="A profile as forms need it",
        handle=read_profile, answer=ProfileForm, query=InLanguage,
        request_headers=("If-None-Match",), statuses=(403, 404, 422),
    ),
)  # fmt: skip
