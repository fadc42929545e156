"""The books of a record: all that the gate and the arbiter know of it besides the document itself.

One `Books` stands beside one `Document` and grows by the same rows: live ones and, on load, stored
ones. Whatever cannot be derived from a row's structs is in the row's annotations. SPEC LOG-3.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from permissions.profile import Profile
from sync.annotations import Annotations, Copy, RowAuthor
from sync.fields import FieldIndex, Places, RangeSet
from sync.pages import Pages, decode_pages, encode_pages
from sync.place import VOID, Place
from sync.placed import Placed
from sync.placement import RESERVED_CLIENT_IDS
from sync.ranges import merge_deletes
from sync.registers import Register
from sync.sittings import Sitting
from sync.structs import Deletes, Id, Kind, Struct

__all__ = ["Books"]


class Books:
    """Field index, registers, owners of client ids, restored text and sizes of one record.

    cut_pairs: first halves of the surrogate pairs that insertions cut, in order; all are deleted.
    sittings: whose edits of narratives may still grow. touched, touched_texts: which keys (with
    the values people wrote there) and narratives the row in the making touches; `sync/history.py`
    empties them. written: when each client id was last written, by the time that was believed.
    """

    __slots__ = (
        "copies", "cut_pairs", "index", "owners", "places", "registers", "sittings", "text_units",
        "touched", "touched_texts", "written",
    )  # fmt: skip

    def __init__(self, profile: Profile) -> None:
        self.places = Places(profile)
        self.index = FieldIndex()
        self.registers: dict[Place, Register] = {}
        self.owners: dict[int, str] = {}
        self.copies: dict[int, dict[int, Copy]] = {}
        self.text_units: dict[str, int] = {}
        self.cut_pairs: dict[Id, None] = {}
        self.sittings: list[Sitting] = []
        self.touched: dict[Place, list[Struct]] = {}
        self.touched_texts: set[str] = set()
        self.written: dict[int, datetime] = {}

    def register(self, place: Place) -> Register:
        """The register of a keyed place, made on first use."""
        register = self.registers.get(place)
        if register is None:
            assert place.key is not None, "only keyed places have registers"
            register = self.registers[place] = Register(place.root, place.key)
        return register

    def content_bytes(self) -> int:
        """What the record's texts and values take, without anything that is gone or was refused."""
        values = (
            len(msgspec.msgpack.encode(write.value))
            for register in self.registers.values()
            for write in (register.standing, *register.contenders)
            if write is not None
        )
        return sum(self.text_units.values()) + sum(values)

    def absorb(self, struct: Struct, place: Place) -> None:
        """Note a struct that the document now holds."""
        index = self.index
        index.extend(struct.client, struct.clock, struct.length, place)
        if place.kind == "text":
            self.touched_texts.add(place.root)
            index.anchors.add(struct)
            if struct.kind == Kind.STRING:
                index.mark_pairs(struct.client, struct.clock, str(struct.content))
                units = self.text_units.get(place.root, 0) + struct.length
                self.text_units[place.root] = units
            else:
                index.mark_deleted(struct.client, struct.clock, struct.end)
        elif place.key is not None:
            writes = self.touched.setdefault(place, [])
            if struct.kind == Kind.ANY and struct.client >= RESERVED_CLIENT_IDS:
                writes.append(struct)

    def note_written(self, clients: Iterable[int], at: datetime) -> None:
        """Note when what these clients brought was written: later times never lie before it."""
        written = self.written
        for client in clients:
            known = written.get(client)
            if known is None or known < at:
                written[client] = at

    def absorb_deletes(self, deletes: Deletes) -> None:
        """Note deletions of text; those of keys are the registers' business."""
        index = self.index
        for client, ranges in deletes.items():
            for clock, length in ranges:
                for start, end, place in index.runs(client, clock, clock + length):
                    if place.kind == "text":
                        fresh = sum(b - a for a, b in index.live_parts(client, start, end))
                        if fresh:
                            self.touched_texts.add(place.root)
                            self.text_units[place.root] -= fresh
                            index.mark_deleted(client, start, end)

    def cut(self, pairs: list[Id]) -> Deletes:
        """Note surrogate pairs that an insertion cuts; returns what must be deleted first."""
        self.cut_pairs.update(dict.fromkeys(pairs))
        deletes: Deletes = {}
        for client, clock in pairs:
            deletes = merge_deletes(deletes, {client: [(clock, 2)]})
        self.absorb_deletes(deletes)
        return deletes

    def add_copy(self, copy: Copy) -> None:
        self.copies.setdefault(copy.client, {})[copy.clock] = copy

    def _keep(self, register: Register) -> None:
        """Take over a stored register; what many say in the same words is in memory once."""
        place = self.places.at(register.root, register.key)
        assert place.key is not None, "only keyed places have registers"
        register.root, register.key = place.root, place.key
        register.share()
        self.registers[place] = register

    # -- replay ----------------------------------------------------------------------------------

    def replay(self, placed: list[Placed], annotations: Annotations, row: "RowAuthor") -> None:
        """Note a stored row's placed structs, then what its annotations say instead."""
        annotated = {self.places.at(r.root, r.key) for r in annotations.registers}
        for one in placed:
            struct, place = one.struct, one.place
            self.absorb(struct, place)
            if struct.client >= RESERVED_CLIENT_IDS:
                self.owners.setdefault(struct.client, row.author)
                self.note_written((struct.client,), row.written_at)
                if place.kind == "keyed" and place not in annotated:
                    live = struct.kind == Kind.ANY
                    self.register(place).succeed(row.write(struct), struct.origin, live=live)
        for register in annotations.registers:
            self._keep(register)
        for copy in annotations.copies:
            self.add_copy(copy)

    # -- snapshots -------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """msgpack; `decode` gives the same books. Equal books give equal bytes."""
        numbers: dict[Place, int] = {VOID: 0}
        runs = []
        for client, (starts, places, end) in sorted(self.index.export().items()):
            run_places = [numbers.setdefault(place, len(numbers)) for place in places]
            runs.append((client, starts, run_places, end))
        pages = Pages(
            [(place.root, place.key) for place in numbers],
            runs,
            [(client, r.starts, r.ends) for client, r in sorted(self.index.deleted.items())],
            [(client, sorted(clocks)) for client, clocks in sorted(self.index.pairs.items())],
            dict(sorted(self.owners.items())),
            [
                of_client[clock]
                for _, of_client in sorted(self.copies.items())
                for clock in sorted(of_client)
            ],
            dict(sorted(self.text_units.items())),
            sorted(self.registers.values(), key=lambda register: (register.root, register.key)),
            list(self.cut_pairs),
            self.index.anchors.export(),
            self.sittings,
            dict(sorted(self.written.items())),
        )
        return encode_pages(pages)

    @classmethod
    def decode(cls, data: bytes, profile: Profile) -> "Books":
        """Raises CorruptLog."""
        pages = decode_pages(data)
        books = cls(profile)
        places = [VOID, *(books.places.at(root, key) for root, key in pages.places[1:])]
        for client, starts, numbers, end in pages.runs:
            books.index.restore(client, starts, [places[number] for number in numbers], end)
        for client, starts, ends in pages.deleted:
            books.index.deleted[client] = RangeSet(starts, ends)
        for client, clocks in pages.pairs:
            books.index.pairs[client] = set(clocks)
        books.owners = pages.owners
        books.text_units = pages.text_units
        books.written = pages.written
        books.cut_pairs = dict.fromkeys(pages.cut_pairs)
        for client, starts, origins, rights in pages.anchors:
            books.index.anchors.restore(client, starts, origins, rights)
        for copy in pages.copies:
            books.add_copy(copy)
        for register in pages.registers:
            books._keep(register)
        books.sittings = pages.sittings
        return books
