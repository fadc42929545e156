"""What can go wrong in the core.

SyncError
├── MalformedFrame          the bytes of a message do not parse, or exceed a bound
│   ├── MalformedUpdate     … of an update, a state vector or an awareness payload
│   └── FrameTooLarge       … larger than `Bounds` allows (close 4413)
├── ForeignClientId         a struct carries the client id of another person (close 4409)
├── HealingExhausted        undoing this peer's refused edits costs too much (close 4409)
├── NotRepeatable           nothing of this refusal can be proposed again
├── DocumentSuspect         pycrdt panicked or disagrees with the index: drop and reload the room
├── CorruptLog              stored rows or a snapshot do not replay
├── LockHeld                somebody else, or another window of the same person, holds the field
├── LockLost                this lock is not theirs any more, or nobody's
└── TooManyLocks            the record or the person has as many locks as there may be
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sync.locks import Hold

__all__ = [
    "CorruptLog",
    "DocumentSuspect",
    "ForeignClientId",
    "FrameTooLarge",
    "HealingExhausted",
    "LockHeld",
    "LockLost",
    "MalformedFrame",
    "MalformedUpdate",
    "NotRepeatable",
    "SyncError",
    "TooManyLocks",
]


class SyncError(Exception):
    """Root of the core's errors. Messages are sentences without clinical content."""


class MalformedFrame(SyncError):
    """A peer's bytes do not parse. Ends that one connection; nothing of the frame was applied."""


class MalformedUpdate(MalformedFrame):
    """An update, state vector or awareness payload does not parse."""


class FrameTooLarge(MalformedFrame):
    """A frame exceeds a bound on bytes, structs or nesting."""


class ForeignClientId(SyncError):
    """A struct under a client id that is bound to another person."""

    def __init__(self, client_id: int) -> None:
        super().__init__("The update carries the client id of another person.")
        self.client_id = client_id


class HealingExhausted(SyncError):
    """A refused deletion is larger than the connection's remaining healing budget."""


class NotRepeatable(SyncError):
    """Nothing of this refusal can be proposed again; it can be read, exported and dismissed."""


class DocumentSuspect(SyncError):
    """The live document can no longer be trusted; reload it from storage."""


class CorruptLog(SyncError):
    """Stored bytes do not replay. `.version` names the row, 0 the snapshot."""

    def __init__(self, reason: str, *, version: int = 0) -> None:
        super().__init__(reason)
        self.version = version


class LockHeld(SyncError):
    """The field is held. `.hold` names the holder; elsewhere: in another window of the asker."""

    def __init__(self, hold: "Hold", *, elsewhere: bool = False) -> None:
        super().__init__(
            "You hold this field in another window."
            if elsewhere
            else f"{hold.holder.name} is editing this field."
        )
        self.hold = hold
        self.elsewhere = elsewhere


class LockLost(SyncError):
    """A renewal or release came too late, or names a lock that never was."""

    def __init__(self, field: str) -> None:
        super().__init__("You do not hold this field any more.")
        self.field = field


class TooManyLocks(SyncError):
    """A bound on locks is reached."""
