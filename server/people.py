"""People and instants as every answer writes them (contract, section 4)."""

from typing import Annotated

import msgspec

from storage.ports import Store, User
from sync.instants import instant

__all__ = ["Instant", "People", "Person", "instant"]

Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601, UTC, milliseconds."""


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

    def id_of(self, name: str) -> str | None:
        """The id of the account with this id or, whatever its case, user name."""
        if name in self._users:
            return name
        wanted = name.casefold()
        found = (user.id for user in self._users.values() if user.username.casefold() == wanted)
        return next(found, None)

    def roles(self, user_id: str) -> frozenset[str]:
        """The roles of the account; none of one that is gone."""
        user = self._users.get(user_id)
        return user.roles if user is not None else frozenset()

    def person(self, user_id: str, role: str = "") -> Person:
        """The account with this id; one that is gone keeps its id alone."""
        user = self._users.get(user_id)
        if user is None:
            return Person(id=user_id, username="", name="", role=role)
        role = role or next(iter(sorted(user.roles)), "")
        return Person(id=user.id, username=user.username, name=user.name, role=role)
