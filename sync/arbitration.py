"""What arbitrating leads to: for one key, and for all keys of one frame."""

import msgspec

from sync.document import Absent
from sync.effects import Conflict, Loss
from sync.place import Place
from sync.registers import Register, Write
from sync.structs import Struct

__all__ = ["Arbitration", "Decided"]


class Arbitration(msgspec.Struct):
    """The outcome for one key.

    correction: what the server must write over the key (a value, or ABSENT), None if Yjs is right.
    changed_conflict: the conflict of this key was raised or its values changed.
    everyday: replaying the row's structs in order gives this register without any annotation.
    cleared: a clear by deletion alone won: its tombstone becomes the standing write.
    lost: writes that lost now, and had not before.
    """

    correction: object | Absent | None = None
    correct: bool = False
    changed_conflict: bool = False
    everyday: bool = True
    cleared: bool = False
    lost: list[Write] = []


class Decided(msgspec.Struct):
    """What arbitrating one frame's writes and clears has led to."""

    corrections: list[Struct] = []
    registers: dict[Place, Register] = {}
    conflicts: list[Conflict] = []
    losses: list[Loss] = []
