"""Carries out what the arbiter decides of an applied update: corrections, conflicts and losses.

SPEC ARB-1 to ARB-9.
"""

from collections.abc import Generator

import msgspec

from sync.arbiter import arbitrate_clear, arbitrate_writes, describe_conflict, note_correction
from sync.arbitration import Arbitration, Decided
from sync.books import Books
from sync.document import Document
from sync.effects import Loss
from sync.frame import Frame
from sync.judgement import Judgement
from sync.place import Place
from sync.registers import Register

__all__ = ["AGREED", "decide_keys"]

AGREED = "The values agree."
"""The reason of a conflict that ended because its last concurrent values became equal."""


def decide_keys(
    document: Document, books: Books, frame: Frame, judgement: Judgement, version: int
) -> Generator[None, None, Decided]:
    """Let the arbiter decide every key that the applied update touched or cleared.

    Corrections are written into the document and the books. Raises DocumentSuspect.
    """
    decided = Decided()
    hits = judgement.hits
    for place, touches in judgement.touches.items():
        register = books.register(place)
        outcome = yield from arbitrate_writes(
            register, touches, hits.get(place, []), frame, version
        )
        write = touches[-1].write
        if not outcome.everyday or (write is not None and write.role != judgement.role):
            decided.registers[place] = register
        _carry_out(document, books, register, place, outcome, frame, version, decided)
    for place, clear in judgement.clears.items():
        register = decided.registers[place] = books.register(place)
        outcome = arbitrate_clear(register, clear, frame, version)
        _carry_out(document, books, register, place, outcome, frame, version, decided)
    return decided


def _carry_out(
    document: Document,
    books: Books,
    register: Register,
    place: Place,
    outcome: Arbitration,
    frame: Frame,
    version: int,
    decided: Decided,
) -> None:
    if outcome.correct:
        struct = document.write(place.root, register.key, outcome.correction)
        books.absorb(struct, place)
        note_correction(register, struct, version, outcome.cleared)
        decided.corrections.append(struct)
    if not outcome.changed_conflict:
        return
    if register.conflict_id is None:
        register.conflict_id = f"{version}.{len(decided.conflicts) + 1}"
    conflict = describe_conflict(register, place, register.conflict_id)
    decided.losses += [
        Loss(conflict=conflict.id, field=conflict.field, critical=conflict.critical, user_id=user)
        for user in dict.fromkeys(write.author for write in outcome.lost)
    ]
    if not register.contenders:
        conflict = msgspec.structs.replace(
            conflict, status="resolved", resolved_by=frame.author.user_id, reason=AGREED
        )
        register.close_conflict()
    decided.conflicts.append(conflict)
