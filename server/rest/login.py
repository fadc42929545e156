"""Signing in and out, who am I, and the signed-in devices of a person."""

import base64
from datetime import datetime
from typing import Annotated

import msgspec

from permissions.model import Principal
from server.accounts.credentials import address_of, clear_cookie, session_cookie
from server.rest.access import audit_call
from server.rest.endpoint import Answer, Call, Empty, Endpoint
from server.rest.shapes import Instant, Listing, instant
from storage.errors import LoginNotFound
from storage.ports import Login, User

__all__ = ["ENDPOINTS"]

MAX_DEVICE_CHARACTERS = 100


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """device: what people call this tablet; without it the browser's name stands there.

    device_time: what time it is there now, ISO 8601 with its offset.
    """

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    device: Annotated[str, msgspec.Meta(max_length=MAX_DEVICE_CHARACTERS)] = ""
    device_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The signed-in person with all their roles."""

    id: str
    username: str
    name: str
    roles: list[str]


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """token: for `Authorization: Bearer` and subprotocol `bearer.<token>`; it is shown once.

    seal_key: base64 of 32 bytes that seal what is written offline (docs/protocol.md); shown once,
    to be wiped from the device at signing out. offline_days: how long the device may let this
    person in by password without having reached the server.
    """

    token: str
    seal_key: str
    offline_days: int
    expires_at: Instant
    user: Account


class Me(Account, frozen=True, kw_only=True):
    """The signed-in person and the log-in that was used."""

    login_id: str


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in device of the caller; `current` is the one that asks.

    skew_ms: how far its clock runs ahead of the server's; null where it never told its time.
    """

    id: str
    device: str
    address: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    skew_ms: int | None
    current: bool


async def sign_in(call: Call[LoginRequest, Empty]) -> Answer:
    """A token in the body and the same in an HttpOnly cookie."""
    wanted = call.body
    device = wanted.device or _printable(call.header("user-agent") or "")
    token, login, user = await call.house.authenticator.sign_in(
        wanted.username, wanted.password, device, address_of(call.scope), wanted.device_time
    )
    return Answer(
        value=SignedIn(
            token=token,
            seal_key=base64.b64encode(login.seal_key).decode(),
            offline_days=call.house.settings.offline_unlock_days,
            expires_at=instant(login.expires_at),
            user=_account(user),
        ),
        headers={
            "Set-Cookie": session_cookie(token, call.scope, call.house.settings.login_max_seconds)
        },
    )


async def log_out(call: Call[None, Empty]) -> Answer:
    """End the log-in that asks; its live sockets are cut."""
    await call.house.authenticator.log_out(call.principal)
    return Answer(status=204, headers={"Set-Cookie": clear_cookie(call.scope)})


async def read_me(call: Call[None, Empty]) -> Answer:
    """The person behind the token."""
    who = call.principal
    return Answer(
        value=Me(
            id=who.user_id,
            username=who.username,
            name=who.name,
            roles=sorted(who.roles),
            login_id=who.login_id,
        )
    )


async def list_logins(call: Call[None, Empty]) -> Answer:
    """The caller's devices that are signed in, the last used first."""
    await audit_call(call, "logins_read")
    now = call.house.clock()
    logins = await call.house.store.directory.logins(call.principal.user_id)
    live = [login for login in logins if login.ended_at is None and login.expires_at > now]
    live.sort(key=lambda login: login.last_used_at, reverse=True)
    return Answer(value=Listing([_device(login, call.principal) for login in live]))


async def revoke_login(call: Call[None, Empty]) -> Answer:
    """Sign a device out; its live sockets are cut at once."""
    login_id = call.path["id"]
    if not login_id.isalnum() or not login_id.isascii():
        raise LoginNotFound
    await call.house.authenticator.revoke(call.principal, login_id)
    return Answer(status=204)


def _account(user: User) -> Account:
    return Account(id=user.id, username=user.username, name=user.name, roles=sorted(user.roles))


def _device(login: Login, principal: Principal) -> Device:
    used: datetime = login.last_used_at
    return Device(
        id=login.id,
        device=login.device,
        address=login.address,
        created_at=instant(login.created_at),
        last_used_at=instant(used),
        expires_at=instant(login.expires_at),
        skew_ms=login.skew_ms,
        current=login.id == principal.login_id,
    )


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:MAX_DEVICE_CHARACTERS]


ENDPOINTS = (
    Endpoint(
        method="POST", path="/api/login", summary="Sign in", handle=sign_in,
        body=LoginRequest, answer=SignedIn, public=True,
        statuses=(400, 401, 403, 413, 422, 429, 503),
    ),
    Endpoint(
        method="POST", path="/api/logout", summary="Sign out", handle=log_out,
        status=204, statuses=(403,), audit="logout",
    ),
    Endpoint(method="GET", path="/api/me", summary="Who am I", handle=read_me, answer=Me),
    Endpoint(
        method="GET", path="/api/logins", summary="My signed-in devices", handle=list_logins,
        answer=Listing[Device], audit="logins_read",
    ),
    Endpoint(
        method="DELETE", path="/api/logins/{id}", summary="Sign a device out", handle=revoke_login,
        status=204, statuses=(403, 404), audit="login_revoked",
    ),
)  # fmt: skip
