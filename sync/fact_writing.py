"""Writes the server's own facts into a record's document, as structs and registers of one row."""

from collections.abc import Mapping
from datetime import datetime

from permissions.model import Principal
from sync.books import Books
from sync.document import Document
from sync.place import RECORD_ROOT
from sync.record_facts import FACTS
from sync.registers import Register, Write
from sync.structs import Struct

__all__ = ["write_own"]


def write_own(
    document: Document,
    books: Books,
    facts: Mapping[str, object],
    author: Principal,
    at: datetime,
    version: int,
) -> tuple[list[Struct], list[Register]]:
    """Write the facts that differ from what the `record` map holds, in `author`'s name."""
    assert facts.keys() <= FACTS, "every fact has a key that the gate knows"
    structs: list[Struct] = []
    registers: list[Register] = []
    for key, value in facts.items():
        place = books.places.at(RECORD_ROOT, key)
        register = books.register(place)
        if register.standing is not None and register.standing.value == value:
            continue
        struct = document.write(RECORD_ROOT, key, value)
        books.absorb(struct, place)
        register.succeed(
            Write(
                (struct.client, struct.clock), author.user_id, "", author.login_id, author.device,
                at, at, version, value, False,
            ),
            struct.origin,
            live=True,
        )  # fmt: skip
        structs.append(struct)
        registers.append(register)
    return structs, registers
