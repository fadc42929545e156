"""What somebody asks of the workflow by writing into the `progress` map, as values. SPEC FLOW-9."""

from datetime import datetime

import msgspec

from permissions.model import Decision, Rule
from sync.flow import Action
from sync.place import Place
from sync.structs import Struct

__all__ = ["REASON_MAX_CHARS", "Asked", "Intent", "read_intent"]

REASON_MAX_CHARS = 2000
"""A reason is a sentence or two that people read on a board."""

NO_INTENT = Decision(
    False, Rule.TYPE, 'A step takes {action: "start", "complete" or "return", at, reason, to}.'
)
TOO_LONG = Decision(False, Rule.SIZE, f"A reason has at most {REASON_MAX_CHARS} characters.")


class Intent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value under a step's key. to: where a return goes.

    at: when it was meant, by the client's own clock; it only orders what a person sends at once.
    """

    action: Action
    at: datetime | None = None
    reason: str = ""
    to: str | None = None


class Asked(msgspec.Struct, frozen=True):
    """An intent that its author may have, and that stands to be judged by the workflow.

    written_at: by the journal, bounded by the server.
    """

    place: Place
    struct: Struct
    intent: Intent
    written_at: datetime


def read_intent(value: object) -> Intent | Decision:
    """The intent that a value is, or why it is none."""
    try:
        intent = msgspec.convert(value, Intent, strict=True)
    except msgspec.ValidationError:
        return NO_INTENT
    if intent.at is not None and intent.at.tzinfo is None:
        return NO_INTENT
    return TOO_LONG if len(intent.reason) > REASON_MAX_CHARS else intent
