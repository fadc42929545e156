"""The values that permission decisions are made of: who asks, for what, and why it is answered so.

Pure values, no behaviour beyond questions about themselves. Rules are a closed list: clients and
reports switch on them (contract, section 4).
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "ALLOWED",
    "Decision",
    "Operation",
    "Principal",
    "RecordState",
    "RecordStatus",
    "RoleChange",
    "Rule",
]

RecordStatus = Literal["open", "completed", "cancelled"]


class Rule(StrEnum):
    """Why something was refused. The value travels in refusals, problems and audit rows."""

    ROLE = "role"
    """None of the principal's roles may do this to the field."""
    ASSIGNMENT = "assignment"
    """The profile asks for an assignment and the principal has none."""
    LOCKED = "locked"
    """Somebody else holds the field."""
    COMPLETED = "completed"
    """The record is signed or cancelled and takes no edits."""
    STEP = "step"
    """The profile restricts the field to a workflow step that is not the current one."""
    TYPE = "type"
    """The value is not of the field's type, or of a kind that the field cannot hold."""
    RANGE = "range"
    """The value lies outside the field's hard limits or options."""
    SIZE = "size"
    """The value, the narrative or the record is larger than its limit."""
    APPEND_ONLY = "append_only"
    """Entries are written once; a correction is a new entry."""
    UNKNOWN_FIELD = "unknown_field"
    """The profile declares no such section or field."""
    SERVER_OWNED = "server_owned"
    """Only the server writes this section."""
    TRANSITION = "transition"
    """The workflow does not allow this step change now."""
    IDENTITY = "identity"
    """The edit carries another person's client id or log-in, and no seal that proves it."""
    HISTORY = "history"
    """The struct contradicts the history it claims to continue."""
    BUDGET = "budget"
    """Undoing the refused deletion would cost more than one frame or connection may cause."""

    __hash__ = str.__hash__


class Operation(StrEnum):
    """What is done to a field."""

    WRITE = "write"
    """Set a keyed field, or insert into a narrative."""
    ADD = "add"
    """Write a new entry under its own key."""
    AMEND = "amend"
    """Write a new entry that says why it amends: all that a signed record takes."""
    CHANGE = "change"
    """Overwrite or remove an entry that stands."""
    DELETE = "delete"
    """Clear a keyed field, or delete from a narrative."""

    # Enum hashes in Python code, which costs 0.1 µs in every look-up of a decision.
    __hash__ = str.__hash__


class Principal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One signed-in person on one device: what every decision and every log row names."""

    user_id: str
    username: str
    name: str
    roles: frozenset[str]
    login_id: str
    device: str = ""
    address: str = ""


class RoleChange(msgspec.Struct, frozen=True):
    """From `at` on an account had exactly these roles."""

    at: datetime
    roles: frozenset[str]


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to "may this be done": allowed with the role that allows, or rule and reason."""

    allowed: bool
    rule: Rule | None = None
    reason: str = ""
    role: str = ""


ALLOWED = Decision(True)


class RecordState(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision must know of the record besides the field.

    assigned: user ids that are responsible for the record in any step, or have emergency access.
    emergency: those of them who have only that.
    """

    status: RecordStatus = "open"
    current_step: str | None = None
    assigned: frozenset[str] = frozenset()
    emergency: frozenset[str] = frozenset()
