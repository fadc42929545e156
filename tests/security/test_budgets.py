"""What people leave behind who may write nothing fills neither the record nor the disk."""

import pytest

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
