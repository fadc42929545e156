"""What one person sends must not take the record from the others, and what ends must say so."""

import asyncio

import pytest

from server.errors import EditRefused
from server.live_room import RoomClosed
from server.ports import NewRecord
from server.rooms import RoomHost
from storage.errors import StoreUnavailable
from sync.document import Document, Draft
from sync.errors import MalformedUpdate
from sync.room import Room
from tests.support.rooms import HeldStore, RecordingPeer, hosting, person, settled


async def joined(host: RoomHost, record_id: str, role: str) -> RecordingPeer:
    peer = RecordingPeer(person(role))
    async with host.opened(record_id) as room:
        await peer.sync(room)
        await settled()
    return peer


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        99999999999999999999999,
        -(2**70),
        {"text": 2**70},
        [[2**64]],
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    ],
)
@pytest.mark.parametrize("role", ["nurse", "supervisor"])
async def test_a_value_that_no_document_holds_is_refused_and_nobody_is_sent_away(
    role: str, value: object
) -> None:
    """One PATCH with a large number made Yrs panic, and the room threw everybody out."""
    async with hosting(HeldStore()) as (host, record_id):
        colleague = await joined(host, record_id, "clinical_officer")
        version = (await host.view(record_id)).version

        with pytest.raises(EditRefused):
            await host.edit(person(role), record_id, {"vitals.pulse": value}, if_version=version)
        with pytest.raises(EditRefused):
            await host.add_entry(person(role), record_id, "comments", {"text": value})

        assert colleague.closed_with is None
        assert (await host.view(record_id)).version == version


def test_a_draft_that_fails_leaves_the_document_in_use() -> None:
    document = Document(1)

    def fail(draft: Draft) -> None:
        raise OverflowError

    with pytest.raises(MalformedUpdate):
        document.draft(5000, fail)

    document.write("vitals", "pulse", 70)
    assert document.section("vitals") == {"pulse": 70}


async def test_somebody_who_opens_a_record_while_another_leaves_memory_keeps_a_living_room() -> (
    None
):
    """Idle rooms were chosen once: one that was joined meanwhile was ended under its people."""
    store = HeldStore()
    async with hosting(store, room_idle_seconds=0) as (host, first):
        other = (await host.create(person("receptionist"), _new())).id
        for record_id in (first, other):
            async with host.opened(record_id) as live:
                visitor = RecordingPeer(person("nurse"))
                await visitor.sync(live)
                visitor.map("vitals")["pulse"] = 71
                await visitor.push(live)
                await settled()
                live.leave(visitor)
        store.held.free.clear()  # the first one's snapshot takes its time
        sweep = asyncio.ensure_future(host.unload_idle(10**9))
        await settled()

        async with host.opened(other) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            store.held.free.set()
            await sweep
            await settled()
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()

            assert nurse.session.saved == 1
            assert (await host.view(other)).fields["vitals"] == {"pulse": 72}


async def test_who_joins_a_room_that_has_just_failed_is_told_to_come_back() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse, late = RecordingPeer(person("nurse")), RecordingPeer(person("cashier"))
            await nurse.sync(room)
            store.held.failure = StoreUnavailable("The disk is full.")
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()

            room.join(late)

            assert late.closed_with == 1012
            assert late.id not in room.peers


async def test_a_call_in_the_turn_of_a_frame_that_breaks_us_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosting(HeldStore()) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            await settled()
            nurse.map("vitals")["pulse"] = 72
            monkeypatch.setattr(room, "room", Broken(room.room))

            async def nothing(batch: object) -> None:
                return None

            asking = asyncio.ensure_future(room.ask(nothing))
            await nurse.push(room)
            await settled()

            assert asking.done()
            assert isinstance(asking.exception(), RoomClosed) or asking.exception() is None
            assert nurse.closed_with == 1012


class Broken:
    """A room of the core with a mistake of ours in it; a compiled one takes no other method."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def __getattr__(self, name: str) -> object:
        return getattr(self._room, name)

    def propose(self, frame: object) -> object:
        raise AssertionError("a mistake of ours")

    propose_now = propose


def _new() -> NewRecord:
    return NewRecord(profile="outpatient", fields={"demographics.family_name": "TESTCASE"})
