"""The JSON shapes that several resources share (contract, section 4)."""

import base64
import binascii
import re
from typing import Annotated, Generic, TypeVar

import msgspec

from permissions.model import Rule
from server.problems import invalid
from storage.errors import RecordNotFound
from storage.ports import Store, User
from sync.instants import instant

__all__ = [
    "Cursor",
    "Instant",
    "Listing",
    "People",
    "Person",
    "cursor_after",
    "id_after",
    "instant",
    "record_id_of",
]

Item = TypeVar("Item")

Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601, UTC, milliseconds."""

Cursor = Annotated[str, msgspec.Meta(max_length=200, description="`next` of the page before.")]

_ADDRESS = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}\Z", re.ASCII)


class Listing(msgspec.Struct, Generic[Item], frozen=True):
    """One page. next: goes back as `?cursor=`; null on the last page."""

    items: list[Item]
    next: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person wherever one appears. role: the one they acted in, where it is known."""

    id: str
    username: str
    name: str
    role: str


class People:
    """Finds the person behind an id, with one reading of the directory."""

    def __init__(self, users: dict[str, User]) -> None:
        self._users = users

    @classmethod
    async def read(cls, store: Store) -> "People":
        return cls({user.id: user for user in await store.directory.users()})

    def person(self, user_id: str, role: str = "") -> Person:
        """The account with this id; one that is gone keeps its id alone."""
        user = self._users.get(user_id)
        if user is None:
            return Person(id=user_id, username="", name="", role=role)
        role = role or next(iter(sorted(user.roles)), "")
        return Person(id=user.id, username=user.username, name=user.name, role=role)


def cursor_after(record_id: str) -> str:
    """An opaque cursor to what follows `record_id`."""
    return base64.urlsafe_b64encode(b"1" + record_id.encode()).decode().rstrip("=")


def id_after(cursor: str | None) -> str | None:
    """The id inside a cursor that `cursor_after` made. Raises InvalidRequest for any other."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        text = raw.decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.") from error
    if not text.startswith("1") or not _ADDRESS.match(text[1:]):
        raise invalid("cursor", Rule.TYPE, "This is not a cursor of this listing.")
    return text[1:]


async def record_id_of(store: Store, address: str) -> str:
    """The id of the record that a path names by id or number. Raises RecordNotFound.

    What cannot be either never reaches the store: separators, globs, NUL, letters that look alike.
    """
    if not _ADDRESS.match(address):
        raise RecordNotFound
    return await store.records.resolve(address)
