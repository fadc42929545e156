"""WebSocket frames written to many sockets as encoded once, and messages delivered without a queue.

uvicorn builds a frame anew for every `websocket.send`, behind a coroutine and a dictionary, and
hands each message in through a queue, pausing and resuming the socket around it: in a busy room
that is most of what an edit costs. `FramingProtocol` is uvicorn's own protocol with a shorter way
out and in, offered to the application as an ASGI extension. Where the extension is absent (another
server, another protocol) everything goes through `send` and `receive`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from starlette.types import Scope
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.speedups import apply_mask

from server.sockets.read_window import ReadWindow

__all__ = [
    "FrameSocket",
    "FramingProtocol",
    "Sink",
    "WriteFrame",
    "binary_frame",
    "frame_extent",
    "frame_socket",
]

EXTENSION = "fieldchart.frames"

RESTART = 1012

RESTART_SECONDS = 2.0
"""How long a stopping server waits for a peer to answer its close frame."""

PLAIN_BINARY = 0x82
"""First byte of an unfragmented binary frame without extensions."""

MASKED = 0x80

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


def frame_extent(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the client frame at `start` begins and ends (RFC 6455, 5.2).

    None while its header is not all there; the end may lie beyond the data.
    """
    size = len(data) - start
    if size < 2:
        return None
    length = data[start + 1] & 0x7F
    header = 6 if data[start + 1] & 0x80 else 2
    if length >= 126:
        width = 2 if length == 126 else 8
        if size < 2 + width:
            return None
        length = int.from_bytes(data[start + 2 : start + 2 + width], "big")
        header += width
    return start + header, start + header + length


def frame_socket(scope: Scope) -> FrameSocket | None:
    """The connection's extension, where the server underneath offers it."""
    socket: FrameSocket | None = scope.get("extensions", {}).get(EXTENSION)
    return socket


class Mailbox:
    """What uvicorn's protocol uses of an asyncio.Queue, in a tenth of its memory: one reader."""

    __slots__ = ("_filled", "_items")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._filled: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def put_nowait(self, item: object) -> None:
        """Add an item."""
        self._items.append(item)
        if self._filled is not None and not self._filled.done():
            self._filled.set_result(None)

    def get_nowait(self) -> Any:
        """The oldest item; there must be one."""
        return self._items.pop(0)

    async def get(self) -> Any:
        """The oldest item, waited for."""
        while not self._items:
            self._filled = asyncio.get_running_loop().create_future()
            await self._filled
        return self._items.pop(0)


class Latch:
    """What uvicorn's protocol uses of an asyncio.Event, without a queue for who waits: one does."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = True
        self._waiting: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Whether nobody has to wait."""
        return self._is_set

    def clear(self) -> None:
        """Let who comes wait."""
        self._is_set = False

    def set(self) -> None:
        """Let who waits go on."""
        self._is_set = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def wait(self) -> None:
        """Wait until it is set."""
        while not self._is_set:
            if self._waiting is None or self._waiting.done():
                self._waiting = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)


class FramingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol as a FrameSocket. Compression must be off.

    window: shared by the sockets of one loop.
    """

    # Some of uvicorn's own too: beyond thirty, each object's `__dict__` has names of its own.
    __slots__ = (
        "_largest", "_partial", "_unread", "_wanted", "_window", "app", "app_state",
        "asgi_version", "config", "connections", "curr_msg_data_type", "default_headers", "logger",
        "ping_interval", "ping_timeout", "queue", "root_path", "scheme", "server", "writable",
    )  # fmt: skip

    _sink: Sink | None = None

    def __init__(self, *args: Any, window: ReadWindow | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue: Any = Mailbox()
        self.writable: Any = Latch()
        self._window = window or ReadWindow(0.0)
        self._unread = b""
        self._largest: int = self.config.ws_max_size
        self._partial = bytearray()
        self._wanted = 0

    def data_received(self, data: bytes) -> None:
        """Read it with what other sockets bring in these milliseconds."""
        if not self.handshake_initiated:
            super().data_received(data)
        elif self._unread:
            self._unread += data
            self._window.arrived(self, len(data))
        else:
            self._unread = data
            self._window.arrived(self, len(data))

    def read_waiting(self) -> None:
        """Read what has arrived; a mistake of ours ends this socket alone."""
        data, self._unread = self._unread, b""
        if not data or self.disconnected:
            return
        try:
            self._read(data)
        except Exception as error:
            what = {"message": "A socket was not read.", "exception": error, "protocol": self}
            self.loop.call_exception_handler(what)
            self.transport.abort()

    def eof_received(self) -> None:
        """What came before the end is read before it."""
        self.read_waiting()
        super().eof_received()

    def _read(self, data: bytes) -> None:
        """Take plain binary frames out of the stream for the sink; uvicorn gets all others, whole.

        The first data is the request alone. From then on uvicorn's parser always stands between
        two frames, so each frame may go either way.
        """
        if self._wanted < 0:
            super().data_received(data)
            return
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return
            data = bytes(self._partial)
            self._partial.clear()
        at = 0
        while at < len(data):
            extent = frame_extent(data, at)
            if extent is None:
                self._keep(data, at, at + 1 + len(data) - at)
                return
            begin, end = extent
            if end - begin > self._largest:
                self._wanted = -1  # uvicorn's parser says 1009 and takes nothing more
                super().data_received(data[at:])
                return
            if end > len(data):
                self._keep(data, at, end)
                return
            self._take_frame(data, at, begin, end)
            at = end

    def _keep(self, data: bytes, at: int, end: int) -> None:
        """Wait for the rest of a frame that ends at `end`."""
        self._partial += data[at:]
        self._wanted = end - at

    def _take_frame(self, data: bytes, at: int, begin: int, end: int) -> None:
        is_plain = data[at] == PLAIN_BINARY and data[at + 1] & MASKED
        if is_plain and self._sink is not None and not self.frames and not self.close_sent:
            self._wait_for(self._sink(apply_mask(data[begin:end], data[begin - 4 : begin])))
        else:
            super().data_received(data[at:end])

    async def run_asgi(self) -> None:
        """Offer the extension, run the application, then let go of it and of each other.

        Left in a cycle, each connection would wait with all it holds for the garbage collector.
        """
        extensions: Any = self.scope["extensions"]
        extensions[EXTENSION] = self
        try:
            await super().run_asgi()
        finally:
            self._sink = None
            extensions.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Read the last words; let go of the parser: a generator that holds its own protocol."""
        self.read_waiting()
        super().connection_lost(exc)
        self.conn.parser.close()

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
        # Answered: 6 kB that an idle connection would keep.
        self.request.headers.clear()
        cast(Any, self.scope["headers"]).clear()
        del self.request, self.response
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

    def close_now(self, code: int, reason: str, linger_s: float = LINGER_SECONDS) -> None:
        """See FrameSocket; a reader that takes nothing more is cut off after `linger_s`."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(linger_s, self.transport.abort)

    def shutdown(self) -> None:
        """Say 1012 and wait for the answer; closing while frames arrive would reset it away."""
        self.read_waiting()
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": RESTART})
        self.close_now(RESTART, "", linger_s=RESTART_SECONDS)

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
