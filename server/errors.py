"""What the shell can refuse, as exceptions; `problems.py` gives them HTTP status and close code.

ServerError
├── EditRefused        one or more fields of a REST edit are refused; nothing of it was applied
├── VersionMismatch    the record moved on since the caller read it ("Please refresh")
├── AlreadyDecided     the conflict or refusal was decided before, and is decided once
├── TransitionImpossible  the workflow does not allow this step change now (.current_step)
├── StepIncomplete     something stands against completing a step (.violations)
├── AssignmentTaken    somebody else is responsible for the role (.user_id)
├── NotAllowed         this person may not do this at all
├── AlreadyAllowed     emergency access to what is open to this person anyway
├── NotSignedIn        no valid log-in
├── TooManyAttempts    log-ins are throttled
├── TooManyStreams     one person has too many streams of events open
├── RecordUnreadable   the stored record cannot be read at all
├── RecordDamaged      its log is broken (.version): it is open for reading up to there only
├── Overloaded         a bounded queue is full; come back
├── NotReady           background jobs have not succeeded for too long
├── FieldHeld          somebody else, or another window of the caller, holds the field (.holder)
├── LockNotFound       no such field, or nobody holds it
└── RequestError       the HTTP request itself cannot be taken
    ├── MalformedRequest       the body is not JSON, or a header does not parse
    ├── InvalidRequest         it parses, and says something that cannot be (.violations)
    ├── RequestTooLarge        the body exceeds its limit
    ├── RequestTimeout         the body did not arrive in time
    ├── PreconditionRequired   an edit without `If-Match`
    ├── OriginNotAllowed       a cookie came from a page that is not ours
    ├── PageNotFound           no such path, or nothing of that name in it
    └── MethodNotAllowed       the path does not know the method (.allowed)
"""

from collections.abc import Mapping, Sequence

import msgspec

from permissions import Rule
from server.people import Instant, Person

__all__ = [
    "AlreadyAllowed",
    "AlreadyDecided",
    "AssignmentTaken",
    "ChangedField",
    "EditRefused",
    "FieldHeld",
    "FieldViolation",
    "InvalidRequest",
    "LockNotFound",
    "MalformedRequest",
    "MethodNotAllowed",
    "NotAllowed",
    "NotReady",
    "NotSignedIn",
    "OriginNotAllowed",
    "Overloaded",
    "PageNotFound",
    "PreconditionRequired",
    "RecordDamaged",
    "RecordUnreadable",
    "RequestError",
    "RequestTimeout",
    "RequestTooLarge",
    "ServerError",
    "StepIncomplete",
    "TooManyAttempts",
    "TooManyStreams",
    "TransitionImpossible",
    "VersionMismatch",
]


class FieldViolation(msgspec.Struct, frozen=True):
    """One refused field with its rule and a sentence for the person; never the value."""

    field: str
    rule: Rule
    reason: str


class ChangedField(msgspec.Struct, frozen=True, kw_only=True):
    """A field that changed since the caller read the record: who wrote it last, when, what it is.

    value: what the field shows now, null where it was cleared; left out where it is too long.
    """

    field: str
    author: Person
    at: Instant
    value: object = msgspec.UNSET


class ServerError(Exception):
    """Root of the shell's errors. Messages are sentences without clinical content."""


class EditRefused(ServerError):
    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__("The edit was refused; nothing of it was saved.")
        self.violations = tuple(violations)


class VersionMismatch(ServerError):
    """`.changes`: the fields that changed since, without those that the caller may not read.

    `.more`: further ones may have changed, so much has happened since.
    """

    def __init__(
        self, current_version: int, changes: Sequence[ChangedField], *, more: bool = False
    ) -> None:
        super().__init__("Please refresh: the record changed since you read it.")
        self.current_version = current_version
        self.changes = tuple(changes)
        self.changed = tuple(change.field for change in changes)
        self.more = more or None


class AlreadyDecided(ServerError):
    pass


class NotAllowed(ServerError):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSignedIn(ServerError):
    pass


class AlreadyAllowed(ServerError):
    pass


class TooManyAttempts(ServerError):
    def __init__(
        self, retry_after_s: int, reason: str = "Too many failed log-ins. Wait, then try again."
    ) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class TooManyStreams(ServerError):
    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} streams of events open already; close one.")


class RecordUnreadable(ServerError):
    pass


class RecordDamaged(ServerError):
    """version: the first that is not sound, 0 where that is not known; reason: what is broken."""

    def __init__(self, reason: str, version: int) -> None:
        where = f"at version {version}" if version else "in a snapshot"
        super().__init__(
            f"The record is open for reading only, because its log is damaged {where}: "
            f"{reason.rstrip('.')}. An operator must look at it."
        )
        self.reason = reason
        self.version = version


class Overloaded(ServerError):
    pass


class NotReady(ServerError):
    pass


class FieldHeld(ServerError):
    """holder: a person of the contract. expires_at: ISO 8601. held_elsewhere: it is the caller."""

    def __init__(
        self, reason: str, holder: Mapping[str, str], expires_at: str, *, elsewhere: bool
    ) -> None:
        super().__init__(reason)
        self.holder = holder
        self.expires_at = expires_at
        self.held_elsewhere = elsewhere


class TransitionImpossible(ServerError):
    """current_step: where the record stands instead."""

    def __init__(self, reason: str, current_step: str) -> None:
        super().__init__(reason)
        self.current_step = current_step


class StepIncomplete(ServerError):
    """violations: everything that stands against completing the step."""

    def __init__(
        self, reason: str, current_step: str, violations: Sequence[FieldViolation]
    ) -> None:
        super().__init__(reason)
        self.current_step = current_step
        self.violations = tuple(violations)


class AssignmentTaken(ServerError):
    """user_id: who is responsible."""

    def __init__(self, reason: str, user_id: str | None) -> None:
        super().__init__(reason)
        self.user_id = user_id


class LockNotFound(ServerError):
    pass


class RequestError(ServerError):
    """Root of what is wrong with an HTTP request before anything was asked of a room or store."""


class MalformedRequest(RequestError):
    pass


class InvalidRequest(RequestError):
    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__("The request was understood, and something in it cannot be.")
        self.violations = tuple(violations)


class RequestTooLarge(RequestError):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than the {limit_bytes} bytes this call takes.")
        self.limit_bytes = limit_bytes


class RequestTimeout(RequestError):
    def __init__(self) -> None:
        super().__init__("The body did not arrive in time.")


class PreconditionRequired(RequestError):
    def __init__(self) -> None:
        super().__init__("Send If-Match with the ETag of the version that you read.")


class OriginNotAllowed(RequestError):
    def __init__(self) -> None:
        super().__init__("This page may not use the log-in of the browser.")


class PageNotFound(RequestError):
    def __init__(self, reason: str = "There is nothing at this address.") -> None:
        super().__init__(reason)


class MethodNotAllowed(RequestError):
    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("This address does not take this method.")
        self.allowed = tuple(allowed)
