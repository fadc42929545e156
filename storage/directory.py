"""Accounts and log-ins. User names are unique without regard to case (`username_folded`)."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import folded, instant, micros, strings, strings_text
from storage.errors import LoginNotFound, UserExists, UserNotFound
from storage.ports import Login, User
from storage.tables import logins, users

__all__ = [
    "add_login",
    "add_user",
    "read_login",
    "read_logins",
    "read_user",
    "read_user_by_username",
    "read_users",
    "revoke_login",
    "touch_login",
    "update_user",
]

_USER = [column for column in users.c if column.name != "username_folded"]
_LOGIN = [column for column in logins.c if column.name != "sequence"]


def add_user(connection: Connection, user: User) -> None:
    """Raises UserExists when the id or the name is taken."""
    statement = insert(users).values(
        id=user.id,
        username=user.username,
        username_folded=folded(user.username),
        name=user.name,
        roles=strings_text(sorted(user.roles)),
        password_hash=user.password_hash,
        disabled=int(user.disabled),
        created_at=micros(user.created_at),
    )
    try:
        connection.execute(statement)
    except IntegrityError as error:
        raise UserExists from error


def update_user(connection: Connection, user: User) -> None:
    """Replace name, roles, password_hash and disabled. Raises UserNotFound."""
    statement = (
        update(users)
        .where(users.c.id == user.id)
        .values(
            name=user.name,
            roles=strings_text(sorted(user.roles)),
            password_hash=user.password_hash,
            disabled=int(user.disabled),
        )
    )
    if connection.execute(statement).rowcount == 0:
        raise UserNotFound


def add_login(connection: Connection, login: Login) -> None:
    """Raises UserNotFound; a repeated id or token is StoreUnavailable, it cannot be chance."""
    statement = insert(logins).values(
        id=login.id,
        user_id=login.user_id,
        token_hash=login.token_hash,
        device=login.device,
        address=login.address,
        created_at=micros(login.created_at),
        last_used_at=micros(login.last_used_at),
        expires_at=micros(login.expires_at),
        revoked_at=None if login.revoked_at is None else micros(login.revoked_at),
    )
    try:
        connection.execute(statement)
    except IntegrityError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise UserNotFound from error
        raise


def touch_login(connection: Connection, login_id: str, at: datetime) -> None:
    """Set when the log-in was last used. Raises LoginNotFound."""
    statement = update(logins).where(logins.c.id == login_id).values(last_used_at=micros(at))
    if connection.execute(statement).rowcount == 0:
        raise LoginNotFound


def revoke_login(connection: Connection, login_id: str, at: datetime) -> None:
    """Idempotent: the first time stands. Raises LoginNotFound."""
    first = func.coalesce(logins.c.revoked_at, micros(at))
    statement = update(logins).where(logins.c.id == login_id).values(revoked_at=first)
    if connection.execute(statement).rowcount == 0:
        raise LoginNotFound


def _user(row: RowMapping | dict[str, Any]) -> User:
    values = dict(row)
    values["roles"] = frozenset(strings(values["roles"]))
    values["disabled"] = bool(values["disabled"])
    values["created_at"] = instant(values["created_at"])
    return User(**values)


def _login(row: RowMapping | dict[str, Any]) -> Login:
    values = dict(row)
    for name in ("created_at", "last_used_at", "expires_at"):
        values[name] = instant(values[name])
    if values["revoked_at"] is not None:
        values["revoked_at"] = instant(values["revoked_at"])
    return Login(**values)


_USER_NAMES = tuple(column.name for column in _USER)
_LOGIN_NAMES = tuple(column.name for column in _LOGIN)
_BY_USER_ID = f"SELECT {', '.join(_USER_NAMES)} FROM users WHERE id = ?"
_BY_USERNAME = f"SELECT {', '.join(_USER_NAMES)} FROM users WHERE username_folded = ?"
_BY_TOKEN = f"SELECT {', '.join(_LOGIN_NAMES)} FROM logins WHERE token_hash = ?"


def _one_user(connection: sqlite3.Connection, query: str, key: str) -> User:
    found = connection.execute(query, (key,)).fetchone()
    if found is None:
        raise UserNotFound
    return _user(dict(zip(_USER_NAMES, found, strict=True)))


def read_user(connection: sqlite3.Connection, user_id: str) -> User:
    """Raises UserNotFound."""
    return _one_user(connection, _BY_USER_ID, user_id)


def read_user_by_username(connection: sqlite3.Connection, username: str) -> User:
    """Compared without case. Raises UserNotFound."""
    return _one_user(connection, _BY_USERNAME, folded(username))


async def read_users(connection: AsyncConnection) -> Sequence[User]:
    """All accounts by user name."""
    found = await connection.execute(select(*_USER).order_by(users.c.username_folded))
    return [_user(row) for row in found.mappings()]


def read_login(connection: sqlite3.Connection, token_hash: bytes) -> Login:
    """Raises LoginNotFound."""
    found = connection.execute(_BY_TOKEN, (token_hash,)).fetchone()
    if found is None:
        raise LoginNotFound
    return _login(dict(zip(_LOGIN_NAMES, found, strict=True)))


async def read_logins(connection: AsyncConnection, user_id: str) -> Sequence[Login]:
    """The user's log-ins, oldest first."""
    query = select(*_LOGIN).where(logins.c.user_id == user_id).order_by(logins.c.sequence)
    return [_login(row) for row in (await connection.execute(query)).mappings()]
