"""Alerts: told once when something is past its threshold, once when it is over, and never again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.alerting import Alerting, disk_percent
from storage import MemoryStore, SqliteStore
from tests.support.house import Household, living
from tests.support.screening_day import ScreeningDay


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    opened: Any = (
        MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "s.db")
    )
    yield opened
    await opened.close()


async def round_(house: Household) -> None:
    (job,) = [one for one in house.house.background.jobs if one.name == "alerts"]
    await job.run()


async def told(store: Any) -> list[tuple[str, str, str]]:
    found = [each.announcement for each in await store.announcements.after(0, 1000)]
    return [
        (str(one.payload["state"]), str(one.payload["kind"]), str(one.payload["subject"]))
        for one in found
        if one.event == "alert"
    ]


@pytest.mark.rule("DASH-5")
async def test_a_wait_past_red_is_told_once_also_after_a_restart_and_once_when_it_is_over(
    store: Any,
) -> None:
    async with living(store, login_idle_seconds=10**7) as house:
        day = ScreeningDay(house)
        await day.do(0, 0, 0)
        house.step(minutes=29)
        await round_(house)
        assert await told(store) == []
        house.step(minutes=1)
        await round_(house)
        await round_(house)
        assert await told(store) == [("breached", "wait", "check_in")]
        (alarm,) = (await day.dashboard())["alerts"]
        now, records = house.now, day.records

    async with living(store, now=now, login_idle_seconds=10**7) as house:
        day = ScreeningDay(house)
        day.records = records
        house.step(minutes=2)
        await round_(house)
        assert len(await told(store)) == 1
        (still,) = (await day.dashboard())["alerts"]
        await day.do(3, 0, 0)
        await round_(house)
        await round_(house)
        assert await told(store) == [
            ("breached", "wait", "check_in"), ("recovered", "wait", "check_in"),
        ]  # fmt: skip
        assert (await day.dashboard())["alerts"] == []
        notified = (await house.ask("supervisor", "GET", "/api/notifications")).json()["items"]
        others = (await house.ask("doctor", "GET", "/api/notifications")).json()["items"]

    assert (alarm["id"], alarm["since"]) == (still["id"], still["since"])
    assert (still["value"], still["threshold"], still["record"]) == (32.0, 30.0, records[0])
    assert [one["state"] for one in notified if one["event"] == "alert"] == [
        "recovered", "breached",
    ]  # fmt: skip
    assert [one for one in others if one["event"] == "alert"] == []


async def test_a_figure_past_its_threshold_and_a_late_approval_are_alerts(store: Any) -> None:
    async with living(store, login_idle_seconds=10**7) as house:
        day = ScreeningDay(house)
        for deed in (0, 1, 1, 1):
            await day.do(deed, 0, 0)
        await day.do(4, 0, 1)  # not gradable
        house.step(minutes=60)
        await round_(house)

    assert sorted(await told(store)) == [
        ("breached", "approval", "supervisor_approval"), ("breached", "metric", "images_gradable"),
    ]  # fmt: skip


async def test_a_clock_far_off_and_a_full_disk_are_alerts(store: Any) -> None:
    async with living(store) as house:
        await house.token("doctor")
        doctor = await house.house.authenticator.principal_for_token(
            await house.token("doctor"), house.now
        )
        await store.directory.note_skew(doctor.login_id, 300_000, house.now)
        served, full = house.house, [89.9]
        alerting = Alerting(
            store, served.overseeing, served.policies, served.settings, served.clock,
            served.events.news, lambda _: full[0],
        )  # fmt: skip
        await alerting.round()
        assert await told(store) == []
        await store.directory.note_skew(doctor.login_id, -300_001, house.now)
        full[0] = 90.0
        house.step(minutes=1)
        await alerting.round()
        alerts = (await ScreeningDay(house).dashboard())["alerts"]
        await house.user("supervisor")
        boss = (await house.ask("supervisor", "GET", "/api/notifications")).json()["items"]

    assert sorted(await told(store)) == [
        ("breached", "clock", doctor.login_id), ("breached", "storage", "disk"),
    ]  # fmt: skip
    assert {one["kind"]: one["value"] for one in alerts} == {"clock": -300_001, "storage": 90.0}
    assert {one["kind"] for one in boss if one["event"] == "alert"} == {"clock", "storage"}


async def test_a_figure_that_goes_to_and_fro_is_told_once_and_is_over_when_it_stays(
    store: Any,
) -> None:
    async with living(store) as house:
        served, full = house.house, [95.0]
        alerting = Alerting(
            store, served.overseeing, served.policies, served.settings, served.clock,
            served.events.news, lambda _: full[0],
        )  # fmt: skip
        for figure in (95.0, 89.0, 95.0, 89.0, 89.0, 96.0, 89.0):
            full[0] = figure
            await alerting.round()
            house.step(minutes=2)

        assert await told(store) == [("breached", "storage", "disk")]
        await alerting.round()
        house.step(minutes=5)
        await alerting.round()

    assert await told(store) == [("breached", "storage", "disk"), ("recovered", "storage", "disk")]


def test_the_disk_is_that_of_the_data(tmp_path: Path) -> None:
    assert 0 < disk_percent(str(tmp_path)) <= 100
    assert disk_percent(str(tmp_path / "missing")) == 0
