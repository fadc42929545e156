"""Where a token may come from, and which pages may use the cookie."""

from typing import Any

import pytest

from server.accounts.credentials import (
    Credentials,
    check_origin,
    credentials_from,
    session_cookie,
    subprotocol_from,
)
from server.errors import OriginNotAllowed

TOKEN = "t" * 43
OTHER = "u" * 43


def scope(
    *headers: tuple[str, str], kind: str = "http", method: str = "GET", scheme: str = "http"
) -> dict[str, Any]:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": kind, "method": method, "scheme": scheme, "path": "/", "headers": raw}


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (scope(("authorization", f"Bearer {TOKEN}")), Credentials(TOKEN, "bearer")),
        (scope(("authorization", f"bearer  {TOKEN}")), Credentials(TOKEN, "bearer")),
        (scope(("cookie", f"a=b; fieldchart_session={TOKEN}")), Credentials(TOKEN, "cookie")),
        (
            scope(("sec-websocket-protocol", f"yjs, bearer.{TOKEN}"), kind="websocket"),
            Credentials(TOKEN, "subprotocol"),
        ),
        (
            scope(("authorization", f"Bearer {TOKEN}"), ("cookie", f"fieldchart_session={OTHER}")),
            Credentials(TOKEN, "bearer"),
        ),
        (scope(("sec-websocket-protocol", f"bearer.{TOKEN}")), None),
        (scope(("authorization", "Basic abc")), None),
        (scope(("authorization", "Bearer ../../etc")), None),
        (scope(("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {OTHER}")), None),
        (
            scope(("cookie", f"fieldchart_session={TOKEN}; fieldchart_session={OTHER}")),
            None,
        ),
        (scope(("cookie", f"xfieldchart_session={TOKEN}")), None),
        (scope(), None),
    ],
)
def test_a_token_comes_from_header_subprotocol_or_cookie(
    request_: dict[str, Any], found: Credentials | None
) -> None:
    assert credentials_from(request_) == found


def test_the_first_subprotocol_that_is_no_token_is_selected() -> None:
    offered = scope(
        ("sec-websocket-protocol", f"bearer.{TOKEN}, fieldchart.v1, yjs"), kind="websocket"
    )

    assert subprotocol_from(offered) == "fieldchart.v1"
    assert subprotocol_from(scope(kind="websocket")) is None


COOKIE = Credentials(TOKEN, "cookie")
HOST = ("host", "clinic.test:8420")
BARE = ("host", "clinic.test")
OURS = ("origin", "http://clinic.test:8420")


@pytest.mark.parametrize(
    "request_",
    [
        scope(HOST, method="GET"),
        scope(HOST, ("origin", "http://clinic.test:8420"), method="POST"),
        scope(HOST, ("origin", "HTTP://Clinic.Test:8420"), method="PATCH"),
        scope(HOST, ("origin", "https://app.example"), method="DELETE"),
        scope(HOST, ("origin", "http://clinic.test:8420"), kind="websocket", scheme="ws"),
        scope(BARE, ("origin", "https://clinic.test:443"), kind="websocket", scheme="wss"),
    ],
)  # fmt: skip
def test_our_own_page_and_allowed_origins_may_use_the_cookie(request_: dict[str, Any]) -> None:
    check_origin(request_, COOKIE, ["https://app.example"])


@pytest.mark.parametrize(
    "request_",
    [
        scope(HOST, method="POST"),
        scope(HOST, ("origin", "null"), method="POST"),
        scope(HOST, ("origin", "http://clinic.test"), method="POST"),
        scope(HOST, ("origin", "https://clinic.test:8420"), method="POST"),
        scope(HOST, ("origin", "http://clinic.test:8420.evil.example"), method="POST"),
        scope(HOST, OURS, ("origin", "http://evil.example"), method="POST"),
        scope(HOST, ("origin", "http://evil.example"), kind="websocket"),
        scope(HOST, kind="websocket"),
    ],
)  # fmt: skip
def test_a_foreign_page_may_not_use_the_cookie(request_: dict[str, Any]) -> None:
    with pytest.raises(OriginNotAllowed):
        check_origin(request_, COOKIE, ["https://app.example"])


def test_a_bearer_token_needs_no_origin() -> None:
    check_origin(
        scope(HOST, ("origin", "http://evil.example"), method="POST"),
        Credentials(TOKEN, "bearer"),
        [],
    )


def test_the_cookie_is_out_of_reach_and_secure_under_tls() -> None:
    plain = session_cookie(TOKEN, scope(), 60)
    secure = session_cookie(TOKEN, scope(scheme="https"), 60)

    assert "HttpOnly" in plain
    assert "SameSite=Strict" in plain
    assert "Secure" not in plain
    assert secure.endswith("; Secure")
