"""How far the rate can rise until the 99th percentile of delivery passes 250 ms."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.live import highest_rate, open_floor
from benchmarks.machine import cores, pin
from benchmarks.records import prepare
from benchmarks.results import Result, Scale
from benchmarks.servers import Running, fieldchart, free_port

__all__ = ["measure"]


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """50 rooms × 5, and 1 room × 200."""
    shapes = (
        ("50 rooms × 5", scale.of(50), scale.of(5), 2000 * scale.share, 12_000),
        ("1 room × 200", 1, scale.of(200, least=4), 1000 * scale.share, 5_000),
    )
    results = []
    for what, rooms, clients, start, target in shapes:
        prepared = prepare(folder / f"{rooms}", records=rooms, logins=rooms * clients)
        server = fieldchart(prepared.data, prepared.tokens, free_port())
        with Running(server) as running:
            pin(cores()[1])

            async def climb(
                running: Running = running,
                records: Sequence[str] = prepared.records,
                clients: int = clients,
                start: float = start,
            ) -> tuple[float, str]:
                floor = await open_floor(running, records, clients)
                limit = None if scale.share == 1 else start * 1.2
                best, tries = await highest_rate(floor, start, seconds=scale.seconds, limit=limit)
                await floor.close()
                last = tries[-1]
                return best, f"stopped by: {last.line().strip()}"

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                best, note = runner.run(climb())
        results.append(
            Result(
                scenario="saturation",
                what=f"{what}: most edits/s with p99 ≤ 250 ms",
                value=best,
                unit="edits/s",
                target=target,
                at_least=True,
                note=note,
            )
        )
    return results
