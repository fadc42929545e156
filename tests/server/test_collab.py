"""`/collab` by hand: statuses are durable, documents are bounded, and each is denied alone."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pycrdt
import pytest
from ulid import ULID

from server.assembly import assemble
from server.logs import configure_logs
from server.ports import NewRecord
from server.rooms import RoomHost
from server.settings import Settings
from server.sockets.collab import CollabEndpoint
from storage import User
from sync.varint import varuint
from sync.wire import encode_sync_step1, encode_sync_step2
from tests.server.builders import PASSWORD, POLICIES, SteppedClock
from tests.support.rooms import HeldStore, person, settled

SYNC, AUTH, CLOSE, SYNC_STATUS = 0, 2, 7, 8
DENIED, AUTHENTICATED = 1, 2
FAST = {"argon2_memory_kib": 8192, "argon2_time_cost": 1, "sync_answer_seconds": 0.0}


def named(name: str, rest: bytes) -> bytes:
    return varuint(len(name.encode())) + name.encode() + rest


def auth(name: str, token: str) -> bytes:
    return named(name, bytes((AUTH, 0)) + named(token, b"") + named("4.8.0", b""))


class Socket:
    """One ASGI WebSocket whose client is the test."""

    def __init__(self, endpoint: CollabEndpoint) -> None:
        self.sent: list[bytes] = []
        self.closed: int | None = None
        self._news = asyncio.Event()
        self._inbound: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbound.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket", "path": "/collab", "headers": [], "client": ("192.0.2.1", 1),
            "subprotocols": [], "extensions": {},
        }  # fmt: skip
        self.task = asyncio.ensure_future(endpoint(scope, self._inbound.get, self._send))

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            self.sent.append(message["bytes"])
            self._news.set()
        elif message["type"] == "websocket.close":
            self.closed = message["code"]

    def say(self, frame: bytes) -> None:
        self._inbound.put_nowait({"type": "websocket.receive", "bytes": frame})

    async def leave(self) -> None:
        self._inbound.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await self.task

    def heard(self, name: str, *start: int) -> int:
        """How many messages of a document begin with these bytes."""
        return sum(frame.startswith(named(name, bytes(start))) for frame in self.sent)

    async def hears(self, name: str, *start: int) -> None:
        async with asyncio.timeout(20):
            while not self.heard(name, *start):
                self._news.clear()
                await self._news.wait()


class Desk:
    """A served house with one record and a signed-in nurse."""

    def __init__(self, store: HeldStore, rooms: RoomHost, endpoint: CollabEndpoint) -> None:
        self.store = store
        self.rooms = rooms
        self.endpoint = endpoint
        self.token = ""
        self._sockets: list[Socket] = []

    async def record(self) -> str:
        view = await self.rooms.create(person("receptionist"), NewRecord(profile="outpatient"))
        return view.id

    def socket(self) -> Socket:
        self._sockets.append(Socket(self.endpoint))
        return self._sockets[-1]

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.leave()


@asynccontextmanager
async def open_desk(**settings: Any) -> AsyncIterator[Desk]:
    store, clock = HeldStore(), SteppedClock()
    log = configure_logs("json", "info", io.StringIO())
    house = assemble(Settings(**FAST, **settings), store, POLICIES, clock, log).house
    rooms = house.rooms
    assert isinstance(rooms, RoomHost)
    desk = Desk(store, rooms, CollabEndpoint(house, rooms))
    nurse = User(
        id=str(ULID()), username="nurse", name="Demo nurse", roles=frozenset({"nurse"}),
        password_hash=house.authenticator.passwords.hash(PASSWORD), disabled=False,
        created_at=clock(),
    )  # fmt: skip
    await store.directory.add_user(nurse)
    desk.token, _, _ = await house.authenticator.sign_in("nurse", PASSWORD, "tablet", "::1")
    async with rooms.running():
        yield desk
        await desk.close()
    await store.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as opened:
        yield opened


def pulse_update() -> bytes:
    """An update by yrs that sets the pulse."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc.get("vitals", type=pycrdt.Map)["pulse"] = 77
    return doc.get_update()


async def test_a_sync_status_is_sent_only_once_the_update_is_on_disk(desk: Desk) -> None:
    record = await desk.record()
    socket = desk.socket()
    socket.say(auth(record, desk.token))
    await socket.hears(record, AUTH, AUTHENTICATED)
    socket.say(named(record, encode_sync_step1({})))
    await socket.hears(record, SYNC, 1)
    desk.store.held.free.clear()

    socket.say(named(record, encode_sync_step2(pulse_update())))
    await settled()
    before = socket.heard(record, SYNC_STATUS, 1)
    desk.store.held.free.set()
    await socket.hears(record, SYNC_STATUS, 1)

    assert before == 0
    assert socket.heard(record, SYNC_STATUS, 1) == 1
    assert len(desk.store.held.commits) == 1


async def test_the_server_asks_before_it_sends_any_data(desk: Desk) -> None:
    record = await desk.record()
    socket = desk.socket()

    socket.say(auth(record, desk.token))
    socket.say(named(record, encode_sync_step1({})))
    await socket.hears(record, SYNC, 1)

    kinds = [frame.removeprefix(named(record, b""))[:2] for frame in socket.sent]
    assert kinds[:3] == [bytes((AUTH, AUTHENTICATED)), b"\x00\x00", b"\x00\x01"]


async def test_messages_of_a_record_that_nobody_opened_here_are_ignored(desk: Desk) -> None:
    record, other = await desk.record(), await desk.record()
    socket = desk.socket()

    socket.say(auth(record, "A" * 43))
    socket.say(named(record, encode_sync_step1({})))
    socket.say(named(record, encode_sync_step2(pulse_update())))
    socket.say(auth(other, desk.token))
    await socket.hears(other, AUTH, AUTHENTICATED)

    assert socket.heard(record) == socket.heard(record, AUTH, DENIED) == 1
    assert desk.store.held.commits == []


async def test_a_token_may_be_renewed_and_somebody_elses_closes_the_record(desk: Desk) -> None:
    record = await desk.record()
    socket = desk.socket()
    socket.say(auth(record, desk.token))
    await socket.hears(record, AUTH, AUTHENTICATED)

    socket.say(auth(record, desk.token))
    socket.say(auth(record, "A" * 43))
    await socket.hears(record, CLOSE)

    assert socket.heard(record, AUTH, AUTHENTICATED) == 2
    assert socket.heard(record, AUTH, DENIED) == 1
    assert socket.closed is None


async def test_more_records_than_one_socket_may_open_are_denied() -> None:
    async with open_desk(collab_documents=1) as desk:
        first, second = await desk.record(), await desk.record()
        socket = desk.socket()
        socket.say(auth(first, desk.token))
        socket.say(auth(second, desk.token))
        await socket.hears(second, AUTH, DENIED)
        socket.say(named(first, bytes((CLOSE,))))
        socket.say(auth(second, desk.token))
        await socket.hears(second, AUTH, AUTHENTICATED)

        assert socket.heard(first, AUTH, AUTHENTICATED) == 1


async def test_endless_denials_end_the_socket() -> None:
    async with open_desk(collab_documents=2) as desk:
        socket = desk.socket()

        for number in range(4):
            socket.say(auth(f"NONE-{number}", desk.token))
        await asyncio.wait_for(socket.task, 5)

        assert socket.closed == 4403


async def test_a_socket_on_which_nobody_signs_in_is_closed() -> None:
    async with open_desk(collab_sign_in_seconds=0.01) as desk:
        socket = desk.socket()

        await asyncio.wait_for(socket.task, 5)

        assert socket.closed == 4401


async def test_a_socket_that_goes_leaves_every_room(desk: Desk) -> None:
    record = await desk.record()
    socket = desk.socket()
    socket.say(auth(record, desk.token))
    await socket.hears(record, AUTH, AUTHENTICATED)

    await socket.leave()

    async with desk.rooms.opened(record) as room:
        assert room.peers == {}
        assert room.holds == 1
