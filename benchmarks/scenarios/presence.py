"""100 people typing in one record, each with a keystroke and a word of presence a second."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from benchmarks.edits import varuint
from benchmarks.live import Figures, Floor, open_floor
from benchmarks.load import Client
from benchmarks.machine import cores, pin
from benchmarks.records import prepare
from benchmarks.results import Result, Scale
from benchmarks.scenarios.live import middle
from benchmarks.servers import Running, fieldchart, free_port

__all__ = ["measure"]

PEOPLE = 100
FIELDS = ("vitals.pulse", "vitals.spo2", "assessment.notes", "diagnosis.plan")


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """1 room × 100, 100 edits/s; without presence, and with 100 states/s."""
    people = scale.of(PEOPLE, least=4)
    prepared = prepare(folder, records=1, logins=people)
    target = fieldchart(prepared.data, prepared.tokens, free_port())
    with Running(target) as running:
        pin(cores()[1])

        async def rounds() -> tuple[list[Figures], list[Figures]]:
            floor = await open_floor(running, prepared.records, people)
            await floor.run(people, min(1.0, scale.seconds))
            quiet = [await floor.run(people, scale.seconds) for _ in range(scale.rounds)]
            typing = asyncio.ensure_future(_type(floor, people))
            loud = [await floor.run(people, scale.seconds) for _ in range(scale.rounds)]
            typing.cancel()
            await floor.close()
            return quiet, loud

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            quiet, loud = (middle(figures) for figures in runner.run(rounds()))
    what = f"1 room × {PEOPLE} typing at 1 Hz"
    note = "" if loud.complete else "INCOMPLETE"
    return [
        Result(scenario="presence", what=f"{what}: edit p95", value=loud.p95_ms, unit="ms",
               target=100, note=note),
        Result(scenario="presence", what=f"{what}: server CPU with all relays",
               value=loud.cpu_us * loud.reached / 1e4, unit="% of core"),
        Result(scenario="presence", what="the same edits without presence: edit p95",
               value=quiet.p95_ms, unit="ms"),
        Result(scenario="presence", what="the same edits without presence: server CPU",
               value=quiet.cpu_us * quiet.reached / 1e4, unit="% of core"),
    ]  # fmt: skip


async def _type(floor: Floor, people: int) -> None:
    """Every client says once a second where it types, evenly spread, and relays what it hears."""
    clocks: dict[int, int] = {}
    clients = floor.clients()
    for client in clients:
        client.relays = True
    while True:
        for at, client in enumerate(clients):
            clocks[at] = clocks.get(at, 1) + 1
            client.send(_typing_frame(client, FIELDS[at % len(FIELDS)], clocks[at]))
            await asyncio.sleep(1 / people)


def _typing_frame(client: Client, field: str, clock: int) -> bytes:
    state = msgspec.json.encode({"page": field.partition(".")[0], "typing": field})
    body = b"\x01" + varuint(client.client_id) + varuint(clock) + varuint(len(state)) + state
    return b"\x01" + varuint(len(body)) + body
