"""Accounts and log-ins in one SQLite file."""

from collections.abc import Sequence
from datetime import datetime

from permissions.model import RoleChange
from storage import directory
from storage.database import Database
from storage.ports import (
    Ending,
    Login,
    User,
)

__all__ = ["SqliteDirectory"]


class SqliteDirectory:
    """Keeps `storage.ports.Directory`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readers = database.readers

    async def add_user(self, user: User) -> None:
        await self._database.write(lambda on: directory.add_user(on, user))

    async def update_user(self, user: User, at: datetime) -> None:
        await self._database.write(lambda on: directory.update_user(on, user, at))

    async def role_changes(self, user_id: str) -> Sequence[RoleChange]:
        return await self._readers.on_loop(lambda on: directory.read_role_changes(on, user_id))

    async def user(self, user_id: str) -> User:
        return await self._readers.at_once(lambda driver: directory.read_user(driver, user_id))

    async def user_by_username(self, username: str) -> User:
        return await self._readers.at_once(
            lambda driver: directory.read_user_by_username(driver, username)
        )

    async def users(self) -> Sequence[User]:
        return await self._readers.on_loop(directory.read_users)

    async def add_login(self, login: Login) -> None:
        await self._database.write(lambda on: directory.add_login(on, login))

    async def login_by_token_hash(self, token_hash: bytes) -> Login:
        return await self._readers.at_once(
            lambda driver: directory.read_login_by_token_hash(driver, token_hash)
        )

    async def login(self, login_id: str) -> Login:
        return await self._readers.at_once(lambda driver: directory.read_login(driver, login_id))

    async def logins(self, user_id: str) -> Sequence[Login]:
        return await self._readers.on_loop(lambda on: directory.read_logins(on, user_id))

    async def touch_login(self, login_id: str, at: datetime) -> None:
        await self._database.write(lambda on: directory.touch_login(on, login_id, at))

    async def note_skew(self, login_id: str, skew_ms: int, at: datetime) -> None:
        await self._database.write(lambda on: directory.note_skew(on, login_id, skew_ms, at))

    async def end_login(self, login_id: str, at: datetime, how: Ending) -> None:
        await self._database.write(lambda on: directory.end_login(on, login_id, at, how))
