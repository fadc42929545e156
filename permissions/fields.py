"""What a compiled profile consists of: roles, sections, fields, steps, events and metrics.

Frozen values, made once when a profile is read and shared by every room. Field compares by
identity: there is one Field per name and profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from permissions.values import Interpretation, Interpreter, ValueRules, Violation

__all__ = [
    "EntryField",
    "Event",
    "EventTrigger",
    "Field",
    "Metric",
    "MetricMeasure",
    "OpenEntries",
    "Power",
    "Requirement",
    "Role",
    "RootKind",
    "Section",
    "Step",
    "Summary",
    "Unsealed",
]

RootKind = Literal["fields", "entries", "text"]
"""fields: a map, one key per field; entries: a map, one ULID key per entry; text: a narrative."""

Unsealed = Literal["refuse", "sender"]
"""What becomes of an edit that names another log-in and proves it by no seal."""

Power = Literal[
    "create_records",
    "cancel_records",
    "resolve_conflicts",
    "apply_refusals",
    "break_locks",
    "assign_staff",
    "see_dashboard",
]
EventTrigger = Literal[
    "step_completed",
    "section_changed",
    "entry_added",
    "record_changed",
    "presence_changed",
    "activity",
]
MetricMeasure = Literal[
    "count_waiting",
    "count_completed",
    "median_wait_minutes",
    "median_duration_minutes",
    "share_flagged",
    "share_equal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role of a profile.

    reads_all: also reads fields whose readers do not name it.
    opens_records: may open the records of the profile at all.
    needs_assignment: an assignment is asked of it where the profile asks for assignments.
    """

    id: str
    title: str
    plural: str
    reads_all: bool
    opens_records: bool
    needs_assignment: bool
    powers: frozenset[Power]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EntryField:
    """One field inside the entries of a section.

    codes: by the value of another choice field of the entry, e.g. {"eye": {"right": "79892-6"}}.
    """

    key: str
    title: str
    required: bool
    rules: ValueRules
    code: str
    codes: Mapping[str, Mapping[str, str]]
    help: str
    violation: Violation = field(repr=False)
    interpretation: Interpreter = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """What permissions are decided for: a keyed value, a section's entries or a narrative.

    name: "vitals.systolic", for entries the section ("prescriptions"), "diagnosis.plan" for a text.
    writers, readers: role ids, complete (nothing is inherited any more).
    steps: ids of the steps in which it is written where the profile restricts writing to steps.
    violation(value, *, key, principal) → None, or a Decision with rule TYPE, RANGE, SIZE (IDENTITY:
    an entry that is signed by somebody else); it never raises. A text is judged as a whole str.
    interpretation(value) → low, normal, high, critical or not assessed; for an entry the gravest.
    """

    name: str
    section: str
    key: str | None
    root: str
    title: str
    section_title: str
    kind: Literal["value", "entry", "narrative"]
    rules: ValueRules
    code: str
    critical: bool
    append_only: bool
    writers: frozenset[str]
    readers: frozenset[str]
    steps: frozenset[str]
    refusal_noun: str
    help: str
    entry_fields: Mapping[str, EntryField]
    at_least_one: tuple[str, ...]
    violation: Violation = field(repr=False)
    interpretation: Interpreter = field(repr=False)

    @property
    def type(self) -> str:
        """The value type: "number", "choice", …; "entry" and "narrative" for the other kinds."""
        return self.rules.type

    @property
    def unit(self) -> str:
        """The unit as shown, empty where there is none."""
        return self.rules.unit

    @property
    def max_bytes(self) -> int:
        """The most bytes that a value, an entry (as JSON) or the narrative (as UTF-8) may take."""
        return self.rules.max_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: a map root of fields or entries (kind text: none), and its narratives.

    fields: its Fields in the order of the profile, narratives last.
    """

    name: str
    title: str
    kind: RootKind
    writers: frozenset[str]
    fields: tuple[Field, ...]
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What completing a step asks for: at least one of these fields must hold something."""

    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntries:
    """True of a record while an entry of the section stands that no closing entry refers to.

    closed_by_section, closed_by_key: where closing entries name the ULID of what they close.
    """

    section: str
    closed_by_section: str
    closed_by_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the workflow.

    role: whose step it is; None: nobody's, the record completes on reaching it.
    next: candidates in order, the first whose condition holds follows. Empty: the last step.
    returns_to: steps to which it may be sent back, with a reason.
    expected_minutes, amber_minutes, red_minutes: usual length, and waits that the board marks.
    """

    id: str
    title: str
    role: str | None
    required: tuple[Requirement, ...]
    condition: OpenEntries | None
    next: tuple[str, ...]
    returns_to: tuple[str, ...]
    expected_minutes: int
    amber_minutes: int
    red_minutes: int

    @property
    def optional(self) -> bool:
        """Whether the step is left out when its condition does not hold."""
        return self.condition is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that people are told of.

    trigger with subject: a step (step_completed), a section (section_changed, entry_added), or
    None for any. audience: the roles in notify, everybody assigned, or everybody in the session.
    carries: names of what the event's payload holds.
    """

    name: str
    title: str
    trigger: EventTrigger
    subject: str | None
    audience: Literal["roles", "assigned", "session"]
    notify: tuple[str, ...]
    carries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure of the dashboard: a measure over a step or field, and its threshold.

    subject: a step id (counts and medians; None: the whole visit) or a field name (shares).
    equals: what share_equal counts; of a boolean field "true" or "false".
    """

    name: str
    title: str
    measure: MetricMeasure
    subject: str | None
    equals: str | None
    unit: str
    at_most: float | None
    at_least: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Which fields name a record on the queue board, and which its search looks into.

    priority: the choice whose options, the most urgent first, order a queue; None: only waiting.
    """

    title: tuple[str, ...]
    search: tuple[str, ...]
    priority: str | None = None


def gravest(found: list[Interpretation]) -> Interpretation:
    """The interpretation that a reader must see first; "not assessed" of none."""
    for level in ("critical", "high", "low", "normal"):
        if level in found:
            return level
    return "not assessed"
