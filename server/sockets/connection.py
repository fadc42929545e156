"""One socket on a record: its bounded outbox, its protocol state, and how it is closed.

Sending never waits: a message is written at once where the socket takes it, else it goes into the
outbox, which a writer task empties. A reader that leaves too much waiting is disconnected, never
skipped: a skipped update would be a hole for ever.
"""

import asyncio
from typing import Protocol

from permissions.model import Principal
from server.settings import Settings
from server.sockets.framing import WriteFrame, binary_frame
from sync.session import Session

__all__ = ["Connection", "Peer", "Transport"]

TOO_SLOW = 4508

FINAL_CODES = range(4400, 4500)
"""Stock clients do not come back after these (contract, section 3)."""


class Transport(Protocol):
    """The socket underneath: sends one message, or closes with a code.

    write_frame: writes an encoded frame at once (server/sockets/framing.py); None where it cannot.
    """

    write_frame: WriteFrame | None

    async def send(self, message: bytes) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...

    def close_now(self, code: int, reason: str) -> None: ...


class Peer(Protocol):
    """What a room needs of whoever is connected to it.

    barred: it was closed for good (4400-4499): what it sent and was not judged yet counts no more.
    """

    id: str
    principal: Principal
    session: Session
    speaks_extension: bool
    closing: bool
    barred: bool

    def send(self, message: bytes, frame: bytes | None = None) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Connection:
    """A Peer over a Transport. `run` is its writer task; it ends when the connection does."""

    def __init__(
        self,
        connection_id: str,
        principal: Principal,
        transport: Transport,
        session: Session,
        settings: Settings,
        *,
        speaks_extension: bool,
    ) -> None:
        self.id = connection_id
        self.principal = principal
        self.session = session
        self.speaks_extension = speaks_extension
        self.closing = False
        self.barred = False
        self.close_code: int | None = None
        self._transport = transport
        self._max_messages = settings.send_queue_messages
        self._max_bytes = settings.send_queue_bytes
        self._outbox: list[bytes] = []  # a deque takes 0.8 kB empty, and this one mostly is
        self._bytes = 0
        self._reason = ""
        self._wake: asyncio.Future[None] | None = None
        self._is_idle = False
        self.ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, message: bytes, frame: bytes | None = None) -> None:
        """Send one message, or queue it; closes the connection with 4508 when too much waits.

        frame: the message as a WebSocket frame, encoded once for all who get it.
        """
        if self.closing:
            return
        write = self._transport.write_frame
        if write is not None and self._is_idle:
            try:
                if write(frame if frame is not None else binary_frame(message)):
                    return
            except OSError:  # the peer is gone; its reading task ends the connection
                return
        self._outbox.append(message)
        self._bytes += len(message)
        if len(self._outbox) > self._max_messages or self._bytes > self._max_bytes:
            self.abandon(TOO_SLOW, "You read too slowly.")
            return
        self._nudge()

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued has gone out. The first code counts."""
        if not self.closing:
            self.closing, self.close_code, self._reason = True, code, reason
            self.barred = code in FINAL_CODES
            self.ending.set_result(None)
            self._nudge()

    def abandon(self, code: int, reason: str) -> None:
        """Close without sending what is queued."""
        self._outbox.clear()
        self.close(code, reason)

    def close_now(self) -> None:
        """The writer is stuck: close without it."""
        self._transport.close_now(self.close_code or 1000, self._reason)

    def _nudge(self) -> None:
        self._is_idle = False
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def run(self) -> None:
        """Send what is queued, in order, until the connection closes."""
        loop = asyncio.get_running_loop()
        outbox, transport = self._outbox, self._transport
        while True:
            while outbox:
                message = outbox.pop(0)
                self._bytes -= len(message)
                await transport.send(message)
            if self.closing:
                await transport.close(self.close_code or 1000, self._reason)
                return
            self._wake = loop.create_future()
            self._is_idle = True
            await self._wake
