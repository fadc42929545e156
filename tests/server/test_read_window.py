"""What sockets bring within one window is read together, each socket's bytes in order and once."""

import asyncio
import socket

import websockets

from server.sockets.framing import FramingProtocol, Latch
from server.sockets.read_window import MOST_WAITING_BYTES, ReadWindow
from tests.server.test_framing import Echo, serving


class Tablet:
    """Notes when it was read; `brings` says that bytes arrived."""

    def __init__(self, name: str, window: ReadWindow, read: list[str]) -> None:
        self.name, self.window, self.read = name, window, read

    def brings(self, size: int = 10) -> None:
        self.window.arrived(self, size)

    def read_waiting(self) -> None:
        self.read.append(self.name)


class Steps:
    """The timers of a loop, run by hand."""

    def __init__(self) -> None:
        self.timers: list[object] = []

    def call_later(self, seconds: float, call: object) -> object:
        self.timers.append(call)
        return call

    def ring(self) -> None:
        timers, self.timers = self.timers, []
        for timer in timers:
            timer()  # type: ignore[operator]


def stepped(monkeypatch, seconds: float = 0.008) -> tuple[Steps, ReadWindow]:
    steps = Steps()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: steps)
    return steps, ReadWindow(seconds)


def test_the_first_bytes_after_a_quiet_time_are_read_at_once(monkeypatch) -> None:
    steps, window = stepped(monkeypatch)
    read: list[str] = []
    Tablet("a", window, read).brings()

    assert read == ["a"]

    steps.ring()  # nothing came: the window is not followed by another
    assert steps.timers == []
    Tablet("b", window, read).brings()
    assert read == ["a", "b"]


def test_what_comes_within_a_window_is_read_at_its_end_in_order(monkeypatch) -> None:
    steps, window = stepped(monkeypatch)
    read: list[str] = []
    a, b, c = (Tablet(name, window, read) for name in "abc")
    a.brings()
    b.brings(), c.brings(), a.brings()
    assert read == ["a"]

    steps.ring()
    assert read == ["a", "b", "c", "a"]

    b.brings()  # the next window is open already
    assert read == ["a", "b", "c", "a"]
    steps.ring()
    assert read[4:] == ["b"]


def test_a_window_ends_early_when_much_waits(monkeypatch) -> None:
    _, window = stepped(monkeypatch)
    read: list[str] = []
    Tablet("a", window, read).brings()
    Tablet("b", window, read).brings(MOST_WAITING_BYTES)
    assert read == ["a"]

    Tablet("c", window, read).brings(1)

    assert read == ["a", "b", "c"]


def test_without_a_window_everything_is_read_at_once(monkeypatch) -> None:
    steps, window = stepped(monkeypatch, 0.0)
    read: list[str] = []
    Tablet("a", window, read).brings()
    Tablet("b", window, read).brings()

    assert (read, steps.timers) == (["a", "b"], [])


async def test_what_a_peer_sent_just_before_it_went_is_read(monkeypatch) -> None:
    window = ReadWindow(30.0)
    monkeypatch.setattr(FramingProtocol.__init__, "__kwdefaults__", {"window": window})
    echo = Echo()
    async with serving(echo) as url:
        async with websockets.connect(url, compression=None) as client:
            await client.send(b"opens the window")
            assert await client.recv() == b">opens the window"
            await client.send(b"the last word")
            raw: socket.socket = client.transport.get_extra_info("socket")
            client.transport.pause_reading()
            raw.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(20):
                while len(echo.seen) < 2:  # noqa: ASYNC110 - the other end of a real socket
                    await asyncio.sleep(0)

    assert echo.seen == [b"opens the window", b"the last word"]


async def test_a_mistake_in_reading_ends_one_socket_and_no_other(monkeypatch) -> None:
    monkeypatch.setattr(FramingProtocol.__init__, "__kwdefaults__", {"window": ReadWindow(0.005)})
    echo = Echo()
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    take = FramingProtocol._take_frame

    def failing(protocol: FramingProtocol, data: bytes, at: int, begin: int, end: int) -> None:
        if end - begin == 3:
            raise ZeroDivisionError
        take(protocol, data, at, begin, end)

    monkeypatch.setattr(FramingProtocol, "_take_frame", failing)
    async with serving(echo) as url:
        async with (
            websockets.connect(url, compression=None) as one,
            websockets.connect(url, compression=None) as other,
        ):
            await one.send(b"first")
            assert await one.recv() == b">first"
            await one.send(b"bad")
            await other.send(b"good")

            assert await other.recv() == b">good"
            await one.wait_closed()

    assert len(told) == 1


async def test_a_latch_lets_everybody_go_on_who_waits() -> None:
    latch = Latch()
    await latch.wait()
    latch.clear()
    waiting = [asyncio.ensure_future(latch.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert not latch.is_set()
    assert not waiting[1].done()

    latch.set()
    await asyncio.gather(*waiting[1:])

    assert latch.is_set()
