"""Live editing at an everyday rate: many small rooms, and one large one."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.live import Figures, open_floor
from benchmarks.machine import cores, pin
from benchmarks.records import prepare
from benchmarks.results import Result, Scale
from benchmarks.servers import Running, fieldchart, free_port

__all__ = ["measure"]


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """50 rooms × 5 at 500 edits/s; 1 room × 200 at 50 edits/s."""
    small = _run(folder / "small", scale.of(50), scale.of(5), 500 * max(scale.share, 0.1), scale)
    large = _run(folder / "large", 1, scale.of(200, least=4), 50, scale)
    return [
        Result(
            scenario="live",
            what="50 rooms × 5 at 500 edits/s: server CPU per edit",
            value=small.cpu_us,
            unit="µs",
            note="target: 0.8 of Hocuspocus, see bench-peers",
        ),
        Result(scenario="live", what="50 rooms × 5: delivery p50", value=small.p50_ms, unit="ms"),
        Result(
            scenario="live",
            what="50 rooms × 5: delivery p99",
            value=small.p99_ms,
            unit="ms",
            note=_note(small),
        ),
        Result(
            scenario="live",
            what="1 room × 200 at 50 edits/s: server CPU per edit",
            value=large.cpu_us / 1000,
            unit="ms",
            target=4,
        ),
        Result(
            scenario="live",
            what="1 room × 200: delivery p99",
            value=large.p99_ms,
            unit="ms",
            target=15,
            note=_note(large),
        ),
    ]


def _run(folder: Path, rooms: int, clients: int, rate: float, scale: Scale) -> Figures:
    prepared = prepare(folder, records=rooms, logins=rooms * clients)
    target = fieldchart(prepared.data, prepared.tokens, free_port())
    with Running(target) as running:
        pin(cores()[1])

        async def rounds() -> list[Figures]:
            floor = await open_floor(running, prepared.records, clients)
            await floor.run(rate, min(1.0, scale.seconds))
            figures = [await floor.run(rate, scale.seconds) for _ in range(scale.rounds)]
            await floor.close()
            return figures

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return middle(runner.run(rounds()))


def middle(figures: Sequence[Figures]) -> Figures:
    """The round whose CPU is the median."""
    wanted = median(sorted(one.cpu_us for one in figures)[: len(figures) | 1])
    return min(figures, key=lambda one: abs(one.cpu_us - wanted))


def _note(figures: Figures) -> str:
    return (
        f"{'' if figures.complete else 'INCOMPLETE, '}{figures.frames_per_edit:.1f} frames out/edit"
    )
