"""What every store promises about emergency accesses."""

from datetime import timedelta

import pytest

from storage import StoreUnavailable
from storage.ports import Emergency
from tests.storage.builders import NOW, created

HOUR = timedelta(hours=1)


def emergency(id: str, *, at=NOW, record_id: str = "R1", user_id: str = "u1") -> Emergency:
    return Emergency(
        id=id, record_id=record_id, user_id=user_id, login_id="l1", reason="Invented for a test",
        started_at=at, until=at + HOUR,
    )  # fmt: skip


async def test_an_access_is_found_by_its_record_newest_first(store):
    await created(store, "R1")
    await created(store, "R2")
    for each in (emergency("e1"), emergency("e2"), emergency("e3", record_id="R2")):
        await store.emergencies.start(each)

    assert list(await store.emergencies.of_record("R1")) == [emergency("e2"), emergency("e1")]
    assert list(await store.emergencies.of_record("R9")) == []


async def test_what_is_over_and_has_no_end_is_due_the_longest_overdue_first(store):
    await created(store)
    later = NOW + timedelta(minutes=5)
    for each in (emergency("late", at=later), emergency("e1"), emergency("e2")):
        await store.emergencies.start(each)
    await store.emergencies.end("e2", NOW, "u2")

    due = store.emergencies.due
    assert [e.id for e in await due(NOW + HOUR - timedelta(microseconds=1), 9)] == []
    assert [e.id for e in await due(NOW + HOUR, 9)] == ["e1"]
    assert [e.id for e in await due(later + HOUR, 9)] == ["e1", "late"]
    assert [e.id for e in await due(later + HOUR, 1)] == ["e1"]


async def test_the_first_end_stands(store):
    await created(store)
    await store.emergencies.start(emergency("e1"))

    await store.emergencies.end("e1", NOW, "u2")
    await store.emergencies.end("e1", NOW + HOUR, "u3")
    await store.emergencies.end("unknown", NOW, "u3")

    (found,) = await store.emergencies.of_record("R1")
    assert (found.ended_at, found.ended_by) == (NOW, "u2")


async def test_what_one_person_started_is_counted(store):
    await created(store)
    for n in range(3):
        await store.emergencies.start(emergency(f"e{n}", at=NOW + n * HOUR))
    await store.emergencies.start(emergency("other", user_id="u2"))

    assert await store.emergencies.count_since("u1", NOW) == 3
    assert await store.emergencies.count_since("u1", NOW + HOUR) == 2
    assert await store.emergencies.count_since("u9", NOW) == 0


async def test_a_closed_store_says_so(store):
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.emergencies.due(NOW, 1)


async def test_an_access_that_began_in_what_is_now_the_future_is_due(store):
    await created(store)
    await store.emergencies.start(emergency("e1", at=NOW + timedelta(days=2)))
    await store.emergencies.start(emergency("e2", at=NOW + timedelta(minutes=4)))

    assert [e.id for e in await store.emergencies.due(NOW, 9)] == ["e1"]
