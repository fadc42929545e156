"""How connections end: signed out, refused, malformed, restarted; what stock editors make of it."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from sync.messages import SyncStep1
from sync.varint import varuint
from sync.wire import encode_update_message
from tests.interop.browser import Node, all_agree
from tests.interop.conftest import Open, StartServer, open_editor
from tests.interop.raw import raw_peer
from tests.support.live_server import LiveServer, run_fieldchart

CUT_WITHIN_S = 2.0


async def in_thread(call: Callable[[], object]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, call)


async def test_a_revoked_login_is_cut_within_two_seconds_with_one_final_close(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    login = server.log_in("nurse")
    nurse = await editor_of("nurse", record, token=login["token"])
    officer = await editor_of("clinical_officer", record)
    headers = {"authorization": f"Bearer {login['token']}"}
    device = server.request("GET", "/api/me", "nurse", headers=headers).json()["login_id"]

    server.request("DELETE", f"/api/logins/{device}", "nurse").raise_for_status()

    closed = await nurse.until("is cut", lambda shown: shown["closes"], within_s=CUT_WITHIN_S)
    assert closed["closes"][0][0] == 4401
    assert closed["finals"] == [4401]
    await nurse.edit(["set", "vitals", "pulse", 66])
    await officer.edit(["insert", "diagnosis.plan", 0, "Rest"])
    # Longer than the provider's first three backoffs together: it would have come back by now.
    with pytest.raises(AssertionError, match="comes back"):
        await nurse.until("comes back", lambda shown: shown["opens"] > 1, within_s=1.5)
    assert "pulse" not in server.record(record)["fields"].get("vitals", {})
    assert (await officer.show())["connected"]


async def test_what_was_typed_after_being_signed_out_is_delivered_after_signing_in_again(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    login = server.log_in("nurse")
    nurse = await editor_of("nurse/1", record, token=login["token"], store="signed-out")
    headers = {"authorization": f"Bearer {login['token']}"}
    server.request("POST", "/api/logout", "nurse", headers=headers).raise_for_status()
    await nurse.until("is cut", lambda shown: shown["finals"] == [4401])
    await nurse.edit(["set", "vitals", "pulse", 66])
    await nurse.do("leave")

    again = await editor_of("nurse/2", record, store="signed-out")

    await again.until_field("vitals.pulse", 66)
    officer = await editor_of("clinical_officer", record)
    await officer.until_field("vitals.pulse", 66)


async def test_an_account_disabled_by_the_command_line_is_cut_within_two_seconds(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    add = ("user", "add", "locum", "--role", "nurse", "--password-stdin")
    added = run_fieldchart(*add, "--data", str(server.data), stdin="demo demo demo\n")
    assert added.returncode == 0, added.stderr
    locum = await editor_of(
        "locum", record, token=server.log_in("locum", "demo demo demo")["token"]
    )

    disabled = run_fieldchart("user", "disable", "locum", "--data", str(server.data))

    assert disabled.returncode == 0, disabled.stderr
    closed = await locum.until("is cut", lambda shown: shown["finals"], within_s=CUT_WITHIN_S)
    assert closed["finals"] == [4401]


@pytest.mark.parametrize(
    ("token", "record", "code"),
    [
        (None, None, 4401),
        ("A" * 43, None, 4401),
        ("nurse", "01ARZ3NDEKTSV4RRFFQ69G5FAV", 4404),
        ("admin", None, 4403),
    ],
    ids=["no token", "wrong token", "unknown record", "not allowed"],
)
async def test_who_may_not_open_a_record_gets_one_final_close_and_no_data(
    server: LiveServer, editor_of: Open, token: str | None, record: str | None, code: int
) -> None:
    if token in ("nurse", "admin"):
        token = server.token(token)
    record = record or server.new_record()

    stranger = await editor_of("nobody", record, token=token, connect=False)
    await stranger.do("connect")

    closed = await stranger.until("is refused", lambda shown: shown["finals"])
    assert closed["finals"] == [code]
    assert closed["opens"] == 1
    assert await stranger.do("vector") == {}


FRAMES = {
    "empty": (b"", 4400),
    "unknown kind": (b"\x63", 4400),
    "text for a number": (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 4400),
    "sync without step": (b"\x00", 4400),
    "truncated update": (encode_update_message(b"\x01\x02"), 4400),
    "bytes after the update": (encode_update_message(b"\x00\x00\x00"), 4400),
    "bytes after the message": (encode_update_message(b"\x00\x00") + b"\x00", 4400),
    "announced but absent structs": (encode_update_message(varuint(2**40)), 4400),
    "saved is the server's to say": (b"\x64\x01\x01", 4400),
    "too large": (encode_update_message(bytes(4 * 1024 * 1024)), 4413),
    "too many structs": (
        encode_update_message(
            b"\x01" + varuint(30_000) + b"\x88\x27\x00" + b"\x00\x01" * 30_000 + b"\x00"
        ),
        4413,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
async def test_a_frame_that_cannot_be_taken_ends_its_own_socket_alone(
    server: LiveServer, editor_of: Open, name: str
) -> None:
    frame, code = FRAMES[name]
    record = server.new_record()
    nurse = await editor_of("nurse", record)
    async with raw_peer(server.websocket_url, record, server.token("nurse")) as peer:
        await peer.next(SyncStep1)

        await peer.send(frame)

        assert (await peer.closed())[0] == code
    await nurse.edit(["set", "vitals", "pulse", 66])
    officer = await editor_of("clinical_officer", record)
    await officer.until_field("vitals.pulse", 66)
    assert (await nurse.show())["closes"] == []


async def test_a_text_frame_ends_its_own_socket(server: LiveServer) -> None:
    record = server.new_record()
    async with raw_peer(server.websocket_url, record, server.token("nurse")) as peer:
        await peer.socket.send("hello")

        assert (await peer.closed())[0] == 4400


async def test_a_server_told_to_stop_in_the_middle_of_typing_loses_nothing_it_delivered(
    start_server: StartServer, node: Node
) -> None:
    await _restart_while_typing(start_server(), node, signal.SIGTERM)


async def test_a_server_killed_in_the_middle_of_typing_loses_nothing_it_delivered(
    start_server: StartServer, node: Node
) -> None:
    await _restart_while_typing(start_server(), node, signal.SIGKILL)


async def _restart_while_typing(server: LiveServer, node: Node, number: signal.Signals) -> None:
    record = server.new_record()
    options = {"maxBackoffTime": 300}
    nurse = await open_editor(server, node, "nurse", record, options=options)
    officer = await open_editor(server, node, "clinical_officer", record, options=options)
    words = "".join(chr(97 + i % 26) for i in range(600))
    typing = asyncio.create_task(nurse.do("type", root="assessment.notes", text=words))
    await officer.until(
        "reads some of it", lambda shown: len(shown["texts"]["assessment.notes"]) > 20,
        "assessment.notes",
    )  # fmt: skip

    before = time.monotonic()
    code = await asyncio.get_running_loop().run_in_executor(
        None, server.terminate if number == signal.SIGTERM else server.kill
    )
    assert time.monotonic() - before < 5, "it waited for connected editors"
    delivered = (await officer.show("assessment.notes"))["texts"]["assessment.notes"]
    await typing
    await in_thread(server.start)
    stored = server.record(record)["texts"].get("assessment.notes", "")

    assert code == (0 if number == signal.SIGTERM else -9)
    assert stored.startswith(delivered)
    await nurse.until_text("assessment.notes", words)
    await officer.until_text("assessment.notes", words)
    await all_agree(nurse, officer, roots=("assessment.notes",))
    closes = (await nurse.show())["closes"]
    assert closes[0][0] == (1012 if number == signal.SIGTERM else 1006)
    assert server.record(record)["texts"]["assessment.notes"] == words
