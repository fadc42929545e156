"""Journal entries ↔ JSON: when, and under which log-in, clocks of a client were written.

The body of message 102 (contract, section 3); what is believed of it is `journal.py`'s to say.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedFrame
from sync.json_text import JsonValue, parse_json

__all__ = ["JournalEntry", "read_entries", "write_entries"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_INSTANT_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, where `datetime` ends."""


class JournalEntry(msgspec.Struct, frozen=True):
    """When and under which log-in `from_clock <= clock < to_clock` of a client was written.

    An empty range describes an update that only deletes; of client 0 it only tells the time.

    written_at: aware UTC, cut to milliseconds; a seal is over `written_at_ms`. seal: "" if none.
    """

    client: int
    from_clock: int
    to_clock: int
    written_at: datetime
    login_id: str
    seal: str

    @property
    def written_at_ms(self) -> int:
        """Milliseconds since 1970."""
        return (self.written_at - _EPOCH) // timedelta(milliseconds=1)


def read_entries(text: str, bounds: Bounds) -> tuple[JournalEntry, ...]:
    """The entries of a journal. Raises MalformedFrame, FrameTooLarge."""
    rows = parse_json(text, 2, [bounds.max_journal_entries * 8])
    if not isinstance(rows, list):
        raise MalformedFrame("A journal is no JSON array.")
    if len(rows) > bounds.max_journal_entries:
        raise FrameTooLarge("A journal has too many entries.")
    return tuple([_journal_entry(row, bounds) for row in rows])


def write_entries(entries: Iterable[JournalEntry]) -> bytes:
    """JSON that `read_entries` reads; instants as milliseconds."""
    return msgspec.json.encode(
        [(e.client, e.from_clock, e.to_clock, e.written_at_ms, e.login_id, e.seal) for e in entries]
    )


def _journal_entry(row: JsonValue, bounds: Bounds) -> JournalEntry:
    match row:
        case [int(client), int(start), int(end), written_at, str(login_id), str(seal)]:
            pass
        case _:
            raise MalformedFrame("A journal entry is not of the agreed shape.")
    # JSON true is an int to Python.
    if isinstance(client, bool) or isinstance(start, bool) or isinstance(end, bool):
        raise MalformedFrame("A journal entry is not of the agreed shape.")
    if not (0 <= client <= bounds.max_client_id and 0 <= start <= end <= bounds.max_clock):
        raise MalformedFrame("A journal entry holds an impossible number.")
    if not login_id or max(len(login_id), len(seal)) > bounds.max_journal_text_bytes:
        raise MalformedFrame("A text of a journal entry is empty or too long.")
    return JournalEntry(client, start, end, _instant(written_at), login_id, seal)


def _instant(value: JsonValue) -> datetime:
    """Milliseconds since 1970, or ISO 8601 with an offset, as aware UTC."""
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= _MAX_INSTANT_MS:
            return _EPOCH + timedelta(milliseconds=value)
    elif isinstance(value, str) and len(value) < 40:
        try:
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None and at >= _EPOCH:
                at = at.astimezone(UTC)
                return at.replace(microsecond=at.microsecond // 1000 * 1000)
        except (ValueError, OverflowError):
            pass
    raise MalformedFrame("A journal entry has no usable instant.")
