"""uvicorn's HTTP protocol with an end to its patience, for who opens a connection and says little.

uvicorn waits for the rest of a request's header for ever and keeps however much of it comes, before
anybody has signed in. Bodies have their own bounds (server/rest/endpoint.py).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["ABORT", "PatientProtocol"]

ABORT = "fieldchart.abort"
"""The extension of a request's scope that drops its connection with whatever it was not read."""

HEADER_SECONDS = 20.0
"""A request's header must have arrived by then, counted from its first byte or the connection."""

MAX_HEADER_BYTES = 64 * 1024
"""A header that is not complete after so much is refused; what has come with it may be a body."""


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose header takes too long or grows too large."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._header_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._header_bytes > MAX_HEADER_BYTES:
            self._header_is_here()
            self.send_400_response("The header is too large.")
            return
        if self._deadline is not None:
            self._header_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins, perhaps on a connection that has had others."""
        self._expect_header()
        super().on_message_begin()
        extensions: Any = {ABORT: self.transport.abort}
        self.scope["extensions"] = extensions

    def on_headers_complete(self) -> None:
        self._header_is_here()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, and let go of the parser, which holds this protocol."""
        super().handle_websocket_upgrade()
        del self.parser

    def _expect_header(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _header_is_here(self) -> None:
        self._header_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
