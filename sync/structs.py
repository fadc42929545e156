"""The structs of a Yjs update as values: what `update.py` decodes and the gate judges.

A struct occupies `length` clocks from `(client, clock)`. Kinds and content are those of the Yjs v1
update encoding (yjs 13, `src/structs/`). Nothing here interprets them.
"""

from enum import IntEnum
from typing import TypeAlias

import msgspec

__all__ = [
    "UNDEFINED",
    "BigInt",
    "Deletes",
    "Id",
    "Kind",
    "Struct",
    "StructsByClient",
    "TypeContent",
    "Update",
]

Id: TypeAlias = tuple[int, int]
"""`(client id, clock)`."""

Deletes: TypeAlias = dict[int, list[tuple[int, int]]]
"""client id → sorted, disjoint, non-adjacent `(clock, length)` ranges."""


class Kind(IntEnum):
    """The low five bits of a struct's info byte."""

    GC = 0
    DELETED = 1
    JSON = 2
    BINARY = 3
    STRING = 4
    EMBED = 5
    FORMAT = 6
    TYPE = 7
    ANY = 8
    DOC = 9
    SKIP = 10


class Undefined:
    """JavaScript's `undefined`, which JSON and Python do not have."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED = Undefined()


class BigInt(msgspec.Struct, frozen=True, gc=False):
    """A JavaScript BigInt (64 bit signed on the wire); no field of a record may hold one."""

    value: int


class TypeContent(msgspec.Struct, frozen=True, gc=False):
    """A nested shared type.

    ref: 0 Array, 1 Map, 2 Text, 3 XmlElement, 4 XmlFragment, 5 XmlHook, 6 XmlText.

    name: node name of an XmlElement, hook name of an XmlHook, else None.
    """

    ref: int
    name: str | None = None


class Struct(msgspec.Struct, frozen=True, gc=False):
    """One struct. `origin`/`right_origin` name the last/first unit of the neighbours at writing.

    content by kind: GC, SKIP, DELETED → None; JSON → tuple of JSON texts; BINARY → bytes;
    STRING → str (length counts UTF-16 units); EMBED → JSON text; FORMAT → (key, JSON text);
    TYPE → TypeContent; ANY → tuple of values (None, bool, int, float, str, bytes, list, dict,
    UNDEFINED, BigInt); DOC → (guid, options value).
    parent: a root's name, the id of a type's struct, or None where origin or right_origin imply it;
    key: the map key, only where the parent is named.
    keyed: the wire's "has a key" bit, which is also set where the key itself is implied.
    """

    client: int
    clock: int
    length: int
    kind: int
    content: object = None
    origin: Id | None = None
    right_origin: Id | None = None
    parent: str | Id | None = None
    key: str | None = None
    keyed: bool = False

    @property
    def end(self) -> int:
        """The first clock after this struct."""
        return self.clock + self.length


StructsByClient: TypeAlias = dict[int, list[Struct]]
"""client id → its structs, contiguous, in clock order."""


class Update(msgspec.Struct, frozen=True):
    """A decoded update. Clients keep the order of the wire; a client's structs are contiguous."""

    structs: StructsByClient
    deletes: Deletes
