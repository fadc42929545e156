"""What the server does by itself, again and again: one way for all of it.

A `Job` is a coroutine with a pause and a bound. A run that fails or lasts too long is counted and
logged, and the job goes on: after its pause, then after twice as long each time, up to
`MOST_PAUSE_SECONDS`. Nothing ends a job but the end of the server, and a vital one that has not
succeeded for a long time makes the server not ready (`/readyz`). SPEC JOB-1 to JOB-4.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.logs import Log, place_of
from server.metrics import Metrics

__all__ = ["Background", "Job"]

MOST_PAUSE_SECONDS = 60.0
"""The longest pause after failures, unless the job's own is longer: a disk that is back is noticed
within a minute."""

MOST_DOUBLINGS = 16
"""More change nothing: the shortest pause is past the longest by then."""

STOP_SECONDS = 5.0
"""How long a stopping server waits for runs that have begun, before it cancels them."""

LATE_ROUNDS = 5
"""A job is late when so many pauses and whole bounds have passed without a run that succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something that is done again and again.

    run: one round; it is cancelled after `at_most_seconds`, so it must be fit to be cut anywhere.
    every_seconds: from the end of a round to the beginning of the next. at_once: the first one
    begins with the server. wake: while it is set there is no pause; a round begins by clearing it.
    gap_seconds: rests so long even then, so that many who wake it share a round.
    is_vital: without it the server does not do what it promises.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    every_seconds: float
    at_most_seconds: float
    at_once: bool = False
    wake: asyncio.Event | None = None
    gap_seconds: float = 0.0
    is_vital: bool = True


@dataclass(slots=True)
class _State:
    """How a job fares. good_at: monotonic seconds of its last success, at first of its start."""

    job: Job
    alarm: asyncio.Event
    good_at: float
    failures: int = field(default=0)


async def _rest(alarm: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await alarm.wait()
    except TimeoutError:
        pass


class Background:
    """The jobs of one process. Start them with `running()`.

    monotonic: seconds. rest: waits for the alarm, at most so long; tests step it.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        metrics: Metrics,
        log: Log,
        monotonic: Callable[[], float] = time.monotonic,
        rest: Callable[[asyncio.Event, float], Awaitable[None]] = _rest,
    ) -> None:
        self.jobs = tuple(jobs)
        assert len({job.name for job in self.jobs}) == len(self.jobs), "names are labels"
        self._metrics = metrics
        self._log = log
        self._monotonic = monotonic
        self._rest = rest
        self._states: dict[str, _State] = {}
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self, names: Collection[str] | None = None) -> AsyncIterator[None]:
        """While it runs the jobs are done (names: only these); at the end rounds may finish."""
        self._stopping.clear()
        now = self._monotonic()
        chosen = [job for job in self.jobs if names is None or job.name in names]
        self._states = {job.name: _State(job, job.wake or asyncio.Event(), now) for job in chosen}
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._repeat(state), name=f"job {name}")
                for name, state in self._states.items()
            ]
            try:
                yield
            finally:
                await self._stop(tasks)

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        self._stopping.set()
        for state in self._states.values():
            state.alarm.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                self._log.error("job cut off", job=task.get_name().removeprefix("job "))
                task.cancel()
        self._states = {}

    def late(self) -> list[str]:
        """Names of the vital jobs that have not succeeded for too long."""
        now = self._monotonic()
        return [
            name
            for name, state in self._states.items()
            if state.job.is_vital
            and now - state.good_at
            > LATE_ROUNDS * (state.job.every_seconds + state.job.at_most_seconds)
        ]

    async def _repeat(self, state: _State) -> None:
        if not state.job.at_once:
            await self._rest(state.alarm, state.job.every_seconds)
        while not self._stopping.is_set():
            state.alarm.clear()
            await self._round(state)
            pause, doublings = state.job.every_seconds, min(state.failures - 1, MOST_DOUBLINGS)
            if doublings > 0:
                # What wakes the job does not cut this short: it would fail as often as it is woken.
                pause = max(pause, min(pause * 2**doublings, MOST_PAUSE_SECONDS))
                await self._rest(self._stopping, pause)
                continue
            if state.job.gap_seconds:
                await self._rest(self._stopping, state.job.gap_seconds)
            await self._rest(state.alarm, pause)

    async def _round(self, state: _State) -> None:
        job, begun = state.job, time.perf_counter()
        self._metrics.job_runs.labels(job.name).inc()
        try:
            async with asyncio.timeout(job.at_most_seconds):
                await job.run()
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            self._note_failure(state, error)  # of something that it waited for, not of us
        except Exception as error:
            self._note_failure(state, error)
        else:
            state.failures = 0
            state.good_at = self._monotonic()
            self._metrics.job_last_success.labels(job.name).set_to_current_time()
        self._metrics.job_seconds.labels(job.name).observe(time.perf_counter() - begun)

    def _note_failure(self, state: _State, error: BaseException) -> None:
        state.failures += 1
        self._metrics.job_failures.labels(state.job.name).inc()
        self._metrics.incidents.inc()
        self._log.error(
            "job failed", job=state.job.name, error=type(error).__name__, place=place_of(error)
        )
