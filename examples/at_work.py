"""People at work, for the example days: what they hear, and the records they have open.

A `Person` is a log-in with its stream of events; a `Chart` is a record that somebody has open live.
Both wait for what must come, at most PATIENCE_S, and fail when it does not.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pycrdt
from fieldchart_client import (
    AWARENESS,
    REFUSED,
    SAVED,
    SYNC,
    Client,
    clocks,
    journal_frame,
    plain,
    read_refused,
    read_saved,
)
from ulid import ULID
from websockets.exceptions import ConnectionClosed

NOTICE, LOCK = 103, 104
STEP1, STEP2 = 0, 1
PATIENCE_S, RENEW_S = 15.0, 15.0


def does(who: "Person", what: str) -> None:
    """Print what somebody does."""
    print(f"{who.title:<20} {what}", flush=True)


def sees(who: "Person", what: str) -> None:
    """Print what somebody's screen shows of it."""
    print(f"{'':<6}{who.title} sees: {what}", flush=True)


class Waits:
    """Wakes whoever waits for something to hold."""

    def __init__(self) -> None:
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """Something has changed: look again."""
        self._stirred.set()

    async def until(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` returns, once it is true."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (found := look()):
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}") from None
        return found


class Person(Waits):
    """Somebody at work, named by the demo account they use."""

    def __init__(self, url: str, username: str, title: str) -> None:
        super().__init__()
        self.title, self.username, self.url = title, username, url
        self.client = Client(url, username, "demo")
        me = self.client.get("/api/me")
        self.id, self.name = str(me["id"]), str(me["name"])
        self._headers = {"authorization": f"Bearer {self.client.token}"}
        self._streams: list[asyncio.Task[None]] = []
        self._heard: list[dict[str, Any]] = []

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A REST call; the answer may be a refusal."""
        return httpx.request(
            method, f"{self.url}/api{path}", json=body, headers=self._headers | (headers or {}),
            timeout=PATIENCE_S,
        )  # fmt: skip

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer of a GET."""
        return self.client.get(f"/api{path}", **query)

    async def listen(self, record: str = "") -> None:
        """Hear what is meant for me; with a record also what happens in that session."""
        ready = asyncio.Event()
        self._streams.append(asyncio.create_task(self._read_events(record, ready)))
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()

    async def _read_events(self, record: str, ready: asyncio.Event) -> None:
        path = f"{self.url}/api/events" + (f"?record={record}" if record else "")
        async with (
            httpx.AsyncClient(timeout=None) as http,
            http.stream("GET", path, headers=self._headers) as stream,
        ):
            id = name = ""
            async for line in stream.aiter_lines():
                key, _, text = line.partition(": ")
                if key == "id":
                    id = text
                elif key == "event":
                    name = text
                elif key == "data" and name == "ready":
                    ready.set()
                elif key == "data" and id:  # without one: the board or the dashboard has changed
                    self._heard.append(json.loads(text))
                    self.stir()
                elif not line:
                    id = name = ""

    async def hears(self, event: str, record: str) -> dict[str, Any]:
        """The next event of this name about this record, wherever I am."""

        def look() -> dict[str, Any] | None:
            for told in self._heard:
                if told["event"] == event and told["record"] == record:
                    self._heard.remove(told)
                    return told
            return None

        told: dict[str, Any] = await self.until(f"{self.username} hears {event}", look)
        return told

    async def open(self, record: str) -> "Chart":
        """Open a record live."""
        chart = Chart(self, record)
        await chart.connect()
        return chart

    async def go_home(self) -> None:
        """Hear no more."""
        self.client.close()
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)


class Chart(Waits):
    """A record on somebody's screen: its document, who else is there, what the server says.

    Without a connection it takes edits all the same and delivers them on connecting.
    """

    def __init__(self, person: Person, record: str) -> None:
        super().__init__()
        self.person, self.record = person, record
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._awareness = pycrdt.Awareness(self.doc)
        self._connection = contextlib.AsyncExitStack()
        self._socket: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._journal: list[list[Any]] = []
        self._sent = self._saved = 0
        self._is_synced = False
        self._lost = ""
        self._refused: list[dict[str, Any]] = []
        self._notices: list[dict[str, Any]] = []

    # -- the connection ----------------------------------------------------------------------------

    async def connect(self) -> None:
        """Deliver what was written meanwhile, and get what others wrote."""
        opened = self.person.client.open(self.record, "fieldchart.v1")
        self._socket = await self._connection.enter_async_context(opened)
        self._sent = self._saved = 0
        self._is_synced, self._lost = False, ""
        await self._socket.send(pycrdt.create_sync_message(self.doc))
        now = time.time_ns() // 1_000_000
        login = self.person.client.login_id
        await self._socket.send(journal_frame([[0, 0, 0, now, login, ""], *self._journal]))
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._stay())]
        await self.until("is synced", lambda: self._is_synced and self._saved >= self._sent > 0)
        self._journal.clear()

    async def disconnect(self) -> None:
        """The network goes, or the person leaves the record."""
        self._socket = None
        await self._connection.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stay(self) -> None:
        """Say that I am here, again and again: who is silent for 30 s is gone."""
        while True:
            await self.present(**(self._awareness.get_local_state() or {}))
            await asyncio.sleep(RENEW_S)

    async def _read(self) -> None:
        try:
            await self._take_frames(self._socket)
        except ConnectionClosed as closed:
            self._lost = f"the connection was lost: {closed}"  # docs/protocol.md, Close codes
            self.stir()

    async def until(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` returns, once it is true; fails at once when the connection is lost."""
        found = await super().until(what, lambda: look() or self._lost)
        assert not self._lost, f"{self.person.username}, {what}: {self._lost}"
        return found

    async def _take_frames(self, socket: Any) -> None:
        async for frame in socket:
            kind, body = frame[0], frame[1:]
            if kind == SYNC:
                answer = pycrdt.handle_sync_message(body, self.doc)
                if answer is not None:
                    await socket.send(answer)
                    self._sent += 1
                self._is_synced |= body[0] == STEP2
            elif kind == AWARENESS:
                self._awareness.apply_awareness_update(pycrdt.read_message(body), "server")
            elif kind == SAVED:
                self._saved = read_saved(frame)[0]
            elif kind == REFUSED:
                self._refused += read_refused(frame)["fields"]
            elif kind == NOTICE:
                self._notices.append(json.loads(pycrdt.read_message(body)))
            self.stir()

    # -- what I do ---------------------------------------------------------------------------------

    async def write(self, fields: dict[str, Any]) -> None:
        """Set fields, in one edit; a narrative takes the words at its end."""
        before, mine = self.doc.get_state(), self._my_clock()
        with self.doc.transaction():
            for name, value in fields.items():
                root, _, key = name.partition(".")
                if key in ("notes", "history", "examination", "plan", "report"):
                    text = self.doc.get(name, type=pycrdt.Text)
                    text.insert(len(text), value)
                else:
                    self.doc.get(root, type=pycrdt.Map)[key] = value
        if self._socket is None:
            written_at = time.time_ns() // 1_000_000
            row = [self.doc.client_id, mine, self._my_clock(), written_at]
            self._journal.append([*row, self.person.client.login_id, ""])
            return
        await self._socket.send(pycrdt.create_update_message(self.doc.get_update(before)))
        self._sent += 1
        await self.until("is saved", lambda: self._saved >= self._sent)

    async def add(self, section: str, entry: dict[str, Any]) -> str:
        """Add an entry; returns its id."""
        id = str(ULID())
        known = {"id": id, "at": datetime.now(UTC).isoformat(), "by": self.person.id}
        await self.write({f"{section}.{id}": {**entry, **known}})
        return id

    async def step(self, step: str, action: str, **more: str) -> None:
        """Ask for a step, and wait for the answer if there is a connection."""
        wish = {"action": action, "at": datetime.now(UTC).isoformat(), **more}
        await self.write({f"progress.{step}": wish})
        if self._socket is not None:
            await self.until("the step is answered", lambda: self.value(f"progress.{step}") is None)

    async def present(self, **state: str | None) -> None:
        """Say on which page I am, and in which field I type."""
        self._awareness.set_local_state(state)
        update = self._awareness.encode_awareness_update([self.doc.client_id])
        await self._socket.send(pycrdt.create_awareness_message(update))

    async def lock(self, action: str, field: str) -> dict[str, Any]:
        """Acquire, renew or release a field; returns the server's answer."""
        text = json.dumps({"action": action, "field": field}).encode()
        await self._socket.send(bytes([LOCK]) + pycrdt.write_message(text))
        return await self.told("lock")

    # -- what I see --------------------------------------------------------------------------------

    def value(self, name: str) -> Any:
        """What a field shows."""
        root, _, key = name.partition(".")
        return plain(self.doc.get(root, type=pycrdt.Map).get(key))

    async def shows(self, name: str, value: Any) -> Any:
        """Wait until a field shows the value."""
        await self.until(f"{name} shows {value!r}", lambda: self.value(name) == value)
        return value

    def states(self) -> Sequence[dict[str, Any]]:
        """What awareness says of the others, and of the server."""
        return list(self._awareness.states.values())

    async def here(self, *people: Person) -> str:
        """Wait until exactly these are on the record beside me; returns their names."""
        wanted = sorted(person.name for person in people)
        await self.until(f"here: {wanted}", lambda: names(self.states()) == wanted)
        return ", ".join(wanted)

    async def typing(self, person: Person) -> str:
        """Wait until somebody types; returns where."""
        return str(await self.until("typing", lambda: typed(self.states()).get(person.name)))

    async def locked(self, field: str) -> str:
        """Wait until a field is held; returns by whom."""
        return str(await self.until("locked", lambda: locks(self.states()).get(field)))

    async def refused(self) -> list[dict[str, Any]]:
        """Wait for a refusal; returns its fields, each with rule and reason."""
        await self.until("a refusal", lambda: self._refused)
        refused, self._refused = self._refused, []
        return refused

    async def told(self, event: str) -> dict[str, Any]:
        """Wait for the next notice of this name."""

        def look() -> dict[str, Any] | None:
            for notice in self._notices:
                if notice["event"] == event:
                    self._notices.remove(notice)
                    return notice
            return None

        told: dict[str, Any] = await self.until(f"{self.person.username} is told {event}", look)
        return told

    def _my_clock(self) -> int:
        return clocks(self.doc).get(self.doc.client_id, 0)


def names(states: Sequence[dict[str, Any]]) -> list[str]:
    """Who else is on the record: nobody is told of themselves."""
    return sorted({state["user"]["name"] for state in states if state.get("user")})


def typed(states: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Name of a person → the field that they type in."""
    return {state["user"]["name"]: state["typing"] for state in states if state.get("typing")}


def locks(states: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Field → the name of who holds it, from the server's own state."""
    held = [state["server"]["locks"] for state in states if "server" in state]
    return {field: lock["user"]["name"] for one in held for field, lock in one.items()}
