"""One way from an HTTP request to an answer: sign-in, bounds, strict decoding, problems, metrics.

An `Endpoint` declares what a call takes and gives; the server obeys it and OpenAPI shows it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Message, Receive, Scope, Send

from permissions.model import Principal, Rule
from server import errors
from server.accounts.credentials import check_origin, credentials_from
from server.audit.calls import audit_unsuccessful_call
from server.house import House
from server.problems import (
    MEDIA_TYPE,
    Problem,
    invalid,
    problem_of,
    report_incident,
    violation_of_decoding,
)
from server.sockets.patience import ABORT
from sync.effects import AuditAction

__all__ = [
    "Answer",
    "Call",
    "Empty",
    "Endpoint",
    "Resource",
    "Stream",
    "resources_of",
    "send_stream",
]

Body = TypeVar("Body")
Query = TypeVar("Query")

JSON = "application/json"
LAST_FRAMES_SECONDS = 1.0
"""How long a stream that has to end may take to send what it began."""

LOGIN_BODY_BYTES = 16 * 1024
"""What somebody who is not signed in may send."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query that takes no parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Body, Query]):
    """What a handler gets: already authenticated, bounded and decoded."""

    house: House
    scope: Scope
    caller: Principal | None
    path: Mapping[str, str]
    query: Query
    body: Body

    @property
    def principal(self) -> Principal:
        """Who calls; only public endpoints have nobody."""
        assert self.caller is not None, "public endpoints use .caller"
        return self.caller

    def header(self, name: str) -> str | None:
        """The value of a request header; None without it. Raises MalformedRequest if repeated."""
        key = name.lower().encode()
        values = [value for header, value in self.scope["headers"] if header == key]
        if len(values) > 1:
            raise errors.MalformedRequest(f"{name} is given more than once.")
        return values[0].decode("latin-1") if values else None


class Stream(Protocol):
    """A body without an end. ended: why it has to end, set by who is done with it."""

    ended: "asyncio.Future[str]"

    def frames(self) -> AsyncIterator[bytes]: ...

    def end(self, why: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler gives: a value to encode as JSON, or bytes as they are; None is no body.

    stream: in place of a value, a body that goes on.
    """

    value: object = None
    stream: Stream | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One call: what it takes, what it gives, who answers it.

    body, query, answer: types that msgspec decodes and describes. may_be_empty: without a body the
    type's defaults hold. public: works without log-in.
    statuses: the problems a caller must expect besides 401 and 500. audit: what the trail calls a
    call that was denied or failed; by default what its method does. without_body: what an empty
    body stands for; empty: it must not be.
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Call[Any, Any]], Awaitable[Answer]]
    answer: Any = None
    status: int = 200
    body: Any = None
    may_be_empty: bool = False
    query: Any = Empty
    public: bool = False
    media_type: str = JSON
    request_headers: Sequence[str] = ()
    statuses: Sequence[int] = ()
    audit: AuditAction | None = None
    without_body: bytes = b""


class Resource:
    """The ASGI application of one path: its endpoints by method."""

    def __init__(self, house: House, endpoints: Sequence[Endpoint]) -> None:
        self.path = endpoints[0].path
        self._house = house
        self._endpoints = {endpoint.method: endpoint for endpoint in endpoints}
        self._allowed = sorted({*self._endpoints, *(["HEAD"] if "GET" in self._endpoints else [])})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is answered as a problem."""
        started = asyncio.get_running_loop().time()
        try:
            answer = await self._answer(scope, receive)
        except _Disconnected:
            return
        except Exception as error:
            answer = answer_for(error, self._house, route=self.path)
        if answer.stream is not None:
            await send_stream(answer, answer.stream, scope, receive, send)
        else:
            await send_answer(answer, scope, send)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics = self._house.metrics
        metrics.requests.labels(method, self.path, str(answer.status)).inc()
        if answer.stream is None:
            metrics.request_seconds.labels(self.path).observe(
                asyncio.get_running_loop().time() - started
            )

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            raise errors.MethodNotAllowed(self._allowed)
        caller = None
        if endpoint.public:
            check_origin(scope, credentials_from(scope), self._house.settings.allowed_origins)
        else:
            caller = await self._house.authenticator.authenticate(scope)
        path = scope.get("path_params", {})
        try:
            call = Call(
                house=self._house,
                scope=scope,
                caller=caller,
                path=path,
                query=_decode_query(scope, endpoint.query),
                body=await self._body(endpoint, scope, receive),
            )
            return await endpoint.handle(call)
        except _Disconnected:
            raise
        except Exception as error:  # whatever it is, who tried stands in the trail
            if caller is not None:
                await audit_unsuccessful_call(self._house, endpoint, caller, path, error)
            raise

    async def _body(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Any:
        if endpoint.body is None:
            return None
        settings = self._house.settings
        limit = LOGIN_BODY_BYTES if endpoint.public else settings.max_request_bytes
        try:
            async with asyncio.timeout(settings.request_body_seconds):
                raw = await _read_body(scope, receive, limit)
        except TimeoutError as error:
            raise errors.RequestTimeout from error
        if not raw and endpoint.may_be_empty:
            return endpoint.body()
        return decode_body(raw or endpoint.without_body, endpoint.body)


class _Disconnected(Exception):
    """The caller went away; there is nobody to answer."""


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > limit:
            raise errors.RequestTooLarge(limit)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise errors.RequestTooLarge(limit)
    return bytes(body)


def decode_body(raw: bytes, kind: Any) -> Any:
    """Decode a JSON body strictly. Raises MalformedRequest (no JSON), InvalidRequest (a field)."""
    try:
        return msgspec.json.decode(raw, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise errors.InvalidRequest([violation_of_decoding(error)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.MalformedRequest("The body is not valid JSON.") from error


def _decode_query(scope: Scope, kind: Any) -> Any:
    try:
        text = scope.get("query_string", b"").decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError as error:
        raise errors.MalformedRequest("The query string does not parse.") from error
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise invalid(name, Rule.TYPE, "This parameter is given more than once.")
        values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise errors.InvalidRequest([violation_of_decoding(error)]) from error


def answer_for(error: Exception, house: House, *, route: str) -> Answer:
    """The problem that tells the caller about `error`; our own mistakes are logged by incident."""
    problem = problem_of(error)
    if problem.status == 500 or (
        problem.status == 503 and not isinstance(error, errors.Overloaded)
    ):
        problem = report_incident(error, house.log, route=route)
        house.metrics.incidents.inc()
    return Answer(
        value=problem,
        status=problem.status,
        headers=_problem_headers(error, problem),
        media_type=MEDIA_TYPE,
    )


def _problem_headers(error: Exception, problem: Problem) -> dict[str, str]:
    headers: dict[str, str] = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="fieldchart"'
    if problem.status == 503:
        headers["Retry-After"] = "1"
    if isinstance(error, errors.TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, errors.VersionMismatch):
        headers["ETag"] = f'"{error.current_version}"'
    return headers


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send `answer` as ASGI messages; HEAD gets the headers alone."""
    body = b""
    headers = [
        (name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()
    ]
    if answer.value is not None:
        body = (
            answer.value if isinstance(answer.value, bytes) else msgspec.json.encode(answer.value)
        )
        headers.append((b"content-type", answer.media_type.encode()))
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(body)).encode()))
    start: Message = {"type": "http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def send_stream(
    answer: Answer, stream: Stream, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send a body until it ends, the caller goes away, or it reads too slowly."""
    headers = [(b"content-type", answer.media_type.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]

    async def give() -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if scope["method"] != "HEAD":
            async for frame in stream.frames():
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def hear() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    giving, hearing = asyncio.ensure_future(give()), asyncio.ensure_future(hear())
    try:
        ends: set[asyncio.Future[Any]] = {giving, hearing, stream.ended}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if stream.ended.done() and not giving.done():
            await asyncio.wait({giving}, timeout=LAST_FRAMES_SECONDS)
        if not giving.done() and not hearing.done():
            # It does not read: what the kernel still holds for it would wait for ever.
            abort = scope.get("extensions", {}).get(ABORT)
            if abort is not None:
                abort()
    finally:
        stream.end("left")
        for task in (giving, hearing):
            task.cancel()
        given, _ = await asyncio.gather(giving, hearing, return_exceptions=True)
    if isinstance(given, Exception) and not isinstance(given, OSError):
        raise given


def resources_of(house: House, endpoints: Sequence[Endpoint]) -> list[Resource]:
    """One resource for each path, in the order of the endpoints."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return [Resource(house, group) for group in by_path.values()]
