"""Accounts and log-ins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from permissions.model import RoleChange

__all__ = ["Directory", "Ending", "Login", "User"]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `password_hash` is argon2id in PHC form."""

    id: str
    username: str
    name: str
    roles: frozenset[str]
    password_hash: str
    disabled: bool
    created_at: datetime


Ending = Literal["signed_out", "expired", "revoked"]
"""How a log-in ended: by its owner's hand, by itself, or because somebody did not trust it."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in device. `token_hash` is SHA-256 of the token, which is never stored.

    ended_at, ending: when it ended and how; who ended it for somebody else made it `revoked`, and
    then nothing that was sealed on it is believed any more.
    seal_key: 32 bytes, for the seals of its journal (`sync/journal.py`); empty: it has none.
    skew_ms: how far its clock runs ahead of ours; None: it never told its time.
    """

    id: str
    user_id: str
    token_hash: bytes
    device: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    ending: Ending | None = None
    seal_key: bytes = b""
    skew_ms: int | None = None


class Directory(Protocol):
    """Accounts and log-ins."""

    async def add_user(self, user: User) -> None:
        """Raises UserExists (user names are compared case-insensitively)."""

    async def update_user(self, user: User, at: datetime) -> None:
        """Replace name, roles, password_hash, disabled. Raises UserNotFound.

        Other roles than before count from `at` on, and what they were stays known.
        """

    async def role_changes(self, user_id: str) -> Sequence[RoleChange]:
        """Which roles the account has had, oldest first; empty for one that there is not."""

    async def user(self, user_id: str) -> User: ...

    async def user_by_username(self, username: str) -> User: ...

    async def users(self) -> Sequence[User]: ...

    async def add_login(self, login: Login) -> None: ...

    async def login_by_token_hash(self, token_hash: bytes) -> Login:
        """Raises LoginNotFound."""

    async def login(self, login_id: str) -> Login:
        """Raises LoginNotFound."""

    async def logins(self, user_id: str) -> Sequence[Login]: ...

    async def touch_login(self, login_id: str, at: datetime) -> None: ...

    async def note_skew(self, login_id: str, skew_ms: int, at: datetime) -> None:
        """Set how far the log-in's clock runs ahead. Raises LoginNotFound."""

    async def end_login(self, login_id: str, at: datetime, how: Ending) -> None:
        """Idempotent: the first time stands, but `revoked` replaces any other ending.

        Raises LoginNotFound.
        """
