"""Edits as a Yjs client would send them, made cheaply, with a mark that can be timed.

Each edit carries `~` and five base-36 digits in its text or value, so a receiver finds every edit
in whatever frame it arrives, merged or not, with one regular expression. `tests/benchmarks` holds
these bytes to what Yrs itself writes.
"""

import re
from collections.abc import Sequence

__all__ = [
    "KEYED_FIELDS",
    "MARK",
    "NARRATIVE",
    "ClientEdits",
    "awareness_frame",
    "mark_of",
    "varuint",
]

NARRATIVE = "assessment.notes"
"""The text that every client types into."""

KEYED_FIELDS = (
    ("triage", "complaint"),
    ("triage", "red_flags"),
    ("vitals", "not_done_reason"),
    ("contact", "phone"),
    ("contact", "address"),
    ("contact", "next_of_kin_name"),
    ("contact", "next_of_kin_phone"),
    ("payment", "payer"),
    ("payment", "scheme_number"),
    ("payment", "waiver_reason"),
)
"""Text fields that a nurse who is also a receptionist writes; one client of a room owns one."""

MARK = re.compile(rb"~([0-9a-z]{5})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARK_UNITS = 6

_DELETED, _STRING, _ANY, _KEYED, _ORIGIN, _ANY_STRING = 1, 4, 8, 32, 128, 119


def varuint(number: int) -> bytes:
    """lib0's variable-length unsigned integer."""
    out = bytearray()
    while number > 127:
        out.append(128 | number & 127)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(text: str) -> bytes:
    raw = text.encode()
    return varuint(len(raw)) + raw


def mark_of(number: int) -> str:
    """The mark of the edit with this number, below 36⁵."""
    digits = ""
    for _ in range(_MARK_UNITS - 1):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return "~" + digits


class ClientEdits:
    """One Yjs client: what it types into the narrative and what it writes to its field."""

    def __init__(self, client: int, field: tuple[str, str] | None) -> None:
        self.clock = 0
        self._client = varuint(client)
        self._field = field
        self._typed: int | None = None
        self._written: int | None = None

    def next_update(self, number: int) -> bytes:
        """The next update (Yjs, v1): the field and the narrative in turn, else the narrative."""
        if self._field is not None and number & 1:
            return self._write(mark_of(number), self._field)
        return self._type(mark_of(number))

    def backlog(self, numbers: Sequence[int]) -> tuple[bytes, int]:
        """Many edits as the one update of a client that was offline, and how many marks it shows.

        What the client overwrote itself travels without its value, as Yjs sends it.
        """
        keyed = [number for number in numbers if self._field is not None and number & 1]
        start, structs, gone = self.clock, bytearray(), []
        for number in numbers:
            if self._field is not None and number & 1:
                last = number == keyed[-1]
                if not last:
                    gone.append(self.clock)
                structs += self._keyed_struct(mark_of(number) if last else None, self._field)
            else:
                structs += self._text_struct(mark_of(number))
        head = b"\x01" + varuint(len(numbers)) + self._client + varuint(start)
        deletes = b"".join(varuint(clock) + b"\x01" for clock in gone)
        tail = b"\x01" + self._client + varuint(len(gone)) + deletes if gone else b"\x00"
        return head + bytes(structs) + tail, len(numbers) - len(gone)

    def _type(self, mark: str) -> bytes:
        start = varuint(self.clock)
        return b"\x01\x01" + self._client + start + self._text_struct(mark) + b"\x00"

    def _write(self, mark: str, field: tuple[str, str]) -> bytes:
        start, before = varuint(self.clock), self._written
        struct = self._keyed_struct(mark, field)
        gone = b"\x00"
        if before is not None:
            gone = b"\x01" + self._client + b"\x01" + varuint(before) + b"\x01"
        return b"\x01\x01" + self._client + start + struct + gone

    def _text_struct(self, mark: str) -> bytes:
        if self._typed is None:
            struct = bytes((_STRING, 1)) + _text(NARRATIVE) + _text(mark)
        else:
            origin = self._client + varuint(self._typed)
            struct = bytes((_STRING | _ORIGIN,)) + origin + _text(mark)
        self.clock += _MARK_UNITS
        self._typed = self.clock - 1
        return struct

    def _keyed_struct(self, mark: str | None, field: tuple[str, str]) -> bytes:
        kind = _DELETED if mark is None else _ANY
        content = b"\x01" if mark is None else bytes((1, _ANY_STRING)) + _text(mark)
        if self._written is None:
            struct = bytes((kind | _KEYED, 1)) + _text(field[0]) + _text(field[1]) + content
        else:
            origin = self._client + varuint(self._written)
            struct = bytes((kind | _KEYED | _ORIGIN,)) + origin + content
        self._written = self.clock
        self.clock += 1
        return struct


def awareness_frame(client: int) -> bytes:
    """A client that shows itself, as every provider does on connecting."""
    state = b'{"page":"triage"}'
    entry = varuint(client) + b"\x01" + varuint(len(state)) + state
    body = b"\x01" + entry
    return b"\x01" + varuint(len(body)) + body
