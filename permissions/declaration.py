"""The form of a profile's TOML: what each table may hold, before anything is compared or compiled.

Each table is converted by itself, so that an error knows the table it happened in.
"""

from typing import Any, Literal

import msgspec

from permissions.fields import EventTrigger, MetricMeasure, Power, RootKind, Unsealed
from permissions.words import OWN_LANGUAGE

__all__ = [
    "DeclaredEvent",
    "DeclaredField",
    "DeclaredMetric",
    "DeclaredProfile",
    "DeclaredRole",
    "DeclaredSection",
    "DeclaredStep",
    "DeclaredThreshold",
]

Tables = dict[str, dict[str, Any]]
"""Name → table, not converted yet."""
Number = int | float
DeclaredType = Literal[
    "text",
    "integer",
    "number",
    "decimal",
    "choice",
    "boolean",
    "date",
    "time",
    "datetime",
    "visual_acuity",
    "result",
    "reference",
]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class DeclaredHead(_Table, frozen=True):
    """[profile]"""

    name: str
    title: str
    number_prefix: str
    version: int = 1
    language: str = OWN_LANGUAGE


class DeclaredOptions(_Table, frozen=True):
    """[options]"""

    assignment_required: bool = False
    step_restricts_writing: bool = False
    unsealed: Unsealed = "refuse"


class DeclaredSummary(_Table, frozen=True):
    """[summary]"""

    title: list[str]
    search: list[str] = []
    priority: str | None = None


class DeclaredRole(_Table, frozen=True):
    """[roles.ID]"""

    title: str
    plural: str = ""
    reads_all: bool = False
    opens_records: bool = True
    needs_assignment: bool = True
    may: list[Power] = []


class DeclaredThreshold(_Table, frozen=True):
    """A value of flags."""

    at_most: Number | None = None
    below: Number | None = None
    at_least: Number | None = None
    above: Number | None = None


class DeclaredField(_Table, frozen=True):
    """A field of a section, or of its entries."""

    title: str
    type: DeclaredType
    unit: str = ""
    minimum: Number | None = None
    maximum: Number | None = None
    step: Number | None = None
    decimals: int | None = None
    flags: dict[Literal["low", "high", "critical"], DeclaredThreshold] = {}
    options: dict[str, str] = {}
    pattern: str | None = None
    pattern_title: str = ""
    refers_to: str | None = None
    max_bytes: int | None = None
    code: str = ""
    codes: dict[str, dict[str, str]] = {}
    critical: bool = False
    required: bool = False
    writers: list[str] | None = None
    readers: list[str] | None = None
    help: str = ""


class DeclaredNarrative(_Table, frozen=True):
    """A text of a section."""

    title: str
    writers: list[str] | None = None
    readers: list[str] | None = None
    max_bytes: int | None = None
    append_only: bool = False
    help: str = ""


class DeclaredSection(_Table, frozen=True):
    """[sections.NAME]

    refusal_noun: ends "Nurses do not write …"; the title in lower case where absent.
    steps: where writing is restricted to steps, these; else the steps of the writers' roles.
    """

    title: str
    kind: RootKind
    writers: list[str]
    readers: list[str] | None = None
    critical: bool = False
    at_least_one: list[str] = []
    refusal_noun: str = ""
    steps: list[str] | None = None
    max_bytes: int | None = None
    help: str = ""
    fields: Tables = {}
    narratives: Tables = {}


class DeclaredCondition(_Table, frozen=True):
    """A step's only_when: an entry of `open` that no `closed_by` ("section.key") refers to."""

    open: str
    closed_by: str


class DeclaredStep(_Table, frozen=True):
    """[steps.ID]; each required is a field name, or several joined by " or "."""

    title: str
    role: str | None = None
    required: list[str] = []
    only_when: DeclaredCondition | None = None
    returns_to: list[str] = []
    expected_minutes: int = 10
    amber_minutes: int = 20
    red_minutes: int = 40


class DeclaredEvent(_Table, frozen=True):
    """[events.NAME]"""

    title: str
    when: EventTrigger
    of: str | None = None
    audience: Literal["roles", "assigned", "session"] = "roles"
    notify: list[str] = []
    carries: list[str] = []


class DeclaredMetric(_Table, frozen=True):
    """[metrics.NAME]"""

    title: str
    measure: MetricMeasure
    of: str | None = None
    equals: str | None = None
    unit: str = ""
    at_most: Number | None = None
    at_least: Number | None = None


class DeclaredProfile(_Table, frozen=True):
    """The whole file."""

    profile: dict[str, Any]
    roles: Tables
    sections: Tables
    steps: Tables
    summary: dict[str, Any]
    options: dict[str, Any] = {}
    events: Tables = {}
    metrics: Tables = {}
