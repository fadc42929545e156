"""Around the whole application: security headers on every answer, and no traceback to anybody.

Pure ASGI: Starlette's BaseHTTPMiddleware does not pass context variables and wraps every body.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.accounts.credentials import is_secure
from server.errors import MethodNotAllowed, PageNotFound
from server.house import House
from server.logs import place_of
from server.rest.endpoint import answer_for, send_answer

__all__ = ["Outermost", "not_found"]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=63072000")
_NO_STORE = (b"cache-control", b"no-store")
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})

COME_BACK = 1012
"""The close code of a socket that our own mistake ended."""


class Outermost:
    """Adds the headers; turns what nobody else answered into a problem or a close code."""

    def __init__(self, application: ASGIApp, house: House) -> None:
        self._application = application
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] in _STARTS:
                message = {**message, "headers": _with_security(message, scope)}
            started = started or message["type"] in _STARTS or message["type"] == "websocket.close"
            await send(message)

        try:
            await self._application(scope, receive, send_with_headers)
        except Exception as error:
            if scope["type"] == "http" and not started:
                answer = answer_for(_known(error), self._house, route="outermost")
                await send_answer(answer, scope, send_with_headers)
                return
            self._house.metrics.incidents.inc()
            self._house.log.error(
                "request failed", error=type(error).__name__, place=place_of(error)
            )
            if scope["type"] == "websocket" and not started:
                await send({"type": "websocket.close", "code": COME_BACK, "reason": ""})


def not_found(house: House) -> ASGIApp:
    """The application for paths that nobody serves."""

    async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Closed before it is accepted it would look like a network fault, retried for ever.
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4404, "reason": "no such address"})
            return
        await send_answer(answer_for(PageNotFound(), house, route="unmatched"), scope, send)
        house.metrics.requests.labels("other", "unmatched", "404").inc()

    return answer_nothing


def _known(error: Exception) -> Exception:
    """Starlette's own errors (static files raise them) as ours."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        return MethodNotAllowed(["GET", "HEAD"])
    if isinstance(error, HTTPException) and error.status_code in (400, 401, 403, 404):
        return PageNotFound()
    return error


def _with_security(message: Message, scope: Scope) -> list[tuple[bytes, bytes]]:
    headers = list(message.get("headers", ()))
    present = {name for name, _ in headers}
    wanted = [*_HEADERS]
    if is_secure(scope):
        wanted.append(_STRICT_TRANSPORT)
    if scope["path"].startswith("/api/"):
        wanted.append(_NO_STORE)
    return headers + [header for header in wanted if header[0] not in present]
