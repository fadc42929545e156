"""Puts text back that a refused deletion took: as copies beside the originals, unit by unit.

Every character gets its own struct directly right of its original. So whatever a colleague wrote
between two of the originals, without knowing of the deletion, still lands between their copies.
SPEC HEAL-1 to HEAL-5.
"""

from sync.books import Books, Copy
from sync.document import Document
from sync.errors import DocumentSuspect
from sync.fields import FieldIndex
from sync.frame import Knowledge
from sync.judgement import Hit, Restore
from sync.structs import Kind, Struct

__all__ = ["restored_copies", "succeeding_copies"]


def restored_copies(
    document: Document, index: FieldIndex, restores: list[Restore], version: int
) -> tuple[list[Struct], list[Copy]]:
    """Structs of the server's that show again what the ranges showed, and what each stands for.

    Raises DocumentSuspect when the document does not hold what the index says.
    """
    server = document.server_client
    clock = index.next_clock(server)
    structs: list[Struct] = []
    copies: list[Copy] = []
    vector = index.state_vector()
    for client in dict.fromkeys(restore.client for restore in restores):
        wanted = [r for r in restores if r.client == client]
        held = document.structs_from((client, min(r.start for r in wanted)), vector)
        for restore in sorted(wanted, key=lambda r: r.start):
            found = 0
            for start, end, text, more in _units(held, restore.start, restore.end):
                right = (client, end) if more else None
                structs.append(
                    Struct(server, clock, end - start, Kind.STRING, text, (client, end - 1), right)
                )
                copies.append(Copy(client, start, server, clock, end - start, version))
                clock += end - start
                found += end - start
            if found != restore.end - restore.start:
                raise DocumentSuspect("Text to put back is not in the document.")
    return structs, copies


def _units(held: list[Struct], start: int, end: int) -> list[tuple[int, int, str, bool]]:
    """(start, end, character, whether the same struct goes on) of each character in the range."""
    units: list[tuple[int, int, str, bool]] = []
    for struct in held:
        if struct.end <= start or struct.clock >= end or struct.kind != Kind.STRING:
            continue
        clock = max(start, struct.clock)
        for character in _part(str(struct.content), clock - struct.clock, end - struct.clock):
            width = 2 if character > "\uffff" else 1
            units.append((clock, clock + width, character, clock + width < struct.end))
            clock += width
    return units


def _part(text: str, start: int, end: int) -> str:
    """The characters between two UTF-16 offsets; a pair that is cut in half counts as torn."""
    if text.isascii():
        return text[start:end]
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le", "replace")


def _copies_in(of_client: dict[int, Copy], start: int, end: int) -> list[Copy]:
    """The copies of originals in [start, end); work is the lesser of range and copies."""
    if end - start < len(of_client):
        return [of_client[clock] for clock in range(start, end) if clock in of_client]
    return [copy for copy in of_client.values() if start <= copy.clock < end]


def succeeding_copies(books: Books, removed: list[Hit], knowledge: Knowledge) -> list[Copy]:
    """The live copies of originals that somebody entitled deleted without knowing of the copies.

    Whoever knew a copy repeats an old deletion in their delete set: that is no wish to delete it.
    """
    found: list[Copy] = []
    for hit in removed:
        of_client = books.copies.get(hit.client)
        if not of_client:
            continue
        for copy in _copies_in(of_client, hit.start, hit.end):
            current: Copy | None = copy
            while current is not None and not knowledge.knows(
                (current.server, current.copy_clock), current.version
            ):
                following = books.copies.get(current.server, {}).get(current.copy_clock)
                alive = not books.index.is_deleted((current.server, current.copy_clock))
                if following is None and alive:
                    found.append(current)
                current = following
    return found
