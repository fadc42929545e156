"""What became of a frame that was proposed to a room. Values only."""

import msgspec

from sync.effects import Change, Conflict, Loss, Refusal, UpdateRow
from sync.flow import StepChange
from sync.placed import Gap
from sync.structs import Deletes, StructsByClient

__all__ = ["Accepted", "Proposal"]


class Accepted(msgspec.Struct, frozen=True):
    """An update that entered the document: its row, and its parts for one merged broadcast.

    first: an update that peers must apply before, in a message of its own (a surrogate pair that an
    insertion would cut); empty otherwise. changes: what the row changed, for its history.
    """

    row: UpdateRow
    structs: StructsByClient
    deletes: Deletes
    first: Deletes
    changes: tuple[Change, ...] = ()


class Proposal(msgspec.Struct, frozen=True):
    """What became of one frame.

    accepted: None where nothing of it was new. gap: ask the sender for the rest; nothing was
    applied.
    heal: the sender must get the broadcast too. exhausted: the sender must start afresh, because
    putting back what it deleted costs too much. restored_units, hollow (its structs that hold
    nothing, but stay) and rewritten_bytes (of corrections) count against its budget.
    fields: names of the fields that changed. losses: who is to be warned that their value lost.
    steps: what happened to steps. amendments: entries that amended a signed record.
    """

    accepted: Accepted | None = None
    gap: Gap | None = None
    heal: bool = False
    exhausted: bool = False
    restored_units: int = 0
    hollow: int = 0
    rewritten_bytes: int = 0
    refusals: tuple[Refusal, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    losses: tuple[Loss, ...] = ()
    fields: tuple[str, ...] = ()
    corrections: int = 0
    steps: tuple[StepChange, ...] = ()
    amendments: int = 0
