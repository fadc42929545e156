"""What every store promises about records (`storage/ports.py`)."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from storage import (
    RecordExists,
    RecordFilter,
    RecordNotFound,
    StoreCorrupt,
    StoreUnavailable,
    VersionConflict,
)
from storage.errors import NumbersHeld, RefusalNotFound
from storage.ports import ConflictFilter, RefusalFilter
from sync.effects import Commit, RecordFacts, StepTiming
from tests.storage.builders import NOW, Log, conflict, created, entry, facts, refusal


async def test_a_new_record_loads_with_its_rows_and_facts(store):
    log = await created(store, rows=3, number="EX-1")

    stored = await store.records.load("R1")

    assert stored.head.version == 3
    assert stored.head.epoch == 0
    assert stored.head.facts == facts("EX-1")
    assert stored.snapshot is None
    assert list(stored.rows) == log.rows


async def test_instants_come_back_exact_to_the_microsecond(store):
    at = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    old = datetime(1, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    log = Log("R1")
    await store.records.create("R1", log.first(at=at))
    await store.records.append(log.commit(at=old))

    stored = await store.records.load("R1")

    assert [row.received_at for row in stored.rows] == [at, old]


async def test_an_instant_outside_utc_is_refused_before_anything_is_stored(store):
    log = await created(store)
    elsewhere = NOW.astimezone(timezone(timedelta(hours=2)))

    with pytest.raises(ValueError, match="not in UTC"):
        await store.records.append(log.commit(at=elsewhere))

    assert (await store.records.load("R1")).head.version == 1


async def test_creating_a_record_twice_is_refused_and_changes_nothing(store):
    await created(store, rows=2)

    with pytest.raises(RecordExists):
        await created(store, rows=1)

    assert (await store.records.load("R1")).head.version == 2


async def test_a_number_belongs_to_one_record(store):
    await created(store, "R1", number="EX-1")
    other = await created(store, "R2")

    with pytest.raises(RecordExists):
        await created(store, "R3", number="EX-1")
    with pytest.raises(RecordExists):
        await store.records.append(other.commit(facts=facts("EX-1")))

    assert await store.records.resolve("EX-1") == "R1"
    assert (await store.records.load("R2")).head.version == 1


async def test_records_without_a_number_do_not_exclude_each_other(store):
    await created(store, "R1")
    await created(store, "R2")

    assert [head.id for head in await store.records.list(RecordFilter())] == ["R2", "R1"]
    with pytest.raises(RecordNotFound):
        await store.records.resolve("")


async def test_rows_append_in_order_and_move_the_head(store):
    log = await created(store)
    for _ in range(5):
        await store.records.append(log.commit(2))

    stored = await store.records.load("R1")

    assert [row.version for row in stored.rows] == list(range(1, 12))
    assert list(stored.rows) == log.rows


async def test_a_commit_on_another_version_is_refused_with_both_versions(store):
    await created(store, rows=3)
    stale = Log("R1")
    stale.commit()

    with pytest.raises(VersionConflict) as caught:
        await store.records.append(stale.commit())

    assert (caught.value.expected, caught.value.actual) == (1, 3)
    assert (await store.records.load("R1")).head.version == 3


async def test_a_refused_commit_leaves_none_of_its_parts(store):
    await created(store, rows=3)
    stale = Log("R1")
    stale.commit()

    with pytest.raises(VersionConflict):
        await store.records.append(
            stale.commit(
                refusals=(refusal("2.0"),), conflicts=(conflict("2.0"),), facts=facts("EX-9")
            )
        )

    assert list(await store.records.refusals("R1")) == []
    assert list(await store.records.conflicts("R1")) == []
    assert (await store.records.load("R1")).head.facts == facts()
    assert len(await store.audit()) == 1


async def test_a_refused_commit_does_not_fail_those_stored_together_with_it(store):
    logs = [await created(store, f"R{n}") for n in range(20)]
    stale = Log("R0")

    outcomes = await asyncio.gather(
        *(store.records.append(log.commit()) for log in logs[:10]),
        store.records.append(stale.commit()),
        store.records.append(Log("R99").commit()),
        *(store.records.append(log.commit()) for log in logs[10:]),
        return_exceptions=True,
    )

    assert isinstance(outcomes[10], VersionConflict)
    assert isinstance(outcomes[11], RecordNotFound)
    assert [each for each in outcomes if each is not None] == outcomes[10:12]
    assert {(await store.records.load(log.record_id)).head.version for log in logs} == {2}


async def test_commits_of_one_record_submitted_together_follow_each_other(store):
    log = await created(store)

    await asyncio.gather(*(store.records.append(log.commit()) for _ in range(50)))

    assert list((await store.records.load("R1")).rows) == log.rows


async def test_a_commit_without_rows_stores_the_rest_and_keeps_the_version(store):
    await created(store)

    await store.records.append(
        Commit(record_id="R1", base_version=1, rows=(), facts=facts("EX-2"), audit=(entry("R1"),))
    )

    stored = await store.records.load("R1")
    assert stored.head.version == 1
    assert stored.head.facts.number == "EX-2"


async def test_rows_that_do_not_follow_the_base_version_are_refused(store):
    log = await created(store)
    good = log.commit(2)

    with pytest.raises(ValueError, match="do not follow"):
        await store.records.append(msgspec.structs.replace(good, rows=good.rows[1:]))


async def test_the_clock_may_jump_without_reordering_or_hiding_rows(store):
    """L2: a store that ordered by wall clock hid the edits made after the clock went back."""
    log = await created(store, rows=3)
    await store.records.save_snapshot("R1", log.snapshot())
    for hours in (-1, 5, -100):
        await store.records.append(log.commit(at=NOW + timedelta(hours=hours)))

    stored = await store.records.load("R1")

    assert [row.version for row in stored.rows] == [4, 5, 6]
    assert [row.version for row in await store.records.rows("R1")] == [1, 2, 3, 4, 5, 6]


async def test_loading_from_a_snapshot_leaves_out_exactly_the_rows_it_stands_for(store):
    """L1, L8: a snapshot is a cache of a prefix; the log keeps all rows."""
    log = await created(store, rows=5)
    await store.records.save_snapshot("R1", log.snapshot(3))
    await store.records.append(log.commit())

    stored = await store.records.load("R1")

    assert stored.snapshot == log.snapshot(3)
    assert [row.version for row in stored.rows] == [4, 5, 6]
    assert len(await store.records.rows("R1")) == 6


async def test_rows_appended_while_a_snapshot_is_saved_are_kept(store):
    """L7, L9: an edit during a slow snapshot write must survive."""
    log = await created(store, rows=2)
    snapshot = log.snapshot()

    await asyncio.gather(
        store.records.append(log.commit()),
        store.records.save_snapshot("R1", snapshot),
        store.records.append(log.commit()),
    )

    stored = await store.records.load("R1")
    assert stored.snapshot == snapshot
    assert [row.version for row in stored.rows] == [3, 4]


async def test_a_snapshot_with_the_wrong_hash_is_refused(store):
    log = await created(store, rows=3)
    wrong = msgspec.structs.replace(log.snapshot(3), version=2)

    with pytest.raises(StoreCorrupt) as caught:
        await store.records.save_snapshot("R1", wrong)

    assert (caught.value.record_id, caught.value.version) == ("R1", 2)
    assert (await store.records.load("R1")).snapshot is None


async def test_a_snapshot_of_a_row_that_is_not_there_is_refused(store):
    log = await created(store)

    with pytest.raises(StoreCorrupt):
        await store.records.save_snapshot("R1", msgspec.structs.replace(log.snapshot(), version=9))
    with pytest.raises(RecordNotFound):
        await store.records.save_snapshot("R9", log.snapshot())


async def test_refusals_and_conflicts_are_replaced_by_id_and_keep_their_order(store):
    log = await created(store, refusals=(refusal("1.0"), refusal("1.1")))
    await store.records.append(log.commit(conflicts=(conflict("2.0"), conflict("2.1"))))

    await store.records.append(
        log.commit(
            refusals=(refusal("1.0", status="applied"), refusal("3.0")),
            conflicts=(conflict("2.0", resolved=True),),
        )
    )

    assert list(await store.records.refusals("R1")) == [
        refusal("1.0", status="applied"),
        refusal("1.1"),
        refusal("3.0"),
    ]
    assert list(await store.records.conflicts("R1")) == [
        conflict("2.0", resolved=True),
        conflict("2.1"),
    ]


async def test_an_unknown_record_is_not_found_by_any_call(store):
    for call in (
        store.records.load("R9"),
        store.records.rows("R9"),
        store.records.refusals("R9"),
        store.records.conflicts("R9"),
        store.records.resolve("R9"),
        store.records.append(Log("R9").commit()),
        store.verify_log("R9"),
    ):
        with pytest.raises(RecordNotFound):
            await call


@pytest.mark.parametrize("record_id", ["a:b", "a*", "%", "a'b", "ａ", " a", "A", "a\x00b"])
async def test_ids_with_separators_and_wildcards_are_only_themselves(store, record_id):
    """A11: look-alike ids must never serve one record for another."""
    await created(store, "a")
    await created(store, record_id, rows=2)

    assert (await store.records.load("a")).head.version == 1
    assert (await store.records.load(record_id)).head.version == 2


async def test_listing_pages_newest_first(store):
    for n in range(7):
        await created(store, f"R{n}")

    first = await store.records.list(RecordFilter(limit=3))
    second = await store.records.list(RecordFilter(limit=3, after=first[-1].id))
    third = await store.records.list(RecordFilter(limit=3, after=second[-1].id))

    assert [head.id for head in (*first, *second, *third)] == [f"R{n}" for n in range(6, -1, -1)]
    assert [each async for each in store.records.record_ids()] == [f"R{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RecordFilter(profile="other"), ["R2"]),
        (RecordFilter(step="vitals"), ["R3"]),
        (RecordFilter(status="completed"), ["R3"]),
        (RecordFilter(assigned="u1"), ["R2", "R1"]),
        (RecordFilter(assigned="u"), []),
        (RecordFilter(assigned="u1", profile="other"), ["R2"]),
        (RecordFilter(patient="P1"), ["R3"]),
        (RecordFilter(patient="P"), []),
        (RecordFilter(text="ÉCOLE"), ["R1"]),
        (RecordFilter(text="école"), ["R1"]),
        (RecordFilter(text="strasse"), ["R2"]),
        (RecordFilter(text="ex-00"), ["R1"]),
        (RecordFilter(text="100%"), ["R3"]),
        (RecordFilter(text="0_0"), []),
        (RecordFilter(text="%"), ["R3"]),
        (RecordFilter(text="one"), ["R3", "R2", "R1"]),
        (RecordFilter(text="/"), []),
    ],
)
async def test_listing_filters(store, wanted, found):
    village = facts("EX-001", search_text="École", assigned=("u1", "u2"))
    await created(store, "R1", facts=village)
    await created(store, "R2", facts=facts(profile="other", search_text="Straße", assigned=("u1",)))
    await created(
        store,
        "R3",
        facts=facts(
            status="completed", current_step="vitals", search_text="100% 000", patient_id="P1"
        ),
    )

    assert [head.id for head in await store.records.list(wanted)] == found


async def test_a_queue_is_the_most_urgent_first_then_who_waits_longest(store):
    def waiting(priority: int, minutes: int, **changes: object) -> RecordFacts:
        since = NOW - timedelta(minutes=minutes)
        return facts(priority=priority, waiting_since=since, **changes)

    for id, its in {
        "LATE": waiting(2, 5), "LONG": waiting(2, 50), "URGENT": waiting(0, 1),
        "BACK": waiting(1, 0, step_status="returned"),
        "BEGUN": waiting(0, 99, step_status="in_progress"),
        "DONE": waiting(0, 99, status="completed"),
        "ELSEWHERE": waiting(0, 99, current_step="payment"),
        "OTHER": waiting(0, 99, profile="other"),
    }.items():  # fmt: skip
        await created(store, id, facts=its)

    found = await store.records.queue("example", "triage", 10)

    assert [head.id for head in found] == ["URGENT", "BACK", "LONG", "LATE"]
    assert found[0].facts == waiting(0, 1)
    assert [one.id for one in await store.records.queue("example", "triage", 2)] == [
        "URGENT",
        "BACK",
    ]


async def test_timings_of_a_step_are_read_newest_first_and_stored_with_their_commit(store):
    def timing(step: str, minutes: int) -> StepTiming:
        return StepTiming(
            profile="example", step=step, ready_at=NOW, started_at=NOW,
            completed_at=NOW + timedelta(minutes=minutes),
        )  # fmt: skip

    log = await created(store)
    told = (timing("triage", 1), timing("payment", 2), timing("triage", 3))
    await store.records.append(msgspec.structs.replace(log.commit(), timings=told))
    with pytest.raises(VersionConflict):
        await store.records.append(
            Commit(record_id="R1", base_version=0, rows=(), timings=(timing("triage", 9),))
        )

    assert list(await store.records.timings("example", "triage", 9)) == [told[2], told[0]]
    assert list(await store.records.timings("example", "triage", 1)) == [told[2]]
    assert list(await store.records.timings("other", "triage", 9)) == []


async def test_numbers_are_never_given_twice(store):
    given = await asyncio.gather(*(store.records.next_number("EX") for _ in range(20)))

    assert sorted(given) == [f"EX-{n:06d}" for n in range(1, 21)]
    assert await store.records.next_number("OTHER") == "OTHER-000001"


async def test_rows_are_read_in_pages(store):
    log = await created(store, rows=10)

    assert list(await store.records.rows("R1", after=4, limit=3)) == log.rows[4:7]
    assert list(await store.records.rows("R1", after=10)) == []


async def test_a_wrong_hash_in_the_log_is_found_at_its_version(store):
    """L3: a damaged log is an error of its own, never an empty record."""
    log = await created(store, rows=2)
    bad = Log("R1")
    bad.version, bad.hash = log.version, log.hash
    row = bad.row(hash=bytes(32))
    await store.records.append(Commit(record_id="R1", base_version=2, rows=(row,)))

    with pytest.raises(StoreCorrupt) as caught:
        await store.records.load("R1")

    assert (caught.value.record_id, caught.value.version) == ("R1", 3)
    broken = await store.verify_log("R1")
    assert broken is not None
    assert broken.position == 3


async def test_a_whole_log_and_audit_trail_verify(store):
    log = await created(store, rows=3)
    await store.records.append(log.commit())
    await store.append_audit([entry(action="login"), entry(action="logout")])

    assert await store.verify_log("R1") is None
    assert await store.verify_audit() is None


async def test_a_closed_store_refuses_everything(store):
    log = await created(store)
    await store.close()

    for call in (
        store.records.load("R1"),
        store.records.list(RecordFilter()),
        store.records.append(log.commit()),
        store.records.next_number("EX"),
        store.append_audit([entry()]),
        store.audit(),
        store.directory.users(),
    ):
        with pytest.raises(StoreUnavailable):
            await call
    await store.close()


async def test_refusals_are_found_by_author_and_profile_oldest_first_without_their_bytes(store):
    decided = msgspec.structs.replace(
        refusal("1.1", status="dismissed"), author="u2", decided_by="u3", decided_at=NOW,
        decision_reason="entered by mistake",
    )  # fmt: skip
    await created(store, "R1", refusals=(refusal("1.0"), decided))
    await created(store, "R2", refusals=(refusal("1.0"),))

    async def found(**wanted):
        page = await store.records.list_refusals(RefusalFilter(**wanted))
        assert all(one.refusal.original == b"" for one in page)
        return [(one.head.id, one.refusal.id) for one in page]

    every = [("R1", "1.0"), ("R1", "1.1"), ("R2", "1.0")]
    assert await found(profiles=frozenset({"example", "other"})) == every
    assert await found(profiles=frozenset({"other"})) == []
    assert await found() == []
    assert await found(author="u1") == [every[0], every[2]]
    assert await found(author="u2", profiles=frozenset({"other"})) == [every[1]]
    assert await found(author="u1", record_id="R2") == [every[2]]
    assert await found(author="u1", status="dismissed") == []
    assert await found(author="u1", limit=1) == [every[0]]
    assert await found(author="u1", after=every[0], limit=1) == [every[2]]
    assert await found(author="u1", after=("R9", "1.0")) == []
    assert await store.records.refusal("R1", "1.1") == decided
    for record_id, refusal_id in (("R1", "9.9"), ("R9", "1.0"), ("R1", "1.%")):
        with pytest.raises(RefusalNotFound):
            await store.records.refusal(record_id, refusal_id)


async def test_conflicts_are_paged_oldest_first_and_filtered_by_status(store):
    await created(
        store, conflicts=(conflict("1.0"), conflict("1.1", resolved=True), conflict("1.2"))
    )

    async def found(**wanted):
        page = await store.records.list_conflicts(ConflictFilter(record_id="R1", **wanted))
        return [one.id for one in page]

    assert await found() == ["1.0", "1.1", "1.2"]
    assert await found(status="open") == ["1.0", "1.2"]
    assert await found(status="resolved") == ["1.1"]
    assert await found(limit=1, after="1.0") == ["1.1"]
    assert await found(after="9.9") == []
    assert list(await store.records.list_conflicts(ConflictFilter(record_id="R9"))) == []


async def test_handed_numbers_are_one_persons_and_never_given_again(store):
    first = await store.records.hand_numbers("EX", 3, "u1", NOW)
    second = await store.records.hand_numbers("EX", 2, "u2", NOW)

    assert len({*first, *second, await store.records.next_number("EX")}) == 6
    assert [await store.records.number_owner(one) for one in first] == ["u1"] * 3
    assert await store.records.number_owner(second[0]) == "u2"
    assert await store.records.number_owner("EX-000006") is None


async def test_more_unused_numbers_than_one_may_hold_are_not_handed_out(store):
    for _ in range(20):
        await store.records.hand_numbers("EX", 20, "u1", NOW)

    with pytest.raises(NumbersHeld):
        await store.records.hand_numbers("EX", 1, "u1", NOW)
    await store.records.hand_numbers("EX", 1, "u2", NOW)
