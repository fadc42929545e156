"""pycrdt's own provider, and pycrdt-websocket's client channel, as peers of JavaScript editors."""

import asyncio
from collections.abc import Callable
from typing import Any

import pycrdt
from pycrdt.websocket.websocket import HttpxWebsocket
from websockets.asyncio.client import ClientConnection, connect

from tests.interop.browser import until
from tests.interop.conftest import Open
from tests.support.live_server import LiveServer

ENTRY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class AsHttpxWs:
    """A `websockets` connection under the two names that pycrdt-websocket's channel calls."""

    def __init__(self, socket: ClientConnection) -> None:
        self.send_bytes = socket.send
        self.receive_bytes = socket.recv


def open_socket(server: LiveServer, record: str, user: str) -> connect:
    return connect(
        f"{server.websocket_url}/sync/{record}",
        additional_headers={"authorization": f"Bearer {server.token(user)}"},
    )


async def until_true(holds: Callable[[], bool], what: str) -> None:
    async def look() -> bool:
        return holds()

    await until(look, bool, what)


async def test_a_pycrdt_provider_edits_with_a_y_websocket_editor(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    officer = await editor_of("clinical_officer", record)
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    vitals = doc.get("vitals", type=pycrdt.Map)
    plan = doc.get("diagnosis.plan", type=pycrdt.Text)
    async with (
        open_socket(server, record, "nurse") as socket,
        pycrdt.Provider(doc, HttpxWebsocket(AsHttpxWs(socket), record)) as provider,
    ):
        async with asyncio.timeout(15):
            await provider.synced.wait()

        vitals["pulse"] = 72
        await officer.until_field("vitals.pulse", 72)
        await officer.edit(["insert", "diagnosis.plan", 0, "Rest 😀"])

        await until_true(lambda: str(plan) == "Rest 😀", "the plan arrives in Python")


async def test_a_pycrdt_peer_is_healed_of_what_it_may_not_write(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    officer = await editor_of("clinical_officer", record)
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    vitals = doc.get("vitals", type=pycrdt.Map)
    diagnosis = doc.get("diagnosis", type=pycrdt.Map)
    vitals["pulse"] = 72  # before connecting: it arrives as one backlog
    diagnosis[ENTRY] = {"text": "malaria"}
    async with (
        open_socket(server, record, "nurse") as socket,
        pycrdt.Provider(doc, HttpxWebsocket(AsHttpxWs(socket), record)),
    ):
        await officer.until_field("vitals.pulse", 72)
        await until_true(lambda: ENTRY not in diagnosis, "the refused entry goes away")
        vitals["pulse"] = 73
        await officer.until_field("vitals.pulse", 73)

    assert (await officer.show("diagnosis"))["maps"]["diagnosis"] == {}
    assert len(server.refusals(record)) == 1
