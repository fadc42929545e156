"""Background jobs: they go on whatever happens, are bounded and seen, and end with the server."""

import asyncio
import io
from collections.abc import Awaitable, Callable

import pytest

from server.background import MOST_PAUSE_SECONDS, Background, Job
from server.logs import configure_logs
from server.metrics import Metrics
from tests.support.house import living
from tests.support.rooms import settled


class Stepped:
    """Pauses that end when the test says so, and a clock that they move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self._passed = asyncio.Event()
        self.metrics = Metrics()
        self.out = io.StringIO()
        self.log = configure_logs("json", "info", self.out)

    async def rest(self, alarm: asyncio.Event, seconds: float) -> None:
        self.pauses.append(seconds)
        self._passed = asyncio.Event()
        waits = [asyncio.ensure_future(each.wait()) for each in (alarm, self._passed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def step(self) -> None:
        """Let the pause pass that a job is in."""
        self.now += self.pauses[-1]
        self._passed.set()
        await settled()

    def background(self, *jobs: Job) -> Background:
        return Background(jobs, self.metrics, self.log, lambda: self.now, self.rest)

    def count(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"fieldchart_{name}", {"job": "chore"})


def chore(run: Callable[[], Awaitable[object]], **how: object) -> Job:
    wanted = {"every_seconds": 2.0, "at_most_seconds": 1.0, "at_once": True, **how}
    return Job(name="chore", run=run, **wanted)  # type: ignore[arg-type] # named by the tests


class Faults:
    """A round that fails as it is told, and counts."""

    def __init__(self, *faults: BaseException | None) -> None:
        self.faults = list(faults)
        self.rounds = 0

    async def __call__(self) -> None:
        self.rounds += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault


@pytest.mark.rule("JOB-1")
@pytest.mark.parametrize("fault", [OSError("x"), AssertionError(), asyncio.CancelledError()])
async def test_a_job_goes_on_after_a_failure_and_waits_longer_each_time(
    fault: BaseException,
) -> None:
    stepped, run = Stepped(), Faults(*[fault] * 8)
    async with stepped.background(chore(run)).running():
        await settled()
        for _ in range(8):
            await stepped.step()

    assert run.rounds == 9
    assert stepped.pauses == [2, 4, 8, 16, 32, 60, 60, 60, 2]
    assert max(stepped.pauses) == MOST_PAUSE_SECONDS
    assert (stepped.count("job_runs_total"), stepped.count("job_failures_total")) == (9, 8)
    assert stepped.count("job_seconds_count") == 9
    assert stepped.out.getvalue().count("job failed") == 8
    assert '"job": "chore"' in stepped.out.getvalue()


@pytest.mark.rule("JOB-1")
async def test_a_success_forgets_the_failures_before_it() -> None:
    stepped, run = Stepped(), Faults(OSError(), OSError(), None, OSError())
    async with stepped.background(chore(run, every_seconds=90.0)).running():
        await settled()
        for _ in range(3):
            await stepped.step()

    assert stepped.pauses == [90, 90, 90, 90], "its own pause is longer than the longest"
    assert stepped.count("job_last_success") is not None


@pytest.mark.rule("JOB-2")
async def test_a_round_that_hangs_is_cut_off_and_others_do_not_wait_for_it() -> None:
    stepped, cut, other = Stepped(), [], Faults()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(True)
            raise

    jobs = (
        chore(hang, at_most_seconds=0.0),
        Job(name="other", run=other, every_seconds=1.0, at_most_seconds=1.0, at_once=True),
    )
    async with stepped.background(*jobs).running():
        await settled()
        while not cut:  # the loop's own timer ends the round
            await settled()
        await settled()

    assert (cut, other.rounds) == ([True], 1)
    assert stepped.count("job_failures_total") == 1


@pytest.mark.rule("JOB-3")
async def test_a_vital_job_that_does_not_succeed_is_late_by_name_until_it_does() -> None:
    stepped = Stepped()
    vital, other = Faults(*[OSError()] * 4), Faults(*[OSError()] * 100)
    background = stepped.background(
        chore(vital), Job(name="other", run=other, every_seconds=1.0, at_most_seconds=1.0,
                          is_vital=False),
    )  # fmt: skip
    async with background.running(("chore",)):
        await settled()
        seen = [background.late()]
        for _ in range(4):
            await stepped.step()
            seen.append(background.late())

    assert seen == [[], [], [], [], []], "14 s, and 15 s are its patience"
    stepped = Stepped()
    vital = Faults(*[OSError()] * 5)
    background = stepped.background(chore(vital))
    async with background.running():
        await settled()
        late = []
        for _ in range(5):
            await stepped.step()
            late.append(background.late())
    assert late == [[], [], [], ["chore"], []]


@pytest.mark.rule("JOB-4")
async def test_a_stopping_server_lets_a_round_finish_and_begins_no_other() -> None:
    stepped, free, done = Stepped(), asyncio.Event(), Faults()

    async def slow() -> None:
        await free.wait()
        await done()

    stopping = stepped.background(chore(slow)).running()
    await stopping.__aenter__()
    await settled()
    leaving = asyncio.ensure_future(stopping.__aexit__(None, None, None))
    await settled()
    assert not leaving.done()
    free.set()
    await leaving

    assert done.rounds == 1
    assert stepped.count("job_failures_total") is None


@pytest.mark.rule("JOB-4")
async def test_a_round_that_does_not_finish_is_cut_off_when_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.background.STOP_SECONDS", 0.0)
    stepped = Stepped()
    async with stepped.background(chore(asyncio.Event().wait, at_most_seconds=60.0)).running():
        await settled()

    assert "job cut off" in stepped.out.getvalue()


async def test_what_wakes_a_job_ends_its_pause_but_not_that_after_failures() -> None:
    stepped, wake = Stepped(), asyncio.Event()
    run = Faults(None, OSError(), OSError())
    async with stepped.background(chore(run, wake=wake)).running():
        await settled()
        for rounds in (2, 3, 3, 3):
            wake.set()
            await settled()
            assert run.rounds == rounds
        await stepped.step()
        assert run.rounds == 4


async def test_many_who_wake_a_job_within_its_gap_share_a_round() -> None:
    stepped, wake, run = Stepped(), asyncio.Event(), Faults()
    async with stepped.background(chore(run, wake=wake, gap_seconds=0.05)).running():
        await settled()
        for _ in range(3):
            wake.set()
            await settled()
            assert run.rounds == 1
        await stepped.step()  # the gap is over

        assert run.rounds == 2


async def test_the_server_is_not_ready_while_a_vital_job_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with living() as house:
        good = await house.http.get("/readyz")
        monkeypatch.setattr(house.house.background, "_monotonic", lambda: 1e12)
        bad = await house.http.get("/readyz")

    assert (good.status_code, bad.status_code) == (200, 503)
    assert bad.json()["type"].endswith("not-ready")
    assert "locks_and_presence" in bad.json()["detail"]


async def test_every_job_of_the_server_succeeds_in_a_living_house() -> None:
    async with living() as house:
        background = house.house.background
        for job in background.jobs:
            await job.run()
        names = {job.name for job in background.jobs}

    assert {"accounts", "locks_and_presence", "emergency_access", "events"} <= names
