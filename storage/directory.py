"""Accounts and log-ins. User names are unique without regard to case (`username_folded`)."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Update, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from permissions.model import RoleChange
from storage.attesting import attest
from storage.columns import folded, instant, micros, strings, strings_text
from storage.errors import LoginNotFound, UserExists, UserNotFound
from storage.ports import Ending, Login, User
from storage.tables import logins, role_changes, users

__all__ = [
    "add_login",
    "add_user",
    "end_login",
    "note_skew",
    "read_login",
    "read_login_by_token_hash",
    "read_logins",
    "read_role_changes",
    "read_user",
    "read_user_by_username",
    "read_users",
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
    attest(connection, "users", [user.id], micros(user.created_at))
    _note_roles(connection, user, user.created_at)


def update_user(connection: Connection, user: User, at: datetime) -> None:
    """Replace name, roles, password_hash and disabled. Raises UserNotFound."""
    before = connection.execute(select(users.c.roles).where(users.c.id == user.id)).scalar()
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
    attest(connection, "users", [user.id], micros(at))
    if before != strings_text(sorted(user.roles)):
        _note_roles(connection, user, at)


def _note_roles(connection: Connection, user: User, at: datetime) -> None:
    roles = strings_text(sorted(user.roles))
    statement = insert(role_changes).values(user_id=user.id, at=micros(at), roles=roles)
    done = connection.execute(statement)
    attest(connection, "role_changes", done.inserted_primary_key or (), micros(at))


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
        ended_at=None if login.ended_at is None else micros(login.ended_at),
        ending=login.ending,
        seal_key=login.seal_key or None,
        skew_ms=login.skew_ms,
    )
    try:
        connection.execute(statement)
    except IntegrityError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise UserNotFound from error
        raise
    attest(connection, "logins", [login.id], micros(login.created_at))


def touch_login(connection: Connection, login_id: str, at: datetime) -> None:
    """Set when the log-in was last used. Raises LoginNotFound."""
    statement = update(logins).where(logins.c.id == login_id).values(last_used_at=micros(at))
    if connection.execute(statement).rowcount == 0:
        raise LoginNotFound


def note_skew(connection: Connection, login_id: str, skew_ms: int, at: datetime) -> None:
    """Set how far the log-in's clock runs ahead. Raises LoginNotFound."""
    statement = update(logins).where(logins.c.id == login_id).values(skew_ms=skew_ms)
    _update_login(connection, login_id, statement, at)


def end_login(connection: Connection, login_id: str, at: datetime, how: Ending) -> None:
    """The first time stands, but `revoked` replaces any other ending. Raises LoginNotFound."""
    ending = how if how == "revoked" else func.coalesce(logins.c.ending, how)
    first = func.coalesce(logins.c.ended_at, micros(at))
    statement = update(logins).where(logins.c.id == login_id).values(ended_at=first, ending=ending)
    _update_login(connection, login_id, statement, at)


def _update_login(connection: Connection, login_id: str, statement: Update, at: datetime) -> None:
    if connection.execute(statement).rowcount == 0:
        raise LoginNotFound
    attest(connection, "logins", [login_id], micros(at))


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
    if values["ended_at"] is not None:
        values["ended_at"] = instant(values["ended_at"])
    values["seal_key"] = values["seal_key"] or b""
    return Login(**values)


_USER_NAMES = tuple(column.name for column in _USER)
_LOGIN_NAMES = tuple(column.name for column in _LOGIN)
_BY_USER_ID = f"SELECT {', '.join(_USER_NAMES)} FROM users WHERE id = ?"
_BY_USERNAME = f"SELECT {', '.join(_USER_NAMES)} FROM users WHERE username_folded = ?"
_BY_LOGIN_ID = f"SELECT {', '.join(_LOGIN_NAMES)} FROM logins WHERE id = ?"
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


def read_login(connection: sqlite3.Connection, login_id: str) -> Login:
    """Raises LoginNotFound."""
    return _one_login(connection, _BY_LOGIN_ID, login_id)


def read_login_by_token_hash(connection: sqlite3.Connection, token_hash: bytes) -> Login:
    """Raises LoginNotFound."""
    return _one_login(connection, _BY_TOKEN, token_hash)


def _one_login(connection: sqlite3.Connection, query: str, key: object) -> Login:
    found = connection.execute(query, (key,)).fetchone()
    if found is None:
        raise LoginNotFound
    return _login(dict(zip(_LOGIN_NAMES, found, strict=True)))


async def read_logins(connection: AsyncConnection, user_id: str) -> Sequence[Login]:
    """The user's log-ins, oldest first."""
    query = select(*_LOGIN).where(logins.c.user_id == user_id).order_by(logins.c.sequence)
    return [_login(row) for row in (await connection.execute(query)).mappings()]


async def read_role_changes(connection: AsyncConnection, user_id: str) -> Sequence[RoleChange]:
    """Which roles the account has had, oldest first."""
    query = (
        select(role_changes.c.at, role_changes.c.roles)
        .where(role_changes.c.user_id == user_id)
        .order_by(role_changes.c.sequence)
    )
    found = await connection.execute(query)
    return [RoleChange(instant(at), frozenset(strings(roles))) for at, roles in found]
