"""One shared server for the suite, servers of their own for tests that stop them, and editors."""

import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.interop.browser import HERE, Editor, Node
from tests.support.live_server import LiveServer

IDLE_S = 40.0
"""Stock editors give up after 30 s of silence."""

HAS_NODE = shutil.which("node") is not None and (HERE / "node_modules" / "y-websocket").is_dir()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; without Node's packages skip what needs them."""
    items.sort(key=lambda item: item.path.name == "test_idle.py")  # last: its time runs meanwhile
    skip = pytest.mark.skip(reason="tests/interop: no node_modules; run `npm ci` there")
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.interop)
        if not HAS_NODE:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The server that most tests share, each with a record of its own. Afterwards it verifies."""
    running = LiveServer(tmp_path_factory.mktemp("shared"))
    try:
        yield running
        assert running.terminate() == 0
        verified = running.verify()
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert '"incident"' not in running.log(), running.log()
    finally:
        running.kill()


class IdleEditors:
    """A y-websocket and a Hocuspocus editor in a process that nobody talks to until the end."""

    def __init__(self, server: LiveServer) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "clients.mjs")], cwd=HERE, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        where = {
            "url": server.websocket_url, "record": server.new_record(),
            "token": server.token("nurse"), "socket": "idle",
        }  # fmt: skip
        for kind in ("websocket", "hocuspocus"):
            self._do(kind, client=kind, **where)
        self.since = time.monotonic()

    def _do(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"id": 0, "do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["answer"]

    def look(self) -> dict[str, tuple[int, list[Any], list[str]]]:
        """How often each connected, its closes, and what it warned of."""
        shown = {kind: self._do("show", client=kind) for kind in ("websocket", "hocuspocus")}
        return {
            kind: (one["opens"] + one["authenticated"], one["closes"], one["warnings"])
            for kind, one in shown.items()
        }

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session", autouse=True)
def idle_editors(request: pytest.FixtureRequest) -> Iterator[IdleEditors | None]:
    """Connected before the first test, if the session has the test that looks at them."""
    if not HAS_NODE or not any(item.path.name == "test_idle.py" for item in request.session.items):
        yield None
        return
    editors = IdleEditors(request.getfixturevalue("server"))
    try:
        yield editors
    finally:
        editors.end()


class StartServer(Protocol):
    def __call__(self, environment: Mapping[str, str] | None = None) -> LiveServer: ...


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers of the test's own; afterwards their data verifies."""
    started: list[LiveServer] = []

    def start(environment: Mapping[str, str] | None = None) -> LiveServer:
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        started.append(LiveServer(folder, environment))
        return started[-1]

    try:
        yield start
        for running in started:
            running.terminate()
            verified = running.verify()
            assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        for running in started:
            running.kill()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with Node() as running:
        yield running


class Open(Protocol):
    async def __call__(self, name: str, record: str, **options: Any) -> Editor: ...


@pytest.fixture
def editor_of(server: LiveServer, node: Node) -> Open:
    """Opens y-websocket editors on the shared server, synced unless `connect` is False."""

    async def open_(name: str, record: str, **options: Any) -> Editor:
        return await open_editor(server, node, name, record, **options)

    return open_


async def open_editor(
    server: LiveServer, node: Node, name: str, record: str, **options: Any
) -> Editor:
    """A y-websocket editor; `user` is who signs in (default: the part of `name` before a `/`)."""
    user = options.pop("user", name.split("/")[0])
    if "token" not in options:
        options["token"] = server.token(user)
    await node.do("websocket", client=name, url=server.websocket_url, record=record, **options)
    editor = Editor(node, name)
    if options.get("connect", True):
        await editor.until_synced()
    return editor
