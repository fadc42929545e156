"""What one live update costs in the core, without sockets and storage, and a day's backlog."""

import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks.edits import KEYED_FIELDS, ClientEdits
from benchmarks.machine import cores, pin
from benchmarks.records import PROFILE, ROLES
from benchmarks.results import Result, Scale
from benchmarks.timed_history import TimedHistory
from permissions.model import Principal
from server.profiles import load_policies
from server.serving import spare_the_collector
from sync.bounds import Bounds
from sync.frame import Frame, Knowledge
from sync.gate import Limits, judge
from sync.placed import Gap
from sync.placement import check_owners, place_structs
from sync.replay import new_room
from sync.room import Room
from sync.update import Update, decode_steps, decode_update, encode_update

__all__ = ["measure"]

T = TypeVar("T")
WARM = 500
BOUNDS = Bounds()


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """Live updates (keyed, text) and a backlog of 10,000 structs."""
    pin(cores()[0])
    spare_the_collector()  # as `serve` does
    results = []
    for kind, field in (("keyed", KEYED_FIELDS[0]), ("text", None)):
        judged, applied, told = _live(kind, field, scale.of(4000, least=WARM + 50))
        results += [
            Result(
                scenario="core",
                what=f"{kind}: decode, place, judge, rewrite",
                value=judged,
                unit="µs CPU",
                target=25,
            ),
            Result(
                scenario="core",
                what=f"{kind}: apply, arbitrate, hash the row",
                value=applied,
                unit="µs CPU",
                target=15,
            ),
            Result(
                scenario="core",
                what=f"{kind}: tell what it changed, for the history",
                value=told,
                unit="µs CPU",
            ),
        ]
    total_ms, longest_ms = _backlog(scale.of(10_000))
    return [
        *results,
        Result(
            scenario="core",
            what="backlog of 10,000 structs: judged and applied",
            value=total_ms,
            unit="ms",
            target=150,
        ),
        Result(
            scenario="core",
            what="backlog: longest stretch between yields",
            value=longest_ms,
            unit="ms",
            target=20,
        ),
    ]


def _room() -> Room:
    policy = load_policies((PROFILE,))[PROFILE]
    return new_room("01BENCHMARK", 0, policy.profile, policy, Limits())


def _author() -> Principal:
    return Principal(
        user_id="u1", username="nurse", name="Nurse", roles=ROLES, login_id="l1", device="benchmark"
    )


def _live(kind: str, field: tuple[str, str] | None, count: int) -> tuple[float, float, float]:
    """Median µs of (decode … rewrite, apply … hash, history) of single updates, others editing."""
    room, author, edits = _room(), _author(), ClientEdits(5_000_011, field)
    _populate(room, author)
    room.history = history = TimedHistory(room.history)
    before, after, told = [], [], []
    clock = time.perf_counter
    knowledge = Knowledge()
    for number in range(count):
        data = edits.next_update(2 * number + 1)
        start = clock()
        update = decode_update(data, BOUNDS)
        frame = _frame(update, author, knowledge)
        check_owners(update, room.books.index, room.books.owners, author.user_id)
        placement = _finish(place_structs(update, room.books.index, room.books.places))
        assert not isinstance(placement, Gap), "edits follow on each other"
        judgement = _finish(judge(room, frame, placement, room.version + 1))
        encode_update(judgement.structs, update.deletes)
        decided = clock()
        frame = _frame(decode_update(data, BOUNDS), author, knowledge)
        proposal = room.propose_now(frame)
        done = clock()
        assert proposal.accepted is not None, "a nurse may write this"
        if number >= WARM:
            before.append(decided - start)
            after.append((done - decided) - (decided - start) - history.seconds[-1])
            told.append(history.seconds[-1])
    return median(before) * 1e6, median(after) * 1e6, median(told) * 1e6


def _populate(room: Room, author: Principal) -> None:
    others = [ClientEdits(6_000_000 + n, KEYED_FIELDS[n + 1]) for n in range(4)]
    for number in range(400):
        data = others[number // 10 % 4].next_update(number)
        room.propose_now(_frame(decode_update(data, BOUNDS), author, Knowledge()))


def _backlog(structs: int) -> tuple[float, float]:
    """(whole, longest stretch) in ms of CPU, for one frame of a client that was offline."""
    room, author = _room(), _author()
    data, _ = ClientEdits(7_000_003, KEYED_FIELDS[0]).backlog(range(structs))
    stretches: list[float] = []
    update = _timed(decode_steps(data, BOUNDS), stretches)
    frame = _frame(update, author, Knowledge())
    proposal = _timed(room.propose(frame), stretches)
    assert proposal.accepted is not None, "a nurse may write this"
    return sum(stretches) * 1e3, max(stretches) * 1e3


def _timed(steps: Generator[None, None, T], stretches: list[float]) -> T:
    while True:
        start = time.thread_time()
        try:
            next(steps)
        except StopIteration as done:
            stretches.append(time.thread_time() - start)
            result: T = done.value
            return result
        stretches.append(time.thread_time() - start)


def _finish(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def _frame(update: Update, author: Principal, knowledge: Knowledge) -> Frame:
    at = datetime.now(UTC)
    return Frame(update=update, author=author, knowledge=knowledge, received_at=at, written_at=at)
