"""What connected but quiet people cost, and whether coming and going leaves anything behind."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.load import Board, Client, connect
from benchmarks.machine import cores, pin
from benchmarks.records import prepare
from benchmarks.results import Result, Scale
from benchmarks.servers import Running, fieldchart, free_port

__all__ = ["hold_open", "measure"]

AT_ONCE = 50
IDLE_SECONDS = 1


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """1,000 rooms × 2 connections; 1,000 times open and leave."""
    rooms, cycles = scale.of(1000), scale.of(1000)
    prepared = prepare(folder, records=rooms, logins=2 * rooms)
    server = fieldchart(prepared.data, prepared.tokens, free_port(), room_idle_seconds=IDLE_SECONDS)
    with Running(server) as running:
        pin(cores()[1])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_some(running, prepared.records, 0, 20, Board()))  # what is loaded once
            per_room, cpu_s, idle_share = runner.run(hold_open(running, prepared.records))
            left = runner.run(_come_and_go(running, prepared.records, cycles))
    return [
        Result(
            scenario="idle",
            what="1,000 rooms × 2 connections: memory per room",
            value=per_room,
            unit="kB",
            target=75,
        ),
        Result(
            scenario="idle",
            what="opening 2,000 connections: server CPU",
            value=cpu_s,
            unit="s",
            target=4,
        ),
        Result(
            scenario="idle",
            what="2,000 quiet connections: share of a core",
            value=idle_share * 100,
            unit="%",
        ),
        *left,
    ]


async def hold_open(running: Running, records: Sequence[str]) -> tuple[float, float, float]:
    """(kB per room, CPU of opening, share of a core when quiet) with two clients in each room."""
    board, limit = Board(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Client:
        async with limit:
            record = records[number % len(records)]
            return await connect(running.target, record, number, 50_000_000 + number, board)

    before, cpu = running.rss_kib(), running.cpu_s()
    clients = await asyncio.gather(*(one(n) for n in range(2 * len(records))))
    cpu = running.cpu_s() - cpu
    await asyncio.sleep(1)
    grown = running.rss_kib() - before
    quiet, began = running.cpu_s(), time.perf_counter()
    await asyncio.sleep(5 if len(records) > 100 else 0.2)
    share = (running.cpu_s() - quiet) / (time.perf_counter() - began)
    for client in clients:
        await client.close()
    return grown * 1.024 / len(records), cpu, share


async def _some(
    running: Running, records: Sequence[str], first: int, count: int, board: Board
) -> None:
    """Open and leave, ten at a time, then wait until the rooms have left memory."""

    async def once(number: int) -> None:
        record = records[number % len(records)]
        client = await connect(running.target, record, number, 60_000_000 + number, board)
        await client.close()

    for start in range(first, first + count, 10):
        await asyncio.gather(*(once(n) for n in range(start, min(start + 10, first + count))))
    await asyncio.sleep(IDLE_SECONDS + 2.5)


async def _come_and_go(running: Running, records: Sequence[str], cycles: int) -> list[Result]:
    board = Board()
    await _some(
        running, records, 0, cycles, board
    )  # fills the caches of statements, log-ins and places
    before = running.rss_kib(), running.tasks(), running.descriptors()
    await _some(running, records, 0, cycles, board)
    after = running.rss_kib(), running.tasks(), running.descriptors()
    names = (("memory", "kB"), ("tasks", "tasks"), ("descriptors", "files"))
    return [
        Result(
            scenario="idle",
            what=f"1,000 times open and leave: growth of {name}",
            value=b - a,
            unit=unit,
            note=f"{a:,} → {b:,}",
        )
        for (name, unit), a, b in zip(names, before, after, strict=True)
    ]
