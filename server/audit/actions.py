"""The closed list of what the audit trail speaks of, and how FHIR and DICOM call it.

type and subtypes: `rest` is FHIR's audit-event-type with codes of restful-interaction; numbers are
DICOM's (DCM, PS3.16 annex D, "Audit Event ID" and "Audit Event Type Code"). letter: FHIR R4
AuditEvent.action: Create, Read, Update, Delete, Execute.
"""

from typing import Literal, NamedTuple

from sync.effects import AuditAction

__all__ = ["ACTIONS", "Action"]


class Action(NamedTuple):
    """One row of the table."""

    meaning: str
    letter: Literal["C", "R", "U", "D", "E"]
    type: str
    subtypes: tuple[str, ...]


def _rest(meaning: str, letter: Literal["C", "R", "U", "D", "E"], interaction: str) -> Action:
    return Action(meaning, letter, "rest", (interaction,))


_USER_CHANGED = "110137"
_ALERT = "110113"
_AUTHENTICATION = "110114"
_AUDIT_USED = "110101"

ACTIONS: dict[AuditAction, Action] = {
    "create": _rest("a record was made; or a call that makes something was refused", "C", "create"),
    "read": _rest("a record, its history, refusals or conflicts were read", "R", "read"),
    "open": _rest("a record was opened for live editing: all of it was sent", "R", "read"),
    "query": _rest("records were listed or searched", "E", "search"),
    "update": _rest("an update of a record was accepted as this version", "U", "update"),
    "deliver": _rest("an edit came with a journal: whose, and what time it claimed", "U", "update"),
    "delete": _rest("a call that removes something was refused", "D", "delete"),
    "refuse": _rest("fields of an edit were refused", "U", "update"),
    "conflict": _rest("an edit met a concurrent one of the same field", "U", "update"),
    "lock_acquired": _rest("a field was held, or the holding refused", "U", "update"),
    "lock_released": _rest("a held field was let go, or its holder left", "U", "update"),
    "lock_expired": _rest("a held field was not renewed in time", "U", "update"),
    "lock_broken": _rest("somebody took a field from its holder", "U", "update"),
    "resolve": _rest("a conflict was decided, or somebody tried to", "U", "update"),
    "apply": _rest("what was refused was proposed again for its author", "U", "update"),
    "dismiss": _rest("a refusal was laid aside with a reason", "U", "update"),
    "ask": _rest("those who write a field were asked to apply a refusal", "C", "create"),
    "step": _rest("a step of a record was started, completed or returned", "U", "update"),
    "assign": _rest("who is responsible for a record was changed", "U", "update"),
    "cancel": _rest("a record was cancelled", "U", "update"),
    "amend": _rest("entries amended a signed record", "U", "update"),
    "login": Action("somebody signed in, or tried to", "E", _AUTHENTICATION, ("110122",)),
    "logout": Action("somebody signed out", "E", _AUTHENTICATION, ("110123",)),
    "login_revoked": Action("a device was signed out", "E", _AUTHENTICATION, ("110123",)),
    "login_expired": Action("a log-in ended by time", "E", _AUTHENTICATION, ("110123",)),
    "logins_read": _rest("signed-in devices were listed", "E", "search"),
    "user_added": Action("an account was made", "C", _ALERT, (_USER_CHANGED,)),
    "user_disabled": Action(
        "an account was closed, or opened again", "U", _ALERT, (_USER_CHANGED,)
    ),
    "roles_changed": Action("an account has other roles now", "U", _ALERT, ("110136",)),
    "password_changed": Action("an account has a new password", "U", _ALERT, (_USER_CHANGED,)),
    "break_glass": Action("emergency access began, or was refused", "E", _ALERT, ("110127",)),
    "break_glass_end": Action("emergency access ended", "E", _ALERT, ("110138",)),
    "audit_read": Action("the audit trail was read", "R", _AUDIT_USED, ()),
    "audit_export": Action("the audit trail was exported", "R", _AUDIT_USED, ("110106",)),
    "backup": Action("the database was copied", "R", "110106", ()),
    "restore": Action("a backup took the place of the database", "U", "110107", ()),
    "prune": _rest("a record was removed when its retention was over", "D", "delete"),
    "compact": Action("snapshots were rebuilt", "E", "110100", ()),
    "attest": Action("a row that no log covers was written: its digest", "U", "110100", ()),
}
"""Every action of the trail."""
