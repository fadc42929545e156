"""`/collab`: the Hocuspocus provider's protocol, many records over one socket.

Every message begins with the name of its document: a record's id or number, or `name NUL session`
where two editors of one page share the socket. A document is opened by its Auth message with the
token (an empty one: the handshake's cookie or header); from then on its messages are those of
`/sync`, judged, bounded and audited alike, and `SyncStatus` says that an update is *durable*. What
is refused comes as a Stateless message `{event: "refused", refusal, version, fields}`, a notice as
`{event, …}`. A document that may not be opened, or no longer, is denied alone; a frame that does
not parse and whatever a client should come back from ends the socket.

Source: @hocuspocus/provider 4.8, `MessageReceiver.ts`, `OutgoingMessages/`, `types.ts`.
"""

import asyncio
import re
import time
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send
from ulid import ULID

from permissions.model import Principal
from server.accounts.credentials import address_of
from server.errors import NotSignedIn, Overloaded
from server.house import House
from server.live_room import LiveRoom
from server.problems import close_code_of, problem_of, report_incident
from server.rooms import RoomHost
from server.sockets.connection import FINAL_CODES, Connection
from server.sockets.websocket import AsgiTransport, FrameReader, budgets_of, opening
from sync.errors import FrameTooLarge, MalformedFrame
from sync.session import Session
from sync.varint import read_bytes, read_string, read_varuint, varuint
from sync.wire import AUTH, AWARENESS, NOTICE, QUERY_AWARENESS, REFUSED, SAVED, SYNC

__all__ = ["CollabEndpoint"]

SYNC_REPLY, STATELESS, BROADCAST_STATELESS, CLOSE, SYNC_STATUS = 4, 5, 6, 7, 8
TOKEN, DENIED, AUTHENTICATED = 0, 1, 2
PONG_FRAME = b"\x0a"
"""The one message without a document's name."""

MAX_NAME_CHARACTERS = 200
MAX_TOKEN_CHARACTERS = 4096
NOT_SIGNED_IN, NOT_ALLOWED = 4401, 4403
MALFORMED, TOO_LARGE = 4400, 4413
NOBODY: Principal = Principal(
    user_id="", username="", name="", roles=frozenset(), login_id="",
)  # fmt: skip


class CollabEndpoint:
    """The ASGI application of `/collab`."""

    def __init__(self, house: House, rooms: RoomHost) -> None:
        self._house = house
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        transport = AsgiTransport(scope, send)
        offered = scope.get("subprotocols") or [None]
        await transport.accept(offered[0])
        await CollabSocket(self._house, self._rooms, scope, transport).serve(receive)


class CollabSocket:
    """One socket: its outbox, its shared budgets and its documents."""

    def __init__(
        self, house: House, rooms: RoomHost, scope: Scope, transport: AsgiTransport
    ) -> None:
        self._house = house
        self._rooms = rooms
        self._scope = scope
        self._budgets = budgets_of(house.settings)
        self._bounds = house.settings.bounds()
        self.session = Session(self._budgets, time.monotonic())
        self.outbox = Connection(
            str(ULID()), NOBODY, transport, self.session, house.settings, speaks_extension=False
        )
        self._documents: dict[str, Document] = {}
        self._denials = 0
        self._tasks: asyncio.TaskGroup | None = None

    async def serve(self, receive: Receive) -> None:
        """Read and write until either ends, then let go of every document."""
        metrics = self._house.metrics
        metrics.connections.inc()
        writer = asyncio.ensure_future(self.outbox.run())
        reader = asyncio.ensure_future(self._read(receive))
        try:
            ends = {reader, writer, self.outbox.ending}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self.outbox.closing and not writer.done():
                await asyncio.wait({writer}, timeout=self._house.settings.close_seconds)
                if not writer.done():
                    self.outbox.close_now()
        finally:
            for task in (reader, writer):
                task.cancel()
            results = await asyncio.gather(reader, writer, return_exceptions=True)
            metrics.connections.dec()
            if self.outbox.close_code is not None:
                metrics.closed.labels(str(self.outbox.close_code)).inc()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                report_incident(result, self._house.log, route="/collab")

    # -- reading -----------------------------------------------------------------------------------

    async def _read(self, receive: Receive) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._read_messages(receive)
            finally:
                for document in self._documents.values():
                    document.leave()

    async def _read_messages(self, receive: Receive) -> None:
        patience_s = self._house.settings.collab_sign_in_seconds
        while not self.outbox.closing:
            try:
                async with asyncio.timeout(patience_s):
                    message = await receive()
            except TimeoutError:
                if not self._documents:
                    self.outbox.close(NOT_SIGNED_IN, "Nobody has signed in on this socket.")
                continue
            if message["type"] == "websocket.disconnect":
                return
            try:
                await self._take(message.get("bytes"))
            except MalformedFrame as error:
                kind = "too_large" if isinstance(error, FrameTooLarge) else "frame"
                self._house.metrics.frames_malformed[kind].inc()
                self.outbox.close(close_code_of(error), str(error))

    async def _take(self, frame: bytes | None) -> None:
        if frame is None:
            raise MalformedFrame("The protocol is binary.")
        if len(frame) > self._bounds.max_frame_bytes:
            raise FrameTooLarge("The frame is too large.")
        if frame == PONG_FRAME:
            return
        name, start = read_string(frame, 0)
        if not 0 < len(name) <= MAX_NAME_CHARACTERS:
            raise MalformedFrame("The name of a document is empty or too long.")
        kind, position = read_varuint(frame, start)
        if kind == AUTH:
            await self._take_auth(name, frame, position)
            return
        document = self._documents.get(name)
        reader = None if document is None else await document.reader
        if kind in (SYNC, SYNC_REPLY, AWARENESS, QUERY_AWARENESS):
            # A denied document's provider sends on; its edits stay with it.
            if reader is not None:
                await reader.take_bytes(bytes((SYNC,)) + frame[position:] if kind == SYNC_REPLY
                                        else frame[start:])  # fmt: skip
        elif kind == CLOSE:
            if document is not None:
                self._forget(document)
        elif kind not in (STATELESS, BROADCAST_STATELESS):
            raise MalformedFrame("A message is of an unknown type.")

    async def _take_auth(self, name: str, frame: bytes, position: int) -> None:
        action, position = read_varuint(frame, position)
        if action != TOKEN:
            raise MalformedFrame("Only the server answers an Auth message.")
        token, position = read_string(frame, position)
        if position != len(frame):
            _, position = read_string(frame, position)  # the provider's version
        if position != len(frame) or len(token) > MAX_TOKEN_CHARACTERS:
            raise MalformedFrame("An Auth message is not of the agreed shape.")
        open_one = self._documents.get(name)
        if open_one is not None:
            if await open_one.reader is not None:
                await self._renew(open_one, token)
                return
            self._forget(open_one)
        if len(self._documents) >= self._house.settings.collab_documents:
            self._deny(name, "Too many records on one socket.")
            return
        document = self._documents[name] = Document(self, name)
        assert self._tasks is not None, "the reader runs inside the group"
        self._tasks.create_task(self._serve_document(document, token))

    async def _renew(self, document: "Document", token: str) -> None:
        """A token for a document that is open already: the same person's, or it is closed."""
        try:
            principal = await self._principal(token)
        except NotSignedIn as error:
            document.close(NOT_SIGNED_IN, str(error))
            return
        if principal.user_id != document.principal.user_id:
            document.close(NOT_ALLOWED, "Somebody else is signed in here.")
            return
        self.outbox.send(authenticated(document.head))

    # -- one document ------------------------------------------------------------------------------

    async def _serve_document(self, document: "Document", token: str) -> None:
        """Open the document, answer its Auth message, and stay until it is closed."""
        house = self._house
        try:
            principal = await self._principal(token)
            address = _record_of(document.name)
            async with opening(house, self._rooms, principal, address) as room:
                with house.authenticator.connected(principal):
                    await self._stay(document, principal, room)
        except Exception as error:  # the outermost task of one document: it ends that one alone
            self._fail(document, error)
        finally:
            document.answer(None)
            self._forget(document)

    async def _stay(self, document: "Document", principal: Principal, room: LiveRoom) -> None:
        document.principal = principal
        self.outbox.send(authenticated(document.head))
        room.join(document)
        try:
            document.answer(FrameReader(document, room, self._house, self._bounds))
            await document.left
        finally:
            room.leave(document)

    async def _principal(self, token: str) -> Principal:
        authenticator = self._house.authenticator
        if not token:
            return await authenticator.authenticate(self._scope)
        principal = await authenticator.principal_for_token(token, self._house.clock())
        return msgspec.structs.replace(principal, address=address_of(self._scope))

    def _fail(self, document: "Document", error: Exception) -> None:
        problem, code = problem_of(error), close_code_of(error)
        if problem.status >= 500 and not isinstance(error, Overloaded):
            problem = report_incident(error, self._house.log, route="/collab")
        if code in FINAL_CODES:
            self._deny(document.name, problem.detail)
        else:
            self.outbox.close(code, problem.detail)

    def _deny(self, name: str, reason: str) -> None:
        self._denials += 1
        self.outbox.send(denied(head_of(name), reason))
        if self._denials > self._house.settings.collab_documents:
            self.outbox.close(NOT_ALLOWED, "Too many records that may not be opened.")

    def _forget(self, document: "Document") -> None:
        document.leave()
        if self._documents.get(document.name) is document:
            del self._documents[document.name]


class Document:
    """A Peer of one record's room that shares the socket. Its budgets are the socket's."""

    speaks_extension = True

    def __init__(self, socket: CollabSocket, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.id = str(ULID())
        self.name = name
        self.head = head_of(name)
        self.principal = NOBODY
        self.session = Session(socket._budgets, time.monotonic())
        self.session.updates = socket.session.updates
        self.session.refused = socket.session.refused
        self.session.awareness = socket.session.awareness
        self.session.relayed = socket.session.relayed
        self.session.offences = socket.session.offences
        self.closing = False
        self.barred = False
        self.reader: asyncio.Future[FrameReader | None] = loop.create_future()
        self.left: asyncio.Future[None] = loop.create_future()
        self._outbox = socket.outbox
        self._told = 0

    def send(self, message: bytes, frame: bytes | None = None) -> None:
        """Send one message of ours as the provider knows it; `frame` lacks the name: unused."""
        if self.closing:
            return
        kind = message[0]
        if kind in (SYNC, AWARENESS, QUERY_AWARENESS):
            self._outbox.send(self.head + message)
        elif kind == SAVED:
            count, _ = read_varuint(message, 1)
            for _ in range(count - self._told):
                self._outbox.send(sync_status(self.head))
            self._told = count
        elif kind in (REFUSED, NOTICE):
            text, _ = read_bytes(message, 1)
            body: dict[str, Any] = msgspec.json.decode(text)
            self._outbox.send(stateless(self.head, {"event": "refused", **body}))

    def close(self, code: int, reason: str) -> None:
        """End this document for good, or the socket where the client should come back."""
        if self.closing:
            return
        if code in FINAL_CODES and code not in (MALFORMED, TOO_LARGE):
            if code in (NOT_SIGNED_IN, NOT_ALLOWED):
                self._outbox.send(denied(self.head, reason))
            self._outbox.send(closed(self.head, f"{code} {reason}"))
        else:
            self._outbox.close(code, reason)
        self.barred = code in FINAL_CODES
        self.leave()

    def leave(self) -> None:
        """Take no more part; the document's task then leaves the room."""
        self.closing = True
        self.answer(None)
        if not self.left.done():
            self.left.set_result(None)

    def answer(self, reader: FrameReader | None) -> None:
        """Let whoever waits for the opening know how it went."""
        if not self.reader.done():
            self.reader.set_result(reader)


_RECORD = re.compile(r"[^\0]+")


def _record_of(name: str) -> str:
    """The record's id or number; after NUL comes the provider's own session id."""
    match = _RECORD.match(name)
    return match[0] if match is not None else ""


def head_of(name: str) -> bytes:
    """What every message of a document begins with."""
    return _text(name)


def authenticated(head: bytes) -> bytes:
    return head + bytes((AUTH, AUTHENTICATED)) + _text("read-write")


def denied(head: bytes, reason: str) -> bytes:
    return head + bytes((AUTH, DENIED)) + _text(reason)


def closed(head: bytes, reason: str) -> bytes:
    return head + bytes((CLOSE,)) + _text(reason)


def sync_status(head: bytes) -> bytes:
    """One update-carrying message is durable."""
    return head + bytes((SYNC_STATUS, 1))


def stateless(head: bytes, body: dict[str, Any]) -> bytes:
    return head + bytes((STATELESS,)) + _text(msgspec.json.encode(body).decode())


def _text(text: str) -> bytes:
    data = text.encode()
    return varuint(len(data)) + data
