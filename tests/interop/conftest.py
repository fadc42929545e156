"""One shared server for the suite, servers of their own for tests that stop them, and editors."""

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.interop.browser import HERE, Editor, Node
from tests.support.live_server import LiveServer

HAS_NODE = shutil.which("node") is not None and (HERE / "node_modules" / "y-websocket").is_dir()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; without Node's packages skip what needs them."""
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
