"""People, their roles and log-ins in memory."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from permissions.model import RoleChange
from storage.columns import folded
from storage.errors import LoginNotFound, StoreUnavailable, UserExists, UserNotFound
from storage.memory_trail import MemoryTrail
from storage.ports import Ending, Login, User

__all__ = ["MemoryDirectory"]


class MemoryDirectory:
    """Keeps `storage.ports.Directory`."""

    def __init__(self, trail: MemoryTrail) -> None:
        self._trail = trail
        self._users: dict[str, User] = {}
        self._logins: dict[str, Login] = {}
        self._roles: dict[str, list[RoleChange]] = {}

    async def add_user(self, user: User) -> None:
        self._trail.require_open()
        taken = {folded(known.username) for known in self._users.values()}
        if user.id in self._users or folded(user.username) in taken:
            raise UserExists
        self._keep_user(user, user.created_at)
        self._note_roles(user, user.created_at)

    async def update_user(self, user: User, at: datetime) -> None:
        known = await self.user(user.id)
        kept = {"username": known.username, "created_at": known.created_at}
        self._keep_user(msgspec.structs.replace(user, **kept), at)
        if user.roles != known.roles:
            self._note_roles(user, at)

    def _keep_user(self, user: User, at: datetime) -> None:
        self._users[user.id] = user
        self._trail.attest("users", user.id, at, user)

    def _note_roles(self, user: User, at: datetime) -> None:
        self._roles.setdefault(user.id, []).append(RoleChange(at, user.roles))
        sequence = sum(len(changes) for changes in self._roles.values())
        self._trail.attest("role_changes", sequence, at, user)

    async def user(self, user_id: str) -> User:
        self._trail.require_open()
        try:
            return self._users[user_id]
        except KeyError:
            raise UserNotFound from None

    async def user_by_username(self, username: str) -> User:
        self._trail.require_open()
        for user in self._users.values():
            if folded(user.username) == folded(username):
                return user
        raise UserNotFound

    async def users(self) -> Sequence[User]:
        self._trail.require_open()
        return sorted(self._users.values(), key=lambda user: folded(user.username))

    async def add_login(self, login: Login) -> None:
        await self.user(login.user_id)
        for known in self._logins.values():
            if known.id == login.id or known.token_hash == login.token_hash:
                raise StoreUnavailable("a constraint of the database refused the operation")
        self._keep_login(login, login.created_at)

    def _keep_login(self, login: Login, at: datetime) -> None:
        self._logins[login.id] = login
        self._trail.attest("logins", login.id, at, login)

    async def login_by_token_hash(self, token_hash: bytes) -> Login:
        self._trail.require_open()
        for login in self._logins.values():
            if login.token_hash == token_hash:
                return login
        raise LoginNotFound

    async def login(self, login_id: str) -> Login:
        return self._login(login_id)

    async def role_changes(self, user_id: str) -> Sequence[RoleChange]:
        self._trail.require_open()
        return list(self._roles.get(user_id, ()))

    async def logins(self, user_id: str) -> Sequence[Login]:
        self._trail.require_open()
        return [login for login in self._logins.values() if login.user_id == user_id]

    async def touch_login(self, login_id: str, at: datetime) -> None:
        self._logins[login_id] = msgspec.structs.replace(self._login(login_id), last_used_at=at)

    async def note_skew(self, login_id: str, skew_ms: int, at: datetime) -> None:
        self._keep_login(msgspec.structs.replace(self._login(login_id), skew_ms=skew_ms), at)

    async def end_login(self, login_id: str, at: datetime, how: Ending) -> None:
        login = self._login(login_id)
        ended = msgspec.structs.replace(
            login,
            ended_at=login.ended_at or at,
            ending=how if how == "revoked" else login.ending or how,
        )
        self._keep_login(ended, at)

    def all_logins(self) -> Sequence[Login]:
        """Those of everybody."""
        return list(self._logins.values())

    def _login(self, login_id: str) -> Login:
        self._trail.require_open()
        try:
            return self._logins[login_id]
        except KeyError:
            raise LoginNotFound from None
