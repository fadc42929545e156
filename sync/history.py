"""The history of a record: what each row of its log changed, from what to what. Pure.

Told from what stood before the row and what stands after it, never from what somebody claims, so it
is the same whether the row is being made or replayed. SPEC HIST-1 to HIST-7.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from sync.annotations import Annotations
from sync.books import Books
from sync.document import Document
from sync.effects import Change, ChangeKind, UpdateRow
from sync.json_value import plain
from sync.place import RECORD_ROOT, Place
from sync.registers import Write
from sync.sittings import Splice, take_in
from sync.structs import Id, Struct

__all__ = ["MAX_ENCLOSED_CHARACTERS", "History", "Tells", "enclosing_splice", "splices_of"]

MAX_ENCLOSED_CHARACTERS = 2048
"""Up to this length of a narrative, what one update changes in several places is told as one place
that encloses them: comparing short texts is cheaper than asking Yrs where it wrote."""

NOTHING = "null"

_encode = msgspec.json.Encoder(enc_hook=repr).encode


class Tells(Protocol):
    """What a room asks for its changes: its history, or something that stands before it."""

    def changes_of(self, row: UpdateRow, annotations: Annotations) -> tuple[Change, ...]:
        """What the row changed; document and books show it already, once only."""
        ...


class History:
    """What stands in each field now, to be compared with what stands after the next row."""

    __slots__ = ("_books", "_document", "_standing", "_texts")

    def __init__(self, document: Document, books: Books) -> None:
        self._document = document
        self._books = books
        self._standing: dict[Place, Write] = {
            place: register.standing
            for place, register in books.registers.items()
            if register.standing is not None
        }
        self._texts: dict[str, str] = {}
        for name in books.text_units:
            self._keep(name, document.text(name))

    def changes_of(self, row: UpdateRow, annotations: Annotations) -> tuple[Change, ...]:
        """What the row changed; document and books show it already, once only.

        annotations: those of the row. Keys come before narratives, each by name.
        """
        books = self._books
        touched = books.touched
        for register in annotations.registers:
            touched.setdefault(books.places.at(register.root, register.key), [])
        made: list[Change] = []
        if touched:
            books.touched = {}
            places: Iterable[Place] = touched
            if len(touched) > 1:
                places = sorted(touched, key=lambda place: (place.root, place.key or ""))
            for place in places:
                self._keyed(place, touched[place], row, made)
        if books.touched_texts:
            names, books.touched_texts = sorted(books.touched_texts), set()
            for name in names:
                self._narrative(name, row, made)
        reason = annotations.resolution
        if reason is not None:
            return tuple(replace(one, kind="resolution", reason=reason) for one in made)
        return tuple(made)

    # -- keys ------------------------------------------------------------------------------------

    def _keyed(
        self, place: Place, writes: list[Struct], row: UpdateRow, made: list[Change]
    ) -> None:
        register = self._books.registers.get(place)
        if register is None or register.standing is None:
            return
        after, before = register.standing, self._standing.get(place)
        moved = after is not before and after != before
        if moved:
            self._standing[place] = after
        elif not writes and not register.contenders:
            return
        old, new = _json_of(before), _json_of(after)
        if moved and old == new == NOTHING and after.author != row.author:
            moved = False  # the emptiness of a field that its holder keeps (SPEC LOCK-8)
        told, stands = False, not moved
        contenders = {write.id: write for write in register.contenders}
        for struct in writes if len(writes) < 2 else _in_order(writes):
            struct_id = (struct.client, struct.end - 1)
            content = struct.content
            if not stands and struct_id == after.id:
                stands = told = True
                self._tell(made, row, place, self._kind(place, after), old, new, after)
                continue
            value = _json(content[0] if isinstance(content, tuple) else None)
            write = contenders.get(struct_id)
            if not stands:
                self._tell(made, row, place, self._kind_of_value(place, content), old, value, write)
                old = value
            elif value == new:
                self._tell(made, row, place, "set", new, value, write)
            else:
                self._tell(made, row, place, "overruled", new, value, write)
        if moved and not told:
            self._tell(made, row, place, self._kind(place, after), old, new, after)
        if contenders:
            written = {(struct.client, struct.end - 1) for struct in writes}
            for head in register.contenders:
                if head.version == row.version and head.cleared and head.id not in written:
                    self._tell(made, row, place, "overruled", new, NOTHING, head)

    def _kind(self, place: Place, write: Write) -> ChangeKind:
        return "clear" if write.cleared else self._kind_of_value(place, (write.value,))

    def _kind_of_value(self, place: Place, content: object) -> ChangeKind:
        if place.field is None or place.field.kind != "entry":
            return "set"
        value = content[0] if isinstance(content, tuple) else None
        status = self._books.registers.get(self._books.places.at(RECORD_ROOT, "status"))
        if status is not None and status.standing is not None:
            if status.standing.value == "completed":
                return "amendment"
        return "correction" if isinstance(value, dict) and value.get("replaces") else "entry"

    @staticmethod
    def _tell(
        made: list[Change], row: UpdateRow, place: Place, kind: ChangeKind, old: str, new: str,
        write: Write | None,
    ) -> None:  # fmt: skip
        field, entry = place.field, ""
        if field is not None and field.kind == "entry" and place.key is not None:
            entry = place.key
        written_at = row.written_at if write is None else write.written_at
        made.append(
            Change(
                version=row.version, ordinal=len(made) + 1, last_version=row.version,
                field=place.name if field is None else field.name,
                entry=entry, kind=kind, old=old, new=new, author=row.author,
                role=row.role if write is None else write.role,
                written_at=written_at, last_written_at=written_at,
                at=row.received_at, last_at=row.received_at,
            )
        )  # fmt: skip

    # -- narratives ------------------------------------------------------------------------------

    def _narrative(self, name: str, row: UpdateRow, made: list[Change]) -> None:
        before = self._texts.get(name, "")
        if len(before) <= MAX_ENCLOSED_CHARACTERS:
            after = self._document.text(name)
            splices = [] if after == before else [enclosing_splice(before, after)]
        else:
            splices, after = splices_of(before, self._document.watched(name))
            if self._document.text_bytes(name) != _utf8_length(after):
                after = self._document.text(name)
                splices = [] if after == before else [enclosing_splice(before, after)]
        if not splices:
            return
        self._keep(name, after)
        for splice in splices:
            sitting = take_in(self._books.sittings, name, splice, row, len(made) + 1)
            told = Change(
                version=sitting.version, ordinal=sitting.ordinal, last_version=row.version,
                field=name, kind="text", offset=sitting.offset,
                old=_json(sitting.old), new=_json(sitting.new), author=row.author, role=row.role,
                written_at=sitting.written_at, last_written_at=row.written_at,
                at=sitting.at, last_at=row.received_at,
            )  # fmt: skip
            made.append(told)

    def _keep(self, name: str, text: str) -> None:
        self._texts[name] = text
        if len(text) > MAX_ENCLOSED_CHARACTERS:
            self._document.watch(name)


def enclosing_splice(before: str, after: str) -> Splice:
    """The smallest single replacement that turns one text into another."""
    head = _common(before, after)
    short = min(len(before), len(after)) - head
    tail = _common(before[len(before) - short :][::-1], after[len(after) - short :][::-1])
    return Splice(head, before[head : len(before) - tail], after[head : len(after) - tail])


def _common(one: str, other: str) -> int:
    """The length of the common beginning, by comparing halves of what is left."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def splices_of(before: str, deltas: Sequence[Sequence[dict[str, Any]]]) -> tuple[list[Splice], str]:
    """The separate places that Quill deltas (in UTF-8 bytes) change, in order, and the text after.

    Each offset counts in the text as it is once the splices before it are done.
    """
    text = before
    splices: list[Splice] = []
    for delta in deltas:
        data = text if text.isascii() else text.encode()
        parts: list[str] = []
        at = removed = offset = 0
        inserted = ""
        for step in [*delta, {"retain": len(data)}]:
            if "insert" in step:
                inserted += str(step["insert"])
            elif "delete" in step:
                removed += step["delete"]
            else:
                if removed or inserted:
                    gone = _part(data, at, at + removed)
                    if gone != inserted:
                        inner = enclosing_splice(gone, inserted)
                        splices.append(inner._replace(offset=offset + inner.offset))
                    parts.append(inserted)
                    at, offset = at + removed, offset + len(inserted)
                    removed, inserted = 0, ""
                kept = _part(data, at, at + step["retain"])
                parts.append(kept)
                at, offset = at + step["retain"], offset + len(kept)
        text = "".join(parts)
    return splices, text


def _part(data: str | bytes, start: int, end: int) -> str:
    part = data[start:end]
    return part if isinstance(part, str) else part.decode()


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _in_order(writes: list[Struct]) -> list[Struct]:
    """The writes of a key so that each follows what it continues, the same in every replay."""
    by_id: dict[Id, Struct] = {(struct.client, struct.end - 1): struct for struct in writes}
    depths: dict[Id, int] = {}
    for start in by_id:
        chain: list[Id] = []
        current: Id | None = start
        while current in by_id and current not in depths:
            chain.append(current)
            current = by_id[current].origin
        reached = 0 if current is None else depths.get(current, 0)
        for depth, struct_id in enumerate(reversed(chain), reached + 1):
            depths[struct_id] = depth
    return [by_id[one] for one in sorted(by_id, key=lambda one: (depths[one], *one))]


def _json_of(write: Write | None) -> str:
    return NOTHING if write is None or write.cleared else _json(write.value)


def _json(value: object) -> str:
    return _encode(plain(value)).decode()
