"""THE table: which error becomes which HTTP status, which close code, which problem type.

RFC 9457, "Problem Details". Nothing here carries a traceback or a clinical value; an error that the
table does not know becomes 500 with an incident id that the log repeats.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from ulid import ULID

from permissions.errors import PermissionsError
from permissions.model import Rule
from server import errors
from server.errors import ChangedField, FieldViolation
from server.logs import Log, place_of
from storage import errors as storage_errors
from sync import errors as sync_errors

__all__ = [
    "INTERNAL",
    "PROBLEMS",
    "Kind",
    "Problem",
    "close_code_of",
    "invalid",
    "kind_of",
    "problem_of",
    "report_incident",
    "status_of_rules",
    "violation_of_decoding",
]

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:fieldchart:problem:"


class Kind(NamedTuple):
    """One row of the table."""

    status: int
    close_code: int
    slug: str
    title: str


INTERNAL = Kind(500, 1012, "internal", "Internal error")
"""An error that the table does not know: ours, so a socket may come back."""

PROBLEMS: dict[type[BaseException], Kind] = {
    errors.NotSignedIn: Kind(401, 4401, "not-signed-in", "Not signed in"),
    errors.TooManyAttempts: Kind(429, 4429, "too-many-attempts", "Too many attempts"),
    errors.TooManyStreams: Kind(429, 4429, "too-many-streams", "Too many streams"),
    errors.NotAllowed: Kind(403, 4403, "not-allowed", "Not allowed"),
    errors.AlreadyAllowed: Kind(409, 4409, "already-allowed", "Already allowed"),
    errors.OriginNotAllowed: Kind(403, 4403, "origin-not-allowed", "Origin not allowed"),
    errors.EditRefused: Kind(403, 4403, "edit-refused", "Edit refused"),
    errors.VersionMismatch: Kind(412, 4409, "version-mismatch", "Please refresh"),
    errors.AlreadyDecided: Kind(409, 4409, "already-decided", "Already decided"),
    errors.TransitionImpossible: Kind(409, 4409, "transition-impossible", "Not possible now"),
    errors.StepIncomplete: Kind(422, 4400, "step-incomplete", "Not complete yet"),
    errors.AssignmentTaken: Kind(409, 4409, "assignment-taken", "Somebody else is responsible"),
    errors.PreconditionRequired: Kind(428, 4400, "precondition-required", "If-Match required"),
    errors.MalformedRequest: Kind(400, 4400, "malformed", "Malformed request"),
    errors.InvalidRequest: Kind(422, 4400, "invalid", "Invalid request"),
    errors.RequestTooLarge: Kind(413, 4413, "too-large", "Too large"),
    errors.RequestTimeout: Kind(408, 4503, "timeout", "Too slow"),
    errors.PageNotFound: Kind(404, 4404, "not-found", "Not found"),
    errors.MethodNotAllowed: Kind(405, 4400, "method-not-allowed", "Method not allowed"),
    errors.RecordUnreadable: Kind(500, 4503, "record-unreadable", "Record unreadable"),
    errors.FieldHeld: Kind(423, 4409, "locked", "Held by somebody"),
    errors.LockNotFound: Kind(404, 4404, "not-found", "Not found"),
    errors.RecordDamaged: Kind(409, 4503, "record-damaged", "Record damaged"),
    errors.Overloaded: Kind(503, 4503, "overloaded", "Come back in a moment"),
    errors.NotReady: Kind(503, 4503, "not-ready", "Not everything works"),
    storage_errors.RecordNotFound: Kind(404, 4404, "not-found", "Not found"),
    storage_errors.RecordPruned: Kind(410, 4404, "removed", "Removed"),
    storage_errors.RecordExists: Kind(409, 4409, "record-exists", "Record exists"),
    storage_errors.NumbersHeld: Kind(409, 4409, "numbers-held", "Numbers are held unused"),
    storage_errors.PatientWaits: Kind(409, 4409, "patient-waits", "The patient waits already"),
    storage_errors.VersionConflict: Kind(503, 1012, "overloaded", "Come back in a moment"),
    storage_errors.RefusalNotFound: Kind(404, 4404, "not-found", "Not found"),
    storage_errors.UserExists: Kind(409, 4409, "user-exists", "User exists"),
    storage_errors.UserNotFound: Kind(404, 4404, "not-found", "Not found"),
    storage_errors.LoginNotFound: Kind(404, 4404, "not-found", "Not found"),
    storage_errors.AnnouncementNotFound: Kind(404, 4404, "not-found", "Not found"),
    storage_errors.StoreCorrupt: Kind(500, 4503, "record-unreadable", "Record unreadable"),
    storage_errors.StoreIncompatible: Kind(500, 4503, "store-unavailable", "Store unavailable"),
    storage_errors.StoreUnavailable: Kind(503, 4503, "store-unavailable", "Store unavailable"),
    storage_errors.StorageError: Kind(503, 4503, "store-unavailable", "Store unavailable"),
    sync_errors.FrameTooLarge: Kind(413, 4413, "too-large", "Too large"),
    sync_errors.MalformedFrame: Kind(400, 4400, "malformed", "Malformed frame"),
    sync_errors.ForeignClientId: Kind(409, 4409, "foreign-client-id", "Start afresh"),
    sync_errors.HealingExhausted: Kind(409, 4409, "healing-exhausted", "Start afresh"),
    sync_errors.NotRepeatable: Kind(409, 4409, "not-applicable", "Cannot be applied"),
    sync_errors.DocumentSuspect: Kind(503, 1012, "overloaded", "Come back in a moment"),
    sync_errors.CorruptLog: Kind(500, 4503, "record-unreadable", "Record unreadable"),
    sync_errors.LockHeld: Kind(423, 4409, "locked", "Held by somebody"),
    sync_errors.LockLost: Kind(409, 4409, "lock-lost", "Not your lock any more"),
    sync_errors.TooManyLocks: Kind(409, 4409, "too-many-locks", "Too many locks"),
    sync_errors.SyncError: INTERNAL,
    PermissionsError: INTERNAL,
}

_STATUS_OF_RULE: dict[Rule, int] = {
    Rule.ROLE: 403,
    Rule.ASSIGNMENT: 403,
    Rule.STEP: 403,
    Rule.APPEND_ONLY: 403,
    Rule.SERVER_OWNED: 403,
    Rule.IDENTITY: 403,
    Rule.LOCKED: 409,
    Rule.COMPLETED: 409,
    Rule.TRANSITION: 409,
    Rule.HISTORY: 409,
    Rule.TYPE: 422,
    Rule.RANGE: 422,
    Rule.SIZE: 422,
    Rule.UNKNOWN_FIELD: 422,
    Rule.BUDGET: 422,
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 with our extension members. `incident` is what to quote to the operator."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldViolation, ...] = ()
    current_version: int | None = None
    current_step: str | None = None
    changed: tuple[str, ...] | None = None
    holder: Mapping[str, str] | None = None
    expires_at: str | None = None
    held_elsewhere: bool | None = None
    changes: tuple[ChangedField, ...] | None = None
    more: bool | None = None
    incident: str | None = None


def kind_of(error: BaseException) -> Kind:
    """The row of the table for `error`, by its nearest class; INTERNAL where there is none."""
    for ancestor in type(error).__mro__:
        if ancestor in PROBLEMS:
            return PROBLEMS[ancestor]
    return INTERNAL


def close_code_of(error: BaseException) -> int:
    """The WebSocket close code that tells a client what to do about `error`."""
    return kind_of(error).close_code


def status_of_rules(rules: Sequence[Rule]) -> int:
    """The HTTP status of a refused edit: not entitled before not now before not valid."""
    return min((_STATUS_OF_RULE[rule] for rule in rules), default=422)


def problem_of(error: BaseException) -> Problem:
    """What the caller is told. Only errors that the table knows speak for themselves."""
    kind = kind_of(error)
    status = kind.status
    if isinstance(error, errors.EditRefused):
        status = status_of_rules([violation.rule for violation in error.violations])
    return Problem(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=status,
        detail=_detail(error, kind),
        errors=getattr(error, "violations", ()),
        current_version=getattr(error, "current_version", None),
        current_step=getattr(error, "current_step", None),
        changed=getattr(error, "changed", None),
        holder=getattr(error, "holder", None),
        expires_at=getattr(error, "expires_at", None),
        held_elsewhere=getattr(error, "held_elsewhere", None),
        changes=getattr(error, "changes", None),
        more=getattr(error, "more", None),
    )


def _detail(error: BaseException, kind: Kind) -> str:
    is_stores = isinstance(error, storage_errors.StorageError)
    if kind.status == 500 or (is_stores and kind.status == 503):
        return "The server could not do this. Quote the incident to the operator."
    return str(error) or kind.title + "."


def report_incident(error: BaseException, log: Log, *, route: str = "") -> Problem:
    """Log an error of ours by class and place, and return its problem with the incident's id."""
    incident = str(ULID())
    log.error(
        "incident",
        incident=incident,
        error=type(error).__name__,
        place=place_of(error),
        route=route,
    )
    return msgspec.structs.replace(problem_of(error), incident=incident)


def invalid(field: str, rule: Rule, reason: str) -> errors.InvalidRequest:
    """A 422 about one field of a body or query."""
    return errors.InvalidRequest([FieldViolation(field, rule, reason)])


_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED = re.compile(r"field `(?P<name>[^`]{1,200})`")
_VALUE_IN_MESSAGE = re.compile(r"^Invalid enum value .*$", re.DOTALL)


def violation_of_decoding(error: msgspec.ValidationError) -> FieldViolation:
    """Which field of a body a decoder refused and why, without the value it held."""
    match = _PATH.match(str(error))
    assert match is not None
    what, path = match["what"], (match["path"] or "").removeprefix("key in ")
    field = path.removeprefix("$").lstrip(".")
    named = _NAMED.search(what)
    if named is not None:
        field = f"{field}.{named['name']}".lstrip(".")
    if what.startswith("Object contains unknown field"):
        return FieldViolation(field, Rule.UNKNOWN_FIELD, "There is no such field.")
    if what.startswith("Object missing required field"):
        return FieldViolation(field, Rule.TYPE, "This field is required.")
    reason = _VALUE_IN_MESSAGE.sub("This is not one of the options", what)
    return FieldViolation(field, Rule.TYPE, reason + ".")
