"""Field locks and typing through a real server: what a stock Yjs editor sees and meets of them."""

from typing import Any

from sync.messages import LockRequest, Notice
from sync.wire import encode_lock_request
from tests.interop.browser import Shown
from tests.interop.conftest import Open
from tests.interop.raw import ExtensionPeer, raw_peer
from tests.support.live_server import LiveServer

METHOD = LockRequest(action="acquire", field="payment.method")
PULSE = LockRequest(action="acquire", field="vitals.pulse")


def locks_of(shown: Shown) -> dict[str, Any]:
    """The locks that an editor sees in the server's awareness state."""
    for state in shown["states"].values():
        if "server" in state:
            return dict(state["server"]["locks"])
    return {}


def is_answer(notice: Notice) -> bool:
    return notice.body["event"] == "lock"


async def test_a_stock_editor_sees_a_lock_its_live_edit_is_refused_and_it_heals(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    lock = f"/api/records/{record}/locks/payment.method"
    editor = await editor_of("receptionist", record)
    await editor.edit(["set", "payment", "method", "cash"])
    async with raw_peer(
        server.websocket_url, record, server.token("cashier"),
        protocol="fieldchart.v1", kind=ExtensionPeer,
    ) as tablet:  # fmt: skip
        await tablet.join()
        await tablet.send(encode_lock_request(METHOD))
        held = await tablet.next(Notice, is_answer)
        await editor.until("sees the lock", lambda shown: "payment.method" in locks_of(shown))

        await editor.edit(
            ["set", "payment", "method", "insurance"], ["set", "payment", "payer", "X"]
        )
        healed = await editor.until(
            "heals",
            lambda shown: shown["maps"]["payment"] == {"method": "cash", "payer": "X"},
            "payment",
        )
        second = server.request("PUT", lock, "receptionist")
        broken = server.request("DELETE", f"{lock}?reason=urgent", "supervisor")
        told = await tablet.next(Notice, lambda notice: notice.body["event"] == "lock_broken")
        await editor.until("sees it go", lambda shown: not locks_of(shown))

    (refusal,) = server.refusals(record)
    assert healed["closes"] == []
    assert held.body["holder"]["username"] == "cashier"
    assert held.body["fence"] > 0
    assert (second.status_code, second.json()["holder"]["username"]) == (423, "cashier")
    assert broken.status_code == 204
    assert told.body["by"]["role"] == "supervisor"
    assert (refusal["rule"], refusal["value"]) == ("locked", "insurance")
    assert "Demo cashier" in refusal["reason"]


async def test_typing_of_a_stock_editor_ends_by_itself_and_it_goes_on_undisturbed(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    nurse, officer = await editor_of("nurse", record), await editor_of("clinical_officer", record)
    client = str((await nurse.show())["clientId"])

    def seen(shown: Shown, key: str) -> object:
        return shown["states"].get(client, {}).get(key)

    await nurse.do("present", state={"page": "vitals", "typing": "vitals.pulse"})
    await officer.until("sees typing", lambda shown: seen(shown, "typing") == "vitals.pulse")
    cleared = await officer.until(
        "sees it end", lambda shown: client in shown["states"] and not seen(shown, "typing")
    )
    await nurse.do("present", state={"page": "triage", "typing": "triage.complaint"})
    again = await officer.until(
        "sees the nurse go on", lambda shown: seen(shown, "typing") == "triage.complaint"
    )

    assert cleared["states"][client]["page"] == "vitals"
    assert again["states"][client]["user"]["name"] == "Demo nurse"
    assert (await nurse.show())["closes"] == []


async def test_lock_messages_are_for_the_extension_only(server: LiveServer) -> None:
    record = server.new_record()
    async with raw_peer(server.websocket_url, record, server.token("nurse")) as peer:
        await peer.send(encode_lock_request(PULSE))

        code, _ = await peer.closed()

    assert code == 4400


async def test_endless_lock_messages_end_the_connection(server: LiveServer) -> None:
    record = server.new_record()
    async with raw_peer(
        server.websocket_url, record, server.token("nurse"), protocol="fieldchart.v1"
    ) as peer:
        for _ in range(100):
            await peer.send(encode_lock_request(PULSE))

        code, _ = await peer.closed()

    assert code == 4429
