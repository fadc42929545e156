"""`python -m benchmarks.peers [name …] [--quick]`: the same load on Fieldchart and on its peers.

All servers stand side by side and take turns, so that what the machine does meanwhile meets all of
them alike. Each ratio is Fieldchart's figure over the peer's.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.edits import mark_of
from benchmarks.live import Floor, highest_rate, open_floor
from benchmarks.load import Board, connect
from benchmarks.machine import alone, cores, describe, pin
from benchmarks.peers.targets import HERE, PEERS, are_installed
from benchmarks.records import prepare
from benchmarks.results import FULL, QUICK, TINY, Scale
from benchmarks.scenarios.returning import come_back
from benchmarks.servers import Running, ServerFailed, Target, fieldchart, free_port

__all__ = ["main"]

OURS = "fieldchart"


@dataclass(frozen=True, slots=True)
class Stand:
    """A server with its records, not started."""

    target: Target
    records: Sequence[str]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared, for one server; `more` is printed beside it."""

    name: str
    value: float
    more: str = ""


def main() -> None:
    """Measure the named servers (default: all that are installed) beside Fieldchart."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(PEERS))
    parser.add_argument("--quick", action="store_true", help="short rounds")
    parser.add_argument("--tiny", action="store_true", help="in miniature, to see that it runs")
    parser.add_argument("--load", action="append", choices=COMPARISONS, help="only this one")
    chosen = parser.parse_args()
    names = chosen.names or list(PEERS)
    if not are_installed() and any(name not in ("relay", "pycrdt-websocket") for name in names):
        parser.error(f"run `npm ci` in {HERE} first, or name only relay and pycrdt-websocket")
    scale = TINY if chosen.tiny else QUICK if chosen.quick else FULL
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {describe()}", flush=True)
    for load in chosen.load or COMPARISONS:
        title, unit, measure = COMPARISONS[load]
        scratch = tempfile.TemporaryDirectory(prefix="fieldchart-benchmark-")
        with alone(), scratch as folder:
            _print(title, unit, measure(names, Path(folder), scale))


def _print(title: str, unit: str, figures: Sequence[Figure]) -> None:
    print(f"\n{title}")
    ours = next((figure.value for figure in figures if figure.name == OURS), float("nan"))
    for figure in figures:
        ratio = f"{ours / figure.value:5.2f}" if figure.value else "    –"
        print(
            f"  {figure.name:18s} {figure.value:10,.1f} {unit:12s}"
            f" fieldchart/it {ratio}  {figure.more}",
            flush=True,
        )


def _stand(name: str, folder: Path, rooms: int, logins: int) -> Stand:
    folder.mkdir(parents=True, exist_ok=True)
    if name == OURS:
        prepared = prepare(folder, records=rooms, logins=logins)
        return Stand(fieldchart(folder, prepared.tokens, free_port()), prepared.records)
    return Stand(PEERS[name](folder, free_port()), [f"record-{n}" for n in range(rooms)])


def _run(work: Callable[[], Awaitable[list[Figure]]]) -> list[Figure]:
    async def run() -> list[Figure]:
        return await work()

    pin(cores()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def _live(rooms: int, clients: int, rate: float) -> "Measure":
    """CPU per edit at an even rate; the servers take turns, round by round."""

    def measure(names: Sequence[str], folder: Path, scale: Scale) -> list[Figure]:
        many, each = scale.of(rooms, least=1), scale.of(clients, least=3)
        with contextlib.ExitStack() as stack:
            stands = [_stand(name, folder / name, many, many * each) for name in (OURS, *names)]
            running = [stack.enter_context(Running(stand.target)) for stand in stands]

            async def work() -> list[Figure]:
                floors: list[Floor] = []
                for stand, server in zip(stands, running, strict=True):
                    floors.append(await open_floor(server, stand.records, each))
                    await floors[-1].run(rate, min(1.0, scale.seconds))
                rounds = [
                    [await floor.run(rate, scale.seconds) for floor in floors]
                    for _ in range(scale.rounds * 2)
                ]
                for floor in floors:
                    await floor.close()
                return [
                    Figure(
                        stand.target.name,
                        median(one.cpu_us for one in of_one),
                        f"p50 {median(one.p50_ms for one in of_one):.1f} ms,"
                        f" p99 {median(one.p99_ms for one in of_one):.1f} ms,"
                        f" {of_one[-1].frames_per_edit:.1f} frames out/edit"
                        + ("" if all(one.complete for one in of_one) else ", INCOMPLETE"),
                    )
                    for stand, of_one in zip(stands, zip(*rounds, strict=True), strict=True)
                ]

            return _run(work)

    return measure


def _saturation(rooms: int, clients: int, start: float) -> "Measure":
    """The highest rate with p99 within 250 ms; each server alone."""

    def measure(names: Sequence[str], folder: Path, scale: Scale) -> list[Figure]:
        many, each = scale.of(rooms, least=1), scale.of(clients, least=3)
        figures: list[Figure] = []
        for name in (OURS, *names):
            stand = _stand(name, folder / name, many, many * each)

            async def work(stand: Stand = stand) -> list[Figure]:
                with Running(stand.target) as server:
                    floor = await open_floor(server, stand.records, each)
                    first = start * scale.share
                    limit = None if scale.share == 1 else first * 1.2
                    best, tries = await highest_rate(
                        floor, first, seconds=scale.seconds, limit=limit
                    )
                    await floor.close()
                return [Figure(stand.target.name, best, f"stopped by {tries[-1].line().strip()}")]

            figures += _run(work)
        return figures

    return measure


def _cold_open(names: Sequence[str], folder: Path, scale: Scale) -> list[Figure]:
    """A record of 10,000 edits made live by five clients, opened after a restart of the server."""
    edits = scale.of(10_000, least=50)
    figures: list[Figure] = []
    for name in (OURS, *(name for name in names if name != "relay")):
        stand = _stand(name, folder / name, 2, 10)

        async def work(stand: Stand = stand) -> list[Figure]:
            with Running(stand.target) as server:
                floor = await open_floor(server, stand.records[:1], 5)
                await floor.run(900 * max(scale.share, 0.1), edits / 900, patience_s=20.0)
                newest = len(floor.board.sent_at) - 1
                wanted = mark_of(newest - newest % 2).encode()  # even ones are typed, and stay
                await floor.close()
                await _quiet(server)
            with Running(stand.target) as server:
                warm = await connect(stand.target, stand.records[1], 0, 90_000_002, Board())
                await warm.close()
                cpu, began = server.cpu_s(), time.perf_counter()
                board = Board()
                try:
                    async with asyncio.timeout(10):
                        client = await connect(
                            stand.target,
                            stand.records[0],
                            0,
                            90_000_001,
                            board,
                            measures=False,
                            wanted=wanted,
                        )
                except TimeoutError:
                    return [Figure(stand.target.name, float("nan"), "the last edit was lost")]
                took = time.perf_counter() - began
                await client.close()
                more = f"{server.cpu_s() - cpu:.2f} s CPU, {board.bytes:,} bytes"
            return [Figure(stand.target.name, took * 1000, more)]

        figures += _run(work)
    return figures


async def _quiet(server: Running) -> None:
    """Wait until it has stored what it has: Hocuspocus begins two seconds after the edits."""
    await asyncio.sleep(3)
    for _ in range(60):
        cpu = server.cpu_s()
        await asyncio.sleep(1)
        if server.cpu_s() - cpu < 0.05:
            return


def _returning(rooms: int) -> "Measure":
    def measure(names: Sequence[str], folder: Path, scale: Scale) -> list[Figure]:
        clients = scale.of(100)
        many = min(rooms, clients)
        figures: list[Figure] = []
        for name in (OURS, *names):
            stand = _stand(name, folder / name, many, clients + many)

            async def work(stand: Stand = stand) -> list[Figure]:
                with Running(stand.target) as server:
                    opening, merging, wall, complete = await come_back(
                        server, stand.records, clients
                    )
                more = f"wall {wall:.2f} s, opening {opening:.2f} s more"
                more += "" if complete else ", INCOMPLETE"
                return [Figure(stand.target.name, merging * 1000, more)]

            try:
                figures += _run(work)
            except (TimeoutError, ServerFailed) as error:
                figures.append(Figure(name, float("nan"), type(error).__name__))
        return figures

    return measure


Measure = Callable[[Sequence[str], Path, Scale], list[Figure]]

COMPARISONS: Mapping[str, tuple[str, str, Measure]] = {
    "rooms": ("50 rooms × 5 at 500 edits/s: server CPU per edit", "µs", _live(50, 5, 500)),
    "ward": ("1 room × 200 at 50 edits/s: server CPU per edit", "µs", _live(1, 200, 50)),
    "saturate-rooms": (
        "50 rooms × 5: most edits/s with p99 ≤ 250 ms",
        "edits/s",
        _saturation(50, 5, 1000),
    ),
    "saturate-ward": (
        "1 room × 200: most edits/s with p99 ≤ 250 ms",
        "edits/s",
        _saturation(1, 200, 100),
    ),
    "cold": ("10,000 edits made live, opened after a restart: until synced", "ms", _cold_open),
    "return-rooms": ("100 × 200 offline edits to own rooms: server CPU", "ms", _returning(100)),
    "return-ward": ("100 × 200 offline edits to one room: server CPU", "ms", _returning(1)),
}


if __name__ == "__main__":
    main()
