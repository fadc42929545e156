"""WebSocket frames written to many sockets as encoded once, and messages delivered without a queue.

uvicorn builds a frame anew for every `websocket.send`, behind a coroutine and a dictionary, and
hands each message in through a queue, pausing and resuming the socket around it: in a busy room
that is most of what an edit costs. `FramingProtocol` is uvicorn's own protocol with a shorter way
out and in, offered to the application as an ASGI extension. Where the extension is absent (another
server, another protocol) everything goes through `send` and `receive`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from starlette.types import Scope
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["FrameSocket", "FramingProtocol", "Sink", "WriteFrame", "binary_frame", "frame_socket"]

EXTENSION = "fieldchart.frames"

LINGER_SECONDS = 60.0
"""How long a closed socket may hold what its peer has not read, so that a peer that was only asleep
still learns why it was closed."""

WriteFrame = Callable[[bytes], bool]
"""Writes an encoded frame at once; False if the socket's buffer is full. Raises OSError if gone."""

Sink = Callable[[bytes], "asyncio.Future[None] | None"]
"""Takes one binary message; may answer with what to wait for before reading on."""


class FrameSocket(Protocol):
    """The extension."""

    def write_frame(self, frame: bytes) -> bool:
        """A WriteFrame."""

    def deliver_to(self, sink: Sink) -> None:
        """Hand every binary message to `sink`, in order, from the first one on."""

    def close_now(self, code: int, reason: str) -> None:
        """Put the close frame behind what the socket still holds, whether it is read or not."""


def binary_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked binary frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        return b"\x82" + length.to_bytes(1, "big") + payload
    if length < 1 << 16:
        return b"\x82\x7e" + length.to_bytes(2, "big") + payload
    return b"\x82\x7f" + length.to_bytes(8, "big") + payload


def frame_socket(scope: Scope) -> FrameSocket | None:
    """The connection's extension, where the server underneath offers it."""
    socket: FrameSocket | None = scope.get("extensions", {}).get(EXTENSION)
    return socket


class FramingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol as a FrameSocket. Compression must be off."""

    _sink: Sink | None = None

    async def run_asgi(self) -> None:
        """Offer the extension, then run the application."""
        extensions: Any = self.scope["extensions"]
        extensions[EXTENSION] = self
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> bool:
        """A WriteFrame."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        if not self.handshake_complete or not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True

    def deliver_to(self, sink: Sink) -> None:
        """Hand binary messages to `sink` from now on, those that wait already first.

        `receive` still gives text messages and the disconnection.
        """
        self._sink = sink
        kept = []
        while not self.queue.empty():
            message: Any = self.queue.get_nowait()
            if message["type"] == "websocket.receive" and message.get("bytes") is not None:
                self._wait_for(sink(message["bytes"]))
            else:
                kept.append(message)
        for message in kept:
            self.queue.put_nowait(message)
        if self.read_paused and not kept:
            self._read_on()

    def close_now(self, code: int, reason: str) -> None:
        """See FrameSocket; a reader that takes nothing more is cut off after LINGER_SECONDS."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """uvicorn's way in, unless a sink takes the message."""
        if self._sink is None or self.close_sent or self.curr_msg_data_type == "text":
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        self._wait_for(self._sink(bytes(data)))

    def _wait_for(self, pause: "asyncio.Future[None] | None") -> None:
        if pause is not None and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
            pause.add_done_callback(lambda _: self._read_on())

    def _read_on(self) -> None:
        self.read_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()
