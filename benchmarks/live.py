"""Live editing: rooms full of clients, edits at an even rate, and what the server spent on them."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.edits import KEYED_FIELDS
from benchmarks.load import Board, Client, connect, settle
from benchmarks.servers import Running

__all__ = ["Figures", "Floor", "highest_rate", "open_floor"]

CONNECTING_AT_ONCE = 20
MEASURED_PER_ROOM = 10
"""Clients of a room whose receptions are timed; the others only read."""
WARM_UP_S = 1.0
SATURATED_MS = 250.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run gave.

    reached: edits/s really sent. cpu_us: of the server, for one edit. complete: everything sent was
    delivered and nobody was cut off. load_busy: share of its core the load generator used. starved:
    share of the time in which the server's threads waited for a core that others used.
    """

    rate: float
    reached: float
    edits: int
    cpu_us: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    complete: bool
    load_busy: float
    starved: float
    frames_per_edit: float

    def line(self) -> str:
        missing = "" if self.complete else " INCOMPLETE"
        return (
            f"{self.reached:8.0f} edits/s  {self.cpu_us:8.1f} µs CPU/edit"
            f"  p50 {self.p50_ms:6.1f} ms  p99 {self.p99_ms:6.1f} ms"
            f"  {self.frames_per_edit:5.1f} frames out/edit  load busy {self.load_busy:3.0%}"
            f"  starved {self.starved:3.0%}{missing}"
        )


class Floor:
    """Connected rooms of one server."""

    def __init__(self, running: Running, board: Board, rooms: Sequence[Sequence[Client]]) -> None:
        self._running = running
        self.board = board
        self._rooms = rooms
        # Neighbours in the order of sending are in different rooms, as in life.
        self._turns = [room[n] for n in range(len(rooms[0])) for room in rooms]
        self._next = 0

    async def run(self, rate: float, seconds: float, *, patience_s: float = 5.0) -> Figures:
        """Send edits at `rate` for `seconds` and wait until everybody has them."""
        total = max(1, round(rate * seconds))
        prepared = [self._prepare() for _ in range(total)]
        board = self.board
        board.clear()
        expected = sum(self._hearers(client) for client, _, _ in prepared)
        gc.collect()
        gc.disable()
        cpu, own = self._running.cpu_s(), time.process_time()
        starved = self._running.starved_s()
        began = time.perf_counter()
        await self._send(prepared, rate, began)
        sent_after = time.perf_counter() - began
        busy = (time.process_time() - own) / sent_after
        complete = await settle(board, expected, patience_s)
        await asyncio.sleep(0.05)
        cpu = self._running.cpu_s() - cpu
        starved = (self._running.starved_s() - starved) / (time.perf_counter() - began)
        gc.enable()
        times = sorted(board.latencies_s)
        return Figures(
            rate=rate,
            reached=total / sent_after,
            edits=total,
            cpu_us=cpu / total * 1e6,
            p50_ms=_quantile(times, 0.5),
            p95_ms=_quantile(times, 0.95),
            p99_ms=_quantile(times, 0.99),
            complete=complete and not board.closed,
            load_busy=busy,
            starved=starved,
            frames_per_edit=board.frames / total,
        )

    def clients(self) -> list[Client]:
        """Everybody, room by room."""
        return [client for room in self._rooms for client in room]

    async def close(self) -> None:
        for room in self._rooms:
            for client in room:
                await client.close()
        await asyncio.sleep(0.1)

    def _prepare(self) -> tuple[Client, int, bytes]:
        client = self._turns[self._next % len(self._turns)]
        self._next += 1
        number = self.board.next_number()
        return client, number, client.frame(client.edits.next_update(number))

    def _hearers(self, client: Client) -> int:
        room = self._rooms[0] if len(self._rooms) == 1 else None
        peers = room or next(room for room in self._rooms if room[0].record == client.record)
        return self._counts(peers) - client.measures

    def _counts(self, room: Sequence[Client]) -> int:
        return sum(client.measures for client in room)

    async def _send(
        self, prepared: Sequence[tuple[Client, int, bytes]], rate: float, began: float
    ) -> None:
        sent_at, clock = self.board.sent_at, time.perf_counter
        at, total = 0, len(prepared)
        while at < total:
            due = min(total, int((clock() - began) * rate) + 1)
            while at < due:
                client, number, frame = prepared[at]
                sent_at[number] = clock()
                client.send(frame)
                at += 1
            await asyncio.sleep(max(0.001, began + at / rate - clock()))


async def open_floor(running: Running, records: Sequence[str], clients: int) -> Floor:
    """Connect `clients` to each record; they sync and answer before this returns."""
    board = Board()
    limit = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def one(room: int, seat: int) -> Client:
        number = room * clients + seat
        field = KEYED_FIELDS[seat] if seat < len(KEYED_FIELDS) else None
        async with limit:
            return await connect(
                running.target,
                records[room],
                number,
                10_000_000 + number * 7919,
                board,
                field,
                measures=seat < MEASURED_PER_ROOM,
            )

    seats = [[one(room, seat) for seat in range(clients)] for room in range(len(records))]
    rooms = [await asyncio.gather(*room) for room in seats]
    floor = Floor(running, board, rooms)
    await asyncio.sleep(0.2)
    return floor


async def highest_rate(
    floor: Floor, start: float, *, seconds: float, growth: float = 1.3, limit: float | None = None
) -> tuple[float, list[Figures]]:
    """The highest rate whose p99 stays within 250 ms with everything delivered, and all tries.

    A rate that fails is tried once more: on a shared machine one stall must not end the climb.
    """
    tries: list[Figures] = []
    best, rate, failed_once = 0.0, start, False
    while limit is None or rate <= limit:
        figures = await floor.run(rate, seconds, patience_s=3.0)
        tries.append(figures)
        good = figures.complete and figures.p99_ms <= SATURATED_MS
        if good and figures.reached >= 0.9 * rate:
            best, rate, failed_once = figures.reached, rate * growth, False
        elif failed_once or floor.board.closed:
            break
        else:
            failed_once = True
        await asyncio.sleep(0.5)
    return best, tries


def _quantile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
