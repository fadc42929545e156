"""Any sequence of commits leaves the store in memory and the one on disk the same."""

import asyncio
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import MemoryStore, RecordFilter, SqliteStore, StorageError
from tests.storage.builders import Log, announcement, conflict, entry, facts, refusal

IDS = ("R1", "R2", "R3")

steps = st.lists(
    st.fixed_dictionaries(
        {
            "record": st.sampled_from(IDS),
            "action": st.sampled_from(("create", "append", "append", "stale", "snapshot")),
            "rows": st.integers(0, 3),
            "number": st.sampled_from(("", "", "EX-1", "EX-2")),
            "with_facts": st.booleans(),
            "text": st.text(st.characters(codec="utf-8"), max_size=5),
            "ordinal": st.integers(0, 2),
        }
    ),
    max_size=15,
)


async def run(store, plan, together: bool):
    """Every step's outcome; `together` submits all commits in one turn of the loop."""
    logs = {record_id: Log(record_id) for record_id in IDS}
    calls = []
    for step in plan:
        log = logs[step["record"]]
        version, hash_ = log.version, log.hash
        parts = {
            "facts": facts(step["number"], search_text=step["text"]),
            "refusals": (refusal(f"1.{step['ordinal']}"),),
            "conflicts": (conflict(f"1.{step['ordinal']}", resolved=step["with_facts"]),),
            "audit": (entry(log.record_id, action=step["text"]),),
            "announcements": (
                announcement(
                    f"E{step['ordinal']}",
                    roles=("nurse",) * step["rows"],
                    session=step["with_facts"],
                    present=("u1",),
                    payload={"is": step["text"]},
                ),
            ),
        }
        match step["action"]:
            case "create":
                log.version, log.hash = 0, bytes(32)
                call = store.records.create(log.record_id, log.commit(step["rows"], **parts))
            case "snapshot" if log.version:
                call = store.records.save_snapshot(log.record_id, log.snapshot())
            case _:
                if not step["with_facts"]:
                    del parts["facts"]
                commit = log.commit(step["rows"], **parts)
                if step["action"] == "stale":
                    rows = tuple(
                        msgspec.structs.replace(row, version=row.version + 7) for row in commit.rows
                    )
                    commit = msgspec.structs.replace(
                        commit, base_version=commit.base_version + 7, rows=rows
                    )
                call = store.records.append(commit)
        if together:
            calls.append(call)
            continue
        try:
            await call
            calls.append("stored")
        except StorageError as error:
            calls.append(type(error).__name__)
            log.version, log.hash = version, hash_
            del log.rows[version:]
    if together:
        done = await asyncio.gather(*calls, return_exceptions=True)
        calls = [type(each).__name__ for each in done]
    return calls


async def state(store):
    """All that can be read back."""
    found = {"board": list(await store.records.list(RecordFilter()))}
    for head in found["board"]:
        try:
            found[head.id] = await store.records.load(head.id)
        except StorageError as error:
            found[head.id] = (type(error).__name__, error.version)
        found[head.id, "rows"] = list(await store.records.rows(head.id))
        found[head.id, "refusals"] = list(await store.records.refusals(head.id))
        found[head.id, "conflicts"] = list(await store.records.conflicts(head.id))
    found["audit"] = [entry for _, entry in await store.audit()]
    attested = await store.audit(action="attest", limit=1000)
    found["attested"] = sorted(entry.detail.split()[:2] for _, entry in attested)
    found["queue"] = list(await store.records.list(RecordFilter(queued=True)))
    found["counts"] = list(await store.records.step_counts("example"))
    found["announced"] = list(await store.announcements.after(0, 100))
    found["chain"] = await store.verify_audit()
    return found


@settings(max_examples=40, deadline=None)
@given(plan=steps, together=st.booleans())
def test_memory_and_sqlite_agree_on_every_sequence_of_commits(plan, together):
    async def both():
        with tempfile.TemporaryDirectory() as directory:
            memory = MemoryStore()
            disk = await SqliteStore.open(Path(directory) / "store.db")
            try:
                outcomes = [await run(store, plan, together) for store in (memory, disk)]
                states = [await state(store) for store in (memory, disk)]
                await disk.close()
                disk = await SqliteStore.open(Path(directory) / "store.db")
                states.append(await state(disk))
            finally:
                await disk.close()
            return outcomes, states

    outcomes, states = asyncio.run(both())

    assert outcomes[0] == outcomes[1]
    assert states[0] == states[1]
    assert states[0] == states[2]
