"""Presence through the server: stamped, not forged, gone at once, and the server's own."""

from typing import Any

from sync.messages import AwarenessEntry, AwarenessMessage, SyncStep1
from sync.wire import encode_awareness, encode_query_awareness, encode_sync_step1
from tests.interop.browser import Node, Shown
from tests.interop.conftest import Open, open_editor
from tests.interop.raw import raw_peer
from tests.support.live_server import LiveServer


def state_of(shown: Shown, client: int) -> dict[str, Any]:
    return dict(shown["states"].get(str(client), {}))


async def client_of(editor: Any) -> int:
    return int((await editor.show())["clientId"])


async def test_who_is_typing_where_is_seen_with_the_identity_the_server_knows(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    nurse, officer = await editor_of("nurse", record), await editor_of("clinical_officer", record)
    client = await client_of(nurse)

    await nurse.do(
        "present",
        state={
            "page": "vitals",
            "typing": "vitals.pulse",
            "user": {"id": "1", "name": "Dr. Forged", "role": "supervisor"},
            "server": {"version": 99},
        },
    )
    shown = await officer.until(
        "sees where the nurse types",
        lambda shown: state_of(shown, client).get("typing") == "vitals.pulse",
    )

    state = state_of(shown, client)
    assert state["page"] == "vitals"
    assert state["user"]["name"] == "Demo nurse"
    assert state["user"]["role"] == "nurse"
    assert "server" not in state
    assert state["last_activity"].endswith("Z")


async def test_an_entry_under_a_colleagues_client_id_is_ignored_and_nobody_is_closed(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    nurse, officer = await editor_of("nurse", record), await editor_of("clinical_officer", record)
    client = await client_of(nurse)
    await nurse.do("present", state={"page": "vitals"})
    await officer.until("sees the nurse", lambda shown: state_of(shown, client).get("page"))

    async with raw_peer(server.websocket_url, record, server.token("cashier")) as peer:
        await peer.next(SyncStep1)
        await peer.send(encode_sync_step1({}))
        removal = AwarenessEntry(client, 1000, None)
        forged = AwarenessEntry(client, 1001, '{"page":"forged"}')
        own = AwarenessEntry(7_777_777, 1, '{"page":"receipts"}')
        await peer.send(encode_awareness([removal, own]))
        await peer.send(encode_awareness([forged]))
        await officer.until(
            "sees the cashier", lambda shown: state_of(shown, 7_777_777).get("page") == "receipts"
        )
        await nurse.do("present", state={"page": "triage"})
        shown = await officer.until(
            "sees the nurse go on", lambda shown: state_of(shown, client).get("page") != "vitals"
        )
        assert state_of(shown, client)["page"] == "triage"
        assert state_of(shown, client)["user"]["name"] == "Demo nurse"


async def test_an_editor_that_leaves_or_dies_disappears_at_once(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    officer = await editor_of("clinical_officer", record)
    leaving = await editor_of("nurse", record)
    async with Node() as other:
        dying = await open_editor(server, other, "cashier", record)
        clients = {str(await client_of(leaving)), str(await client_of(dying))}
        for editor in (leaving, dying):
            await editor.do("present", state={"page": "vitals"})
        await officer.until("sees both", lambda shown: clients <= set(shown["states"]))

        await leaving.do("leave")
        other.kill()

        await officer.until(
            "sees nobody else", lambda shown: not clients & set(shown["states"]), within_s=2
        )


async def test_of_two_windows_of_one_person_the_one_that_dies_disappears_at_once(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    officer, staying = await editor_of("clinical_officer", record), await editor_of("nurse", record)
    async with Node() as other:
        dying = await open_editor(server, other, "nurse", record)
        clients = {str(await client_of(dying)), str(await client_of(staying))}
        await dying.do("present", state={"page": "vitals"})
        await staying.do("present", state={"page": "triage"})
        await officer.until("sees both", lambda shown: clients <= set(shown["states"]))
        # A stock editor relays what it hears, also of the other window of the same person.
        await staying.until("sees the other", lambda shown: clients <= set(shown["states"]))

        other.kill()

        shown = await officer.until(
            "sees one of them", lambda shown: len(clients & set(shown["states"])) == 1, within_s=2
        )
    assert state_of(shown, await client_of(staying))["page"] == "triage"


async def test_the_servers_own_state_tells_version_and_step_to_plain_editors(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    nurse = await editor_of("nurse", record)

    shown = await nurse.until(
        "sees the server",
        lambda shown: any("server" in state for state in shown["states"].values()),
    )

    (told,) = [state["server"] for state in shown["states"].values() if "server" in state]
    assert told["version"] == server.record(record)["version"]
    assert told["step"] == server.record(record)["current_step"]
    assert told["locks"] == {}


async def test_a_query_is_answered_with_everybody_present(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    nurse = await editor_of("nurse", record)
    client = await client_of(nurse)
    async with raw_peer(server.websocket_url, record, server.token("cashier")) as peer:
        await peer.next(SyncStep1)
        await peer.send(encode_query_awareness())

        answer = await peer.next(
            AwarenessMessage, lambda message: any(e.client == client for e in message.entries)
        )

        (entry,) = [entry for entry in answer.entries if entry.client == client]
        assert entry.state["user"]["role"] == "nurse"
