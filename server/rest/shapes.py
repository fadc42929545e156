"""The JSON shapes that several resources share (contract, section 4)."""

import base64
import binascii
import re
from typing import Annotated, Generic, TypeVar

import msgspec

from permissions.model import Rule
from server.people import Instant, People, Person, instant
from server.problems import invalid
from storage.errors import RecordNotFound
from storage.ports import Store

__all__ = [
    "JUDGEMENT",
    "PAGE_LIMIT",
    "Cursor",
    "Instant",
    "Listing",
    "People",
    "Person",
    "Reason",
    "cursor_after",
    "id_after",
    "instant",
    "judgement_id",
    "record_id_of",
    "stored_json",
]

Item = TypeVar("Item")

Cursor = Annotated[str, msgspec.Meta(max_length=200, description="`next` of the page before.")]

Reason = Annotated[str, msgspec.Meta(pattern=r"\S", max_length=1000)]
"""A sentence for people; it is kept with the decision."""

PAGE_LIMIT = 200
"""Items of one page at most."""

JUDGEMENT = re.compile(r"[1-9][0-9]{0,17}\.[1-9][0-9]{0,5}\Z", re.ASCII)
"""What the id of a conflict or refusal looks like: `<version>.<n>`."""

_ADDRESS = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}\Z", re.ASCII)


class Listing(msgspec.Struct, Generic[Item], frozen=True):
    """One page. next: goes back as `?cursor=`; null on the last page."""

    items: list[Item]
    next: str | None = None


def cursor_after(record_id: str) -> str:
    """An opaque cursor to what follows `record_id`."""
    return base64.urlsafe_b64encode(b"1" + record_id.encode()).decode().rstrip("=")


def id_after(cursor: str | None, shape: re.Pattern[str] = _ADDRESS) -> str | None:
    """The id inside a cursor that `cursor_after` made. Raises InvalidRequest for any other.

    shape: what ids of the listing look like.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        text = raw.decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.") from error
    if not text.startswith("1") or not shape.match(text[1:]):
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.")
    return text[1:]


def judgement_id(text: str) -> str | None:
    """The id of a conflict or refusal, `<version>.<n>`; None for what cannot be one."""
    return text if JUDGEMENT.match(text) else None


def stored_json(text: str) -> msgspec.Raw:
    """JSON text goes out as it was stored; an empty one is null."""
    return msgspec.Raw((text or "null").encode())


async def record_id_of(store: Store, address: str) -> str:
    """The id of the record that a path names by id or number. Raises RecordNotFound.

    What cannot be either never reaches the store: separators, globs, NUL, letters that look alike.
    People write `opd-000412`: what is not there as it is written is looked for in capitals.
    """
    if not _ADDRESS.match(address):
        raise RecordNotFound
    try:
        return await store.records.resolve(address)
    except RecordNotFound:
        if address == address.upper():
            raise
        return await store.records.resolve(address.upper())
