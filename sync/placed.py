"""What placing an update leads to: each new struct with its place, or the gap it hangs on."""

import msgspec

from permissions.model import Rule
from sync.fields import FieldIndex
from sync.place import Place
from sync.structs import Id, Struct

__all__ = ["Gap", "Placed", "Placement"]


class Gap(msgspec.Struct, frozen=True):
    """The update hangs on something unknown: `missing`. The client is to be asked for the rest."""

    missing: Id


class Placed(msgspec.Struct, frozen=True, gc=False):
    """One new struct with its place; `rule` says why a VOID place is one."""

    struct: Struct
    place: Place
    rule: Rule | None = None
    name: str = ""
    """What the struct claimed to be, for its refusal; only set where `rule` is."""


class Placement(msgspec.Struct):
    """The new structs of an update in an order in which each follows what it hangs on.

    draft: an index of just these structs, for look-ups until they are accepted.
    """

    placed: list[Placed]
    draft: FieldIndex

    def place_of(self, index: FieldIndex, struct_id: Id) -> Place | None:
        place = index.place_of(struct_id)
        return place if place is not None else self.draft.place_of(struct_id)
