"""Deciding conflicts over HTTP, in real rooms: who may, what is told, stored and audited."""

from collections.abc import AsyncIterator
from typing import Any

import pycrdt
import pytest

from server.ports import NewRecord
from sync.messages import Notice
from tests.server.builders import open_bench
from tests.server.visits import Visit, open_visit
from tests.support.rooms import RecordingPeer, settled

REASON = "measured again"


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with open_bench(real=True) as bench:
        yield await open_visit(bench)


async def test_a_disputed_field_is_decided_by_one_of_its_values(visit: Visit) -> None:
    await visit.disagree()
    (conflict,) = await visit.conflicts("?status=open")

    answer = await visit.ask(
        "supervisor", "POST", f"/conflicts/{conflict['id']}/resolve",
        {"choice": 0, "reason": REASON},
    )  # fmt: skip

    decided = answer.json()
    assert (answer.status_code, decided["status"], decided["reason"]) == (200, "resolved", REASON)
    assert decided["resolved_by"]["username"] == "supervisor"
    assert (decided["standing"], [v["value"] for v in decided["values"]]) == (0, [70, 80])
    record = (await visit.ask("nurse", "GET", "")).json()
    assert (record["fields"]["vitals"]["pulse"], record["disputed"]) == (70, [])
    assert answer.headers["etag"] == f'"{record["version"]}"'
    assert await visit.conflicts("?status=open") == []
    assert await visit.conflicts("?status=resolved") == [decided]


@pytest.mark.rule("HIST-7")
async def test_the_history_says_who_decided_and_why(visit: Visit) -> None:
    await visit.disagree()
    (conflict,) = await visit.conflicts("?status=open")
    body = {"choice": 1, "reason": REASON}
    await visit.ask("supervisor", "POST", f"/conflicts/{conflict['id']}/resolve", body)

    (newest, *_) = (await visit.ask("nurse", "GET", "/history?field=vitals.pulse")).json()["items"]

    assert (newest["kind"], newest["reason"], newest["new"]) == ("resolution", REASON, 80)
    assert newest["author"]["username"] == "supervisor"


async def test_the_decision_reaches_every_tablet_and_the_records_own_list(visit: Visit) -> None:
    one, two = await visit.disagree()
    assert one.map("record")["disputed"] == ["vitals.pulse"]
    (conflict,) = await visit.conflicts()

    async with visit.bench.host.opened(visit.record_id):
        await visit.ask(
            "nurse", "POST", f"/conflicts/{conflict['id']}/resolve", {"value": 75, "reason": REASON}
        )
        one.messages(), two.messages()

    assert one.map("vitals").to_py() == two.map("vitals").to_py() == {"pulse": 75.0}
    assert one.map("record")["disputed"] == []


async def test_null_clears_the_field(visit: Visit) -> None:
    await visit.disagree("glucose", (5, 6))
    (conflict,) = await visit.conflicts()

    answer = await visit.ask(
        "nurse", "POST", f"/conflicts/{conflict['id']}/resolve", {"value": None, "reason": REASON}
    )

    assert answer.status_code == 200
    assert "glucose" not in (await visit.ask("nurse", "GET", "")).json()["fields"]["vitals"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"choice": 2, "reason": REASON}, 422),
        ({"choice": -1, "reason": REASON}, 422),
        ({"choice": 0, "value": 70, "reason": REASON}, 422),
        ({"reason": REASON}, 422),
        ({"choice": 0}, 422),
        ({"choice": 0, "reason": "  "}, 422),
        ({"choice": 0, "reason": "x" * 1001}, 422),
        ({"value": 5000, "reason": REASON}, 422),
        ({"value": "fast", "reason": REASON}, 422),
        ({"value": 2**70, "reason": REASON}, 422),
        ({"value": [[[]]], "reason": REASON}, 422),
        ({"choice": 0, "reason": REASON, "by": "me"}, 422),
    ],
)
async def test_a_decision_that_cannot_be_is_refused_and_decides_nothing(
    visit: Visit, body: dict[str, Any], status: int
) -> None:
    await visit.disagree()
    (conflict,) = await visit.conflicts()

    answer = await visit.ask("nurse", "POST", f"/conflicts/{conflict['id']}/resolve", body)

    assert answer.status_code == status
    assert [one["status"] for one in await visit.conflicts()] == ["open"]


async def test_a_conflict_is_decided_once(visit: Visit) -> None:
    await visit.disagree()
    (conflict,) = await visit.conflicts()
    path = f"/conflicts/{conflict['id']}/resolve"
    body = {"choice": 0, "reason": REASON}

    first = await visit.ask("nurse", "POST", path, body)
    again = await visit.ask("supervisor", "POST", path, body)

    assert (first.status_code, again.status_code) == (200, 409)
    assert again.json()["type"].endswith("already-decided")


async def test_who_may_not_write_the_field_decides_nothing_and_the_attempt_is_audited(
    visit: Visit,
) -> None:
    await visit.disagree()
    (conflict,) = await visit.conflicts()
    path = f"/conflicts/{conflict['id']}/resolve"
    body = {"choice": 0, "reason": REASON}

    answers = [
        (await visit.ask(who, "POST", path, body)).status_code
        for who in ("cashier", "doctor", "admin")
    ]

    assert answers == [403, 403, 403]
    assert [outcome for outcome, _, _ in await visit.audited("resolve")] == ["denied"] * 3
    assert [one["status"] for one in await visit.conflicts()] == ["open"]
    await visit.ask("nurse", "POST", path, body)
    *last, detail = (await visit.audited("resolve"))[-1]
    nurse = await visit.bench.principal("nurse")
    assert last == ["success", nurse.user_id]
    assert detail.startswith(f"conflict={conflict['id']} digest=")


async def test_who_has_read_an_older_version_is_told_what_changed_since(visit: Visit) -> None:
    await visit.disagree()
    read = await visit.ask("nurse", "GET", "/conflicts")
    (conflict,) = read.json()["items"]
    await visit.ask(
        "nurse2", "PATCH", "", {"vitals.pulse": 90, "assessment.notes": "Calm."},
        if_match=read.headers["etag"],
    )  # fmt: skip

    answer = await visit.ask(
        "supervisor", "POST", f"/conflicts/{conflict['id']}/resolve",
        {"choice": 1, "reason": REASON}, if_match=read.headers["etag"],
    )  # fmt: skip

    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (412, "Please refresh")
    assert problem["changed"] == ["assessment.notes", "vitals.pulse"]
    assert [(c["value"], c["author"]["username"]) for c in problem["changes"]] == [
        ("Calm.", "nurse2"), (90, "nurse2"),
    ]  # fmt: skip
    assert all(change["at"] == "2026-03-01T08:00:00.000Z" for change in problem["changes"])
    assert [one["status"] for one in await visit.conflicts()] == ["open"]


async def test_every_loser_is_told_for_certain(visit: Visit) -> None:
    await visit.disagree()

    nurse = await visit.bench.principal("nurse")
    (told,) = visit.announced("conflict")
    assert told.users == (nurse.user_id,)
    assert told.payload == {"conflict": "3.1", "field": "vitals.pulse", "critical": True}


async def test_a_conflict_is_a_notice_to_who_is_there(visit: Visit) -> None:
    async with visit.bench.host.opened(visit.record_id) as room:
        peers = [
            RecordingPeer(await visit.bench.principal(name), extension=True)
            for name in ("nurse", "nurse2", "cashier")
        ]
        for peer in peers:
            await peer.sync(room)
        await settled()
        for peer in peers:
            peer.messages()
        for peer, value in zip(peers[:2], (5, 6), strict=True):
            peer.map("vitals")["glucose"] = value
            await peer.push(room)
        await settled()

        notices = [message.body for message in peers[2].messages() if isinstance(message, Notice)]

    assert [(n["event"], n["field"], n["status"]) for n in notices] == [
        ("conflict", "vitals.glucose", "open")
    ]


async def test_two_devices_of_one_person_can_conflict(visit: Visit) -> None:
    await visit.disagree("glucose", (5, 6), ("nurse", "nurse"))

    (conflict,) = await visit.conflicts()
    nurse = await visit.bench.principal("nurse")
    assert [value["value"] for value in conflict["values"]] == [5, 6]
    assert (conflict["critical"], conflict["standing"]) == (False, 1)
    assert [told.users for told in visit.announced("conflict")] == [(nurse.user_id,)]


async def test_equal_values_are_no_conflict(visit: Visit) -> None:
    await visit.disagree("pulse", (70, 70))

    assert await visit.conflicts() == []
    assert visit.announced("conflict") == []


@pytest.mark.parametrize(
    "cid",
    [
        "9.9", "3", "3.1.1", "3.1%20", "3.1%00", "3.%2A", "%2A", "3%2F1", "3.1%0A", "..%2F3.1",
        "%D9%A3.1", "03.1", "3.0", "-3.1", "3.1e1", "99999999999999999999.1",
    ],
)  # fmt: skip
async def test_ids_that_are_none_never_reach_another_conflict(visit: Visit, cid: str) -> None:
    await visit.disagree()
    body = {"choice": 0, "reason": REASON}

    answer = await visit.ask("supervisor", "POST", f"/conflicts/{cid}/resolve", body)

    assert answer.status_code == 404
    assert [one["status"] for one in await visit.conflicts()] == ["open"]


async def test_a_conflict_is_not_reached_through_another_record(visit: Visit) -> None:
    await visit.disagree()
    (conflict,) = await visit.conflicts()
    other = await visit.bench.host.create(
        await visit.bench.principal("receptionist"), NewRecord(profile="outpatient")
    )
    visit.path = f"/api/records/{other.id}"

    answer = await visit.ask(
        "supervisor", "POST", f"/conflicts/{conflict['id']}/resolve",
        {"choice": 0, "reason": REASON},
    )  # fmt: skip

    assert answer.status_code == 404


async def test_conflicts_are_paged_oldest_first(visit: Visit) -> None:
    for key in ("pulse", "systolic", "diastolic"):
        await visit.disagree(key, (70, 80))

    first = (await visit.ask("nurse", "GET", "/conflicts?limit=2")).json()
    rest = (await visit.ask("nurse", "GET", f"/conflicts?limit=2&cursor={first['next']}")).json()
    odd = await visit.ask("nurse", "GET", "/conflicts?cursor=MTAx")

    assert [one["field"] for one in first["items"]] == ["vitals.pulse", "vitals.systolic"]
    assert [one["field"] for one in rest["items"]] == ["vitals.diastolic"]
    assert rest["next"] is None
    assert odd.status_code == 422


async def test_an_edit_or_entry_that_is_refused_over_rest_is_audited_and_leaves_no_refusal(
    visit: Visit,
) -> None:
    await visit.ask("cashier", "PATCH", "", {"vitals.pulse": 70}, if_match='"1"')
    await visit.ask("cashier", "POST", "/entries/safety", {"substance": "x"})
    await visit.ask("doctor", "POST", "/entries/safety", {"substance": "x"})

    denied = [*await visit.audited("update"), *await visit.audited("create")]
    assert [detail for outcome, _, detail in denied if outcome == "denied"] == [
        "PATCH /api/records/{id} 403 edit-refused rules=role",
        "POST /api/records/{id}/entries/{section} 403 edit-refused rules=role",
        "POST /api/records/{id}/entries/{section} 403 not-allowed",
    ]
    assert (await visit.ask("supervisor", "GET", "/refusals")).json()["items"] == []


async def test_an_entry_honours_the_version_that_was_read_where_it_is_named(visit: Visit) -> None:
    body = {"substance": "dust"}

    stale = await visit.ask("nurse", "POST", "/entries/safety", body, if_match='"0"')
    odd = await visit.ask("nurse", "POST", "/entries/safety", body, if_match="*")
    good = await visit.ask("nurse", "POST", "/entries/safety", body, if_match='"1"')
    free = await visit.ask("nurse", "POST", "/entries/safety", body)

    assert [a.status_code for a in (stale, odd, good, free)] == [412, 400, 201, 201]


async def test_facts_of_the_record_that_changed_are_told_too(visit: Visit) -> None:
    before = (await visit.record())["version"]
    await visit.disagree()

    answer = await visit.ask("nurse", "PATCH", "", {"vitals.pulse": 90}, if_match=f'"{before}"')

    changes = {change["field"]: change["value"] for change in answer.json()["changes"]}
    assert changes == {"record.disputed": ["vitals.pulse"], "vitals.pulse": 80}


async def test_what_was_refused_meanwhile_is_no_change(visit: Visit) -> None:
    async with visit.bench.host.opened(visit.record_id) as room:
        peer = RecordingPeer(await visit.bench.principal("cashier"))
        await peer.sync(room)
        await settled()
        peer.messages()
        peer.map("vitals")["pulse"] = 99
        peer.document.get("assessment.notes", type=pycrdt.Text).insert(0, "Not mine. ")
        await peer.push(room)
        await settled()
        version = room.room.version

    answer = await visit.ask("nurse", "PATCH", "", {"vitals.pulse": 70}, if_match='"1"')

    assert version > 1
    assert (answer.status_code, answer.json()["changed"]) == (412, [])
