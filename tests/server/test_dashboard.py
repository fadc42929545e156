"""The supervisor's view: equal to a recount of the records, for those who oversee, and cheap."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permissions.profile import parse_profile
from storage import MemoryStore, SqliteStore
from sync.quality import measure, measures_mark, measures_text, read_measures
from tests.support.house import Household, living
from tests.support.rooms import ticked
from tests.support.screening_day import PROFILE, ScreeningDay

DEEDS = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 5), st.integers(0, 49)), min_size=3, max_size=25
)


@pytest.mark.rule("DASH-1")
@pytest.mark.parametrize("on_disk", [False, True])
@settings(max_examples=8, deadline=None)
@given(deeds=DEEDS)
def test_what_it_shows_of_a_random_day_is_a_recount_of_the_records(
    on_disk: bool, deeds: list[tuple[int, int, int]]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "store.db"
            store = await SqliteStore.open(path) if on_disk else MemoryStore()
            async with living(store, login_idle_seconds=10**7) as house:
                day = ScreeningDay(house)
                for deed, which, what in deeds:
                    await day.do(deed, which, what)
                shown = day.shown(await day.dashboard())
                assert shown == await day.recount()
            await store.close()

    asyncio.run(run())


async def test_every_kind_of_figure_is_reached_by_a_day() -> None:
    async with living() as house:
        day = ScreeningDay(house)
        for deed, which, what in (
            (0, 0, 1), (0, 0, 1), (3, 0, 3), (1, 0, 7), (3, 0, 5), (1, 0, 5), (6, 0, 15), (6, 0, 2),
            (8, 0, 3), (7, 1, 1), (4, 0, 2), (5, 0, 3), (3, 1, 2), (1, 0, 9),
        ):  # fmt: skip
            await day.do(deed, which, what)
        shown = day.shown(await day.dashboard())
        assert shown == await day.recount()

    assert shown["disputed"] == {"visual_acuity.right_unaided": 1, "visual_acuity.chart": 1}
    assert shown["refused"] == {("demographics.family_name", "role"): 1}
    assert shown["conflicts"]["visual_acuity.chart"] == 1
    assert shown["shares"]["raised_pressure"] == (1, 2)
    assert shown["shares"]["images_gradable"][1] == 0, "a cleared value counts no more"
    assert shown["steps"]["check_in"]["handled"] == 1
    assert len(shown["working"]) == 1


@pytest.mark.rule("DASH-2")
async def test_records_from_before_are_measured_once_and_do_not_look_changed() -> None:
    async with living() as house:
        day = ScreeningDay(house)
        for deed, which, what in ((0, 0, 0), (0, 0, 0), (6, 0, 30), (4, 1, 0)):
            await day.do(deed, which, what)
        kept = house.store.records.everything()
        for one in kept.values():
            facts = msgspec.structs.replace(one.head.facts, measures="")
            one.head = msgspec.structs.replace(one.head, facts=facts)
        before = {id: one.head for id, one in kept.items()}
        house.step(minutes=5)
        empty = day.shown(await day.dashboard())["shares"]
        (job,) = [one for one in house.house.background.jobs if one.name == "measures"]
        await job.run()
        house.step(minutes=1)
        shown = day.shown(await day.dashboard())
        assert shown == await day.recount()
        after = {id: one.head for id, one in kept.items()}
        commits = [one.version for one in after.values()]
        await job.run()
        await job.run()

    assert empty["raised_pressure"] == (0, 0)
    assert shown["shares"]["raised_pressure"] == (1, 1)
    assert [one.version for one in before.values()] == commits
    for id, head in before.items():
        assert after[id].facts.updated_at == head.facts.updated_at
        assert after[id].facts.measures


@pytest.mark.rule("DASH-2")
def test_what_a_profile_means_by_a_share_marks_what_was_measured() -> None:
    text = (Path(__file__).parents[2] / "profiles" / "eye_screening.toml").read_text()
    profile = parse_profile(text, "eye_screening.toml")
    other = parse_profile(
        text.replace('equals = "refer_urgent"', 'equals = "refer_routine"'), "eye_screening.toml"
    )
    fields: dict[str, dict[str, object]] = {
        "follow_up": {"screening_result": "refer_urgent"},
        "quality": {"images_gradable": True},
        "pressure": {
            "A": {"eye": "right", "value": 30},
            "B": {"eye": "right", "value": 12, "replaces": "A"},
            "C": {"eye": "left", "value": 22},
        },
    }

    measured = measure(profile, fields)
    stored = measures_text(measures_mark(profile), measured)

    assert measured == {
        "urgent_referrals": (1, 1), "unable_to_screen": (0, 1), "images_gradable": (1, 1),
        "raised_pressure": (1, 2),
    }  # fmt: skip
    assert measure(other, fields)["urgent_referrals"] == (0, 1)
    assert read_measures(stored, measures_mark(profile)) == measured
    assert read_measures(stored, measures_mark(other)) == {}
    assert read_measures("", measures_mark(profile)) == {}


async def waiting_for_approval(house: Household) -> tuple[ScreeningDay, str]:
    day = ScreeningDay(house)
    for deed in (0, 1, 1, 1):
        await day.do(deed, 0, 3)
    return day, day.records[0]


async def test_an_approval_is_listed_with_what_it_asks_for_and_given_from_there() -> None:
    async with living() as house:
        day, record_id = await waiting_for_approval(house)
        house.step(minutes=61)
        (asked,) = (await day.dashboard())["approvals"]
        link = asked["approve"]
        refused = await house.ask("supervisor", link["method"], link["href"], link["body"])
        back = asked["send_back"]
        returned = await house.ask(
            "supervisor", back["method"], back["href"],
            {**back["body"], "reason": "Measure again", "to": asked["returns_to"][1]},
        )  # fmt: skip
        after = await day.dashboard()

    assert (asked["id"], asked["level"], asked["waiting_minutes"]) == (record_id, "red", 61.0)
    assert asked["required"] == [["approval.decision"]]
    assert (refused.status_code, returned.status_code) == (422, 200)
    assert returned.json()["current_step"] == "visual_assessment"
    assert after["approvals"] == []


async def test_it_is_for_those_who_oversee_and_reading_it_is_audited() -> None:
    async with living() as house:
        await house.user("stranger", "no_such_role")
        await house.record(PROFILE)
        path = f"/api/dashboard?profile={PROFILE}"
        people = ("registration_staff", "vision_technician", "doctor", "nurse", "stranger")
        denied = [(await house.ask(who, "GET", path)).status_code for who in people]
        allowed = [
            (await house.ask(who, "GET", path)).status_code for who in ("supervisor", "admin")
        ]
        unknown = await house.ask("supervisor", "GET", "/api/dashboard?profile=nothing")
        default = await house.ask("supervisor", "GET", "/api/dashboard")
        trail = [(e.action, e.outcome, e.detail) for e in await house.entries("supervisor")]
        tried = [(e.action, e.outcome) for e in await house.entries("doctor")]

    assert denied == [403] * 5
    assert allowed == [200, 200]
    assert (unknown.status_code, default.status_code) == (422, 200)
    assert ("query", "success", f"dashboard profile={PROFILE}") in trail
    assert ("query", "denied") in tried


@pytest.mark.rule("DASH-3")
async def test_it_names_no_patient_and_no_value_and_to_administrators_no_field() -> None:
    async with living() as house:
        day = ScreeningDay(house)
        for deed in (0, 1, 1, 6, 7, 8):
            await day.do(deed, 0, 40)
        overseer, admin = await day.dashboard(), await day.dashboard("admin")

    for shown in (overseer, admin):
        text = json.dumps(shown)
        assert "Example 0" not in text
        assert "Invented" not in text
        assert "6/60" not in text
        assert day.records[0] in text
    flagged = {one["name"]: one for one in overseer["metrics"]}["raised_pressure"]
    assert [one["id"] for one in flagged["records"]] == day.records
    assert overseer["refused"]
    assert (admin["refused"], admin["conflicts"], admin["disputed"]) == ([], [], [])
    hidden = {one["name"]: one for one in admin["metrics"]}["raised_pressure"]
    assert (hidden["value"], hidden["records"]) == (flagged["value"], [])


async def test_who_has_a_record_open_is_at_work_and_their_device_is_here() -> None:
    async with living() as house:
        day = ScreeningDay(house)
        await day.do(0, 0, 1)
        await day.do(3, 0, 1)
        async with house.rooms.opened(day.records[0]) as room:
            await day.enter(day.records[0], "doctor", room)
            shown = await day.dashboard()

    doing = {one["person"]["username"]: (one["doing"], one["is_here"]) for one in shown["working"]}
    assert doing == {"registration_staff": ("step", False), "doctor": ("present", True)}
    here = {one["person"]["username"]: one["is_here"] for one in shown["devices"]}
    assert here["doctor"] is True
    assert here["registration_staff"] is False


@pytest.mark.rule("DASH-4")
async def test_nothing_is_read_while_nothing_changes_and_one_drawing_serves_all() -> None:
    async with living() as house:
        day = ScreeningDay(house)
        await day.do(0, 0, 0)
        path = f"/api/dashboard?profile={PROFILE}"
        await house.user("second", "supervisor")
        first = await house.ask("supervisor", "GET", path)
        tag = first.headers["etag"]
        reads: list[int] = []
        read = house.store.overview

        async def counted(wanted: Any) -> Any:
            reads.append(1)
            return await read(wanted)

        house.store.overview = counted
        same = await house.ask("supervisor", "GET", path, if_none_match=tag)
        colleague = await house.ask("second", "GET", path)
        assert (same.status_code, same.content, colleague.status_code) == (304, b"", 200)
        assert reads == []
        await day.do(3, 0, 0)
        changed = await house.ask("supervisor", "GET", path, if_none_match=tag)
        assert (changed.status_code, len(reads)) == (200, 1)
        house.step(minutes=1)
        later = await house.ask("supervisor", "GET", path, if_none_match=changed.headers["etag"])
        assert (later.status_code, len(reads)) == (200, 2)


async def test_two_thousand_records_are_added_up_without_opening_one(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    async with living(store) as house:
        day = ScreeningDay(house)
        for deed in (0, 3, 4, 6):
            await day.do(deed, 0, 30)
        await _copies(store, day.records[0], 2000)
        loaded = house.rooms.loaded()
        house.step(minutes=1)
        shown = await day.dashboard()

        assert sum(step["in_progress"] for step in shown["steps"]) == 2001
        assert house.rooms.loaded() == loaded
    await store.close()


async def _copies(store: SqliteStore, record_id: str, count: int) -> None:
    """The row of a record again and again, as a day of its own would have left it."""

    def copy(on: Any) -> None:
        on.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO records SELECT printf('01COPY%020d', i), epoch, version, hash,"
            " printf('COPY-%d', i), profile, printf('p%d', i), status, current_step, title,"
            " search_text, search_folded, disputed, assigned, created_at, updated_at, step_status,"
            " priority, waiting_since, started_at, started_by, measures"
            " FROM n, records WHERE id = ?",
            (count, record_id),
        )

    await store._database.write(copy)


@pytest.mark.rule("DASH-4")
async def test_who_oversees_and_listens_is_told_of_changes_gathered_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.overseeing.TELL_SECONDS", 0.2)
    async with living() as house:
        day, hub = ScreeningDay(house), house.house.events
        await day.do(0, 0, 0)
        streams = {
            who: hub.subscribe(await day._principal(who), (), None)
            for who in ("supervisor", "doctor")
        }
        begun = asyncio.get_running_loop().time()
        for what in range(4):
            await day.do(4, 0, what)
        gathered = asyncio.get_running_loop().time() - begun < 0.2
        tag = house.house.overseeing.tag(PROFILE).encode()
        async with asyncio.timeout(30):  # the loop's own timer tells
            while not any(tag in frame for frame in streams["supervisor"]._queue):
                await ticked()
        told = {
            who: [frame for frame in stream._queue if frame.startswith(b"event: dashboard")]
            for who, stream in streams.items()
        }

    assert told["doctor"] == []
    assert told["supervisor"]
    assert PROFILE.encode() in told["supervisor"][-1]
    assert tag in told["supervisor"][-1], "the last word is the state that stands"
    assert len(told["supervisor"]) <= 2 or not gathered
