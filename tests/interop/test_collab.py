"""The unmodified Hocuspocus provider on `/collab`: many records, one socket, durable statuses."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.interop.browser import Editor, Node, Shown, all_agree
from tests.interop.conftest import Open
from tests.support.live_server import LiveServer

ENTRY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ROOTS = ("vitals", "diagnosis", "assessment.notes", "diagnosis.plan")

Collab = Callable[..., Awaitable[Editor]]


@pytest.fixture
def collab(server: LiveServer, node: Node) -> Collab:
    """Opens Hocuspocus editors; those with the same `socket` share one."""

    async def open_(name: str, record: str, *, socket: str | None = None, **options: Any) -> Editor:
        if "token" not in options:
            options["token"] = server.token(name.split("/")[0])
        await node.do(
            "hocuspocus", client=name, url=server.websocket_url, record=record,
            socket=socket or name, **options,
        )  # fmt: skip
        return Editor(node, name)

    return open_


def refusals(shown: Shown) -> list[dict[str, Any]]:
    """What it was told of refusals; who comes and goes is told the same way."""
    return [told for told in shown["stateless"] if told["event"] == "refused"]


async def test_hocuspocus_and_y_websocket_editors_edit_one_record_together(
    server: LiveServer, collab: Collab, editor_of: Open
) -> None:
    record = server.new_record()
    nurse = await collab("nurse", record)
    await nurse.until_synced()
    officer = await editor_of("clinical_officer", record)

    await nurse.edit(["set", "vitals", "pulse", 77], ["insert", "assessment.notes", 0, "Alert 😀"])
    await officer.edit(["insert", "diagnosis.plan", 0, "Rest"])

    await officer.until_field("vitals.pulse", 77)
    await nurse.until_text("diagnosis.plan", "Rest")
    await all_agree(nurse, officer, roots=ROOTS)
    shown = await nurse.until("all is saved", lambda shown: shown["unsynced"] == 0)
    assert shown["authenticated"] == 1
    assert server.record(record)["fields"]["vitals"] == {"pulse": 77}


async def test_a_refusal_heals_the_editor_and_comes_as_a_stateless_message(
    server: LiveServer, collab: Collab, editor_of: Open
) -> None:
    record = server.new_record()
    nurse = await collab("nurse", record)
    await nurse.until_synced()
    officer = await editor_of("clinical_officer", record, watching=[["diagnosis", ENTRY]])

    await nurse.edit(
        ["set", "diagnosis", ENTRY, {"text": "malaria"}], ["set", "vitals", "temperature", 38.1]
    )
    await officer.until_field("vitals.temperature", 38.1)
    shown = await nurse.until("is told", lambda shown: bool(refusals(shown)))
    await nurse.until("heals", lambda shown: not shown["maps"]["diagnosis"], "diagnosis")

    (told,) = refusals(shown)
    assert told["fields"][0]["rule"] == "role"
    await all_agree(nurse, officer, roots=ROOTS)
    assert (await officer.show())["seen"] == {}
    assert (await nurse.until("counts it as done", lambda s: s["unsynced"] == 0))["closes"] == []
    await nurse.edit(["set", "vitals", "pulse", 60])
    await officer.until_field("vitals.pulse", 60)


async def test_two_records_share_one_socket_and_stay_apart(
    server: LiveServer, collab: Collab, editor_of: Open
) -> None:
    one, other = server.new_record(), server.new_record()
    nurse_one = await collab("nurse/1", one, socket="shared")
    nurse_other = await collab("nurse/2", other, socket="shared")
    await nurse_one.until_synced()
    await nurse_other.until_synced()

    await nurse_one.edit(["set", "vitals", "pulse", 61])
    await nurse_other.edit(["set", "vitals", "pulse", 62])

    await (await editor_of("clinical_officer/1", one)).until_field("vitals.pulse", 61)
    await (await editor_of("clinical_officer/2", other)).until_field("vitals.pulse", 62)
    await nurse_one.do("leave")
    await nurse_other.edit(["set", "vitals", "spo2", 97])
    await nurse_other.until("all is saved", lambda shown: shown["unsynced"] == 0)
    assert server.record(other)["fields"]["vitals"] == {"pulse": 62, "spo2": 97}


async def test_a_record_that_may_not_be_opened_is_denied_alone(
    server: LiveServer, collab: Collab
) -> None:
    record = server.new_record()
    nurse = await collab("nurse", record, socket="shared")
    await nurse.until_synced()

    stranger = await collab("nobody", server.new_record(), socket="shared", token="A" * 43)
    missing = await collab("nurse/2", ENTRY, socket="shared")
    admin = await collab("admin", server.new_record(), socket="shared")
    for editor in (stranger, missing, admin):
        denied = await editor.until("is denied", lambda shown: shown["denied"])
        assert len(denied["denied"]) == 1
        assert await editor.do("vector") == {}
        await editor.edit(["set", "vitals", "pulse", 1])

    await nurse.edit(["set", "vitals", "pulse", 66])
    shown = await nurse.until("all is saved", lambda shown: shown["unsynced"] == 0)
    assert shown["closes"] == []
    assert server.record(record)["fields"]["vitals"] == {"pulse": 66}


async def test_a_revoked_login_ends_its_own_records_on_a_shared_socket(
    server: LiveServer, collab: Collab
) -> None:
    record = server.new_record()
    login = server.log_in("nurse")
    of_its_own = {"sessionAwareness": True}  # two editors of one record on one socket
    nurse = await collab("nurse", record, socket="shared", token=login["token"], options=of_its_own)
    officer = await collab("clinical_officer", record, socket="shared", options=of_its_own)
    await nurse.until_synced()
    await officer.until_synced()

    headers = {"authorization": f"Bearer {login['token']}"}
    server.request("POST", "/api/logout", "nurse", headers=headers).raise_for_status()

    shown = await nurse.until("is cut", lambda shown: shown["denied"], within_s=2)
    assert shown["finals"] == ["4401 Signed out."]
    await nurse.edit(["set", "vitals", "pulse", 66])
    await officer.edit(["insert", "diagnosis.plan", 0, "Rest"])
    await officer.until("all is saved", lambda shown: shown["unsynced"] == 0)
    stored = server.record(record)
    assert "pulse" not in stored["fields"].get("vitals", {})
    assert stored["texts"]["diagnosis.plan"] == "Rest"


async def test_after_a_lost_connection_the_backlog_is_judged_and_counted(
    server: LiveServer, collab: Collab, editor_of: Open
) -> None:
    record = server.new_record()
    nurse = await collab("nurse", record, socket="mobile")
    await nurse.until_synced()
    officer = await editor_of("clinical_officer", record)

    await nurse.do("hocuspocusClose", socket="mobile")
    await nurse.edit(["set", "vitals", "pulse", 66])
    await nurse.edit(["set", "diagnosis", ENTRY, {"text": "malaria"}])
    await nurse.edit(["set", "vitals", "spo2", 96])

    await officer.until_field("vitals.spo2", 96)
    await nurse.until("all is saved", lambda shown: shown["unsynced"] == 0)
    agreed = await all_agree(nurse, officer, roots=ROOTS)
    assert agreed["maps"]["diagnosis"] == {}
    assert agreed["maps"]["vitals"] == {"pulse": 66, "spo2": 96}


@pytest.mark.parametrize(
    "frame", ["", "00", "0163", "ff", "01610005", "0161ff01"],
    ids=["empty", "no name", "no type", "no length", "bad sync step", "unknown type"],
)  # fmt: skip
async def test_a_frame_that_does_not_parse_ends_the_socket_with_4400(
    server: LiveServer, collab: Collab, frame: str
) -> None:
    record = server.new_record()
    nurse = await collab("nurse", record, socket="odd")
    await nurse.until_synced()
    if frame == "01610005":
        name = record.encode()
        frame = (bytes([len(name)]) + name + b"\x00\x05").hex()

    await nurse.do("hocuspocusRaw", socket="odd", hex=frame)

    shown = await nurse.until("is closed", lambda shown: shown["closes"])
    assert shown["closes"][0][0] == 4400
    await nurse.until("comes back", lambda shown: shown["authenticated"] == 2)


async def test_presence_is_stamped_and_shared_between_both_protocols(
    server: LiveServer, collab: Collab, editor_of: Open
) -> None:
    record = server.new_record()
    nurse, officer = await collab("nurse", record), await editor_of("clinical_officer", record)
    await nurse.until_synced()
    client = str((await nurse.show())["clientId"])

    await nurse.do("present", state={"page": "vitals", "user": {"name": "Forged"}})
    shown = await officer.until(
        "sees the nurse", lambda shown: shown["states"].get(client, {}).get("page")
    )
    await nurse.do("leave")

    assert shown["states"][client]["user"]["name"] == "Demo nurse"
    await officer.until("sees it go", lambda shown: client not in shown["states"], within_s=2)
