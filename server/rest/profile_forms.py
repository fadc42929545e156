"""A profile as forms need it: shapes, and how they are made for one person in one language."""

from collections.abc import Mapping

import msgspec

from permissions.fields import EntryField, Field, Section, Step
from permissions.model import Operation, Principal, RecordState
from permissions.policy import Policy
from permissions.source_lines import Path
from permissions.values import Threshold, ValueRules
from permissions.words import Words

__all__ = ["ProfileForm", "ProfileSummary", "form_of", "summary_of"]


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


class MetricForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure of the dashboard is called."""

    title: str
    unit: str


class ProfileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A profile in a listing. may_create: whether the caller may create its records."""

    name: str
    title: str
    version: int
    may_create: bool


class ProfileForm(ProfileSummary, frozen=True, kw_only=True):
    """A whole profile. roles: id → title; powers: what the caller may do besides writing.

    language: of its words, where a word is missing the profile's own; languages: all that it has.
    events: name → title.
    """

    language: str
    languages: list[str]
    roles: dict[str, str]
    powers: list[str]
    sections: list[SectionForm]
    steps: list[StepForm]
    events: dict[str, str]
    metrics: dict[str, MetricForm]


def summary_of(policy: Policy, who: Principal, language: str) -> ProfileSummary:
    """The profile in a line, in the language or the profile's own."""
    profile = policy.profile
    return ProfileSummary(
        name=profile.name,
        title=profile.words_in(language).say(("profile", "title"), profile.title),
        version=profile.version,
        may_create=policy.may_create(who).allowed,
    )


def form_of(policy: Policy, who: Principal, language: str) -> ProfileForm:
    """The profile with what `who` may write, in the language or the profile's own."""
    profile = policy.profile
    words = profile.words_in(language)
    powers = {
        power for role in who.roles & profile.roles.keys() for power in profile.roles[role].powers
    }
    summary = summary_of(policy, who, language)
    return ProfileForm(
        name=summary.name,
        title=summary.title,
        version=summary.version,
        may_create=summary.may_create,
        language=words.language,
        languages=[profile.language, *profile.words],
        roles={
            role.id: words.say(("roles", role.id, "title"), role.title)
            for role in profile.roles.values()
        },
        powers=sorted(powers),
        sections=[_section(one, policy, who, words) for one in profile.sections.values()],
        steps=[_step(step, words) for step in profile.steps],
        events={
            event.name: words.say(("events", event.name, "title"), event.title)
            for event in profile.events.values()
        },
        metrics={
            metric.name: MetricForm(
                title=words.say(("metrics", metric.name, "title"), metric.title),
                unit=words.say(("metrics", metric.name, "unit"), metric.unit),
            )
            for metric in profile.metrics.values()
        },
    )


def _section(section: Section, policy: Policy, who: Principal, words: Words) -> SectionForm:
    path: Path = ("sections", section.name)
    return SectionForm(
        name=section.name,
        title=words.say((*path, "title"), section.title),
        kind=section.kind,
        fields=[
            _field(one, policy, who, words)
            for one in section.fields
            if policy.may_read(who, one).allowed
        ],
        help=words.say((*path, "help"), section.help),
    )


def _field(field: Field, policy: Policy, who: Principal, words: Words) -> FieldForm:
    operation = Operation.ADD if field.kind == "entry" else Operation.WRITE
    # Asked of a record in the best state: assigned to the caller, in a step of the field.
    state = RecordState(
        assigned=frozenset({who.user_id}), current_step=next(iter(sorted(field.steps)), None)
    )
    section: Path = ("sections", field.section)
    match field.kind:
        case "value":
            path: Path = (*section, "fields", field.key or "")
        case "narrative":
            path = (*section, "narratives", field.key or "")
        case "entry":
            path = section
    return FieldForm(
        name=field.name,
        kind=field.kind,
        title=words.say((*path, "title"), field.title),
        value=_value(field.rules, path, words),
        code=field.code,
        critical=field.critical,
        append_only=field.append_only,
        writers=sorted(field.writers),
        may_write=policy.decide(who, operation, field, state).allowed,
        help=words.say((*path, "help"), field.help),
        entry_fields=[
            _entry_field(one, (*section, "fields", one.key), words)
            for one in field.entry_fields.values()
        ],
        at_least_one=list(field.at_least_one),
    )


def _entry_field(field: EntryField, path: Path, words: Words) -> EntryFieldForm:
    return EntryFieldForm(
        key=field.key,
        title=words.say((*path, "title"), field.title),
        required=field.required,
        value=_value(field.rules, path, words),
        code=field.code,
        codes={key: dict(codes) for key, codes in field.codes.items()},
        help=words.say((*path, "help"), field.help),
    )


def _value(rules: ValueRules, path: Path, words: Words) -> ValueForm:
    return ValueForm(
        type=rules.type,
        unit=words.say((*path, "unit"), rules.unit),
        minimum=rules.minimum,
        maximum=rules.maximum,
        step=rules.step,
        decimals=rules.decimals,
        options={
            option: words.say((*path, "options", option), title)
            for option, title in rules.options.items()
        },
        pattern=rules.pattern,
        pattern_title=words.say((*path, "pattern_title"), rules.pattern_title),
        refers_to=rules.refers_to,
        max_bytes=rules.max_bytes,
        flags=_flags(rules.flags),
    )


def _flags(flags: Mapping[str, Threshold]) -> dict[str, Limit]:
    return {
        level: Limit(at_most=one.at_most, below=one.below, at_least=one.at_least, above=one.above)
        for level, one in flags.items()
    }


def _step(step: Step, words: Words) -> StepForm:
    return StepForm(
        id=step.id,
        title=words.say(("steps", step.id, "title"), step.title),
        role=step.role,
        required=[list(requirement.any_of) for requirement in step.required],
        optional=step.optional,
        next=list(step.next),
        returns_to=list(step.returns_to),
        expected_minutes=step.expected_minutes,
        amber_minutes=step.amber_minutes,
        red_minutes=step.red_minutes,
    )
