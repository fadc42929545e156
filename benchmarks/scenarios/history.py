"""What history and audit add to an accepted edit, and how long looking back takes."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
import msgspec

from benchmarks.machine import cores, pin
from benchmarks.records import (
    PROFILE,
    Prepared,
    accepted_edits,
    long_record,
    opened,
    prepare,
    principal_of,
)
from benchmarks.results import Result, Scale
from benchmarks.timed_history import TimedHistory
from permissions.model import Principal
from server.application import build_application
from server.profiles import load_policies
from storage import SqliteStore
from sync.effects import AuditEntry, Commit
from sync.gate import Limits
from sync.proposal import Accepted
from sync.replay import new_room

__all__ = ["measure"]

BATCH = 20
WARM = 500


def measure(scale: Scale, folder: Path) -> Sequence[Result]:
    """Cost per edit at batches of 20; a page of a long history; a record as it stood."""
    pin(cores()[0])
    prepared = prepare(folder / "data", records=2, logins=1)
    edits, derived_us = _edits(scale.of(6000, least=WARM + 10 * BATCH))
    stored_us = asyncio.run(_storing(prepared, edits))
    results = [
        Result(scenario="history", what="telling the changes of a row", value=derived_us,
               unit="µs"),
        Result(scenario="history", what="storing them, and an audit entry, in batches of 20",
               value=stored_us, unit="µs CPU"),
        Result(scenario="history", what="history and audit: added to an edit",
               value=derived_us + stored_us, unit="µs CPU", target=60),
    ]  # fmt: skip
    long, past = prepared.records
    long_record(prepared.data, long, scale.of(100_000), snapshot=False)
    long_record(prepared.data, past, scale.of(10_000), snapshot=False)
    return [*results, *asyncio.run(_looking_back(prepared, long, past, scale))]


def _edits(count: int) -> tuple[list[Accepted], float]:
    """Accepted edits of five people, and the median µs that telling their changes took."""
    policy = load_policies((PROFILE,))[PROFILE]
    room = new_room("01BENCHMARK", 0, policy.profile, policy, Limits())
    room.history = timed = TimedHistory(room.history)
    people = [
        Principal(user_id=f"u{n}", username=f"u{n}", name="Nurse", login_id=f"l{n}",
                  roles=frozenset({"nurse", "receptionist"}), device="benchmark")
        for n in range(5)
    ]  # fmt: skip
    made = list(accepted_edits(room, people, count))
    return made, median(timed.seconds[WARM:]) * 1e6


async def _storing(prepared: Prepared, edits: list[Accepted]) -> float:
    """Median of the CPU µs per edit that changes and audit entries add to storing rows."""
    store = await SqliteStore.open(prepared.data / "stored.sqlite3")
    cost: dict[bool, list[float]] = {True: [], False: []}
    facts = None
    async with opened(prepared.data) as (_, other):
        facts = (await other.records.load(prepared.records[0])).head.facts
    for name in ("bare", "kept"):
        await store.records.create(
            name, Commit(record_id=name, base_version=0, rows=(), facts=_numbered(facts, name))
        )
    for start in range(0, len(edits) - BATCH, BATCH):
        batch = edits[start : start + BATCH]
        for kept in (False, True):
            commit = _commit("kept" if kept else "bare", start, batch, kept=kept)
            began = time.process_time()
            await store.records.append(commit)
            cost[kept].append((time.process_time() - began) / BATCH)
    await store.close()
    return (median(cost[True]) - median(cost[False])) * 1e6


def _numbered(facts: object, number: str) -> object:
    return msgspec.structs.replace(facts, number=number, patient_id=number)  # type: ignore[type-var]


def _commit(record_id: str, base: int, batch: Sequence[Accepted], *, kept: bool) -> Commit:
    rows = tuple(accepted.row for accepted in batch)
    changes = {(c.version, c.ordinal): c for accepted in batch for c in accepted.changes}
    audit = tuple(
        AuditEntry(at=row.received_at, action="update", outcome="success", user_id=row.author,
                   login_id=row.login_id, device=row.device, address=row.address,
                   record_id=record_id, version=row.version)
        for row in rows
    )  # fmt: skip
    return Commit(
        record_id=record_id, base_version=base, rows=rows,
        changes=tuple(changes.values()) if kept else (), audit=audit if kept else (),
    )  # fmt: skip


async def _looking_back(prepared: Prepared, long: str, past: str, scale: Scale) -> Sequence[Result]:
    async with opened(prepared.data) as (assembly, store), assembly.house.rooms.running():
        user = (await store.directory.users())[0]
        assert principal_of(user).roles, "somebody who may read"
        transport = httpx.ASGITransport(build_application(assembly.house))
        headers = {"authorization": f"Bearer {prepared.tokens[0]}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers
        ) as http:

            async def timed(path: str, times: int = 7) -> float:
                """Median ms of some answers, after one that opens the record."""
                took = []
                for _ in range(times + 1):
                    start = time.perf_counter()
                    answer = await http.get(path)
                    took.append((time.perf_counter() - start) * 1000)
                    assert answer.status_code == 200, answer.text
                return median(took[1:])

            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            history = f"/api/records/{long}/history?limit=100"
            edits = scale.of(10_000)
            return [
                Result(scenario="history", what=what, value=await timed(path), unit="ms",
                       target=target)
                for what, path, target in (
                    (f"100 of {scale.of(100_000):,} changes, newest", history, 30),
                    ("… oldest", f"{history}&order=oldest", 30),
                    ("… of one field", f"{history}&field=triage.complaint", 30),
                    ("… by one author", f"{history}&author={user.username}", 30),
                    ("… by a role that changed nothing", f"{history}&role=cashier", None),
                    (f"{edits:,} edits: as it stood at the last, log alone",
                     f"/api/records/{past}?version={edits}", 200),
                    ("… half way", f"/api/records/{past}?version={edits // 2}", 200),
                    ("… at an instant", f"/api/records/{past}?at={now}", 200),
                    ("… what differs between two versions",
                     f"/api/records/{past}/diff?from={edits // 2}&to={edits}", 200),
                )
            ]  # fmt: skip
