"""The live Yjs document of a record. The only module that talks to pycrdt.

It receives updates that the gate has judged and `update.py` has encoded, and nothing else. A panic
inside Yrs, or an answer that contradicts the index, raises DocumentSuspect: the room is dropped and
loaded again. SPEC WIRE-6, ARB-2.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pycrdt import Doc, Map, Text, TransactionEvent

from sync.bounds import Bounds
from sync.errors import DocumentSuspect, MalformedUpdate
from sync.structs import Id, Kind, Struct
from sync.update import decode_update, encode_state_vector, encode_update

__all__ = ["ABSENT", "Absent", "Document"]

T = TypeVar("T")


MARKS = range(0xE000, 0xF900)
"""Private-use characters that mark places in a copy of a text; some are always free."""


class Absent:
    """The value of a key that holds nothing."""

    __slots__ = ()


ABSENT = Absent()

NOTHING = b"\x00\x00"
"""The update that changes nothing."""

_TRUSTED = Bounds(
    max_frame_bytes=2**31,
    max_structs=2**31,
    max_delete_ranges=2**31,
    max_value_bytes=2**31,
    max_narrative_bytes=2**31,
    max_value_items=2**31,
)
"""What Yrs itself encodes was judged struct by struct on its way in; only its size is unbounded."""


class Document:
    """One record's Yjs document, written by the gate's updates and by the server's corrections."""

    __slots__ = ("_deltas", "_doc", "_maps", "_typed_in", "_watching", "server_client")

    def __init__(self, server_client: int, state: bytes | None = None) -> None:
        self.server_client = server_client
        self._doc: Doc[Any] = Doc(client_id=server_client)
        self._maps: dict[str, Map[Any]] = {}
        self._typed_in: tuple[str, Text] | None = None
        self._deltas: dict[str, list[list[dict[str, Any]]]] = {}
        self._watching: list[object] = []
        if state is not None:
            self.apply(state)

    def apply(self, update: bytes) -> None:
        """Integrate an update made by `encode_update`. Everything it hangs on is present."""
        self._guard(lambda: self._doc.apply_update(update))

    def encode(self, state_vector: Mapping[int, int] | None = None) -> bytes:
        """The update that brings a peer with `state_vector` (nothing: an empty one) up to date."""
        vector = None if state_vector is None else encode_state_vector(dict(state_vector))
        return self._guard(lambda: self._doc.get_update(vector))

    def value(self, root: str, key: str) -> object:
        """What a root map shows under `key`, or ABSENT."""
        return self._guard(lambda: self._map(root).get(key, ABSENT))

    def section(self, root: str) -> dict[str, object]:
        """All keys and values of a root map."""
        return self._guard(lambda: self._map(root).to_py() or {})

    def text(self, name: str) -> str:
        """What a root text shows."""
        return self._guard(lambda: str(self._text(name)))

    def watch(self, name: str) -> None:
        """From now on, keep what changes in a root text, for `watched`. Idempotent."""
        if name in self._deltas:
            return
        deltas = self._deltas[name] = []
        text: Any = self._text(name)  # its events are typed without what they tell
        self._watching.append(text.observe(lambda event: deltas.append(event.delta)))

    def watched(self, name: str) -> list[list[dict[str, Any]]]:
        """What changed in a watched text since the last call: a Quill delta per transaction.

        Lengths count UTF-8 bytes. The text must be watched.
        """
        deltas = self._deltas[name]
        taken = deltas.copy()
        deltas.clear()
        return taken

    def text_bytes(self, name: str) -> int:
        """How long a root text is, as UTF-8."""
        return self._guard(lambda: len(self._text(name)))

    def write(self, root: str, key: str, value: object | Absent) -> Struct:
        """Write `value` over whatever the key shows, as the server; return the struct that has it.

        The struct is the new last one of the key's chain: Yrs itself picks its origin, so the
        arbiter never has to know how Yjs ordered concurrent siblings (docs/decisions.md).
        """

        def edit() -> None:
            with self._doc.transaction():
                target = self._map(root)
                if isinstance(value, Absent):
                    target[key] = None
                    del target[key]
                else:
                    target[key] = value

        update = decode_update(self._captured(edit), _TRUSTED)
        structs = update.structs.get(self.server_client, [])
        if len(structs) != 1 or structs[0].length != 1:
            raise DocumentSuspect("A correction did not become exactly one struct.")
        struct = structs[0]
        if isinstance(value, Absent):
            return Struct(
                struct.client,
                struct.clock,
                1,
                Kind.DELETED,
                None,
                struct.origin,
                None,
                struct.parent,
                struct.key,
                True,
            )
        return struct

    def in_order(self, name: str, units: list[Id], arriving: bytes) -> bool:
        """Whether these units of a text, deleted ones too, stand in this order. Costs a copy."""
        positions = self._marked(name, units, arriving)
        return positions == sorted(positions)

    def offsets_behind(self, name: str, units: list[Id]) -> list[tuple[int, int]]:
        """Where each of these units of a text, deleted ones too, ends: characters shown before it.

        With each goes its rank among them, because several may end at one place. At most
        `len(MARKS)` less the private-use characters of the text. Costs a copy.
        """
        positions = self._marked(name, units, NOTHING)
        ranks = {position: rank for rank, position in enumerate(sorted(positions))}
        return [(position - ranks[position], ranks[position]) for position in positions]

    def _marked(self, name: str, units: list[Id], arriving: bytes) -> list[int]:
        """Where marks stand that are put directly behind each of the units.

        Asked of Yrs itself: they are put into a copy (with `arriving`, an update, applied), as
        client 0, which precedes whatever else follows a unit.
        """

        def look() -> list[int]:
            copy: Doc[Any] = Doc(client_id=self.server_client)
            copy.apply_update(self._doc.get_update())
            copy.apply_update(arriving)
            text = copy.get(name, type=Text)
            taken = set(str(text))
            marks = [chr(code) for code in MARKS if chr(code) not in taken][: len(units)]
            structs = [
                Struct(0, clock, 1, Kind.STRING, mark, unit)
                for clock, (mark, unit) in enumerate(zip(marks, units, strict=True))
            ]
            copy.apply_update(encode_update({0: structs}, {}))
            shown = str(text)
            return [shown.index(mark) for mark in marks]

        return self._guard(look)

    def structs_from(self, start: Id, known: Mapping[int, int]) -> list[Struct]:
        """The structs of one client from a clock on, as the document holds them now."""
        client, clock = start
        update = self.encode({**known, client: clock})
        return decode_update(update, _TRUSTED).structs.get(client, [])

    def draft(self, client: int, edit: Callable[["Draft"], None]) -> bytes:
        """The update that `edit` would make of this document under another client id.

        Raises MalformedUpdate where Yrs cannot carry the edit: the copy has failed, not this.
        """
        copy = self._guard(lambda: Draft(client, self._doc.get_update()))
        try:
            return copy.record(edit)
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # pycrdt's PanicException is a BaseException
            raise MalformedUpdate("The edit holds what no document can carry.") from error

    def _map(self, root: str) -> "Map[Any]":
        known = self._maps.get(root)
        if known is None:
            known = self._maps[root] = self._doc.get(root, type=Map)
        return known

    def _text(self, name: str) -> Text:
        """The last one asked for is kept: people type on where they type. All would fill memory."""
        if self._typed_in is None or self._typed_in[0] != name:
            text: Text = self._doc.get(name, type=Text)
            self._typed_in = name, text
        return self._typed_in[1]

    def _captured(self, edit: Callable[[], None]) -> bytes:
        captured: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            captured.append(event.update)

        def run() -> None:
            subscription = self._doc.observe(keep)
            try:
                edit()
            finally:
                self._doc.unobserve(subscription)

        self._guard(run)
        if len(captured) != 1:
            raise DocumentSuspect("A correction did not become exactly one transaction.")
        return captured[0]

    def _guard(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # pycrdt's PanicException is a BaseException
            raise DocumentSuspect(f"Yrs failed: {type(error).__name__}.") from error


class Draft:
    """A copy of a document that a server-side hand edits to produce an update (REST, demo data)."""

    def __init__(self, client: int, state: bytes) -> None:
        self._doc: Doc[Any] = Doc(client_id=client)
        self._doc.apply_update(state)

    def record(self, edit: "Callable[[Draft], None]") -> bytes:
        captured: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            captured.append(event.update)

        subscription = self._doc.observe(keep)
        with self._doc.transaction():
            edit(self)
        self._doc.unobserve(subscription)
        return captured[0] if captured else NOTHING

    def set(self, root: str, key: str, value: object) -> None:
        """Set one key of a root map; None clears it."""
        target: Map[Any] = self._doc.get(root, type=Map)
        if value is not None:
            target[key] = value
        elif key in target:
            del target[key]

    def insert_text(self, name: str, offset: int, words: str) -> None:
        """Insert into a root text behind so many characters."""
        text: Text = self._doc.get(name, type=Text)
        text.insert(len(str(text)[:offset].encode()), words)

    def replace_text(self, name: str, wanted: str) -> None:
        """Turn a root text into `wanted` by the smallest single replacement.

        pycrdt counts text in UTF-8 bytes, so the boundaries are computed in characters and then
        converted: a cut inside a character would corrupt the document.
        """
        text: Text = self._doc.get(name, type=Text)
        current = str(text)
        limit = min(len(current), len(wanted))
        head = 0
        while head < limit and current[head] == wanted[head]:
            head += 1
        tail = 0
        while tail < limit - head and current[-1 - tail] == wanted[-1 - tail]:
            tail += 1
        start = len(current[:head].encode())
        stop = start + len(current[head : len(current) - tail].encode())
        if stop > start:
            del text[start:stop]
        inserted = wanted[head : len(wanted) - tail]
        if inserted:
            text.insert(start, inserted)
