"""Profiles as the forms need them, with what the caller may write."""

from collections.abc import Mapping

import msgspec

from permissions.fields import EntryField, Field, Section, Step
from permissions.model import Operation, Principal, RecordState
from permissions.policy import Policy
from permissions.values import Threshold, ValueRules
from server.errors import NotAllowed, PageNotFound
from server.rest.access import own_profiles
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.shapes import Listing

__all__ = ["ENDPOINTS"]


class Limit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a flag begins: from a limit on, or past it."""

    at_most: float | None = None
    below: float | None = None
    at_least: float | None = None
    above: float | None = None


class ValueForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a value must be. Limits are inclusive; options are value → title."""

    type: str
    unit: str
    minimum: float | None
    maximum: float | None
    step: float | None
    decimals: int | None
    options: dict[str, str]
    pattern: str | None
    pattern_title: str
    refers_to: str | None
    max_bytes: int
    flags: dict[str, Limit]


class EntryFieldForm(msgspec.Struct, frozen=True, kw_only=True):
    """One field inside the entries of a section."""

    key: str
    title: str
    required: bool
    value: ValueForm
    code: str
    codes: dict[str, dict[str, str]]
    help: str


class FieldForm(msgspec.Struct, frozen=True, kw_only=True):
    """One field, the entries of a section, or a narrative; `may_write` is about the caller."""

    name: str
    kind: str
    title: str
    value: ValueForm
    code: str
    critical: bool
    append_only: bool
    writers: list[str]
    may_write: bool
    help: str
    entry_fields: list[EntryFieldForm]
    at_least_one: list[str]


class SectionForm(msgspec.Struct, frozen=True, kw_only=True):
    """One section with the fields the caller may read."""

    name: str
    title: str
    kind: str
    fields: list[FieldForm]
    help: str


class StepForm(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the workflow. required: of each group one field must be filled."""

    id: str
    title: str
    role: str | None
    required: list[list[str]]
    optional: bool
    next: list[str]
    returns_to: list[str]
    expected_minutes: int
    amber_minutes: int
    red_minutes: int


class ProfileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A profile in a listing. may_create: whether the caller may create its records."""

    name: str
    title: str
    version: int
    may_create: bool


class ProfileForm(ProfileSummary, frozen=True, kw_only=True):
    """A whole profile. roles: id → title; powers: what the caller may do besides writing."""

    roles: dict[str, str]
    powers: list[str]
    sections: list[SectionForm]
    steps: list[StepForm]


async def list_profiles(call: Call[None, Empty]) -> Answer:
    """The profiles in which the caller has a role."""
    own = own_profiles(call.house, call.principal)
    return Answer(value=Listing([_summary(policy, call.principal) for policy in own.values()]))


async def read_profile(call: Call[None, Empty]) -> Answer:
    """One profile as forms are built from it."""
    policy = call.house.policies.get(call.path["name"])
    if policy is None:
        raise PageNotFound("No such profile is served here.")
    profile, who = policy.profile, call.principal
    if who.roles.isdisjoint(profile.roles):
        raise NotAllowed("You have no role in this profile.")
    powers = {
        power for role in who.roles & profile.roles.keys() for power in profile.roles[role].powers
    }
    return Answer(
        value=ProfileForm(
            name=profile.name,
            title=profile.title,
            version=profile.version,
            may_create=policy.may_create(who).allowed,
            roles={role.id: role.title for role in profile.roles.values()},
            powers=sorted(powers),
            sections=[_section(section, policy, who) for section in profile.sections.values()],
            steps=[_step(step) for step in profile.steps],
        )
    )


def _summary(policy: Policy, who: Principal) -> ProfileSummary:
    return ProfileSummary(
        name=policy.profile.name,
        title=policy.profile.title,
        version=policy.profile.version,
        may_create=policy.may_create(who).allowed,
    )


def _section(section: Section, policy: Policy, who: Principal) -> SectionForm:
    return SectionForm(
        name=section.name,
        title=section.title,
        kind=section.kind,
        fields=[
            _field(one, policy, who) for one in section.fields if policy.may_read(who, one).allowed
        ],
        help=section.help,
    )


def _field(field: Field, policy: Policy, who: Principal) -> FieldForm:
    operation = Operation.ADD if field.kind == "entry" else Operation.WRITE
    # Asked of a record in the best state: assigned to the caller, in a step of the field.
    state = RecordState(
        assigned=frozenset({who.user_id}), current_step=next(iter(sorted(field.steps)), None)
    )
    return FieldForm(
        name=field.name,
        kind=field.kind,
        title=field.title,
        value=_value(field.rules),
        code=field.code,
        critical=field.critical,
        append_only=field.append_only,
        writers=sorted(field.writers),
        may_write=policy.decide(who, operation, field, state).allowed,
        help=field.help,
        entry_fields=[_entry_field(one) for one in field.entry_fields.values()],
        at_least_one=list(field.at_least_one),
    )


def _entry_field(field: EntryField) -> EntryFieldForm:
    return EntryFieldForm(
        key=field.key,
        title=field.title,
        required=field.required,
        value=_value(field.rules),
        code=field.code,
        codes={key: dict(codes) for key, codes in field.codes.items()},
        help=field.help,
    )


def _value(rules: ValueRules) -> ValueForm:
    return ValueForm(
        type=rules.type,
        unit=rules.unit,
        minimum=rules.minimum,
        maximum=rules.maximum,
        step=rules.step,
        decimals=rules.decimals,
        options=dict(rules.options),
        pattern=rules.pattern,
        pattern_title=rules.pattern_title,
        refers_to=rules.refers_to,
        max_bytes=rules.max_bytes,
        flags=_flags(rules.flags),
    )


def _flags(flags: Mapping[str, Threshold]) -> dict[str, Limit]:
    return {
        level: Limit(at_most=one.at_most, below=one.below, at_least=one.at_least, above=one.above)
        for level, one in flags.items()
    }


def _step(step: Step) -> StepForm:
    return StepForm(
        id=step.id,
        title=step.title,
        role=step.role,
        required=[list(requirement.any_of) for requirement in step.required],
        optional=step.optional,
        next=list(step.next),
        returns_to=list(step.returns_to),
        expected_minutes=step.expected_minutes,
        amber_minutes=step.amber_minutes,
        red_minutes=step.red_minutes,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/profiles", summary="My profiles", handle=list_profiles,
        answer=Listing[ProfileSummary],
    ),
    Endpoint(
        method="GET", path="/api/profiles/{name}", summary="A profile as forms need it",
        handle=read_profile, answer=ProfileForm, statuses=(403, 404),
    ),
)  # fmt: skip
