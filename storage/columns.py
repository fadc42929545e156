"""How values become columns and come back equal.

Instants are integer microseconds since 1970 UTC: exact, so that `chain_hash` (which reads
`isoformat()`) gives the same hash after a reload, sortable, and eight bytes instead of 32.
Lists are JSON text. Text that is searched is folded here, because SQLite folds only ASCII.
"""

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from sync.effects import ConflictValue

__all__ = [
    "conflict_values",
    "conflict_values_text",
    "folded",
    "instant",
    "micros",
    "strings",
    "strings_text",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = timedelta(0)
_STRINGS = msgspec.json.Decoder(tuple[str, ...])
_CONFLICT_VALUES = msgspec.json.Decoder(tuple[ConflictValue, ...])


def micros(at: datetime) -> int:
    """Microseconds since the epoch. Raises ValueError unless `at` is aware and in UTC.

    Another zone would be the same instant but another `isoformat()`, and break the hash chain.
    """
    if at.tzinfo is not UTC and at.utcoffset() != _ZERO:
        raise ValueError("An instant is not in UTC.")
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant(microseconds: int) -> datetime:
    """The aware UTC instant that `micros` was given. Raises OverflowError beyond year 9999."""
    return _EPOCH + timedelta(microseconds=microseconds)


def folded(*texts: str) -> str:
    """The texts in the form in which searches compare them: NFKC, without case, one per line."""
    plain = unicodedata.normalize("NFKC", "\n".join(texts))
    return unicodedata.normalize("NFKC", plain.casefold())


def strings_text(values: Iterable[str]) -> str:
    """A JSON array."""
    return msgspec.json.encode(tuple(values)).decode()


def strings(text: str) -> tuple[str, ...]:
    """What `strings_text` was given. Raises msgspec.DecodeError, msgspec.ValidationError."""
    return _STRINGS.decode(text)


def conflict_values_text(values: tuple[ConflictValue, ...]) -> str:
    """A JSON array of objects; instants in ISO 8601 with microseconds."""
    return msgspec.json.encode(values).decode()


def conflict_values(text: str) -> tuple[ConflictValue, ...]:
    """What `conflict_values_text` was given. Raises like `strings`."""
    return _CONFLICT_VALUES.decode(text)
