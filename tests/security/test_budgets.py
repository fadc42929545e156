"""What people leave behind who may write nothing fills neither the record nor the disk."""

import pytest

from server.errors import VersionMismatch
from server.inbox import Arrived
from sync.structs import Kind, Struct
from sync.update import encode_update
from tests.support.crafting import gc, insertion, scene, writing
from tests.support.rooms import NOW, HeldStore, RecordingPeer, hosting, person, settled

ATTACKER, NURSE = 3001, 3002


def _deleted(clock: int) -> Struct:
    hangs = clock > 0
    return Struct(
        ATTACKER, clock, 1, Kind.DELETED, None, (ATTACKER, clock - 1) if hangs else None,
        parent=None if hangs else "assessment.notes",
    )  # fmt: skip


@pytest.mark.rule("ROOM-3")
@pytest.mark.parametrize("what", ["deleted", "gc", "refused", "overwritten"])
@pytest.mark.parametrize("restart", [False, True])
def test_junk_does_not_fill_the_record_for_its_colleagues(what: str, restart: bool) -> None:
    """120 frames of empty structs by a receptionist: every edit was refused for its size."""
    here = scene(*(["nurse"] if what == "overwritten" else []), max_record_bytes=4000)
    clock = 0
    for _ in range(20):
        numbers = range(clock, clock + 100)
        if what == "deleted":
            here.send(*(_deleted(n) for n in numbers))
        elif what == "gc":
            here.send(*(gc(ATTACKER, n, 1) for n in numbers))
        else:
            here.send(
                *(
                    writing(ATTACKER, n, 60 + n % 9, origin=(ATTACKER, n - 1) if n else None)
                    for n in numbers
                )
            )
        clock += 100
    assert here.clinic.room.bytes > 4000
    if restart:
        here.clinic.save_snapshot()
        here.clinic.crash()

        for tablet in here.clinic.tablets:
            here.clinic.connect(tablet)
    here.clinic.settle()

    here.nurse.edit(("set", "vitals", "pulse", 99))
    refused = len(here.clinic.refusals)

    assert here.outcome().maps["vitals"] == {"pulse": 99}
    assert len(here.clinic.refusals) == refused


@pytest.mark.rule("ROOM-3")
def test_a_record_that_is_really_full_takes_no_more_content() -> None:
    here = scene("nurse", max_record_bytes=4000)
    here.send(insertion(ATTACKER, 0, "x" * 4001))

    proposal = here.send(insertion(ATTACKER, 4001, "y", origin=(ATTACKER, 4000)))

    assert [refusal.rule for refusal in proposal.refusals] == ["size"]


@pytest.mark.rule("ROOM-3")
def test_junk_that_was_counted_off_is_not_counted_off_again_after_a_snapshot() -> None:
    here = scene("nurse", max_record_bytes=4000)
    here.send(*(gc(ATTACKER, n, 1) for n in range(4000)))
    here.send(insertion(ATTACKER, 4000, "x" * 3000))
    assert here.clinic.room.size_bytes() < 4000
    here.clinic.room.note_size(3100)  # as after a snapshot, which merges what is empty

    here.send(insertion(ATTACKER, 7000, "y" * 1500, origin=(ATTACKER, 6999)))
    proposal = here.send(insertion(ATTACKER, 8500, "z", origin=(ATTACKER, 8499)))

    assert [refusal.rule for refusal in proposal.refusals] == ["size"]


async def test_empty_structs_use_up_the_budget_of_refusals() -> None:
    """They are refused nothing, cost no permission, and stay in the document for ever."""
    async with hosting(HeldStore(), refused_fields_per_minute=10) as (host, record_id):
        async with host.opened(record_id) as room:
            peer = RecordingPeer(person("receptionist"))
            await peer.sync(room)
            update = encode_update({5000: [gc(5000, n, 1) for n in range(2000)]}, {})
            await room.inbox.put(Arrived(peer, update, False, NOW))
            await settled()

            assert peer.closed_with == 4429


@pytest.mark.parametrize("frame", ["refused", "foreign"])
async def test_refused_bytes_are_bounded_for_a_person_however_often_they_come_back(
    frame: str,
) -> None:
    """A frame of 4 MiB counted as one refused field, and a new connection had a new budget."""
    store = HeldStore()
    async with hosting(store, refused_fields_per_minute=10) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)
            room.room.books.owners[9000] = nurse.principal.user_id
            for attempt in range(20):
                peer = RecordingPeer(person("cashier"), peer_id=f"peer-{attempt}")
                await peer.sync(room)
                client = 9000 if frame == "foreign" else 5000 + attempt
                long = [insertion(client, 0, "x" * 64 * 1024)]
                update = encode_update({client: long}, {})
                await room.inbox.put(Arrived(peer, update, False, NOW))
                await settled()
                room.leave(peer)

        kept = sum(len(refusal.original) for refusal in await store.records.refusals(record_id))
        assert kept <= 4 * 64 * 1024
        assert peer.closed_with == 4429


async def test_making_the_server_write_a_large_value_again_uses_up_the_budget() -> None:
    """A deleted struct of ten bytes, refused nothing, had it written and sent again each time."""
    async with hosting(HeldStore(), refused_fields_per_minute=2) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse, reader = RecordingPeer(person("nurse")), RecordingPeer(person("cashier"))
            for peer in (nurse, reader):
                await peer.sync(room)
            version = room.room.version
            long = {"text": "x" * 15_000}
            entry = await host.add_entry(person("nurse"), record_id, "comments", long)
            place = room.room.books.places.at("comments", entry)
            for clock in range(20):
                struct = Struct(
                    5000, clock, 1, Kind.DELETED, None, room.room.registers[place].tail, keyed=True
                )
                update = encode_update({5000: [struct]}, {})
                await room.inbox.put(Arrived(reader, update, False, NOW))
                await settled()

            assert reader.closed_with == 4429
            assert room.room.version - version < 8
            assert (await host.view(record_id)).fields["comments"][entry]


async def test_a_stale_call_does_not_read_a_whole_log_of_large_rows_at_once() -> None:
    """It decoded up to 500 rows of up to 4 MiB in one go, on the loop."""
    store = HeldStore()
    async with hosting(store) as (host, record_id):
        first = (await host.view(record_id)).version
        for n in range(8):
            await host.add_entry(person("nurse"), record_id, "comments", {"text": f"{n}" * 15_000})
        reads: list[int] = []
        rows = store.held.rows

        async def counted(record_id: str, after: int = 0, limit: int = 1000) -> object:
            reads.append(limit)
            return await rows(record_id, after, limit)

        store.held.rows = counted  # type: ignore[method-assign, assignment]
        with pytest.raises(VersionMismatch) as caught:
            await host.edit(person("nurse"), record_id, {"vitals.pulse": 70}, if_version=first)

        assert max(reads) <= 50
        assert len(caught.value.changed) == 8
