"""The rooms of a process: loaded once, unloaded when idle, never opened as something else."""

import asyncio
import gc
import time

import msgspec
import pytest

from server.errors import EditRefused, NotAllowed, RecordDamaged, VersionMismatch
from server.inbox import Arrived
from server.ports import NewRecord
from server.rooms import RoomHost
from storage.errors import RecordNotFound, StoreCorrupt, StoreUnavailable
from tests.support.rooms import NOW, HeldStore, RecordingPeer, hosting, person, settled


async def test_a_record_that_many_open_at_once_is_loaded_once() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id):

        async def open_it() -> object:
            async with host.opened(record_id) as room:
                await asyncio.sleep(0)
                return room

        rooms = await asyncio.gather(*(open_it() for _ in range(20)))

        assert store.held.loads == 1
        assert len(set(map(id, rooms))) == 1


async def test_a_read_error_at_opening_is_not_a_new_empty_record() -> None:
    """Hocuspocus 382 (L5), pycrdt-store (L3)."""
    store = HeldStore()
    async with hosting(store) as (host, record_id):
        broken = StoreCorrupt("The hash chain is broken.", record_id=record_id, version=1)
        load, store.held.load = store.held.load, _failing(broken)  # type: ignore[method-assign]

        with pytest.raises(RecordDamaged):
            await host.view(record_id)
        store.held.load = load  # type: ignore[method-assign]

        assert not store.held.commits
        view = await host.view(record_id)
        assert view.fields["demographics"] == {"family_name": "TESTCASE"}


async def test_a_row_that_does_not_replay_leaves_the_record_alone() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id):
        stored = await store.records.load(record_id)
        rows = [msgspec.structs.replace(stored.rows[0], update=b"\x00\x01"), *stored.rows[1:]]
        tampered = msgspec.structs.replace(stored, rows=rows)

        async def load(_: str) -> object:
            return tampered

        store.held.load = load  # type: ignore[assignment, method-assign]

        with pytest.raises(RecordDamaged):
            await host.view(record_id)

        assert not store.held.commits


async def test_an_unknown_record_stays_unknown() -> None:
    async with hosting(HeldStore()) as (host, _):
        with pytest.raises(RecordNotFound):
            await host.view("01ARZ3NDEKTSV4RRFFQ69G5FAV")


async def test_an_idle_room_leaves_with_a_snapshot_and_comes_back_the_same() -> None:
    store = HeldStore()
    async with hosting(store, room_idle_seconds=0) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()
            room.leave(nurse)
        before = room.room.books.encode()

        await host.unload_idle(10**9)
        async with host.opened(record_id) as again:
            stored = await store.records.load(record_id)

            assert again is not room
            assert stored.snapshot is not None
            assert not stored.rows
            assert again.room.books.encode() == before
            assert again.room.document.section("vitals") == {"pulse": 72.0}


async def test_whoever_joins_while_a_room_is_leaving_waits_and_sees_everything() -> None:
    """y-websocket-server removes the document while it is still being written (L11)."""
    store = HeldStore()
    async with hosting(store, room_idle_seconds=0) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()
            room.leave(nurse)
        store.held.free.clear()
        leaving = asyncio.ensure_future(host.unload_idle(10**9))
        await settled()

        viewing = asyncio.ensure_future(host.view(record_id))
        await settled()
        assert not viewing.done()
        store.held.free.set()
        await leaving

        assert (await viewing).fields["vitals"] == {"pulse": 72}


async def test_a_snapshot_that_cannot_be_saved_loses_nothing() -> None:
    """AFFiNE 12222 (L13)."""
    store = HeldStore()
    async with hosting(store, room_idle_seconds=0, snapshot_every_updates=2) as (host, record_id):
        store.held.snapshot_failure = StoreUnavailable("The disk is full.")
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            for value in range(6):
                nurse.map("vitals")["pulse"] = 60 + value
                await nurse.push(room)
                await settled()
            room.leave(nurse)
        await host.unload_idle(10**9)

        view = await host.view(record_id)

        assert view.fields["vitals"] == {"pulse": 65}


async def test_an_edit_during_a_slow_snapshot_is_not_forgotten() -> None:
    """y-sweet clears its dirty flag after the upload (L7)."""
    store = HeldStore()
    async with hosting(store, room_idle_seconds=0, snapshot_every_updates=1) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            await settled()
            nurse.map("vitals")["pulse"] = 70
            await nurse.push(room)
            nurse.map("vitals")["spo2"] = 97
            await nurse.push(room)
            await settled()
            nurse.map("vitals")["pulse"] = 71
            await nurse.push(room)
            await settled()
            room.leave(nurse)
        await host.unload_idle(10**9)

        stored = await store.records.load(record_id)

        assert stored.snapshot is not None
        assert stored.snapshot.version == stored.head.version


async def test_opening_and_leaving_a_thousand_times_leaves_neither_tasks_nor_rooms() -> None:
    """Hocuspocus 1156, y-websocket 145 (S2)."""
    async with hosting(HeldStore(), room_idle_seconds=0) as (host, record_id):
        await host.view(record_id)
        await host.unload_idle(10**9)
        gc.collect()
        tasks = len(asyncio.all_tasks())

        for _ in range(1000):
            async with host.opened(record_id) as room:
                nurse = RecordingPeer(person("nurse"))
                room.join(nurse)
                room.leave(nurse)
            await host.unload_idle(10**9)
        for _ in range(1000):
            with pytest.raises(RecordNotFound):
                await host.view("01ARZ3NDEKTSV4RRFFQ69G5FAV")
        await settled()

        assert len(asyncio.all_tasks()) == tasks


async def test_the_longest_idle_rooms_leave_first_when_memory_runs_short() -> None:
    async with hosting(HeldStore(), room_memory_bytes=100_000) as (host, first):
        second = (await host.create(person("receptionist"), NewRecord(profile="outpatient"))).id
        await host.view(first)
        await host.view(second)

        await host.unload_idle(0)

        assert loaded(host) == {second}


async def test_stopping_closes_sockets_with_a_code_that_says_come_back() -> None:
    nurse = RecordingPeer(person("nurse"))
    async with hosting(HeldStore(), drain_seconds=1) as (host, record_id):
        room = await host.opened(record_id).__aenter__()
        await nurse.sync(room)
        nurse.map("vitals")["pulse"] = 72
        await nurse.push(room)

    assert nurse.closed_with == 1012
    assert room.room.document.section("vitals") == {"pulse": 72.0}


async def test_an_edit_with_one_refused_field_changes_nothing_and_says_which() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        before = await host.view(record_id)

        with pytest.raises(EditRefused) as refused:
            await host.edit(
                person("nurse"),
                record_id,
                {"vitals.pulse": 72, "vitals.temperature": 370},
                if_version=before.version,
            )

        assert [(v.field, v.rule) for v in refused.value.violations] == [
            ("vitals.temperature", "range")
        ]
        assert await host.view(record_id) == before


async def test_an_edit_of_an_older_version_is_told_what_changed_since() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        nurse = person("nurse")
        seen = await host.view(record_id)
        await host.edit(nurse, record_id, {"vitals.pulse": 72}, if_version=seen.version)

        with pytest.raises(VersionMismatch) as mismatch:
            await host.edit(nurse, record_id, {"vitals.spo2": 97}, if_version=seen.version)

        assert mismatch.value.current_version == seen.version + 1
        assert mismatch.value.changed == ("vitals.pulse",)


async def test_a_narrative_takes_its_whole_new_text_by_the_smallest_change() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        officer = person("clinical_officer")
        peer = RecordingPeer(officer)
        async with host.opened(record_id) as room:
            await peer.sync(room)
            await settled()
            view = await host.view(record_id)
            view = await host.edit(
                officer, record_id, {"diagnosis.plan": "Ruhe 😀 und é漢"}, if_version=view.version
            )
            view = await host.edit(
                officer, record_id, {"diagnosis.plan": "Ruhe 😃 und é漢!"}, if_version=view.version
            )

            assert view.texts["diagnosis.plan"] == "Ruhe 😃 und é漢!"
            peer.messages()
            import pycrdt

            assert str(peer.document.get("diagnosis.plan", type=pycrdt.Text)) == "Ruhe 😃 und é漢!"


async def test_an_entry_gets_its_id_time_and_author_from_the_server() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        nurse = person("nurse")

        entry_id = await host.add_entry(nurse, record_id, "safety", {"substance": "test-substance"})

        entry = (await host.view(record_id)).fields["safety"][entry_id]
        assert isinstance(entry, dict)
        assert entry["id"] == entry_id
        assert entry["by"] == nurse.user_id
        assert entry["at"] == "2026-03-01T08:00:00.000Z"


async def test_only_those_whom_the_profile_lets_in_create_and_open_records() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        with pytest.raises(NotAllowed):
            await host.create(person("nurse"), NewRecord(profile="outpatient"))
        with pytest.raises(NotAllowed):
            await host.view(record_id, person("stranger"))


async def test_one_reset_socket_in_a_broadcast_harms_no_other() -> None:
    """pycrdt-websocket 87 and 142 (S3)."""
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        peers = [RecordingPeer(person("nurse", f"n{at}")) for at in range(6)]
        for peer in peers:
            await peer.sync(room)
        await settled()
        for peer in peers[:3]:
            room.leave(peer)
        peers[5].messages()

        peers[5].map("vitals")["pulse"] = 72
        await peers[5].push(room)
        await room.inbox.put(Arrived(peers[0], b"\x00\x00", False, NOW))
        await settled()

        for peer in peers[3:]:
            peer.messages()
            assert peer.map("vitals").to_py() == {"pulse": 72.0}


def loaded(host: RoomHost) -> set[str]:
    return set(host.loaded())


def _failing(error: Exception) -> object:
    async def load(_: str) -> object:
        raise error

    return load


async def test_a_room_that_is_open_for_long_leaves_a_snapshot_by_and_by() -> None:
    store = HeldStore()
    async with hosting(store, snapshot_minutes=59) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()
            before = (await store.records.load(record_id)).snapshot
            host.snapshot_old(time.monotonic() + 3600)
            await settled()
            taken = (await store.records.load(record_id)).snapshot
            version = room.room.version

        assert before is None
        assert taken is not None
        assert taken.version == version


async def test_a_snapshot_that_is_asked_for_during_a_turn_waits_for_its_end() -> None:
    store = HeldStore()
    async with hosting(store, snapshot_minutes=59) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            await settled()
            store.held.free.clear()
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()
            host.snapshot_old(time.monotonic() + 3600)
            await settled()
            during = (await store.records.load(record_id)).snapshot
            store.held.free.set()
            await settled()
            taken = (await store.records.load(record_id)).snapshot

        assert during is None
        assert taken is not None
        assert taken.version == room.stored_version
