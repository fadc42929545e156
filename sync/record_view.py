"""What the gate reads of a room, and the limits it holds a record to. Values and protocols only."""

from typing import Protocol

import msgspec

from permissions.model import RecordState
from permissions.policy import Policy
from sync.anchors import Anchors
from sync.locks import Hold
from sync.place import Place
from sync.registers import Register
from sync.structs import Id, StructsByClient

__all__ = ["Limits", "PairIndex", "RecordView"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Named limits of one record (contract, section 4). narrative: UTF-16 units; record: bytes."""

    max_narrative_units: int = 1024 * 1024
    max_record_bytes: int = 16 * 1024 * 1024
    max_restored_units: int = 8192
    max_value_bytes: int = 64 * 1024


class PairIndex(Protocol):
    """Knows where surrogate pairs are."""

    def is_pair_start(self, client: int, clock: int) -> bool: ...


class RecordView(PairIndex, Protocol):
    """What the gate reads of a room."""

    policy: Policy
    state: RecordState
    limits: Limits
    registers: dict[Place, Register]

    def hold_of(self, field: str) -> Hold | None: ...

    def text_units(self, root: str) -> int: ...

    def size_bytes(self) -> int: ...

    def place_of(self, struct_id: Id) -> Place | None: ...

    def is_deleted(self, struct_id: Id) -> bool: ...

    def is_cut(self, struct_id: Id) -> bool: ...

    def anchors_of(self, unit: Id) -> Anchors | None: ...

    def in_order(self, name: str, units: list[Id], arriving: StructsByClient) -> bool: ...

    def live_parts(self, client: int, start: int, end: int) -> list[tuple[int, int]]: ...

    def known_runs(self, client: int, start: int, end: int) -> list[tuple[int, int, Place]]: ...
