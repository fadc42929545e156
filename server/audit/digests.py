"""Digests in the trail of what stands elsewhere, so that `verify` notices when that is altered.

Each starts from bytes that never leave the database, so that nobody can guess a value by it.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from sync.effects import Conflict, Refusal

__all__ = ["digest_of", "parts_of"]

_DIGITS = 32
"""Hexadecimal digits: 128 bits, which nobody finds a second refusal for."""

_encode = msgspec.msgpack.Encoder().encode


def digest_of(secret: bytes, judged: Sequence[Refusal | Conflict]) -> str:
    """The digest of refusals or conflicts as they are stored. secret: bytes that stay with them."""
    return hashlib.sha256(secret + _encode(judged)).hexdigest()[:_DIGITS]


def parts_of(detail: str) -> dict[str, str]:
    """The `name=value` parts of an entry's detail."""
    pairs = (part.partition("=") for part in detail.split())
    return {name: value for name, _, value in pairs}
