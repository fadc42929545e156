"""From what somebody writes to the next role's screen, over 50 sessions; and the board of 2,000."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import msgspec
import uvloop
from ulid import ULID

from benchmarks.machine import cores, pin
from benchmarks.records import Prepared, opened, prepare, sign_in
from benchmarks.results import Result, Scale
from benchmarks.servers import Running, fieldchart, free_port
from server.ports import NewRecord

__all__ = ["measure"]

SESSIONS = 50
SCREENS = 10
BOARD = 2000
READS = 40
LAST_SECONDS = 10.0
"""How long the last events may take to be heard."""
LISTENER = "benchmark-token-listener"


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """50 nurses measure once a second each; 10 clinical officers listen to all of them."""
    sessions = scale.of(SESSIONS)
    prepared = prepare(folder, records=sessions, logins=sessions)
    asyncio.run(_furnish(prepared, scale.of(BOARD, least=20) - sessions))
    target = fieldchart(prepared.data, prepared.tokens, free_port())
    with Running(target) as running:
        pin(cores()[1])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            base = f"http://127.0.0.1:{target.port}"
            before = running.cpu_s()
            late, heard = runner.run(_listen(base, prepared, scale.seconds))
            cpu = running.cpu_s() - before
            board, counts, same = runner.run(_board(base, prepared.tokens[0]))
    what = f"{SESSIONS} sessions, {SCREENS} screens"
    return [
        Result(scenario="events", what=f"{what}: change to screen p50", value=_at(late, 50),
               unit="ms"),
        Result(scenario="events", what=f"{what}: change to screen p95", value=_at(late, 95),
               unit="ms", target=500, note="" if heard else "INCOMPLETE"),
        Result(scenario="events", what=f"{what}: server CPU", value=cpu / scale.seconds * 100,
               unit="% of core"),
        Result(scenario="events", what=f"board of {BOARD:,}, 200 rows: p95", value=_at(board, 95),
               unit="ms", target=50),
        Result(scenario="events", what=f"counts of {BOARD:,}: p95", value=_at(counts, 95),
               unit="ms", target=50),
        Result(scenario="events", what="the same board again (304): p95", value=_at(same, 95),
               unit="ms"),
    ]  # fmt: skip


def _at(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else 0.0


async def _furnish(prepared: Prepared, more: int) -> None:
    """Somebody who listens, and so many more records on the board."""
    async with opened(prepared.data) as (assembly, store):
        officer = await sign_in(store, LISTENER, str(ULID()), frozenset({"clinical_officer"}))
        nurse = next(one for one in await store.directory.users() if one.id != officer.user_id)
        author = msgspec.structs.replace(
            officer, user_id=nurse.id, roles=frozenset({"receptionist"})
        )
        for _ in range(max(0, more) // 50):
            made = (
                assembly.house.rooms.create(author, NewRecord(profile="outpatient"))
                for _ in range(50)
            )
            await asyncio.gather(*made)


async def _listen(base: str, prepared: Prepared, seconds: float) -> tuple[Sequence[float], bool]:
    """How long each event took to each screen in ms, and whether every screen heard every one."""
    sent: dict[tuple[str, int], float] = {}
    late: list[float] = []
    async with httpx.AsyncClient(base_url=base, timeout=30, limits=httpx.Limits()) as http:
        streams = [await _stream(base) for _ in range(SCREENS)]
        ears = [asyncio.ensure_future(_hear(reader, sent, late)) for reader, _ in streams]
        await asyncio.gather(
            *(
                _measure(http, token, record, seconds, n / len(prepared.records), sent)
                for n, (token, record) in enumerate(
                    zip(prepared.tokens, prepared.records, strict=False)
                )
            )
        )
        until = time.monotonic() + LAST_SECONDS
        while len(late) < len(sent) * SCREENS and time.monotonic() < until:  # noqa: ASYNC110 - ears
            await asyncio.sleep(0.01)
        for ear in ears:
            ear.cancel()
        for _, writer in streams:
            writer.close()
    return late, len(late) >= len(sent) * SCREENS


async def _stream(base: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET /api/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {LISTENER}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"event: ready")
    return reader, writer


async def _hear(
    reader: asyncio.StreamReader, sent: dict[tuple[str, int], float], late: list[float]
) -> None:
    while line := await reader.readline():
        if line.startswith(b"data: ") and b"vital_signs_updated" in line:
            event: dict[str, Any] = msgspec.json.decode(line[6:])
            begun = sent.get((event["record"], event["version"]))
            if begun is not None:
                late.append((time.perf_counter() - begun) * 1000)


async def _measure(
    http: httpx.AsyncClient, token: str, record: str, seconds: float, phase: float,
    sent: dict[tuple[str, int], float],
) -> None:  # fmt: skip
    """One nurse writes a pulse every 1.2 s: slower than the window in which events are merged."""
    headers = {"authorization": f"Bearer {token}"}
    path = f"/api/records/{record}"
    version = int((await http.get(path, headers=headers)).headers["etag"].strip('"'))
    await asyncio.sleep(phase)
    end = time.monotonic() + seconds
    pulse = 60
    while time.monotonic() < end:
        pulse += 1
        sent[record, version + 1] = time.perf_counter()
        answer = await http.patch(
            path, headers={**headers, "if-match": f'"{version}"'}, json={"vitals.pulse": pulse}
        )
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
        await asyncio.sleep(1.2)


async def _board(base: str, token: str) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """Milliseconds of reading a queue, the counts, and the queue again when nothing changed."""
    headers = {"authorization": f"Bearer {token}"}
    queue = "/api/records?profile=outpatient&step=registration&limit=200"
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:

        async def times(path: str, **more: str) -> list[float]:
            took = []
            for _ in range(READS):
                begun = time.perf_counter()
                await http.get(path, headers={**headers, **more})
                took.append((time.perf_counter() - begun) * 1000)
            return took

        tag = (await http.get(queue, headers=headers)).headers["etag"]
        return (
            await times(queue),
            await times("/api/board?profile=outpatient"),
            await times(queue, **{"if-none-match": tag}),
        )
