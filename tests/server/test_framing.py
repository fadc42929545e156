"""The short way in and out of a WebSocket: messages, order and errors as on the long one."""

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
import websockets
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from websockets.frames import Frame, Opcode

from server.sockets.framing import FramingProtocol, frame_extent, frame_socket
from server.sockets.patience import PatientProtocol


class Echo:
    """Sends back what the sink gets, behind a mark; text that comes by `receive` as it is."""

    def __init__(self) -> None:
        self.pause: asyncio.Future[None] | None = None
        self.seen: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        socket = frame_socket(scope)
        assert socket is not None

        def sink(message: bytes) -> "asyncio.Future[None] | None":
            self.seen.append(message)
            socket.write_frame(Frame(Opcode.BINARY, b">" + message).serialize(mask=False))
            return self.pause

        socket.deliver_to(sink)
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "text": message["text"]})


@asynccontextmanager
async def serving(echo: Echo) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            echo,
            http=PatientProtocol,
            ws=FramingProtocol,
            ws_max_size=100_000,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
        )
    )
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def test_messages_of_every_size_come_through_in_order() -> None:
    echo = Echo()
    async with serving(echo) as url, websockets.connect(url, compression=None) as client:
        sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 99_999]
        for size in sizes:
            await client.send(b"x" * size)

        assert [len(await client.recv()) - 1 for _ in sizes] == sizes


async def test_fragments_text_and_pings_go_the_long_way_between_plain_messages() -> None:
    echo = Echo()
    async with serving(echo) as url, websockets.connect(url, compression=None) as client:
        await client.send(b"1")
        await client.send([b"2", b"3"])
        await (await client.ping())
        await client.send("text")
        await client.send(b"4")

        answers = [await client.recv() for _ in range(4)]

    assert [a for a in answers if isinstance(a, bytes)] == [b">1", b">23", b">4"]
    assert "text" in answers


async def test_a_message_cut_anywhere_by_the_network_is_whole_again() -> None:
    echo = Echo()
    async with serving(echo) as url, websockets.connect(url, compression=None) as client:
        payload = bytes(range(256)) * 3
        raw = Frame(Opcode.BINARY, payload).serialize(mask=True) * 2
        for at in range(0, len(raw), 11):
            client.transport.write(raw[at : at + 11])
            await asyncio.sleep(0)

        assert [await client.recv(), await client.recv()] == [b">" + payload] * 2


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (Frame(Opcode.BINARY, b"x" * 100_001).serialize(mask=True), 1009),
        (Frame(Opcode.BINARY, b"unmasked").serialize(mask=False), 1002),
        (b"\xc2\x80\x00\x00\x00\x00", 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
    ],
)
async def test_what_breaks_the_protocol_is_closed_as_uvicorn_closes_it(
    raw: bytes, code: int
) -> None:
    echo = Echo()
    async with serving(echo) as url, websockets.connect(url, compression=None) as client:
        client.transport.write(raw)

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert echo.seen == []


async def test_a_sink_that_must_wait_stops_the_reading_until_it_goes_on() -> None:
    echo = Echo()
    async with serving(echo) as url, websockets.connect(url, compression=None) as client:
        await client.send(b"0")
        await client.recv()
        echo.pause = asyncio.get_running_loop().create_future()
        await client.send(b"1")
        await client.recv()
        await client.send(b"2")
        for _ in range(50):
            await asyncio.sleep(0)
        waiting = list(echo.seen)
        pause, echo.pause = echo.pause, None
        pause.set_result(None)

        assert waiting == [b"0", b"1"]
        assert await client.recv() == b">2"


@given(st.binary(max_size=70_000), st.booleans(), st.integers(0, 8))
def test_the_extent_of_a_frame_is_what_the_websocket_library_wrote(
    payload: bytes, masked: bool, before: int
) -> None:
    raw = bytes(before) + Frame(Opcode.BINARY, payload).serialize(mask=masked)

    extent = frame_extent(raw, before)

    assert extent is not None
    assert extent[1] == len(raw)
    assert extent[1] - extent[0] == len(payload)
    assert all(
        part is None or part == extent
        for part in (frame_extent(raw[:end], before) for end in range(before, before + 15))
    )


async def test_a_connection_that_has_ended_leaves_nothing_to_the_garbage_collector() -> None:
    """Thousands that come and go would otherwise hold memory until it looks for cycles."""
    echo = Echo()
    known: list[weakref.ref[object]] = []

    def noting(kind: type) -> Callable[..., None]:
        make = kind.__init__  # type: ignore[misc]

        def noted(protocol: object, *args: object, **kwargs: object) -> None:
            known.append(weakref.ref(protocol))
            make(protocol, *args, **kwargs)

        return noted

    async with serving(echo) as url:
        gc.collect()
        gc.disable()
        try:
            with pytest.MonkeyPatch.context() as patched:
                for kind in (FramingProtocol, PatientProtocol):
                    patched.setattr(kind, "__init__", noting(kind))
                async with websockets.connect(url, compression=None) as client:
                    await client.send(b"1")
                    assert await client.recv() == b">1"
            async with asyncio.timeout(20):
                while any(protocol() is not None for protocol in known):  # noqa: ASYNC110 - weak
                    await asyncio.sleep(0)

            assert len(known) == 2
        finally:
            gc.enable()
