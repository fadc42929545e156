"""Repeating: what somebody tried and was refused is proposed again, in another person's name.

Read from the refusal's original bytes, because its JSON is for people. Words come back at the place
where they were refused, found by the ids of their blank structs; text whose deletion was refused is
found by the copies that were made of it then. SPEC APPLY-1 to APPLY-5.
"""

from permissions.model import Rule
from sync.annotations import Copy
from sync.books import Books
from sync.bounds import Bounds
from sync.document import ABSENT, MARKS, Absent, Draft
from sync.effects import Refusal
from sync.errors import NotRepeatable
from sync.place import Place
from sync.ranges import normalised
from sync.room import Room
from sync.structs import Id, Kind, Struct
from sync.update import Update, decode_update

__all__ = ["repeat_text", "require_repeatable", "tried_value"]

MAX_PIECES = len(MARKS) // 2
"""Stretches of words of one refusal that are put back; each one is found by a mark of its own."""

_KEPT = Bounds(max_frame_bytes=2**31, max_structs=2**31, max_delete_ranges=2**31)


def require_repeatable(refusal: Refusal) -> None:
    """Raises NotRepeatable for a frame that was refused as a whole."""
    if refusal.field == "?" or refusal.rule == Rule.IDENTITY:
        raise NotRepeatable(
            "A whole frame was refused here; nobody can say field by field what it meant."
        )


def tried_value(refusal: Refusal) -> object | Absent:
    """What somebody tried to write under a key; ABSENT: to remove what it holds.

    Raises NotRepeatable where it was nothing that a field can hold.
    """
    structs = _tried(refusal)
    if not structs:
        return ABSENT
    for struct in reversed(structs):
        if struct.kind == Kind.ANY and isinstance(struct.content, tuple):
            value: object = struct.content[-1]
            return value
    raise NotRepeatable("What was refused is no plain value.")


def repeat_text(room: Room, place: Place, refusal: Refusal, client: int) -> Update:
    """The update, under `client`, that does to a narrative what was refused.

    Empty where nothing is left to do: what was to go has been deleted since. Raises NotRepeatable.
    """
    pieces = _pieces(room, place, refusal)
    copies = _copies(room.books, place, int(refusal.id.partition(".")[0]))
    if not pieces and not copies:
        raise NotRepeatable("What was to be deleted is not known any more.")
    update = Update({}, {})
    if pieces:
        units = [unit for unit, _ in pieces]
        places = room.document.offsets_behind(place.root, units)
        ordered = sorted(zip(places, pieces, strict=True), key=lambda one: one[0][1], reverse=True)

        def insert(draft: Draft) -> None:
            for (offset, _), (_, words) in ordered:
                draft.insert_text(place.root, offset, words)

        update = decode_update(room.document.draft(client, insert), _KEPT)
    deletes = dict(update.deletes)
    for copy in copies:
        if not room.books.index.is_deleted((copy.server, copy.copy_clock)):
            deletes.setdefault(copy.server, []).append((copy.copy_clock, copy.length))
    return Update(update.structs, {c: normalised(ranges) for c, ranges in deletes.items()})


def _tried(refusal: Refusal) -> list[Struct]:
    structs = decode_update(refusal.original, _KEPT).structs.values()
    return [one for of_client in structs for one in of_client if one.kind != Kind.SKIP]


def _pieces(room: Room, place: Place, refusal: Refusal) -> list[tuple[Id, str]]:
    """The refused words, each stretch with the unit behind which it stands."""
    pieces: list[tuple[Id, str]] = []
    for struct in _tried(refusal):
        if struct.kind != Kind.STRING:
            raise NotRepeatable("What was refused is no plain text.")
        unit = (struct.client, struct.end - 1)
        if room.place_of(unit) is not place:
            raise NotRepeatable("Where the words were to stand is not known.")
        words = str(struct.content)
        if pieces and struct.origin == pieces[-1][0] == (struct.client, struct.clock - 1):
            words = pieces.pop()[1] + words
        pieces.append((unit, words))
    if len(pieces) > MAX_PIECES:
        raise NotRepeatable("The words stood in more places than can be found again.")
    return pieces


def _copies(books: Books, place: Place, version: int) -> list[Copy]:
    """What stands now for the text that version's row put back, deleted since or not."""
    found = []
    for of_client in books.copies.values():
        for copy in of_client.values():
            unit = (copy.client, copy.clock)
            if copy.version != version or unit in books.cut_pairs:
                continue
            if books.index.place_of(unit) is place:
                found.append(_latest(books, copy))
    return found


def _latest(books: Books, copy: Copy) -> Copy:
    following: Copy | None = copy
    while following is not None:
        copy = following
        following = books.copies.get(copy.server, {}).get(copy.copy_clock)
    return copy
