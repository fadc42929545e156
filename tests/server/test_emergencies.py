"""Break-glass: emergency access with a reason, for a while, seen by everybody and audited."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from permissions.policy import Policy
from permissions.profile import parse_profile
from server.emergencies import BreakGlass
from server.live_room import LiveRoom
from storage import SqliteStore, StoreUnavailable
from sync.messages import Notice
from tests.support.house import Household, living
from tests.support.rooms import RecordingPeer, settled

SHIPPED = Path(__file__).parents[2] / "profiles" / "outpatient.toml"
REASON = {"reason": "Invented: patient collapsed in the waiting room"}

# what test_routes asks of every call: it is tried here with every kind of person
EMERGENCY_CALLS = [
    ("POST", "/api/records/{id}/break-glass"),
    ("DELETE", "/api/records/{id}/break-glass"),
    ("GET", "/api/records/{id}/break-glass"),
]


def assigning(old: str = "", new: str = "") -> dict[str, Policy]:
    """The outpatient profile, with assignments asked for, and with another change."""
    text = SHIPPED.read_text().replace("assignment_required = false", "assignment_required = true")
    text = text.replace(old, new, 1)
    profile = parse_profile(text, "outpatient.toml")
    assert profile.assignment_required
    return {profile.name: Policy(profile)}


@pytest.fixture
async def household() -> AsyncIterator[Household]:
    async with living(policies=assigning(), break_glass_minutes=30) as opened:
        yield opened


async def begin(household: Household, who: str, record_id: str, body: Any = REASON) -> int:
    answer = await household.ask(who, "POST", f"/api/records/{record_id}/break-glass", body)
    return answer.status_code


async def reads(household: Household, who: str, record_id: str) -> int:
    return (await household.ask(who, "GET", f"/api/records/{record_id}")).status_code


async def facts(household: Household, record_id: str) -> Any:
    async def read(live: LiveRoom, batch: Any) -> Any:
        return live.room.document.section("record").get("emergency")

    return await household.rooms.ask(record_id, read)


async def rounds(household: Household) -> None:
    await household.house.break_glass.end_due()


@pytest.mark.rule("GLASS-2")
async def test_somebody_who_is_not_assigned_reads_and_writes_for_its_time_and_no_longer(
    household: Household,
) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}"
    assert await reads(household, "nurse", record_id) == 403

    answer = await household.ask("nurse", "POST", f"{path}/break-glass", REASON)
    assert answer.status_code == 201
    assert answer.json()["until"] == "2026-03-01T08:30:00.000Z"
    assert await reads(household, "nurse", record_id) == 200
    edited = await household.ask("nurse", "PATCH", path, {"vitals.pulse": 70}, if_match='"2"')
    assert edited.status_code == 200
    refused = await household.ask("nurse", "PATCH", path, {"diagnosis.plan": "x"}, if_match='"3"')
    assert refused.status_code == 403, "a role does not grow by an emergency"
    nurse = (await household.user("nurse")).id
    assert await facts(household, record_id) == {nurse: "2026-03-01T08:30:00.000Z"}

    household.step(minutes=30)
    await rounds(household)
    assert await reads(household, "nurse", record_id) == 403
    assert await facts(household, record_id) == {}
    (row,) = await household.store.emergencies.of_record(record_id)
    assert (row.reason, row.ended_at, row.ended_by) == (REASON["reason"], household.now, "server")


@pytest.mark.rule("GLASS-1")
async def test_only_a_missing_assignment_can_be_overcome(household: Household) -> None:
    record_id = await household.record()
    await household.user("stranger", "no_such_role")

    assert await begin(household, "stranger", record_id) == 403
    assert await begin(household, "admin", record_id) == 403, "opens no records at all"
    assert await begin(household, "supervisor", record_id) == 409, "needs no assignment"
    assert await begin(household, "nurse", record_id) == 201
    assert await begin(household, "nurse", record_id) == 409, "has access already"
    assert await begin(household, "nurse", "NO-SUCH") == 404


async def test_a_profile_without_assignments_needs_no_emergency() -> None:
    async with living() as household:
        assert await begin(household, "nurse", await household.record()) == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"reason": "short"}, 422),
        ({"reason": " " * 40}, 422),
        ({"reason": "a line\nand another"}, 422),
        ({"reason": "x" * 501}, 422),
        ({"reason": "long enough", "until": "never"}, 422),
    ],
)
@pytest.mark.rule("GLASS-1")
async def test_a_reason_is_required(household: Household, body: Any, status: int) -> None:
    record_id = await household.record()

    assert await begin(household, "nurse", record_id, body) == status
    assert await household.store.emergencies.of_record(record_id) == []


async def test_it_can_be_ended_early_by_oneself_and_by_a_supervisor(household: Household) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}/break-glass"
    nurse = (await household.user("nurse")).id

    await begin(household, "nurse", record_id)
    assert (await household.ask("nurse", "DELETE", path)).status_code == 204
    assert (await household.ask("nurse", "DELETE", path)).status_code == 404
    assert await reads(household, "nurse", record_id) == 403

    await begin(household, "nurse", record_id)
    by_colleague = await household.ask("cashier", "DELETE", f"{path}?user={nurse}")
    by_supervisor = await household.ask("supervisor", "DELETE", f"{path}?user={nurse}")
    assert (by_colleague.status_code, by_supervisor.status_code) == (403, 204)
    assert await reads(household, "nurse", record_id) == 403


async def test_supervisors_see_who_had_access_why_and_until_when(household: Household) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}/break-glass"
    await begin(household, "nurse", record_id)
    await household.ask("nurse", "DELETE", path)
    await begin(household, "cashier", record_id)

    answer = await household.ask("supervisor", "GET", path)
    (newest, oldest) = answer.json()["items"]
    assert (newest["user"]["username"], newest["ended_at"]) == ("cashier", None)
    assert oldest["ended_by"]["username"] == "nurse"
    assert oldest["reason"] == REASON["reason"]
    for other in ("nurse", "cashier", "admin"):
        assert (await household.ask(other, "GET", path)).status_code == 403


@pytest.mark.rule("GLASS-3")
async def test_whatever_is_done_under_emergency_access_is_marked_in_the_trail(
    household: Household,
) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}"
    await begin(household, "nurse", record_id)
    version = (await household.ask("nurse", "GET", path)).json()["version"]
    edit = {"vitals.pulse": 70}
    await household.ask("nurse", "PATCH", path, edit, if_match=f'"{version}"')
    assert (await household.ask("nurse", "PUT", f"{path}/locks/vitals.pulse")).status_code == 200
    assert (await household.ask("nurse", "DELETE", f"{path}/locks/vitals.pulse")).is_success
    await household.ask("nurse", "POST", f"{path}/entries/comments", {"text": "Invented"})
    nurse = (await household.user("nurse")).id
    steps = f"/api/sessions/{record_id}/steps/triage"
    await household.ask("nurse", "PUT", steps, {"status": "started"})

    trail = [entry for _, entry in await household.store.audit(record_id=record_id)]
    begun = next(n for n, entry in enumerate(trail) if entry.action == "break_glass")
    later = [entry for entry in trail[begun + 1 :] if entry.user_id == nurse]
    assert {"read", "update", "lock_acquired", "lock_released"} <= {e.action for e in later}
    unmarked = [entry for entry in later if "emergency" not in entry.detail.split()]
    assert not unmarked


@pytest.mark.rule("GLASS-3")
async def test_everybody_on_the_record_and_the_supervisors_are_told(household: Household) -> None:
    record_id = await household.record()
    watcher = RecordingPeer(await principal(household, "supervisor"), extension=True)
    async with household.rooms.opened(record_id) as live:
        await watcher.sync(live)
        await settled()
        await begin(household, "nurse", record_id)
        await settled()
        await household.ask("nurse", "DELETE", f"/api/records/{record_id}/break-glass")
        await settled()

    notices = [m.body for m in watcher.messages() if isinstance(m, Notice)]
    told = [notice for notice in notices if notice["event"].startswith("break_glass")]
    # a supervisor on the record hears the stored announcement too
    assert list(dict.fromkeys(n["event"] for n in told)) == ["break_glass", "break_glass_ended"]
    (named,) = [n for n in told if isinstance(n.get("user"), dict) and "username" in n["user"]]
    assert (named["user"]["username"], named["until"]) == ("nurse", "2026-03-01T08:30:00.000Z")
    stored = [each.announcement for each in await household.store.announcements.after(0, 100)]
    (announced,) = [each for each in stored if each.event == "break_glass"]
    assert set(announced.roles) >= {"supervisor"}
    assert "collapsed" not in json.dumps(dict(announced.payload))


async def principal(household: Household, username: str) -> Any:
    token = await household.token(username)
    return await household.house.authenticator.principal_for_token(token, household.now)


@pytest.mark.rule("GLASS-2")
async def test_the_live_socket_of_somebody_whose_access_ended_is_closed_with_4403(
    household: Household,
) -> None:
    record_id = await household.record()
    await begin(household, "nurse", record_id)
    nurse = RecordingPeer(await principal(household, "nurse"))
    boss = RecordingPeer(await principal(household, "supervisor"))
    async with household.rooms.opened(record_id) as live:
        live.join(nurse)
        live.join(boss)
        household.step(minutes=31)
        await rounds(household)

    assert (nurse.closed_with, boss.closed_with) == (4403, None)


@pytest.mark.rule("GLASS-3")
async def test_start_end_and_everything_between_stand_in_the_trail_as_an_emergency(
    household: Household,
) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}"
    await begin(household, "stranger", record_id)
    await begin(household, "nurse", record_id)
    await household.ask("nurse", "GET", path)
    await household.ask("nurse", "PATCH", path, {"vitals.pulse": 70}, if_match='"2"')
    household.step(minutes=31)
    await rounds(household)
    (row,) = await household.store.emergencies.of_record(record_id)
    nurse = (await household.user("nurse")).id

    found = [(e.action, e.outcome, e.detail) for e in await household.entries(record_id=record_id)]
    assert found[1:] == [
        ("break_glass", "denied", "POST /api/records/{id}/break-glass 403 not-allowed"),
        ("update", "success", "emergency"),
        ("break_glass", "success", f"emergency={row.id}"),
        ("read", "success", "emergency"),
        ("update", "success", "role=nurse emergency"),
        ("update", "success", ""),
        ("break_glass_end", "success", f"emergency={row.id} user={nurse}"),
    ]
    assert "collapsed" not in str(await household.entries())
    assert "collapsed" not in household.log.getvalue()


@pytest.mark.rule("GLASS-1")
async def test_nobody_breaks_the_glass_again_and_again(household: Household) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}/break-glass"
    for _ in range(6):
        assert await begin(household, "nurse", record_id) == 201
        assert (await household.ask("nurse", "DELETE", path)).status_code == 204
        household.step(minutes=1)

    refused = await household.ask("nurse", "POST", path, REASON)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert await begin(household, "cashier", record_id) == 201, "others are not held up"
    household.step(hours=1)
    assert await begin(household, "nurse", record_id) == 201


@pytest.mark.rule("GLASS-2")
async def test_an_access_ends_after_a_restart_on_a_record_that_nobody_opens(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    async with living(store, assigning()) as household:
        record_id = await household.record()
        await begin(household, "nurse", record_id)
        late = household.now

    async with living(store, assigning(), late) as household:
        household.step(hours=2)
        (job,) = [one for one in household.house.background.jobs if one.name == "emergency_access"]
        assert job.at_once
        await job.run()
        assert await facts(household, record_id) == {}
    assert await store.emergencies.due(household.now, 10) == []
    await store.close()


async def test_where_the_beginning_is_not_stored_there_is_no_access(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_id = await household.record()
    ask = household.rooms.ask
    calls: list[str] = []

    async def fails_at_the_second(record_id: str, work: Any) -> Any:
        calls.append(record_id)
        if len(calls) == 2:
            raise StoreUnavailable("the disk is full")
        return await ask(record_id, work)

    monkeypatch.setattr(household.rooms, "ask", fails_at_the_second)
    assert await begin(household, "nurse", record_id) == 503
    (row,) = await household.store.emergencies.of_record(record_id)
    assert row.ended_at is not None
    assert await reads(household, "nurse", record_id) == 403


async def test_one_record_that_cannot_be_opened_does_not_keep_the_others_open(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = await household.record(), await household.record()
    await begin(household, "nurse", broken)
    await begin(household, "nurse", whole)
    household.step(minutes=31)
    ask, tries = household.rooms.ask, []

    async def fails_for_one(record_id: str, work: Any) -> Any:
        tries.append(record_id)
        if record_id == broken:
            raise StoreUnavailable("it is damaged")
        return await ask(record_id, work)

    monkeypatch.setattr(household.rooms, "ask", fails_for_one)
    await rounds(household)
    await rounds(household)
    household.step(minutes=2)
    await rounds(household)

    assert tries == [broken, whole, broken]
    assert isinstance(household.house.break_glass, BreakGlass)
    assert "emergency access not ended" in household.log.getvalue()
