"""One socket: nothing is skipped, nothing overtakes, a slow reader is closed instead."""

import asyncio
import time

import pytest
from websockets.frames import Frame, Opcode

from server.settings import Settings
from server.sockets.connection import Connection
from server.sockets.framing import binary_frame
from sync.budgets import Budgets
from sync.session import Session
from tests.support.rooms import person, settled


class Socket:
    """A transport that takes messages only while it is open for them."""

    def __init__(self, *, frames: bool = False) -> None:
        self.taken: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.gone = False
        self.write_frame = self._write if frames else None

    async def send(self, message: bytes) -> None:
        await self.free.wait()
        self.taken.append(message)

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def close_now(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def _write(self, frame: bytes) -> bool:
        if self.gone:
            raise ConnectionResetError
        if not self.free.is_set():
            return False
        self.taken.append(frame[2:])
        return True


def connect(socket: Socket, **settings: int) -> Connection:
    return Connection(
        "c1", person("nurse"), socket, Session(Budgets(), time.monotonic()),
        Settings(**settings), speaks_extension=False,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("frames", [False, True])
async def test_messages_keep_their_order_whether_they_had_to_wait_or_not(frames: bool) -> None:
    socket = Socket(frames=frames)
    connection = connect(socket)
    writer = asyncio.ensure_future(connection.run())
    await settled()

    connection.send(b"1")
    socket.free.clear()
    connection.send(b"2")
    connection.send(b"3")
    await settled()
    socket.free.set()
    connection.send(b"4")
    await settled()
    connection.send(b"5")
    await settled()

    assert socket.taken == [b"1", b"2", b"3", b"4", b"5"]
    connection.close(1000, "")
    await writer


async def test_what_was_queued_goes_out_before_the_close() -> None:
    socket = Socket()
    connection = connect(socket)
    connection.send(b"1")
    connection.close(4401, "Signed out.")
    connection.send(b"2")

    await connection.run()

    assert socket.taken == [b"1"]
    assert socket.closed == (4401, "Signed out.")


@pytest.mark.parametrize("limit", [{"send_queue_messages": 3}, {"send_queue_bytes": 1024}])
async def test_a_reader_that_leaves_too_much_waiting_is_closed_with_4508(
    limit: dict[str, int],
) -> None:
    """y-sweet drops frames and keeps the socket open (S1)."""
    socket = Socket()
    socket.free.clear()
    connection = connect(socket, **limit)
    writer = asyncio.ensure_future(connection.run())
    await settled()

    for _ in range(6):
        connection.send(bytes(400))
        await settled()

    assert connection.close_code == 4508
    socket.free.set()
    await writer
    assert socket.closed is not None
    assert socket.closed[0] == 4508


async def test_only_final_codes_bar_what_a_peer_sent_before() -> None:
    revoked, restarted = connect(Socket()), connect(Socket())

    revoked.close(4401, "")
    restarted.close(1012, "")

    assert revoked.barred
    assert not restarted.barred


async def test_a_peer_that_is_gone_takes_nothing_and_harms_nobody() -> None:
    socket = Socket(frames=True)
    connection = connect(socket)
    writer = asyncio.ensure_future(connection.run())
    await settled()
    socket.gone = True

    connection.send(b"1")

    assert socket.taken == []
    connection.close(1000, "")
    await writer


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 70_000])
def test_a_frame_is_encoded_as_the_websocket_library_encodes_it(length: int) -> None:
    payload = bytes(length)

    assert binary_frame(payload) == Frame(Opcode.BINARY, payload).serialize(mask=False)
