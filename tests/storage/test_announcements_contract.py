"""What every store promises about announcements (`storage/ports.py`)."""

from datetime import timedelta

import pytest

from storage import AnnouncementNotFound, Hearer, StoreUnavailable, VersionConflict, restore
from storage.announcements import MOST_COUNTED
from storage.sqlite import SqliteStore
from sync.effects import Commit
from tests.storage.builders import NOW, announcement, created

NURSE = Hearer(user_id="u1", roles=("example/nurse",))
DOCTOR = Hearer(user_id="u2", roles=("example/doctor",))


async def ids_heard(store, hearer: Hearer, after: int = 0, until: int = 10**6, limit: int = 100):
    found = await store.announcements.heard(hearer, after=after, until=until, limit=limit)
    return [each.announcement.id for each in found]


async def ids_waiting(store, hearer: Hearer, *, unread: bool = True, limit: int = 100):
    found = await store.announcements.notifications(hearer, unread=unread, before=None, limit=limit)
    return [each.announcement.id for each in found]


async def test_announcements_of_a_commit_are_stored_with_it(store):
    told = announcement("E1", roles=("nurse",), users=("u9",), present=("u3",), session=True)

    await created(store, announcements=(told,))

    (kept,) = await store.announcements.after(0, 10)
    assert kept.announcement == told
    assert await store.announcements.span() == (kept.sequence, kept.sequence)


async def test_a_commit_that_is_refused_announces_nothing(store):
    await created(store)
    told = (announcement(roles=("nurse",)),)
    stale = Commit(record_id="R1", base_version=7, rows=(), announcements=told)

    with pytest.raises(VersionConflict):
        await store.records.append(stale)

    assert await store.announcements.after(0, 10) == []


async def test_one_that_is_known_by_its_id_is_not_stored_again(store):
    log = await created(store, announcements=(announcement("E1", roles=("nurse",)),))

    await store.announcements.append([announcement("E1", roles=("doctor",))])
    await store.records.append(log.commit(announcements=(announcement("E1"),)))

    assert len(await store.announcements.after(0, 10)) == 1
    assert await ids_heard(store, DOCTOR) == []


async def test_each_hears_what_is_theirs_by_role_by_name_by_presence_or_by_following(store):
    await store.announcements.append(
        [
            announcement("role", roles=("nurse",)),
            announcement("other-profile", roles=("nurse",), profile="another"),
            announcement("user", users=("u1",)),
            announcement("present", session=True, present=("u1",)),
            announcement("session", session=True, record_id="R2"),
        ]
    )
    follower = Hearer(user_id="u5", records=("R2",))

    assert await ids_heard(store, NURSE) == ["role", "user", "present"]
    assert await ids_heard(store, follower) == ["session"]
    assert await ids_heard(store, DOCTOR) == []


async def test_who_is_meant_twice_hears_it_once(store):
    await store.announcements.append(
        [announcement("E1", roles=("nurse", "doctor"), users=("u1",), present=("u1",))]
    )
    both = Hearer(user_id="u1", roles=("example/nurse", "example/doctor"))

    assert await ids_heard(store, both) == ["E1"]
    assert await ids_waiting(store, both) == ["E1"]
    assert await store.announcements.count_unread(both) == 1


async def test_nobody_is_shown_who_else_was_told(store):
    await store.announcements.append([announcement(roles=("nurse",), users=("u9",))])

    (heard,) = await store.announcements.heard(NURSE, after=0, until=10, limit=1)
    (waiting,) = await store.announcements.notifications(NURSE, unread=True, before=None, limit=1)

    assert (heard.announcement.roles, heard.announcement.users) == ((), ())
    assert (waiting.announcement.roles, waiting.announcement.users) == ((), ())


async def test_pages_cover_everything_once(store):
    await store.announcements.append([announcement(f"E{n}", roles=("nurse",)) for n in range(25)])
    _, newest = await store.announcements.span()

    forward, after = [], 0
    while page := await store.announcements.heard(NURSE, after=after, until=newest, limit=4):
        forward += [each.announcement.id for each in page]
        after = page[-1].sequence
    backward, before = [], None
    while page := await store.announcements.notifications(
        NURSE, unread=False, before=before, limit=4
    ):
        backward += [each.announcement.id for each in page]
        before = page[-1].sequence

    assert forward == [f"E{n}" for n in range(25)]
    assert backward == forward[::-1]


async def test_acknowledging_is_for_oneself_and_once(store):
    await store.announcements.append([announcement("E1", roles=("nurse",))])
    other = Hearer(user_id="u8", roles=("example/nurse",))

    await store.announcements.acknowledge(NURSE, "E1", NOW)
    await store.announcements.acknowledge(NURSE, "E1", NOW + timedelta(hours=1))

    assert await ids_waiting(store, NURSE) == []
    assert await store.announcements.count_unread(NURSE) == 0
    assert await ids_waiting(store, other) == ["E1"]
    (kept,) = await store.announcements.notifications(NURSE, unread=False, before=None, limit=9)
    assert kept.acknowledged_at == NOW


async def test_what_was_told_to_somebody_else_cannot_be_acknowledged(store):
    await store.announcements.append([announcement("E1", roles=("nurse",))])

    with pytest.raises(AnnouncementNotFound):
        await store.announcements.acknowledge(DOCTOR, "E1", NOW)
    with pytest.raises(AnnouncementNotFound):
        await store.announcements.acknowledge(NURSE, "E2", NOW)


async def test_session_events_wait_for_nobody(store):
    await store.announcements.append([announcement("E1", session=True, present=("u1",))])

    assert await ids_waiting(store, NURSE) == []
    assert await store.announcements.count_unread(NURSE) == 0


async def test_counting_ends_somewhere(store):
    many = [announcement(f"E{n}", roles=("nurse",)) for n in range(MOST_COUNTED + 20)]
    await store.announcements.append(many)

    assert await store.announcements.count_unread(NURSE) == MOST_COUNTED


async def test_old_ones_are_forgotten_and_the_newest_never(store):
    days = [NOW + timedelta(days=n) for n in range(4)]
    await store.announcements.append(
        [announcement(f"E{n}", at=at, roles=("nurse",)) for n, at in enumerate(days)]
    )
    await store.announcements.acknowledge(NURSE, "E0", NOW)

    assert await store.announcements.trim(days[2], 1, NOW) == 1
    assert await store.announcements.trim(days[2], 10, NOW) == 1
    assert await ids_heard(store, NURSE) == ["E2", "E3"]
    assert await store.announcements.trim(NOW + timedelta(days=99), 10, NOW) == 1
    assert await ids_waiting(store, NURSE, unread=False) == ["E3"]
    await store.announcements.append([announcement("E4", roles=("nurse",))])
    assert await store.announcements.span() == (4, 5)


async def test_an_instant_outside_utc_is_refused(store):
    with pytest.raises(ValueError, match="not in UTC"):
        await store.announcements.append([announcement(at=NOW.replace(tzinfo=None))])


async def test_a_closed_store_says_so(store):
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.announcements.append([announcement()])
    with pytest.raises(StoreUnavailable):
        await store.announcements.after(0, 1)


async def test_a_restored_copy_gives_no_sequence_out_again(tmp_path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.announcements.append([announcement("E1", roles=("nurse",))])
    await store.backup(tmp_path / "copy")
    await store.announcements.append([announcement("E2", roles=("nurse",))])
    _, newest = await store.announcements.span()
    await store.close()

    restore(tmp_path / "copy", path)
    store = await SqliteStore.open(path)
    await store.announcements.append([announcement("E3", roles=("nurse",))])

    assert await ids_heard(store, NURSE, after=newest) == ["E3"]
    assert await ids_heard(store, NURSE) == ["E1", "E3"]
    await store.close()
