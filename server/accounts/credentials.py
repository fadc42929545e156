"""Where a request carries its token, and whether the page it comes from may use the cookie.

One reading for HTTP, `/sync` and `/collab`, on the raw ASGI scope. A token never comes in the URL.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from starlette.types import Scope

from server.errors import OriginNotAllowed

__all__ = [
    "COOKIE",
    "Credentials",
    "address_of",
    "check_origin",
    "clear_cookie",
    "credentials_from",
    "is_secure",
    "session_cookie",
    "subprotocol_from",
]

COOKIE = "fieldchart_session"
TOKEN_PROTOCOL = "bearer."

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}\Z")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


class Credentials(msgspec.Struct, frozen=True):
    """A token as it arrived, not yet known to be good. A cookie is sent by browsers unasked."""

    token: str
    source: Literal["bearer", "subprotocol", "cookie"]


def credentials_from(scope: Scope) -> Credentials | None:
    """The token: of `Authorization: Bearer`, else subprotocol `bearer.<token>`, else the cookie.

    None where there is none, where it cannot be a token, or where two different ones arrive.
    """
    bearer = [
        value for value in _headers(scope, b"authorization") if value[:7].lower() == "bearer "
    ]
    if bearer:
        return _only([value[7:].strip() for value in bearer], "bearer")
    offered = [name for name in _offered(scope) if name.startswith(TOKEN_PROTOCOL)]
    if offered:
        return _only([name.removeprefix(TOKEN_PROTOCOL) for name in offered], "subprotocol")
    cookies = [
        value.strip().strip('"')
        for header in _headers(scope, b"cookie")
        for name, _, value in (part.partition("=") for part in header.split(";"))
        if name.strip() == COOKIE
    ]
    return _only(cookies, "cookie")


def subprotocol_from(scope: Scope) -> str | None:
    """The subprotocol to select: the first offered that is not the token."""
    return next((name for name in _offered(scope) if not name.startswith(TOKEN_PROTOCOL)), None)


def check_origin(scope: Scope, credentials: Credentials | None, allowed: Iterable[str]) -> None:
    """Raise OriginNotAllowed where a browser's own cookie could act for a foreign page.

    A cookie on a WebSocket or a state-changing call needs an `Origin` that is this host or allowed;
    a call without cookie (signing in) needs it only if it names one.
    """
    if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
        return
    if credentials is not None and credentials.source != "cookie":
        return
    origins = _headers(scope, b"origin")
    if not origins and credentials is None:
        return
    if len(origins) != 1 or not _is_allowed(origins[0], scope, allowed):
        raise OriginNotAllowed


def _is_allowed(origin: str, scope: Scope, allowed: Iterable[str]) -> bool:
    hosts = _headers(scope, b"host")
    wanted = _normal_origin(origin)
    if wanted is None:
        return False
    if any(wanted == _normal_origin(other) for other in allowed):
        return True
    scheme = "https" if is_secure(scope) else "http"
    return len(hosts) == 1 and wanted == _normal_origin(f"{scheme}://{hosts[0]}")


def _normal_origin(origin: str) -> tuple[str, str, str] | None:
    match = re.fullmatch(
        r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", origin.lower()
    )
    if match is None:
        return None
    scheme, host, port = match.groups()
    return scheme, host, port or _DEFAULT_PORTS[scheme]


def is_secure(scope: Scope) -> bool:
    """Whether the request came over TLS (to us, or to a trusted proxy)."""
    return scope.get("scheme") in ("https", "wss")


def address_of(scope: Scope) -> str:
    """The peer's network address as audit rows name it; empty where the transport has none."""
    client: Any = scope.get("client")
    return str(client[0]) if client else ""


def session_cookie(token: str, scope: Scope, max_age_seconds: int) -> str:
    """The Set-Cookie value that signs a browser in: out of reach of scripts and foreign pages."""
    return _cookie(token, scope, max_age_seconds)


def clear_cookie(scope: Scope) -> str:
    """The Set-Cookie value that forgets the token."""
    return _cookie("", scope, 0)


def _cookie(value: str, scope: Scope, max_age_seconds: int) -> str:
    secure = "; Secure" if is_secure(scope) else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}"


def _only(
    tokens: Sequence[str], source: Literal["bearer", "subprotocol", "cookie"]
) -> Credentials | None:
    different = set(tokens)
    if len(different) != 1:
        return None
    token = different.pop()
    return Credentials(token, source) if _TOKEN.match(token) else None


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]


def _offered(scope: Scope) -> list[str]:
    if scope["type"] != "websocket":
        return []
    if "subprotocols" in scope:
        return list(scope["subprotocols"])
    return [
        part.strip()
        for header in _headers(scope, b"sec-websocket-protocol")
        for part in header.split(",")
    ]
