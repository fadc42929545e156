"""Accounts over HTTP, for administrators: list, make, change, close.

No account is ever removed: what it wrote stays its own. Nobody closes or demotes themselves, so
that one administrator is always left. Changes are audited with ids, never with a name or password.
"""

from typing import Annotated, Any

import msgspec
from ulid import ULID

from permissions.model import Rule
from server.accounts.passwords import MAX_PASSWORD_CHARACTERS
from server.errors import NotAllowed
from server.problems import invalid
from server.rest.access import audit_call
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.shapes import Instant, Listing, instant
from storage.errors import UserNotFound
from storage.ports import User

__all__ = ["ENDPOINTS"]

ADMIN = "admin"
SHORTEST_PASSWORD = 8
"""NIST SP 800-63B, 5.1.1.2."""

MAX_ROLES = 32

_Password = Annotated[
    str, msgspec.Meta(min_length=SHORTEST_PASSWORD, max_length=MAX_PASSWORD_CHARACTERS)
]
_Username = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_FullName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Roles = Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_ROLES)]


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """name: as colleagues see it; without one it is the user name."""

    username: _Username
    password: _Password
    roles: _Roles
    name: _FullName | None = None


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. A new password signs all devices of the account out."""

    name: _FullName | msgspec.UnsetType = msgspec.UNSET
    roles: _Roles | msgspec.UnsetType = msgspec.UNSET
    password: _Password | msgspec.UnsetType = msgspec.UNSET
    disabled: bool | msgspec.UnsetType = msgspec.UNSET


class UserAccount(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    username: str
    name: str
    roles: list[str]
    disabled: bool
    created_at: Instant


class Accounts(Listing[UserAccount], frozen=True):
    """roles: every role that an account may have, with its title; by what profiles declare."""

    roles: dict[str, str] = msgspec.field(default_factory=dict)


async def list_users(call: Call[None, Empty]) -> Answer:
    """All accounts by user name, and the roles that there are."""
    _check_admin(call)
    users = sorted(await call.house.store.directory.users(), key=lambda user: user.username)
    await audit_call(call, "query", detail="users")
    return Answer(value=Accounts(items=[_account(user) for user in users], roles=_roles(call)))


async def add_user(call: Call[NewAccount, Empty]) -> Answer:
    """A new account. 409 where the user name is taken."""
    _check_admin(call)
    wanted = call.body
    if not wanted.username.isprintable() or any(letter.isspace() for letter in wanted.username):
        raise invalid("username", Rule.TYPE, "A user name is printable and has no spaces.")
    user = User(
        id=str(ULID()),
        username=wanted.username,
        name=_printable(wanted.name or wanted.username),
        roles=_known_roles(call, wanted.roles),
        password_hash=await call.house.authenticator.passwords.hashed(wanted.password),
        disabled=False,
        created_at=call.house.clock(),
    )
    await call.house.store.directory.add_user(user)
    await audit_call(call, "user_added", detail=f"user={user.id} roles={_joined(user)}")
    return Answer(value=_account(user), status=201)


async def change_user(call: Call[AccountChange, Empty]) -> Answer:
    """Change an account; its devices are signed out where it is closed or has another password."""
    _check_admin(call)
    house, wanted, at = call.house, call.body, call.house.clock()
    before = await _user(call)
    after = before
    if wanted.name is not msgspec.UNSET:
        after = msgspec.structs.replace(after, name=_printable(wanted.name))
    if wanted.roles is not msgspec.UNSET:
        after = msgspec.structs.replace(after, roles=_known_roles(call, wanted.roles))
    if wanted.disabled is not msgspec.UNSET:
        after = msgspec.structs.replace(after, disabled=wanted.disabled)
    if before.id == call.principal.user_id and (after.disabled or ADMIN not in after.roles):
        name = "disabled" if after.disabled else "roles"
        raise invalid(name, Rule.TRANSITION, "Another administrator does this to you.")
    if wanted.password is not msgspec.UNSET:
        hashed = await house.authenticator.passwords.hashed(wanted.password)
        after = msgspec.structs.replace(after, password_hash=hashed)
    if after != before:
        await house.store.directory.update_user(after, at)
    if after.roles != before.roles:
        await audit_call(call, "roles_changed", detail=f"user={after.id} roles={_joined(after)}")
    if after.password_hash != before.password_hash:
        await audit_call(call, "password_changed", detail=f"user={after.id}")
    if after.disabled != before.disabled:
        closed = "yes" if after.disabled else "no"
        await audit_call(call, "user_disabled", detail=f"user={after.id} closed={closed}")
    if after.disabled or after.password_hash != before.password_hash:
        for login in await house.store.directory.logins(after.id):
            if login.ending != "revoked" and login.id != call.principal.login_id:
                await house.store.directory.end_login(login.id, at, "revoked")
    return Answer(value=_account(after))


def _check_admin(call: Call[Any, Empty]) -> None:
    if ADMIN not in call.principal.roles:
        raise NotAllowed("Only administrators see and change accounts.")


async def _user(call: Call[AccountChange, Empty]) -> User:
    user_id = call.path["id"]
    if not user_id.isalnum() or not user_id.isascii():
        raise UserNotFound
    return await call.house.store.directory.user(user_id)


def _roles(call: Call[Any, Empty]) -> dict[str, str]:
    known = {ADMIN: "Administrator"}
    for policy in call.house.policies.values():
        known |= {name: role.title for name, role in policy.profile.roles.items()}
    return known


def _known_roles(call: Call[Any, Empty], wanted: list[str]) -> frozenset[str]:
    unknown = sorted(set(wanted) - _roles(call).keys())
    if unknown:
        raise invalid("roles", Rule.RANGE, "No profile that is served here has such a role.")
    return frozenset(wanted)


def _printable(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise invalid("name", Rule.TYPE, "A name is printable.")
    return name.strip()


def _joined(user: User) -> str:
    return ",".join(sorted(user.roles))


def _account(user: User) -> UserAccount:
    return UserAccount(
        id=user.id, username=user.username, name=user.name, roles=sorted(user.roles),
        disabled=user.disabled, created_at=instant(user.created_at),
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="GET", path="/api/users", summary="Accounts", handle=list_users, answer=Accounts,
        statuses=(403,), audit="query",
    ),
    Endpoint(
        method="POST", path="/api/users", summary="A new account", handle=add_user,
        body=NewAccount, answer=UserAccount, status=201,
        statuses=(400, 403, 409, 413, 422, 503), audit="user_added",
    ),
    Endpoint(
        method="PATCH", path="/api/users/{id}", summary="Change an account", handle=change_user,
        body=AccountChange, answer=UserAccount,
        statuses=(400, 403, 404, 413, 422, 503), audit="roles_changed",
    ),
)  # fmt: skip
