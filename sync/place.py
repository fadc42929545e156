"""Where a struct lives: a key of a root map, a root text, or nowhere. SPEC PLACE-1."""

from typing import Literal

import msgspec

from permissions.fields import Field

__all__ = ["PROGRESS_ROOT", "RECORD_ROOT", "VOID", "Place", "PlaceKind"]

RECORD_ROOT = "record"
"""The root map that only the server writes (record.md, "What the server knows")."""


PROGRESS_ROOT = "progress"
"""The root map in which people ask for step changes; its keys are the profile's steps."""


PlaceKind = Literal["keyed", "text", "server", "intent", "void"]


class Place(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Where a struct lives: a key of a root map, a root text, or nowhere (`VOID`).

    Interned per record: two structs are in the same place exactly if their places are one object.
    field: None for `server`, `intent` and `void` places.
    """

    kind: PlaceKind
    root: str
    key: str | None
    field: Field | None

    @property
    def name(self) -> str:
        """The name people see: `vitals.pulse`, `prescriptions.01J…`, `diagnosis.plan`."""
        return self.root if self.key is None else f"{self.root}.{self.key}"


VOID = Place("void", "", None, None)
"""The place of structs in no field: they travel as GC structs, and so does what hangs on them."""
