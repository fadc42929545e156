"""`/sync/{record}`: the y-websocket protocol, byte for byte, plus messages 100 to 104.

Reads frames, decodes them strictly, and hands them to the room in their order. A frame that does
not parse ends this socket with its close code and nothing else. Closing before accepting would look
to a stock client like a network fault that it retries for ever, so every answer comes after
accepting.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from starlette.types import Message, Receive, Scope, Send
from ulid import ULID

from permissions.model import Principal
from server.accounts.credentials import subprotocol_from
from server.addresses import record_id_of
from server.audit.entries import entry_for
from server.errors import NotAllowed
from server.house import House
from server.inbox import Arrived, LockAsked, SyncAsked
from server.live_room import LiveRoom
from server.problems import close_code_of, kind_of, problem_of, report_incident
from server.rooms import RoomHost
from server.settings import Settings
from server.sockets.connection import Connection, Peer
from server.sockets.framing import Sink, WriteFrame, frame_socket
from sync.awareness_state import Dropped
from sync.bounds import Bounds
from sync.budgets import Budgets
from sync.effects import AuditOutcome
from sync.errors import FrameTooLarge, MalformedFrame
from sync.messages import (
    AwarenessMessage,
    Journal,
    LockRequest,
    PermissionDenied,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    UpdateMessage,
)
from sync.session import Session
from sync.wire import decode_message, encode_awareness

__all__ = [
    "AsgiTransport",
    "FrameReader",
    "SyncEndpoint",
    "budgets_of",
    "opening",
    "serve_room",
]

EXTENSION = "fieldchart.v1"
OVERLOADED = 4503
TOO_MANY = 4429


class Offence(NamedTuple):
    """What dropped awareness costs its sender, and how the connection ends when it goes on."""

    weight: float
    close_code: int
    reason: str


OFFENCES: dict[Dropped, Offence] = {
    "size": Offence(1, 4413, "Your awareness state is too large."),
    "json": Offence(1, 4400, "Your awareness state is no JSON object."),
    "foreign": Offence(1, TOO_MANY, "You announce other people's client ids."),
    "ids": Offence(1, TOO_MANY, "You announce too many client ids."),
    "rate": Offence(0.05, TOO_MANY, "You announce awareness too often."),
}
"""A cursor that moves faster than it may be told is nothing bad, unless for minutes."""

RELAYS_PER_OFFENCE = 20
"""So many dropped states a message of relayed entries counts for that came far too fast."""

USED_EVERY = timedelta(seconds=1)
"""How often writing counts as use of a log-in: idle times are hours."""


class AsgiTransport:
    """An accepted ASGI WebSocket as a Transport. Sending on a closed socket is not an error."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._socket = frame_socket(scope)
        self.write_frame: WriteFrame | None = None
        if self._socket is not None:
            self.write_frame = self._socket.write_frame
        self._send = send

    async def accept(self, subprotocol: str | None) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})

    def deliver_to(self, sink: Sink) -> None:
        """Let messages come to `sink` where the server can do that; else `receive` gives them."""
        if self._socket is not None:
            self._socket.deliver_to(sink)

    async def send(self, message: bytes) -> None:
        await self._send({"type": "websocket.send", "bytes": message})

    def close_now(self, code: int, reason: str) -> None:
        if self._socket is not None:
            self._socket.close_now(code, reason[:120])

    async def close(self, code: int, reason: str) -> None:
        # A close frame carries at most 123 bytes of reason (RFC 6455, 5.5).
        await self._send({"type": "websocket.close", "code": code, "reason": reason[:120]})


class SyncEndpoint:
    """The ASGI application of `/sync/{record_id}`."""

    def __init__(self, house: House, rooms: RoomHost) -> None:
        self._house = house
        self._rooms = rooms
        self._budgets = budgets_of(house.settings)
        self._bounds = house.settings.bounds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        subprotocol = subprotocol_from(scope)
        transport = AsgiTransport(scope, send)
        await transport.accept(subprotocol)
        house = self._house
        try:
            principal = await house.authenticator.authenticate(scope)
            address = scope["path_params"]["record_id"]
            async with opening(house, self._rooms, principal, address) as room:
                connection = Connection(
                    str(ULID()), principal, transport, Session(self._budgets, time.monotonic()),
                    house.settings, speaks_extension=subprotocol == EXTENSION,
                )  # fmt: skip
                with house.authenticator.connected(principal):
                    await self._serve(connection, room, transport, receive)
        except Exception as error:  # the outermost task of one socket: it ends that socket alone
            await self._close_for(error, transport)

    async def _close_for(self, error: Exception, transport: AsgiTransport) -> None:
        code = close_code_of(error)
        problem = problem_of(error)
        if problem.status >= 500:
            problem = report_incident(error, self._house.log, route="/sync")
        self._house.metrics.closed.labels(str(code)).inc()
        try:
            await transport.close(code, problem.detail)
        except (OSError, RuntimeError):
            return

    async def _serve(
        self,
        connection: Connection,
        room: LiveRoom,
        transport: AsgiTransport,
        receive: Receive,
    ) -> None:
        reader = FrameReader(connection, room, self._house, self._bounds)

        async def read() -> None:
            transport.deliver_to(reader.accept)
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                if connection.closing or not await reader.take(message):
                    return

        await serve_room(connection, room, read(), self._house)


async def serve_room(connection: Connection, room: LiveRoom, reading: Any, house: House) -> None:
    """Join the room, then read and write until either ends; always leave it again."""
    house.metrics.connections.inc()
    room.join(connection)
    reader = asyncio.ensure_future(reading)
    writer = asyncio.ensure_future(connection.run())
    try:
        ends = {reader, writer, connection.ending}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if connection.closing and not writer.done():
            # Give what is queued, and the close frame, a bounded time to leave.
            await asyncio.wait({writer}, timeout=house.settings.close_seconds)
            if not writer.done():
                connection.close_now()
    finally:
        room.leave(connection)
        for task in (reader, writer):
            task.cancel()
        results = await asyncio.gather(reader, writer, return_exceptions=True)
        house.metrics.connections.dec()
        if connection.close_code is not None:
            house.metrics.closed.labels(str(connection.close_code)).inc()
    for result in results:
        if isinstance(result, Exception) and not _is_gone(result):
            raise result


def _is_gone(error: Exception) -> bool:
    """Whether the error says only that the peer is gone."""
    return isinstance(error, OSError) or type(error).__name__ == "ClientDisconnected"


@asynccontextmanager
async def opening(
    house: House, rooms: RoomHost, principal: Principal, address: str
) -> AsyncIterator[LiveRoom]:
    """The room of the record that somebody opens: audited before they see any of it, and also when
    they may not or cannot.

    Raises NotAllowed, RecordNotFound, RecordUnreadable, storage errors.
    """
    record_id = ""

    async def audit(outcome: AuditOutcome, detail: str = "") -> None:
        if record_id and rooms.in_emergency(record_id, principal.user_id):
            detail = f"{detail} emergency".lstrip()
        entry = entry_for(principal, "open", outcome, house.clock(), record_id, detail=detail)
        await house.store.append_audit([entry])

    is_open = False
    try:
        record_id = await record_id_of(house.store, address)
        async with rooms.opened(record_id) as room:
            rooms.check_join(room, principal)
            is_open = True
            by_emergency = principal.user_id in room.room.state.emergency
            await audit("success", "emergency" if by_emergency else "")
            yield room
    except Exception as error:
        if not is_open:
            record_id = getattr(error, "record_id", "") or record_id
            outcome: AuditOutcome = "denied" if isinstance(error, NotAllowed) else "failure"
            await audit(outcome, kind_of(error).slug)
        raise


class FrameReader:
    """Turns one connection's frames into items of its room's inbox, within its budgets."""

    def __init__(self, connection: Peer, room: LiveRoom, house: House, bounds: Bounds) -> None:
        self._connection = connection
        self._room = room
        self._house = house
        self._bounds = bounds
        self._used_at = house.clock() - USED_EVERY

    async def take(self, message: Message) -> bool:
        """Handle one WebSocket message; False ends the connection."""
        data = message.get("bytes")
        if data is None:
            self._reject(MalformedFrame("The protocol is binary."), "frame")
            return False
        return await self.take_bytes(data)

    async def take_bytes(self, data: bytes) -> bool:
        """Handle one frame and wait where its sender must; False ends the connection."""
        pause = self.accept(data)
        if pause is not None:
            await pause
        return not self._connection.closing

    def accept(self, data: bytes) -> "asyncio.Future[None] | None":
        """Handle one frame; answers with what its sender must wait for, if anything."""
        connection, room = self._connection, self._room
        if connection.closing:
            return None
        try:
            message = decode_message(data, self._bounds)
        except FrameTooLarge as error:
            self._reject(error, "too_large")
            return None
        except MalformedFrame as error:
            self._reject(error, "frame")
            return None
        if isinstance(message, UpdateMessage | SyncStep2):
            return self._take_update(message)
        if isinstance(message, SyncStep1):
            return room.inbox.add(SyncAsked(connection, message.state_vector))
        if isinstance(message, AwarenessMessage):
            self._take_presence(message)
        elif isinstance(message, QueryAwareness):
            if connection.session.awareness.spend(1, time.monotonic()):
                connection.send(encode_awareness(room.presence.everybody()))
        elif isinstance(message, Journal):
            self._take_journal(message)
        elif isinstance(message, LockRequest):
            return self._take_lock_request(message)
        elif not isinstance(message, PermissionDenied):
            # 100, 101 and 103 are the server's to say.
            self._reject(MalformedFrame("Only the server sends this message."), "frame")
        return None

    def _take_update(self, message: UpdateMessage | SyncStep2) -> "asyncio.Future[None] | None":
        connection, session = self._connection, self._connection.session
        wait_s = session.updates.take(1, time.monotonic())
        if wait_s > self._house.settings.update_window_seconds:
            connection.close(OVERLOADED, "Too many updates a second. Come back later.")
            return None
        now = self._house.clock()
        if now - self._used_at >= USED_EVERY:
            self._used_at = now
            self._house.authenticator.used(connection.principal.login_id)
        session.received += 1
        arrived = Arrived(
            connection, message.update, type(message) is SyncStep2, now,
            self._room.sent_version(connection), session.take_journal(),
        )  # fmt: skip
        pause = self._room.inbox.add(arrived)
        if wait_s == 0:
            return pause
        loop = asyncio.get_running_loop()
        slower: asyncio.Future[None] = loop.create_future()
        loop.call_later(wait_s, slower.set_result, None)
        return slower

    def _take_lock_request(self, message: LockRequest) -> "asyncio.Future[None] | None":
        connection = self._connection
        if not connection.speaks_extension:  # it would not hear the answer
            self._reject(MalformedFrame("Lock messages are part of fieldchart.v1."), "frame")
            return None
        if connection.session.locks.take(1, time.monotonic()):
            connection.close(TOO_MANY, "Too many lock messages.")
            return None
        return self._room.inbox.add(LockAsked(connection, message))

    def _take_journal(self, message: Journal) -> None:
        connection = self._connection
        login_id = connection.principal.login_id
        told = connection.session.keep_journal(message.entries, login_id, self._house.clock())
        if told is not None:
            self._house.authenticator.note_skew(login_id, told)

    def _take_presence(self, message: AwarenessMessage) -> None:
        connection, room, session = self._connection, self._room, self._connection.session
        now_s = time.monotonic()
        if not session.relayed.spend(len(message.entries), now_s):
            self._count_dropped(["rate"] * RELAYS_PER_OFFENCE)
            return
        announced = room.presence.announce(
            connection.id, connection.principal, message.entries, room.room.books.owners,
            self._house.clock(), lambda: session.awareness.spend(1, now_s),
        )  # fmt: skip
        if announced.dropped:
            self._count_dropped(announced.dropped)
        room.tell_presence(announced.told)

    def _count_dropped(self, dropped: list[Dropped]) -> None:
        """Count what was left out; who goes on offending is sent away. SPEC PRES-5."""
        dropped_by_reason = self._house.metrics.presence_dropped
        for reason in dropped:
            dropped_by_reason[reason].inc()
            offence = OFFENCES.get(reason)
            if offence is not None and not self._connection.session.offences.spend(
                offence.weight, time.monotonic()
            ):
                self._connection.close(offence.close_code, offence.reason)
                return

    def _reject(self, error: MalformedFrame, kind: str) -> None:
        self._house.metrics.frames_malformed[kind].inc()
        self._connection.close(close_code_of(error), str(error))


def budgets_of(settings: Settings) -> Budgets:
    """What the settings let one connection cause."""
    return Budgets(
        update_frames_per_second=settings.update_frames_per_second,
        update_window_seconds=settings.update_window_seconds,
        refused_fields_per_minute=settings.refused_fields_per_minute,
        awareness_per_second=settings.awareness_per_second,
    )
