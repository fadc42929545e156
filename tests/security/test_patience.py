"""Strangers who open connections and never finish a sentence."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from server.sockets.patience import HEADER_SECONDS, MAX_HEADER_BYTES, PatientProtocol


class Wire(asyncio.Transport):
    """Keeps what is written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Line:
    """A protocol on a wire, with the timers that it set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.timers: list[tuple[float, Callable[[], None], asyncio.TimerHandle]] = []
        later = loop.call_later

        def noted(delay: float, call: Any, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
            handle = later(delay, call, *arguments, **more)
            self.timers.append((delay, call, handle))
            return handle

        monkeypatch.setattr(loop, "call_later", noted)
        config = uvicorn.Config(application, http=PatientProtocol, lifespan="off", log_config=None)
        config.load()
        self.protocol = PatientProtocol(config, ServerState(), {})
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    def run_out(self) -> None:
        """Let the time for every header be over."""
        for delay, call, handle in list(self.timers):
            if delay == HEADER_SECONDS and not handle.cancelled():
                call()


@pytest.mark.parametrize("said", [b"", b"GET /", b"GET / HTTP/1.1\r\nX: "])
async def test_a_connection_that_never_finishes_its_header_is_closed(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    line = Line(monkeypatch)
    if said:
        line.protocol.data_received(said)

    line.run_out()

    assert line.wire.closed


async def test_a_header_that_never_ends_takes_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(monkeypatch)
    line.protocol.data_received(b"GET / HTTP/1.1\r\n")

    for _ in range(100):
        if not line.wire.closed:
            line.protocol.data_received(b"X: " + b"y" * 16 * 1024 + b"\r\n")

    assert line.wire.closed
    assert sum(len(value) for _, value in line.protocol.headers) <= MAX_HEADER_BYTES + 16 * 1024


async def test_whoever_finishes_is_served_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(monkeypatch)
    for _ in range(3):
        line.protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        line.run_out()

    assert line.wire.written.count(b"204 No Content") == 3
    assert not line.wire.closed


async def test_a_kept_connection_has_no_more_time_for_its_next_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(monkeypatch)
    line.protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0)
    line.protocol.data_received(b"GET / HTTP/1.1\r\nX: ")

    line.run_out()

    assert line.wire.closed
