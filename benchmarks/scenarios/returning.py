"""A ward comes back from a day offline: a hundred clients at once, two hundred edits each."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.edits import KEYED_FIELDS
from benchmarks.load import Board, Client, connect, settle
from benchmarks.machine import cores, pin
from benchmarks.records import prepare
from benchmarks.results import Result, Scale
from benchmarks.servers import Running, Target, fieldchart, free_port

__all__ = ["come_back", "measure"]

EDITS = 200


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """To their own rooms, and all to one."""
    clients = scale.of(100)
    results = []
    for what, rooms, target_s in (("own rooms", clients, 0.5), ("one room", 1, 1.5)):
        prepared = prepare(folder / f"{rooms}", records=rooms, logins=clients + rooms)
        server = fieldchart(prepared.data, prepared.tokens, free_port())
        with Running(server) as running:
            pin(cores()[1])
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                opening_s, merging_s, wall_s, complete = runner.run(
                    come_back(running, prepared.records, clients)
                )
        results.append(
            Result(
                scenario="returning",
                what=f"100 × 200 offline edits to {what}: server CPU",
                value=merging_s,
                unit="s",
                target=target_s,
                note=f"wall {wall_s:.2f} s; opening the sockets {opening_s:.2f} s more"
                + ("" if complete else "; INCOMPLETE"),
            )
        )
    return results


async def come_back(
    running: Running, records: Sequence[str], clients: int
) -> tuple[float, float, float, bool]:
    """(CPU of opening, CPU of merging, wall of merging, whether a watcher of each room saw all)."""
    board = Board()
    target = running.target
    for room, record in enumerate(records):
        await connect(target, record, clients + room, 30_000_000 + room, board)
    cpu = running.cpu_s()
    back = await asyncio.gather(
        *(_one(target, records[n % len(records)], n, board) for n in range(clients))
    )
    opening = running.cpu_s() - cpu
    board.clear()
    shown, frames = 0, []
    for client in back:
        update, marks = client.edits.backlog([board.next_number() for _ in range(EDITS)])
        frames.append(client.frame(update))
        shown += marks
    cpu, began = running.cpu_s(), time.perf_counter()
    for client, frame in zip(back, frames, strict=True):
        client.send(frame)
    complete = await settle(board, shown, patience_s=10.0)
    took = time.perf_counter() - began
    return opening, running.cpu_s() - cpu, took, complete


async def _one(target: Target, record: str, number: int, board: Board) -> Client:
    field = KEYED_FIELDS[number] if number < len(KEYED_FIELDS) else None
    return await connect(
        target, record, number, 40_000_000 + number * 7919, board, field, measures=False
    )
