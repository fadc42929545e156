"""WebSocket frames encoded once and written to many sockets.

uvicorn builds a frame anew for every `websocket.send`, behind a coroutine and a dictionary; in a room
of 200 that is most of what a broadcast costs. `FramingProtocol` is uvicorn's own protocol with one
more way out, offered to the application as an ASGI extension. Where the extension is absent (another
server, another protocol) everything goes through `websocket.send`.
"""

from collections.abc import Callable
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["FramingProtocol", "WriteFrame", "binary_frame", "frame_writer"]

EXTENSION = "fieldchart.frames"

WriteFrame = Callable[[bytes], bool]
"""Writes one encoded frame at once; False where the socket's buffer is full. Raises OSError when gone."""


def binary_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked binary frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        return b"\x82" + length.to_bytes(1, "big") + payload
    if length < 1 << 16:
        return b"\x82\x7e" + length.to_bytes(2, "big") + payload
    return b"\x82\x7f" + length.to_bytes(8, "big") + payload


def frame_writer(scope: Scope) -> WriteFrame | None:
    """The connection's frame writer, where the server underneath offers one."""
    writer: Any = scope.get("extensions", {}).get(EXTENSION)
    return writer if callable(writer) else None


class FramingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which also takes whole frames. Compression must be off."""

    async def run_asgi(self) -> None:
        """Offer the extension, then run the application."""
        extensions: Any = self.scope["extensions"]
        extensions[EXTENSION] = self.write_frame
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> bool:
        """A WriteFrame."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        if not self.handshake_complete or not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True
