"""Puts text back that a refused deletion took: as copies beside the originals, unit by unit.

Every character gets its own struct directly right of its original. So whatever a colleague wrote
between two of the originals, without knowing of the deletion, still lands between their copies.
SPEC HEAL-1 to HEAL-5.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator

from sync.annotations import Copy
from sync.books import Books
from sync.document import Document
from sync.errors import DocumentSuspect
from sync.fields import FieldIndex
from sync.frame import Knowledge
from sync.judgement import Hit, Restore
from sync.structs import Id, Kind, Struct

__all__ = ["restored_copies", "succeeding_copies"]


def restored_copies(
    document: Document, index: FieldIndex, restores: list[Restore], version: int,
    refused_to: str, cut: Collection[Id],
) -> tuple[list[Struct], list[Copy]]:  # fmt: skip
    """Structs of the server's that show again what the ranges showed, and what each stands for.

    refused_to: whose deletions they undo, but for the pairs that were cut.
    Raises DocumentSuspect when the document does not hold what the index says.
    """
    server = document.server_client
    clock = index.next_clock(server)
    structs: list[Struct] = []
    copies: list[Copy] = []
    vector = index.state_vector()
    for client in dict.fromkeys(restore.client for restore in restores):
        wanted = sorted((r for r in restores if r.client == client), key=lambda r: r.start)
        held = document.structs_from((client, wanted[0].start), vector)
        missing = sum(r.end - r.start for r in wanted)
        for start, end, text, more in _units(held, wanted):
            right = (client, end) if more else None
            structs.append(
                Struct(server, clock, end - start, Kind.STRING, text, (client, end - 1), right)
            )
            whose = "" if (client, start) in cut else refused_to
            copies.append(Copy(client, start, server, clock, end - start, version, whose))
            clock += end - start
            missing -= end - start
        if missing:
            raise DocumentSuspect("Text to put back is not in the document.")
    return structs, copies


def _units(held: list[Struct], wanted: list[Restore]) -> Iterator[tuple[int, int, str, bool]]:
    """(start, end, character, whether the same struct goes on) of the wanted characters.

    Both lists are sorted and disjoint, so one walk along both is enough.
    """
    first = 0
    for struct in held:
        while first < len(wanted) and wanted[first].end <= struct.clock:
            first += 1
        if struct.kind != Kind.STRING:
            continue
        text = _Utf16(str(struct.content))
        at = first
        while at < len(wanted) and wanted[at].start < struct.end:
            clock = max(wanted[at].start, struct.clock)
            for character in text.part(clock - struct.clock, wanted[at].end - struct.clock):
                width = 2 if character > "\uffff" else 1
                yield clock, clock + width, character, clock + width < struct.end
                clock += width
            at += 1


class _Utf16:
    """A text that is cut by UTF-16 offsets many times and converted once."""

    __slots__ = ("_text", "_units")

    def __init__(self, text: str) -> None:
        self._text = text
        self._units = None if text.isascii() else text.encode("utf-16-le")

    def part(self, start: int, end: int) -> str:
        """The characters between two offsets; a pair that is cut in half counts as torn."""
        if self._units is None:
            return self._text[start:end]
        return self._units[2 * start : 2 * end].decode("utf-16-le", "replace")


FEW_CLOCKS = 16
"""Ranges up to this are looked up clock by clock, which needs no sorted list of the copies."""


def succeeding_copies(
    books: Books, removed: list[Hit], knowledge: Knowledge, user_id: str
) -> list[Copy]:
    """The live copies of originals that somebody entitled deleted without knowing of the copies.

    Whoever knew a copy, or was refused the deletion that it undoes, repeats an old deletion in
    their delete set: that is no wish to delete it.
    """
    found: list[Copy] = []
    ordered: dict[int, list[int]] = {}
    for hit in removed:
        of_client = books.copies.get(hit.client)
        if not of_client:
            continue
        if hit.end - hit.start <= FEW_CLOCKS:
            clocks = [clock for clock in range(hit.start, hit.end) if clock in of_client]
        else:
            if hit.client not in ordered:
                ordered[hit.client] = sorted(of_client)
            every = ordered[hit.client]
            clocks = every[bisect_left(every, hit.start) : bisect_left(every, hit.end)]
        for copy in map(of_client.__getitem__, clocks):
            current: Copy | None = copy
            while (
                current is not None
                and current.refused_to != user_id
                and not knowledge.knows((current.server, current.copy_clock), current.version)
            ):
                following = books.copies.get(current.server, {}).get(current.copy_clock)
                alive = not books.index.is_deleted((current.server, current.copy_clock))
                if following is None and alive:
                    found.append(current)
                current = following
    return found
