"""Three people on one tablet with wrong clocks, over real sockets: whose edit is whose, and when.

Done-when of the issue on trust. The server is a process of its own with its own clock; the tablet
is a Yjs document that seals as docs/protocol.md says.
"""

import asyncio
import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pycrdt
import pytest

from storage import SqliteStore
from sync.effects import Refusal, UpdateRow
from sync.messages import Refused, Saved, SyncStep1, SyncStep2
from sync.wire import encode_journal, encode_sync_step1
from sync.wire import encode_sync_step2 as step2
from sync.wire import encode_update_message as update_message
from tests.interop.raw import ExtensionPeer, raw_peer
from tests.support.live_server import LiveServer, run_fieldchart
from tests.support.shared_tablet import SharedTablet
from tests.support.ward_tablet import setting

NEAR = timedelta(seconds=2)
"""How exactly the server can know a wrong clock: a log-in is on its way for so long at most."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    running = LiveServer(tmp_path)
    try:
        yield running
    finally:
        running.kill()


def true_time() -> datetime:
    return datetime.now(UTC)


def sign_in(server: LiveServer, tablet: SharedTablet, user: str) -> dict[str, Any]:
    """Sign in on the tablet, which tells what time it thinks it is."""
    body = {
        "username": user, "password": "demo", "device": f"tablet of {user}",
        "device_time": tablet.time().isoformat(),
    }  # fmt: skip
    answer = httpx.post(f"{server.url}/api/login", json=body, timeout=30).json()
    headers = {"authorization": f"Bearer {answer['token']}"}
    answer["login_id"] = httpx.get(f"{server.url}/api/me", headers=headers).json()["login_id"]
    answer["headers"] = headers
    tablet.sign_in(answer["login_id"], base64.b64decode(answer["seal_key"]))
    return answer


def sign_out(server: LiveServer, tablet: SharedTablet, login: dict[str, Any]) -> None:
    httpx.post(f"{server.url}/api/logout", headers=login["headers"]).raise_for_status()
    tablet.sign_out()


def roles(server: LiveServer, user: str, *given: str) -> None:
    options = [part for role in given for part in ("--role", role)]
    done = run_fieldchart("user", "roles", user, *options, "--data", str(server.data))
    assert done.returncode == 0, done.stderr


async def fetch(server: LiveServer, tablet: SharedTablet, token: str) -> None:
    """Get the record onto the tablet."""
    async with extension_peer(server, tablet, token) as peer:
        await peer.next(SyncStep1)
        await peer.send(encode_sync_step1({}))
        tablet.doc.apply_update((await peer.next(SyncStep2)).update)


async def deliver(server: LiveServer, tablet: SharedTablet, token: str) -> list[Refused]:
    """Everything that waits on the tablet, in the order that the protocol asks for."""
    refused: list[Refused] = []
    async with extension_peer(server, tablet, token) as peer:
        asked = await peer.next(SyncStep1)
        await peer.send(encode_sync_step1(tablet.vector()))
        await peer.send(encode_journal([tablet.reading()]))
        for entry, update in tablet.sealed:
            await peer.send(encode_journal([entry]))
            await peer.send(update_message(update))
        await peer.send(step2(tablet.doc.get_update(vector_bytes(asked.state_vector))))
        async with asyncio.timeout(15):
            while True:
                message = await peer.any()
                if isinstance(message, Refused):
                    refused.append(message)
                elif isinstance(message, Saved) and message.count == len(tablet.sealed) + 1:
                    return refused


def vector_bytes(vector: dict[int, int]) -> bytes:
    return encode_sync_step1(vector)[3:]


def extension_peer(server: LiveServer, tablet: SharedTablet, token: str) -> Any:
    return raw_peer(
        server.websocket_url, tablet.record_id, token, protocol="fieldchart.v1", kind=ExtensionPeer
    )


async def stored(
    server: LiveServer, record: str
) -> tuple[list[UpdateRow], list[Refusal], dict[str, str]]:
    """The log and the refusals of a record, and the user names behind ids."""
    store = await SqliteStore.open(server.data / "fieldchart.sqlite3", read_only=True)
    try:
        names = {user.id: user.username for user in await store.directory.users()}
        rows = list(await store.records.rows(record))
        return rows, list(await store.records.refusals(record)), names
    finally:
        await store.close()


def planning(text: str) -> Any:
    return lambda doc: doc.get("diagnosis.plan", type=pycrdt.Text).insert(0, text)


@pytest.mark.rule("JOUR-1")
@pytest.mark.rule("JOUR-6")
@pytest.mark.rule("JOUR-8")
async def test_three_people_on_one_tablet_with_wrong_clocks_are_each_told_apart(
    server: LiveServer,
) -> None:
    record = server.new_record()
    tablet = SharedTablet(record, true_time)
    written: list[tuple[str, datetime]] = []

    def write(user: str, change: Any) -> None:
        tablet.write(change)
        written.append((user, true_time()))

    tablet.ahead = timedelta(days=2)
    nurse = sign_in(server, tablet, "nurse")
    await fetch(server, tablet, nurse["token"])
    write("nurse", setting("vitals", "pulse", 88))
    write("nurse", setting("triage", "complaint", "Cough"))
    write("nurse", planning("Not hers to write. "))
    write("nurse", setting("vitals", "pulse", 90))
    sign_out(server, tablet, nurse)

    tablet.ahead = timedelta(hours=-3)
    officer = sign_in(server, tablet, "clinical_officer")
    write("clinical_officer", planning("Rest. "))
    sign_out(server, tablet, officer)

    tablet.ahead = timedelta(0)
    pharmacist = sign_in(server, tablet, "pharmacist")
    began = true_time()
    for jump in (timedelta(0), timedelta(days=2), timedelta(days=-2)):
        tablet.ahead = jump
        write(
            "pharmacist",
            lambda doc: doc.get("pharmacy_notes.notes", type=pycrdt.Text).insert(0, "x"),
        )
    sign_out(server, tablet, pharmacist)
    ended = true_time()

    # Meanwhile the nurse becomes an officer too, and the pharmacist something else.
    roles(server, "nurse", "nurse", "clinical_officer")
    roles(server, "pharmacist", "receptionist")
    tablet.ahead = timedelta(minutes=4)
    again = sign_in(server, tablet, "clinical_officer")
    write("clinical_officer", planning("Come back. "))
    told = await deliver(server, tablet, again["token"])

    rows, refusals, names = await stored(server, record)
    logins = {nurse["login_id"], officer["login_id"], pharmacist["login_id"], again["login_id"]}
    of_people = [row for row in rows if row.login_id in logins]
    assert [names[row.author] for row in of_people] == [user for user, _ in written]
    assert [row.role for row in of_people] == [
        "nurse", "nurse", "", "nurse", "clinical_officer", "", "", "", "clinical_officer",
    ]  # fmt: skip
    for row, (user, true) in zip(of_people, written, strict=True):
        assert row.device == f"tablet of {user}"
        if user != "pharmacist":
            assert abs(row.written_at - true) < NEAR
        else:
            assert began - NEAR < row.written_at < ended + NEAR
    times = [row.written_at for row in of_people]
    assert times == sorted(times)

    assert [(names[r.author], r.field, r.rule) for r in refusals] == [
        ("nurse", "diagnosis.plan", "role"),
        *[("pharmacist", "pharmacy_notes.notes", "role")] * 3,
    ]
    assert [field["field"] for message in told for field in message.body["fields"]] == [
        refusal.field for refusal in refusals
    ]
    shown = server.record(record)
    assert shown["fields"]["vitals"] == {"pulse": 90}
    assert shown["texts"]["diagnosis.plan"] == "Come back. Rest. "
    assert shown["texts"].get("pharmacy_notes.notes", "") == ""
    listed = server.request("GET", "/api/logins", "", headers=again["headers"]).json()["items"]
    skews = {item["id"]: item["skew_ms"] for item in listed}
    assert abs(skews[again["login_id"]] - 240_000) < 2_000


@pytest.mark.rule("JOUR-2")
@pytest.mark.rule("JOUR-3")
async def test_whoever_delivers_for_a_colleague_cannot_forge_them(server: LiveServer) -> None:
    record = server.new_record()
    tablet = SharedTablet(record, true_time)
    nurse = sign_in(server, tablet, "nurse")
    await fetch(server, tablet, nurse["token"])
    tablet.write(setting("vitals", "pulse", 88))
    sign_out(server, tablet, nurse)
    cashier = sign_in(server, tablet, "cashier")
    tablet.write(setting("vitals", "spo2", 40))
    entry, update = tablet.sealed.pop()
    tablet.sealed.append((msgspec.structs.replace(entry, login_id=nurse["login_id"]), update))

    await deliver(server, tablet, cashier["token"])

    rows, refusals, names = await stored(server, record)
    assert server.record(record)["fields"]["vitals"] == {"pulse": 88}
    assert names[next(r for r in rows if r.login_id == nurse["login_id"]).author] == "nurse"
    assert [(names[r.author], r.field, r.rule) for r in refusals] == [
        ("cashier", "vitals.spo2", "identity")
    ]
    assert server.terminate() == 0
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
