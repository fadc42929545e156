"""Who may do what to which field of a record, and why: profiles, principals, decisions."""

from native import search_path

__path__ = search_path(__name__)  # before anything of the package is looked for

from permissions.compilation import RESERVED_ROOTS
from permissions.entries import ENTRY_MARKS
from permissions.errors import PermissionsError, Problem, ProfileError
from permissions.fields import (
    EntryField,
    Event,
    EventTrigger,
    Field,
    Metric,
    MetricMeasure,
    OpenEntries,
    Power,
    Requirement,
    Role,
    RootKind,
    Section,
    Step,
    Summary,
)
from permissions.model import (
    ALLOWED,
    Decision,
    Operation,
    Principal,
    RecordState,
    RecordStatus,
    RoleChange,
    Rule,
)
from permissions.policy import Policy
from permissions.profile import Profile, load_profile, parse_profile, shipped_profiles
from permissions.values import Interpretation, Threshold, ValueRules, is_ulid

__all__ = [
    "ALLOWED",
    "ENTRY_MARKS",
    "RESERVED_ROOTS",
    "Decision",
    "EntryField",
    "Event",
    "EventTrigger",
    "Field",
    "Interpretation",
    "Metric",
    "MetricMeasure",
    "OpenEntries",
    "Operation",
    "PermissionsError",
    "Policy",
    "Power",
    "Principal",
    "Problem",
    "Profile",
    "ProfileError",
    "RecordState",
    "RecordStatus",
    "Requirement",
    "Role",
    "RoleChange",
    "RootKind",
    "Rule",
    "Section",
    "Step",
    "Summary",
    "Threshold",
    "ValueRules",
    "is_ulid",
    "load_profile",
    "parse_profile",
    "shipped_profiles",
]
