"""One live room: the order of effects, failures of storage, what each peer is told and when."""

import asyncio

import pytest

from server.executor import Batch
from server.inbox import Arrived, SyncAsked
from server.live_room import LiveRoom, RoomClosed
from server.ports import NewRecord
from storage.errors import StoreUnavailable
from sync.bounds import Bounds
from sync.messages import (
    AwarenessMessage,
    Notice,
    PermissionDenied,
    Refused,
    Saved,
    SyncStep1,
    SyncStep2,
    UpdateMessage,
)
from sync.structs import Kind, Struct
from sync.update import decode_state_vector, encode_state_vector, encode_update
from tests.support.rooms import NOW, HeldStore, RecordingPeer, hosting, person, settled, ticked


def kinds(peer: RecordingPeer) -> list[type]:
    return [type(message) for message in peer.messages()]


@pytest.mark.rule("KNOW-2")
async def test_the_first_thing_a_peer_hears_is_the_question_what_it_has() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))

        await nurse.sync(room)
        await settled()

        assert kinds(nurse) == [SyncStep1, SyncStep2, AwarenessMessage]


async def test_nobody_hears_of_an_edit_before_it_is_stored() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"), extension=True)
        officer = RecordingPeer(person("clinical_officer"))
        for peer in (nurse, officer):
            await peer.sync(room)
        await settled()
        nurse.messages(), officer.messages()

        store.held.free.clear()
        nurse.map("vitals")["pulse"] = 72
        await nurse.push(room)
        late = RecordingPeer(person("nurse", "late"))
        await late.sync(room)
        await settled()

        assert not nurse.frames
        assert not officer.frames
        assert kinds(late) == [SyncStep1]

        store.held.free.set()
        await settled()

        assert nurse.messages() == [Saved(1, room.room.version)]
        assert kinds(officer) == [UpdateMessage]
        assert officer.map("vitals").to_py() == {"pulse": 72.0}
        late.messages()
        assert late.map("vitals").to_py() == {"pulse": 72.0}


async def test_an_edit_that_storage_refuses_is_shown_to_nobody_and_the_room_is_loaded_again() -> (
    None
):
    store = HeldStore()
    async with hosting(store) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"), extension=True)
            officer = RecordingPeer(person("clinical_officer"))
            for peer in (nurse, officer):
                await peer.sync(room)
            await settled()
            nurse.messages(), officer.messages()
            store.held.failure = StoreUnavailable("The disk is full.")

            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()

            assert nurse.closed_with == officer.closed_with == 4503
            assert not officer.frames
            assert not nurse.frames
        store.held.failure = None

        view = await host.view(record_id)

        assert view.fields["vitals"] == {}


async def test_a_rest_call_that_waits_when_storage_fails_learns_of_it() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id):
        version = (await host.view(record_id)).version
        store.held.failure = StoreUnavailable("The disk is full.")

        with pytest.raises(StoreUnavailable):
            await host.edit(person("nurse"), record_id, {"vitals.pulse": 72}, if_version=version)


async def test_everything_that_waited_during_a_commit_becomes_one_commit_and_one_broadcast() -> (
    None
):
    store = HeldStore()
    async with hosting(store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = RecordingPeer(person("nurse")), RecordingPeer(person("nurse", "other"))
        officer = RecordingPeer(person("clinical_officer"))
        for peer in (nurse, other, officer):
            await peer.sync(room)
        await settled()
        for peer in (nurse, other, officer):
            peer.messages()
        store.held.free.clear()
        nurse.map("vitals")["pulse"] = 70
        await nurse.push(room)
        await settled()
        for value in range(5):
            nurse.map("vitals")["spo2"] = 90 + value
            other.map("vitals")["systolic"] = 100 + value
            await nurse.push(room)
            await other.push(room)

        store.held.free.set()
        await settled()

        assert [len(commit.rows) for commit in store.held.commits] == [1, 10]
        assert kinds(officer) == [UpdateMessage, UpdateMessage]
        assert officer.map("vitals").to_py() == {"pulse": 70.0, "spo2": 94.0, "systolic": 104.0}


async def test_a_plain_peer_is_told_why_and_healed_and_an_extension_peer_gets_the_fields() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        plain = RecordingPeer(person("nurse"))
        rich = RecordingPeer(person("nurse", "rich"), extension=True)
        for peer in (plain, rich):
            await peer.sync(room)
        await settled()
        plain.messages(), rich.messages()

        plain.map("vitals")["pulse"] = 7000
        await plain.push(room)
        await settled()
        told = plain.messages()
        rich.messages()
        rich.map("triage")["category"] = "whatever"
        await rich.push(room)
        await settled()
        refused, saved, update = rich.messages()

        assert [type(message) for message in told] == [PermissionDenied, UpdateMessage]
        assert plain.map("vitals").to_py() == {}
        assert isinstance(refused, Refused)
        assert refused.body["fields"][0]["field"] == "triage.category"  # type: ignore[index]
        assert saved == Saved(1, room.room.version)
        assert isinstance(update, UpdateMessage)
        assert rich.map("triage").to_py() == {}


async def test_a_malformed_update_ends_one_connection_and_harms_nobody_else() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        bad, good = RecordingPeer(person("nurse", "bad")), RecordingPeer(person("nurse"))
        for peer in (bad, good):
            await peer.sync(room)

        await room.inbox.put(Arrived(bad, b"\x01\x01\xff", False, NOW))
        good.map("vitals")["pulse"] = 72
        await good.push(room)
        await settled()

        assert bad.closed_with == 4400
        assert not good.closing
        assert room.room.document.section("vitals") == {"pulse": 72.0}


@pytest.mark.rule("IDENT-1")
async def test_a_frame_under_a_colleagues_client_id_is_kept_whole_and_ends_with_4409() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id), host.opened(record_id) as room:
        nurse, thief = RecordingPeer(person("nurse")), RecordingPeer(person("nurse", "thief"))
        for peer in (nurse, thief):
            await peer.sync(room)
        nurse.map("vitals")["pulse"] = 72
        await nurse.push(room)
        await settled()
        stolen = nurse.document.client_id
        forged = encode_update(
            {stolen: [Struct(stolen, 1, 1, Kind.ANY, (20,), None, None, "vitals", "spo2", True)]},
            {},
        )

        await room.inbox.put(Arrived(thief, forged, False, NOW))
        await settled()

        assert thief.closed_with == 4409
        assert not nurse.closing
        refusals = await store.records.refusals(record_id)
        assert [(r.rule, r.original) for r in refusals] == [("identity", forged)]
        assert room.room.document.section("vitals") == {"pulse": 72.0}


@pytest.mark.rule("PLACE-3")
async def test_a_peer_whose_edits_hang_on_something_unknown_is_asked_and_then_sent_away() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))
        await nurse.sync(room)
        await settled()
        nurse.messages()
        gap = encode_update(
            {5000: [Struct(5000, 7, 1, Kind.ANY, (72,), None, None, "vitals", "pulse", True)]}, {}
        )

        asked = []
        for _ in range(3):
            await room.inbox.put(Arrived(nurse, gap, True, NOW))
            await settled()
            asked.append(kinds(nurse))

        assert asked == [[SyncStep1], [SyncStep1], []]
        assert nurse.closed_with == 4409


@pytest.mark.rule("PLACE-3")
async def test_live_edits_that_come_before_the_answer_are_no_reason_to_send_anybody_away() -> None:
    """y-websocket sends what is typed on reconnecting before it has answered our question."""
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))
        for value in (70, 71):
            nurse.map("vitals")["pulse"] = value  # written offline
        backlog = nurse.document.get_update()
        nurse.written.clear()
        await nurse.sync(room)
        for value in range(6):
            nurse.map("vitals")["spo2"] = 90 + value
        await nurse.push(room)
        await room.inbox.put(Arrived(nurse, backlog, True, NOW))
        await settled()
        asked = kinds(nurse).count(SyncStep1)  # at joining, and for the edits that had hung
        await room.inbox.put(Arrived(nurse, nurse.document.get_update(), True, NOW))
        await settled()

        assert not nurse.closing
        assert asked == 2
        assert room.room.document.section("vitals") == {"pulse": 71.0, "spo2": 95.0}


async def test_more_refusals_than_a_minute_allows_end_the_connection() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))
        await nurse.sync(room)

        for value in range(700):
            nurse.map("diagnosis")[f"01ARZ3NDEKTSV4RRFF{value:08d}"] = {"text": "x"}
        await nurse.push(room)
        await settled()

        assert nurse.closed_with == 4429


async def test_a_disputed_critical_field_stands_in_the_record_itself() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        one, two = RecordingPeer(person("nurse", "one")), RecordingPeer(person("nurse", "two"))
        for peer in (one, two):
            await peer.sync(room)
        await settled()
        one.messages(), two.messages()

        one.map("vitals")["pulse"] = 96
        two.map("vitals")["pulse"] = 60
        await one.push(room)
        await two.push(room)
        await settled()
        one.messages(), two.messages()

        assert one.map("record")["disputed"] == ["vitals.pulse"]
        assert one.map("vitals").to_py() == two.map("vitals").to_py() == {"pulse": 60.0}
        view = await host.view(record_id)
        assert view.disputed == ["vitals.pulse"]


async def test_frames_of_a_peer_that_was_cut_are_not_judged_any_more() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))
        await nurse.sync(room)
        await settled()
        nurse.map("vitals")["pulse"] = 72
        await nurse.push(room)

        host.disconnect(user_id=nurse.principal.user_id, code=4401, reason="Signed out.")
        await settled()

        assert room.room.document.section("vitals") == {}


async def test_a_sender_waits_while_the_inbox_is_full() -> None:
    store = HeldStore()
    async with hosting(store, room_inbox_frames=4) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            await settled()
            store.held.free.clear()
            for value in range(5):
                nurse.map("vitals")["pulse"] = 60 + value
            await nurse.push(room)
            await settled()

            for value in range(4):
                nurse.map("vitals")["pulse"] = 70 + value
            nurse.map("vitals")["pulse"] = 80
            pushing = asyncio.ensure_future(nurse.push(room))
            await settled()

            assert not pushing.done()
            store.held.free.set()
            await pushing
            await settled()
            assert room.room.document.section("vitals") == {"pulse": 80.0}


async def test_asking_a_room_that_has_left_says_so_instead_of_waiting_for_ever() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        async with host.opened(record_id) as room:
            pass
        await host.unload_idle(10**9)

        async def work(batch: object) -> None:
            return None

        with pytest.raises(RoomClosed):
            await room.ask(work)


async def test_a_room_that_is_to_leave_before_its_task_first_ran_still_leaves() -> None:
    async with hosting(HeldStore()) as (host, record_id):
        async with host.opened(record_id) as room:
            pass

        async with asyncio.timeout(20):
            await host.unload_idle(10**9)

        assert room.room.version > 0


async def test_a_peer_that_asks_again_later_gets_just_what_it_lacks() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))
        await nurse.sync(room)
        await settled()
        nurse.messages()

        await room.inbox.put(SyncAsked(nurse, room.room.books.index.state_vector()))
        await settled()
        (answer,) = nurse.messages()

        assert isinstance(answer, SyncStep2)
        assert answer.update[:1] == b"\x00"


@pytest.mark.rule("KNOW-3")
async def test_a_client_that_repeats_all_deletions_in_a_live_update_clears_nothing() -> None:
    """pycrdt's `get_update(state)` carries the whole delete set with every edit."""
    store = HeldStore()
    async with hosting(store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = RecordingPeer(person("nurse")), RecordingPeer(person("nurse", "other"))
        for peer in (nurse, other):
            await peer.sync(room)
        nurse.map("vitals")["pulse"] = 70
        await nurse.push(room)
        nurse.map("vitals")["pulse"] = 72
        await nurse.push(room)

        async def write(live: LiveRoom, batch: Batch) -> None:
            live.write_facts(batch, {"disputed": ["vitals.spo2"]}, person("receptionist"), NOW)

        await host.ask(record_id, write)
        await settled()
        other.messages()

        before = other.document.get_state()
        other.map("vitals")["spo2"] = 97
        echoing = other.document.get_update(before)
        await room.inbox.put(Arrived(other, echoing, False, NOW, room.sent_version(other)))
        await settled()

        assert room.room.document.section("vitals") == {"pulse": 72.0, "spo2": 97.0}
        assert not await store.records.refusals(record_id)


async def test_who_completes_a_step_on_the_record_is_told_who_comes_next() -> None:
    store = HeldStore()
    async with hosting(store) as (host, record_id), host.opened(record_id) as room:
        clerk = RecordingPeer(person("receptionist"), extension=True)
        other = RecordingPeer(person("receptionist", "other"), extension=True)
        for peer in (clerk, other):
            await peer.sync(room)
        waiting = await host.create(person("receptionist"), NewRecord(profile="outpatient"))
        await settled()
        clerk.messages(), other.messages()

        named = {"given_name": "Amina", "birth_date": "1984-03-12", "sex": "female"}
        for key, value in named.items():
            clerk.map("demographics")[key] = value
        clerk.map("progress")["registration"] = {"action": "complete"}
        await clerk.push(room)
        await settled()

        told = [one.body for one in clerk.messages() if isinstance(one, Notice)]
        (following,) = [one for one in told if one["event"] == "next_patient"]
        assert (following["id"], following["step"]) == (waiting.id, "registration")
        assert clerk.map("progress").to_py() in ({}, None)
        heard = [one.body for one in other.messages() if isinstance(one, Notice)]
        assert not [one for one in heard if one["event"] == "next_patient"]


async def test_a_record_is_as_large_as_what_it_holds_not_as_all_that_was_ever_written() -> None:
    largest = 20_000
    async with (
        hosting(HeldStore(), max_record_bytes=largest) as (host, record_id),
        host.opened(record_id) as room,
    ):
        nurse = RecordingPeer(person("nurse"), extension=True)
        await nurse.sync(room)
        await settled()

        for number in range(20):
            nurse.map("triage")["complaint"] = f"{number} " + "long " * 300
            await nurse.push(room)
            await settled()

        assert Refused not in kinds(nurse)
        assert room.room.bytes < largest


@pytest.mark.rule("SAVED-1")
async def test_nothing_after_a_gap_is_called_saved_until_the_answer_has_filled_it() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"), extension=True)
        await nurse.sync(room)
        await room.inbox.put(Arrived(nurse, b"\x00\x00", True, NOW))
        await settled()
        nurse.map("vitals")["pulse"] = 70
        nurse.written.clear()  # lost on its way
        nurse.map("vitals")["spo2"] = 97
        await nurse.push(room)
        await settled()
        before = [m for m in nurse.messages() if isinstance(m, Saved)]

        await room.inbox.put(Arrived(nurse, nurse.document.get_update(), True, NOW))
        await settled()
        after = [m for m in nurse.messages() if isinstance(m, Saved)]

        assert [saved.count for saved in before] == [1]
        assert [saved.count for saved in after] == [3]
        assert room.room.document.section("vitals") == {"pulse": 70.0, "spo2": 97.0}


@pytest.mark.rule("KNOW-4")
async def test_a_peer_that_knows_more_than_a_restored_record_starts_afresh() -> None:
    """HospitalRun 438: a reset server must not silently be filled again, nor lose anything."""
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        ahead, level = RecordingPeer(person("nurse", "ahead")), RecordingPeer(person("nurse"))
        known = room.room.books.index.state_vector()
        server = room.room.document.server_client

        for peer, vector in ((ahead, {**known, server: known[server] + 1}), (level, known)):
            room.join(peer)
            await room.inbox.put(SyncAsked(peer, vector))
        await settled()

        assert ahead.closed_with == 4409
        assert SyncStep2 not in kinds(ahead)
        assert SyncStep2 in kinds(level)


@pytest.mark.rule("ROOM-6")
async def test_who_reads_while_a_large_backlog_is_applied_sees_none_or_all_of_it() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"), extension=True)
        await nurse.sync(room)
        await settled()
        me = 4242
        structs = [
            Struct(
                me, n, 1, Kind.STRING, "x", (me, n - 1) if n else None, None,
                None if n else "assessment.notes",
            )
            for n in range(4000)
        ]  # fmt: skip

        before = asyncio.ensure_future(host.view(record_id))
        await asyncio.sleep(0)
        await room.inbox.put(Arrived(nurse, encode_update({me: structs}, {}), False, NOW))
        during = [asyncio.ensure_future(host.view(record_id)) for _ in range(3)]
        seen = [len((await one).texts["assessment.notes"]) for one in (before, *during)]

        assert seen == [0, 4000, 4000, 4000]


@pytest.mark.rule("KNOW-5")
async def test_a_client_that_answers_only_after_it_has_caught_up_clears_nothing() -> None:
    """Its answer repeats the record's own deletions, of values that it never saw standing."""
    store = HeldStore()
    async with hosting(store) as (host, record_id), host.opened(record_id) as room:
        nurse, late = RecordingPeer(person("nurse")), RecordingPeer(person("nurse", "late"))
        await nurse.sync(room)
        for pulse in (70, 71, 72):
            nurse.map("vitals")["pulse"] = pulse
            await nurse.push(room)
        await settled()

        await late.sync(room)
        await settled()
        late.messages()
        echo = late.document.get_update(late.document.get_state())
        await room.inbox.put(Arrived(late, echo, True, NOW, room.sent_version(late)))
        await settled()

        assert room.room.document.section("vitals") == {"pulse": 72.0}
        assert not await store.records.refusals(record_id)


@pytest.mark.rule("KNOW-6")
async def test_nobody_is_sent_the_record_before_they_have_said_what_they_have() -> None:
    """Else an editor that is slow to answer would answer with what it has just been sent."""
    async with hosting(HeldStore(), sync_answer_seconds=60.0) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse, officer = RecordingPeer(person("nurse")), RecordingPeer(person("nurse", "other"))
            for peer in (nurse, officer):
                await peer.sync(room)
            await settled()
            assert kinds(nurse) == kinds(officer) == [SyncStep1]

            await room.inbox.put(Arrived(nurse, b"\0\0", True, NOW))
            await settled()
            assert kinds(nurse) == [SyncStep2, AwarenessMessage]
            nurse.map("vitals")["pulse"] = 72
            await nurse.push(room)
            await settled()
            assert kinds(officer) == []

            room.leave(officer)  # still waited for
            await nurse.sync(room)
            await settled()
            assert SyncStep2 in kinds(nurse)  # who asks again has said it already


@pytest.mark.rule("KNOW-6")
async def test_who_does_not_say_what_they_have_is_served_after_a_while() -> None:
    async with hosting(HeldStore(), sync_answer_seconds=0.001) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            await ticked()

            assert kinds(nurse) == [SyncStep1, SyncStep2, AwarenessMessage]


@pytest.mark.rule("KNOW-6")
async def test_an_answer_that_brings_edits_is_stored_before_the_record_is_sent() -> None:
    store = HeldStore()
    async with hosting(store, sync_answer_seconds=60.0) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            nurse.map("vitals")["pulse"] = 72
            await nurse.sync(room)
            store.held.free.clear()
            await nurse.push(room, answer=True)
            await settled()
            assert kinds(nurse) == [SyncStep1]

            store.held.free.set()
            await settled()
            assert kinds(nurse) == [SyncStep2, AwarenessMessage]
            assert room.room.document.section("vitals") == {"pulse": 72.0}


@pytest.mark.rule("KNOW-5")
async def test_a_clearing_done_offline_still_counts_in_a_prompt_answer() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse = RecordingPeer(person("nurse"))
        await nurse.sync(room)
        for glucose in (4, 5):
            nurse.map("vitals")["glucose"] = glucose
            await nurse.push(room)
        await settled()
        nurse.messages()
        room.leave(nurse)
        del nurse.map("vitals")["glucose"]
        vector = decode_state_vector(nurse.document.get_state(), Bounds())

        back = RecordingPeer(person("nurse"), peer_id="back")
        room.join(back)
        await room.inbox.put(SyncAsked(back, vector))
        answer = nurse.document.get_update(encode_state_vector(vector))
        await room.inbox.put(Arrived(back, answer, True, NOW))
        await settled()

        assert "glucose" not in room.room.document.section("vitals")
