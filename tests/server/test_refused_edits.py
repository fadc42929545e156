"""Acting on refusals over HTTP, in real rooms: applying, dismissing, listing, exporting."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pycrdt
import pytest

from server.inbox import Arrived
from server.ports import NewRecord
from sync.bounds import Bounds
from sync.update import decode_update
from tests.server.builders import open_bench
from tests.server.visits import Visit, open_visit
from tests.support.people import ulid
from tests.support.rooms import NOW, RecordingPeer, settled

PLAN = "diagnosis.plan"


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with open_bench(real=True) as bench:
        yield await open_visit(bench)


async def apply(visit: Visit, who: str, refusal: dict[str, Any], **headers: str) -> Any:
    return await visit.ask(who, "POST", f"/refusals/{refusal['id']}/apply", None, **headers)


async def dismiss(visit: Visit, who: str, refusal: dict[str, Any], reason: str = "no need") -> Any:
    path = f"/refusals/{refusal['id']}/dismiss"
    return await visit.ask(who, "POST", path, {"reason": reason})


@pytest.mark.rule("APPLY-1")
@pytest.mark.parametrize(("who", "role"), [("nurse", "nurse"), ("supervisor", "supervisor")])
async def test_a_refused_value_is_applied_in_the_appliers_name(
    visit: Visit, who: str, role: str
) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()

    answer = await apply(visit, who, refusal)

    shown, applier = answer.json(), await visit.bench.principal(who)
    assert (answer.status_code, shown["status"]) == (200, "applied")
    assert shown["decided_by"]["username"] == who
    record = await visit.record()
    assert record["fields"]["vitals"]["pulse"] == 71
    assert answer.headers["etag"] == f'"{record["version"]}"'
    rows = await visit.bench.store.records.rows(visit.record_id)
    (row,) = [row for row in rows if row.author == applier.user_id]
    assert row.role == role
    assert (await visit.refusals())[0] == shown


@pytest.mark.rule("APPLY-1")
async def test_who_may_neither_write_the_field_nor_apply_refusals_applies_nothing(
    visit: Visit,
) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()

    answers = [await apply(visit, who, refusal) for who in ("cashier", "receptionist", "doctor")]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert [one["status"] for one in await visit.refusals()] == ["open"]
    assert "pulse" not in (await visit.record())["fields"]["vitals"]
    assert [outcome for outcome, _, _ in await visit.audited("apply")] == ["denied"] * 3


@pytest.mark.rule("APPLY-2")
async def test_the_power_does_not_let_a_value_in_that_the_field_cannot_hold(visit: Visit) -> None:
    await visit.edit_live("nurse", ("vitals", "temperature", 370))
    (refusal,) = await visit.refusals()

    answer = await apply(visit, "supervisor", refusal)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "range"
    assert [one["status"] for one in await visit.refusals()] == ["open"]


@pytest.mark.rule("APPLY-2")
@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_nothing_is_applied_to_a_closed_record(visit: Visit, status: str) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()
    server = await visit.bench.principal("supervisor")

    async def close(live: Any, batch: Any) -> None:
        live.write_facts(batch, {"status": status}, server, visit.bench.clock())

    await visit.bench.host.ask(visit.record_id, close)
    answer = await apply(visit, "supervisor", refusal)

    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (409, "completed")
    assert [one["status"] for one in await visit.refusals()] == ["open"]
    assert (await dismiss(visit, "supervisor", refusal)).status_code == 200


@pytest.mark.rule("APPLY-1")
async def test_a_refused_clearing_is_applied_as_one(visit: Visit) -> None:
    await visit.edit_live("nurse", ("vitals", "glucose", 5))
    await visit.edit_live("cashier", ("vitals", "glucose", None))
    (refusal,) = await visit.refusals()
    assert refusal["value"] is None
    assert (await visit.record())["fields"]["vitals"]["glucose"] == 5

    answer = await apply(visit, "nurse", refusal)

    assert answer.status_code == 200
    assert "glucose" not in (await visit.record())["fields"]["vitals"]


@pytest.mark.rule("APPLY-5")
async def test_a_refused_entry_is_applied_under_a_new_id_in_the_appliers_name(
    visit: Visit,
) -> None:
    cashier = await visit.bench.principal("cashier")
    key = ulid(1)
    entry = {"id": key, "at": "2026-01-01T00:00:00.000Z", "by": cashier.user_id, "substance": "nut"}
    await visit.edit_live("cashier", ("safety", key, entry))
    (refusal,) = await visit.refusals()

    answer = await apply(visit, "nurse", refusal)

    nurse = await visit.bench.principal("nurse")
    assert answer.status_code == 200
    ((new, applied),) = (await visit.record())["fields"]["safety"].items()
    assert new != key
    assert applied == {
        "id": new, "at": "2026-03-01T08:00:00.000Z", "by": nurse.user_id, "substance": "nut"
    }  # fmt: skip
    applied_detail = (await visit.audited("apply"))[-1][2]
    assert applied_detail.startswith(f"refusal={refusal['id']} for={cashier.user_id} digest=")


@pytest.mark.rule("APPLY-5")
async def test_a_refused_change_of_an_entry_becomes_a_correction_of_it(visit: Visit) -> None:
    made = await visit.ask("nurse", "POST", "/entries/safety", {"substance": "nut"})
    key = made.json()["id"]
    entry = (await visit.record())["fields"]["safety"][key]
    await visit.edit_live("nurse", ("safety", key, entry | {"substance": "nuts"}))
    (refusal,) = await visit.refusals()
    assert refusal["rule"] == "append_only"

    answer = await apply(visit, "nurse", refusal)

    assert answer.status_code == 200
    entries = (await visit.record())["fields"]["safety"]
    assert entries.pop(key) == entry
    (correction,) = entries.values()
    assert (correction["substance"], correction["replaces"]) == ("nuts", key)


@pytest.mark.rule("APPLY-5")
async def test_a_refused_removal_of_an_entry_cannot_be_applied(visit: Visit) -> None:
    made = await visit.ask("nurse", "POST", "/entries/safety", {"substance": "nut"})
    await visit.edit_live("nurse", ("safety", made.json()["id"], None))
    (refusal,) = await visit.refusals()

    answer = await apply(visit, "supervisor", refusal)

    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (403, "append_only")
    assert len((await visit.record())["fields"]["safety"]) == 1


@pytest.mark.rule("APPLY-3")
@pytest.mark.parametrize("words", ["Send her home. ", "é😀漢 ", "a"])
async def test_refused_words_are_put_where_they_were_refused(visit: Visit, words: str) -> None:
    await visit.edit_live("clinical_officer", (PLAN, 0, "Blood film, then decide."))
    await visit.edit_live("nurse", (PLAN, 12, words))
    await visit.edit_live("clinical_officer", (PLAN, 0, "😀 First: "))
    (refusal,) = await visit.refusals()

    answer = await apply(visit, "supervisor", refusal)

    assert answer.status_code == 200
    shown = (await visit.record())["texts"][PLAN]
    assert shown == f"😀 First: Blood film, {words}then decide."


@pytest.mark.rule("APPLY-3")
async def test_words_refused_in_several_places_go_back_to_each(visit: Visit) -> None:
    await visit.edit_live("clinical_officer", (PLAN, 0, "one two three"))
    await visit.edit_live("nurse", (PLAN, 3, "1"), (PLAN, 8, "2"), (PLAN, 15, "3"), (PLAN, 16, "!"))
    (refusal,) = await visit.refusals()
    assert (await visit.record())["texts"][PLAN] == "one two three"

    answer = await apply(visit, "clinical_officer", refusal)

    assert answer.status_code == 200
    assert (await visit.record())["texts"][PLAN] == "one1 two2 three3!"


@pytest.mark.rule("APPLY-4")
async def test_a_refused_deletion_of_text_deletes_what_was_put_back_for_it(visit: Visit) -> None:
    await visit.edit_live("clinical_officer", (PLAN, 0, "keep this, drop that 😀."))
    await visit.edit_live("nurse", (PLAN, 9, 11))
    (refusal,) = await visit.refusals()
    await visit.edit_live("clinical_officer", (PLAN, 11, "NEW "))
    assert (await visit.record())["texts"][PLAN] == "keep this, NEW drop that 😀."

    answer = await apply(visit, "supervisor", refusal)

    assert answer.status_code == 200
    assert (await visit.record())["texts"][PLAN] in ("keep thisNEW  😀.", "keep thisNEW 😀.")


@pytest.mark.rule("APPLY-4")
async def test_a_refused_deletion_whose_text_is_gone_is_applied_without_a_row(
    visit: Visit,
) -> None:
    await visit.edit_live("clinical_officer", (PLAN, 0, "drop"))
    await visit.edit_live("nurse", (PLAN, 0, 4))
    (refusal,) = await visit.refusals()
    await visit.edit_live("clinical_officer", (PLAN, 0, 4))
    before = await visit.record()
    assert before["texts"][PLAN] == ""

    answer = await apply(visit, "clinical_officer", refusal)

    assert (answer.status_code, answer.json()["status"]) == (200, "applied")
    assert (await visit.record())["version"] == before["version"]


@pytest.mark.rule("APPLY-4")
async def test_a_refused_replacement_of_words_is_applied_whole(visit: Visit) -> None:
    await visit.edit_live("clinical_officer", (PLAN, 0, "give 5 mg"))
    await visit.edit_live("nurse", (PLAN, 5, 1), (PLAN, 5, "10"))
    (refusal,) = await visit.refusals()

    answer = await apply(visit, "supervisor", refusal)

    assert answer.status_code == 200
    assert (await visit.record())["texts"][PLAN] == "give 10 mg"


async def test_every_tablet_shows_what_was_applied_and_so_does_the_record_loaded_again(
    visit: Visit,
) -> None:
    await visit.edit_live("clinical_officer", (PLAN, 0, "Rest."))
    async with visit.bench.host.opened(visit.record_id) as room:
        nurse = RecordingPeer(await visit.bench.principal("nurse"), extension=True)
        await nurse.sync(room)
        await settled()
        nurse.messages()
        await visit.edit_live("nurse", (PLAN, 5, " Water."))
        (refusal,) = await visit.refusals()
        await apply(visit, "supervisor", refusal)
        await settled()
        nurse.messages()

        shown = str(nurse.document.get(PLAN, type=pycrdt.Text))

    assert shown == "Rest. Water."
    await visit.bench.host.unload_idle(float("inf"))
    assert (await visit.record())["texts"][PLAN] == shown


@pytest.mark.rule("APPLY-6")
async def test_a_refusal_is_decided_once(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()

    first = await apply(visit, "nurse", refusal)
    again = await apply(visit, "nurse", refusal)
    late = await dismiss(visit, "supervisor", refusal)

    assert [answer.status_code for answer in (first, again, late)] == [200, 409, 409]
    assert again.json()["detail"] == "This refusal is applied."


@pytest.mark.rule("APPLY-6")
async def test_the_decision_is_stored_with_its_row_and_the_author_is_told(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()
    visit.commits.clear()

    await apply(visit, "nurse", refusal)

    cashier, nurse = await visit.bench.principal("cashier"), await visit.bench.principal("nurse")
    (commit,) = [commit for commit in visit.commits if commit.rows]
    assert [(one.id, one.status, one.decided_by) for one in commit.refusals] == [
        (refusal["id"], "applied", nurse.user_id)
    ]
    (told,) = visit.announced("refusal_applied")
    assert told.users == (cashier.user_id,)
    assert told.payload == {
        "refusal": refusal["id"], "field": "vitals.pulse", "by": nurse.user_id
    }  # fmt: skip


async def test_a_dismissed_refusal_keeps_its_reason_and_its_author_is_told(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()

    answer = await dismiss(visit, "supervisor", refusal, "entered by mistake")

    shown = answer.json()
    assert (answer.status_code, shown["status"]) == (200, "dismissed")
    assert (shown["decision_reason"], shown["decided_at"]) == (
        "entered by mistake", "2026-03-01T08:00:00.000Z",
    )  # fmt: skip
    assert await visit.refusals("?status=open") == []
    assert await visit.refusals("?status=dismissed", "cashier") == [shown]
    assert len(visit.announced("refusal_dismissed")) == 1
    cashier = await visit.bench.principal("cashier")
    detail = (await visit.audited("dismiss"))[-1][2]
    assert detail.startswith(f"refusal={refusal['id']} for={cashier.user_id} digest=")


async def test_an_author_dismisses_their_own_refusal_and_nobody_elses(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    await visit.edit_live("receptionist", ("vitals", "pulse", 72))
    mine, other = await visit.refusals()

    answers = [await dismiss(visit, "cashier", one) for one in (mine, other)]
    by_writer = await dismiss(visit, "nurse", other)

    assert [answer.status_code for answer in answers] == [200, 403]
    assert by_writer.status_code == 403


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": 1}, {"reason": "x", "by": "y"}])
async def test_a_dismissal_needs_a_reason(visit: Visit, body: dict[str, Any]) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()

    answer = await visit.ask("cashier", "POST", f"/refusals/{refusal['id']}/dismiss", body)

    assert answer.status_code == 422
    assert [one["status"] for one in await visit.refusals()] == ["open"]


async def test_who_has_read_an_older_version_applies_and_dismisses_nothing(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()
    path = f"/refusals/{refusal['id']}"

    stale = [
        await visit.ask("supervisor", "POST", f"{path}/{deed}", body, if_match='"1"')
        for deed, body in (("apply", {}), ("dismiss", {"reason": "old"}))
    ]

    assert [answer.status_code for answer in stale] == [412, 412]
    assert [one["status"] for one in await visit.refusals()] == ["open"]


@pytest.mark.rule("APPLY-1")
async def test_a_frame_that_was_refused_whole_is_exported_and_dismissed_but_not_applied(
    visit: Visit,
) -> None:
    async with visit.bench.host.opened(visit.record_id) as room:
        nurse = RecordingPeer(await visit.bench.principal("nurse"))
        thief = RecordingPeer(await visit.bench.principal("nurse2"))
        for peer in (nurse, thief):
            await peer.sync(room)
        await settled()
        nurse.messages()
        nurse.map("vitals")["pulse"] = 70
        stolen = list(nurse.written)
        await nurse.push(room)
        await settled()
        nurse.map("vitals")["pulse"] = 71
        stolen = nurse.written[-1:]
        await room.inbox.put(Arrived(thief, stolen[0], False, NOW))
        await settled()
    (refusal,) = await visit.refusals()
    assert (refusal["field"], refusal["rule"]) == ("?", "identity")

    whole = (await visit.ask("nurse2", "GET", f"/refusals/{refusal['id']}")).json()
    applied = await apply(visit, "supervisor", refusal)
    dismissed = await dismiss(visit, "supervisor", refusal)

    assert base64.b64decode(whole["original"]) == stolen[0]
    assert (applied.status_code, applied.json()["type"]) == (
        409, "urn:fieldchart:problem:not-applicable",
    )  # fmt: skip
    assert dismissed.status_code == 200


async def test_the_original_is_for_the_author_and_who_may_apply_it(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()
    path = f"/refusals/{refusal['id']}"

    seen = {
        who: await visit.ask(who, "GET", path)
        for who in ("cashier", "supervisor", "nurse", "receptionist", "doctor")
    }

    assert {who: answer.status_code for who, answer in seen.items()} == {
        "cashier": 200, "supervisor": 200, "nurse": 200, "receptionist": 404, "doctor": 403,
    }  # fmt: skip
    update = decode_update(base64.b64decode(seen["cashier"].json()["original"]), Bounds())
    (structs,) = update.structs.values()
    assert structs[0].content == (71.0,)


@pytest.mark.parametrize("deed", ["", "/apply", "/dismiss"])
@pytest.mark.parametrize(
    "rid", ["9.9", "2", "2.1%20", "2.1%00", "%2A", "2.%2A", "2%2F1", "02.1", "%D9%A2.1", "2.1%0A"]
)
async def test_ids_that_are_none_never_reach_another_refusal(
    visit: Visit, rid: str, deed: str
) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    method = "POST" if deed else "GET"
    body = {"reason": "x"} if deed else None

    answer = await visit.ask("supervisor", method, f"/refusals/{rid}{deed}", body)

    assert answer.status_code == 404
    assert [one["status"] for one in await visit.refusals()] == ["open"]


async def test_a_refusal_is_not_reached_through_another_record(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    (refusal,) = await visit.refusals()
    other = await visit.bench.host.create(
        await visit.bench.principal("receptionist"), NewRecord(profile="outpatient")
    )
    visit.path = f"/api/records/{other.id}"

    answers = [await apply(visit, "supervisor", refusal), await dismiss(visit, "cashier", refusal)]

    assert [answer.status_code for answer in answers] == [404, 404]


async def test_refusals_are_paged_and_filtered_in_a_record(visit: Visit) -> None:
    for key in ("pulse", "systolic", "diastolic"):
        await visit.edit_live("cashier", ("vitals", key, 70))
    await visit.edit_live("receptionist", ("vitals", "pulse", 70))

    first = (await visit.ask("supervisor", "GET", "/refusals?limit=3")).json()
    rest = (
        await visit.ask("supervisor", "GET", f"/refusals?limit=3&cursor={first['next']}")
    ).json()
    own = (await visit.ask("cashier", "GET", "/refusals?limit=3")).json()
    odd = await visit.ask("cashier", "GET", "/refusals?cursor=MTAx")

    assert [one["field"] for one in first["items"]] == [
        "vitals.pulse", "vitals.systolic", "vitals.diastolic",
    ]  # fmt: skip
    assert [one["author"]["username"] for one in rest["items"]] == ["receptionist"]
    assert (rest["next"], own["next"], len(own["items"])) == (None, None, 3)
    assert odd.status_code == 422


async def test_refusals_of_all_records_are_listed_for_author_and_supervisor(visit: Visit) -> None:
    await visit.edit_live("cashier", ("vitals", "pulse", 71))
    await visit.edit_live("nurse", ("payment", "method", "cash"))
    other = await visit.bench.host.create(
        await visit.bench.principal("receptionist"), NewRecord(profile="outpatient")
    )
    first_id, visit.record_id = visit.record_id, other.id
    await visit.edit_live("cashier", ("vitals", "systolic", 120))

    async def listed(who: str, query: str = "") -> Any:
        headers = await visit.bench.bearer(who)
        return (await visit.bench.http.get(f"/api/refusals{query}", headers=headers)).json()

    mine = (await listed("cashier", "?status=open"))["items"]
    assert [(one["record_id"], one["field"]) for one in mine] == [
        (first_id, "vitals.pulse"), (other.id, "vitals.systolic"),
    ]  # fmt: skip
    assert {one["number"] for one in mine} == {"OPD-000001", "OPD-000002"}
    page = await listed("supervisor", "?limit=2")
    rest = await listed("supervisor", f"?limit=2&cursor={page['next']}")
    assert [len(page["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert (await listed("doctor"))["items"] == []
    assert (await listed("cashier", "?status=applied"))["items"] == []
