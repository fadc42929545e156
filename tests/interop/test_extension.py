"""Clients that speak `fieldchart.v1`: what is saved, what is refused, and when it was written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pycrdt

from sync.messages import Refused, Saved, UpdateMessage
from sync.wire import JournalEntry, encode_journal
from tests.interop.conftest import Open
from tests.interop.raw import ExtensionPeer, raw_peer
from tests.support.live_server import LiveServer

ENTRY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def extension_peer(server: LiveServer, record: str, token: str) -> Any:
    return raw_peer(
        server.websocket_url, record, token, protocol="fieldchart.v1", kind=ExtensionPeer
    )


async def test_every_update_carrying_message_is_counted_once_it_is_durable(
    server: LiveServer,
) -> None:
    record = server.new_record()
    async with extension_peer(server, record, server.token("nurse")) as tablet:
        assert tablet.subprotocol == "fieldchart.v1"
        await tablet.join()

        for pulse in (60, 61, 62):
            update = tablet.write(lambda doc, pulse=pulse: _set(doc, "vitals", "pulse", pulse))
            await tablet.send_update(update)
        saved = await tablet.next(Saved, lambda saved: saved.count >= 4)

        stored = server.record(record)
        assert saved.count == 4
        assert stored["version"] == saved.version
        assert stored["fields"]["vitals"]["pulse"] == 62


async def test_a_delete_is_counted_as_well_though_it_moves_no_state_vector(
    server: LiveServer,
) -> None:
    record = server.new_record()
    async with extension_peer(server, record, server.token("nurse")) as tablet:
        await tablet.join()
        await tablet.send_update(
            tablet.write(lambda doc: _set(doc, "triage", "complaint", "Cough"))
        )
        before = await tablet.next(Saved, lambda saved: saved.count == 2)

        await tablet.send_update(tablet.write(lambda doc: _delete(doc, "triage", "complaint")))

        after = await tablet.next(Saved, lambda saved: saved.count == 3)
        assert after.version > before.version
        assert "complaint" not in server.record(record)["fields"].get("triage", {})


async def test_a_refusal_names_fields_rules_reasons_and_values_and_the_healing_follows(
    server: LiveServer,
) -> None:
    record = server.new_record()
    async with extension_peer(server, record, server.token("nurse")) as tablet:
        await tablet.join()

        def both(doc: Any) -> None:
            _set(doc, "vitals", "pulse", 60)
            _set(doc, "diagnosis", ENTRY, {"text": "malaria"})

        await tablet.send_update(tablet.write(both))
        refused = await tablet.next(Refused)
        healing = await tablet.next(UpdateMessage)
        tablet.doc.apply_update(healing.update)

        (field,) = refused.body["fields"]
        assert field["field"] == f"diagnosis.{ENTRY}"
        assert field["rule"] == "role"
        assert field["reason"]
        assert field["value"] == {"text": "malaria"}
        assert refused.body["refusal"] == server.refusals(record)[0]["id"]
        assert dict(tablet.doc.get("diagnosis", type=pycrdt.Map).items()) == {}
        assert server.record(record)["fields"]["vitals"]["pulse"] == 60


async def test_concurrent_offline_writes_are_ordered_by_when_they_were_written(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    watcher = await editor_of("clinical_officer", record)
    now = datetime.now(UTC)
    first, second = server.log_in("nurse"), server.log_in("nurse")

    # The later write is delivered first; by receipt alone the earlier one would stand.
    await _deliver(server, record, second["token"], 88, now - timedelta(hours=1))
    await watcher.until_field("vitals.pulse", 88)
    await _deliver(server, record, first["token"], 55, now - timedelta(hours=3))

    await watcher.until(
        "knows of the dispute",
        lambda shown: "vitals.pulse" in shown["maps"]["record"].get("disputed", []), "record",
    )  # fmt: skip
    assert (await watcher.show("vitals"))["maps"]["vitals"]["pulse"] == 88
    stored = server.record(record)
    assert stored["fields"]["vitals"]["pulse"] == 88
    assert stored["disputed"] == ["vitals.pulse"]


async def test_a_journal_cannot_claim_a_time_after_its_receipt(
    server: LiveServer, editor_of: Open
) -> None:
    record = server.new_record()
    now = datetime.now(UTC)

    await _deliver(server, record, server.token("nurse"), 55, now + timedelta(days=1))
    await _deliver(server, record, server.log_in("nurse")["token"], 88, datetime.now(UTC))

    assert server.record(record)["fields"]["vitals"]["pulse"] == 88


async def _deliver(
    server: LiveServer, record: str, token: str, pulse: int, written_at: datetime
) -> None:
    """A tablet that wrote the pulse without having seen anybody's, and delivers it now."""
    headers = {"authorization": f"Bearer {token}"}
    login = server.request("GET", "/api/me", "nurse", headers=headers).json()["login_id"]
    async with extension_peer(server, record, token) as tablet:
        update = tablet.write(lambda doc: _set(doc, "vitals", "pulse", pulse))
        entry = JournalEntry(tablet.doc.client_id, 0, 1, written_at, login, "")
        await tablet.send(encode_journal([entry]))
        await tablet.send_update(update)
        await tablet.next(Saved)


def _set(doc: Any, section: str, key: str, value: object) -> None:
    doc.get(section, type=pycrdt.Map)[key] = value


def _delete(doc: Any, section: str, key: str) -> None:
    del doc.get(section, type=pycrdt.Map)[key]
