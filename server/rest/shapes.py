"""The JSON shapes that several resources share (contract, section 4)."""

import base64
import binascii
import re
from typing import Annotated, Generic, TypeVar

import msgspec

from permissions.model import Rule
from server.addresses import ADDRESS
from server.people import Instant, People, Person, instant
from server.problems import invalid

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


class Listing(msgspec.Struct, Generic[Item], frozen=True):
    """One page. next: goes back as `?cursor=`; null on the last page."""

    items: list[Item]
    next: str | None = None


def cursor_after(record_id: str) -> str:
    """An opaque cursor to what follows `record_id`."""
    return base64.urlsafe_b64encode(b"1" + record_id.encode()).decode().rstrip("=")


def id_after(cursor: str | None, shape: re.Pattern[str] = ADDRESS) -> str | None:
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
