"""Opening a record that is not in memory, from connecting to fully synced."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.load import Board, connect
from benchmarks.machine import cores, pin
from benchmarks.records import long_record, prepare
from benchmarks.results import Result, Scale
from benchmarks.servers import Running, fieldchart, free_port

__all__ = ["measure"]

IDLE_SECONDS = 1


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """Records with 10,000 and 100,000 edits, with and without a snapshot."""
    shapes = [
        (10_000, 60, True),
        (100_000, 300, True),
        (10_000, None, False),
        (100_000, None, False),
    ]
    prepared = prepare(folder, records=len(shapes) + 1, logins=5)
    for record, (edits, _, snapshot) in zip(prepared.records, shapes, strict=False):
        long_record(prepared.data, record, scale.of(edits), snapshot=snapshot)
    server = fieldchart(prepared.data, prepared.tokens, free_port(), room_idle_seconds=IDLE_SECONDS)
    results = []
    with Running(server) as running:
        pin(cores()[1])

        async def open_once(record: str) -> tuple[float, float]:
            cpu, began = running.cpu_s(), time.perf_counter()
            client = await connect(server, record, 0, 90_000_001, Board())
            took = time.perf_counter() - began
            cpu = running.cpu_s() - cpu
            await client.close()
            return took * 1000, cpu * 1000

        async def opened(record: str) -> tuple[float, float]:
            """Median of some openings, each after the record has left memory."""
            times = []
            for _ in range(scale.rounds):
                times.append(await open_once(record))
                await asyncio.sleep(IDLE_SECONDS + 2.5 if scale.rounds > 1 else 0)
            return median(t for t, _ in times), median(c for _, c in times)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(open_once(prepared.records[-1]))
            for record, (edits, target, snapshot) in zip(prepared.records, shapes, strict=False):
                took_ms, cpu_ms = runner.run(opened(record))
                kept = "snapshot" if snapshot else "log alone"
                results.append(
                    Result(
                        scenario="cold_open",
                        what=f"{edits:,} edits from {kept}: until synced",
                        value=took_ms,
                        unit="ms",
                        target=target,
                        note=f"{cpu_ms:.0f} ms CPU",
                    )
                )
    return results
