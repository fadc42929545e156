"""What can go wrong in a store. Messages are one sentence, without values and clinical content.

StorageError
├── RecordNotFound      no record has this id or number
│   └── RecordPruned    one had it, and was removed when its retention was over (.record_id)
├── RecordExists        a record with this id or number was stored before
├── NumbersHeld         the person holds too many unused numbers (.unused)
├── PatientWaits        the patient has an open record of this kind (.record_id, .number)
├── VersionConflict     the log does not stand where the commit says (.expected, .actual)
├── RefusalNotFound     the record has no refusal with this id
├── UserExists          the user name is taken (compared without case)
├── UserNotFound        no account has this id or name
├── LoginNotFound       no log-in has this id or token
├── AnnouncementNotFound  nothing of this id was told to this person
├── StoreCorrupt        stored bytes are not what was written (.record_id, .version, .reason)
├── StoreUnavailable    disk full, locked, I/O error, overloaded or closed: nothing was stored
└── StoreIncompatible   the database was made by a newer program

A read error is never "not found": whatever the driver reports becomes StoreCorrupt or
StoreUnavailable, with the driver's error as the cause.
"""

__all__ = [
    "AnnouncementNotFound",
    "LoginNotFound",
    "NumbersHeld",
    "PatientWaits",
    "RecordExists",
    "RecordNotFound",
    "RecordPruned",
    "RefusalNotFound",
    "StorageError",
    "StoreCorrupt",
    "StoreIncompatible",
    "StoreUnavailable",
    "UserExists",
    "UserNotFound",
    "VersionConflict",
]


class StorageError(Exception):
    """Root of the store's errors."""


class RecordNotFound(StorageError):
    """No record has this id or number."""

    def __init__(self) -> None:
        super().__init__("There is no such record.")


class RecordPruned(RecordNotFound):
    """The record was removed when its retention was over; its id and number stay taken."""

    def __init__(self, record_id: str) -> None:
        super().__init__()
        self.args = ("The record was removed when its retention was over.",)
        self.record_id = record_id


class PatientWaits(StorageError):
    """The patient has an open record of this kind already: `number`, with the id `record_id`."""

    def __init__(self, record_id: str, number: str) -> None:
        super().__init__(f"The patient has an open record of this kind: {number or record_id}.")
        self.record_id = record_id
        self.number = number


class NumbersHeld(StorageError):
    """The person holds as many unused numbers as one may; `unused` of them."""

    def __init__(self, unused: int) -> None:
        super().__init__(f"You hold {unused} unused numbers: use those first.")
        self.unused = unused


class RecordExists(StorageError):
    """A record with this id or number is stored; its log is untouched."""

    def __init__(self) -> None:
        super().__init__("A record with this id or number exists.")


class VersionConflict(StorageError):
    """The log stands at `.actual`, the commit follows `.expected`."""

    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"The record stands at version {actual}, not {expected}.")
        self.expected = expected
        self.actual = actual


class RefusalNotFound(StorageError):
    """The record has no refusal with this id."""

    def __init__(self) -> None:
        super().__init__("The record has no such refusal.")


class UserExists(StorageError):
    """The user name or id is taken."""

    def __init__(self) -> None:
        super().__init__("A user with this name exists.")


class UserNotFound(StorageError):
    """No account has this id or user name."""

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class LoginNotFound(StorageError):
    """No log-in has this id or token hash."""

    def __init__(self) -> None:
        super().__init__("There is no such log-in.")


class AnnouncementNotFound(StorageError):
    """Nothing of this id was told to this person."""

    def __init__(self) -> None:
        super().__init__("There is no such notification.")


class StoreCorrupt(StorageError):
    """Stored bytes are not what was written.

    record_id: empty where the damage is not inside one record. version: the row, 0 the whole.
    """

    def __init__(self, reason: str, *, record_id: str = "", version: int = 0) -> None:
        super().__init__(f"The store is damaged: {reason}.")
        self.reason = reason
        self.record_id = record_id
        self.version = version


class StoreUnavailable(StorageError):
    """The store cannot take or give anything now. Nothing of this call was stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The store is not available: {reason}.")
        self.reason = reason


class StoreIncompatible(StorageError):
    """The database's schema is not one this program knows; it is left as it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The store was made by another version of the program: {reason}.")
        self.reason = reason
