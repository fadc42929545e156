"""Client ids are self-asserted and cost everybody a place in every state vector for ever."""

import pytest

from server.inbox import SyncAsked
from sync.bounds import Bounds
from sync.errors import ForeignClientId
from sync.frame import MAX_KNOWN, Knowledge
from sync.messages import SyncStep2
from sync.placement import MAX_CLIENTS_PER_PERSON
from tests.support.crafting import gc, scene
from tests.support.rooms import HeldStore, RecordingPeer, hosting, person, settled


@pytest.mark.rule("IDENT-1")
def test_nobody_uses_so_many_ids_that_the_others_state_vectors_exceed_their_bound() -> None:
    """Two frames of 20,000 ids each made every tablet's first message too large: 4413, for ever."""
    here = scene()
    here.send(*(gc(10_000 + n, 0, 1) for n in range(MAX_CLIENTS_PER_PERSON - 1)))

    with pytest.raises(ForeignClientId):
        here.send(*(gc(50_000 + n, 0, 1) for n in range(2)))

    vector = here.clinic.room.books.index.state_vector()
    assert 10 * len(vector) <= 1.1 * Bounds().max_state_vector_entries
    here.nurse.edit(("set", "vitals", "pulse", 70))
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("KNOW-1")
def test_a_peer_that_claims_new_ids_in_every_vector_takes_no_more_memory() -> None:
    knowledge = Knowledge()
    knowledge.learn({7: 1})

    for n in range(3):
        knowledge.learn({client: 5 for client in range(n * 20_000, (n + 1) * 20_000)})
    knowledge.learn({7: 9})

    assert len(knowledge.state_vector) == MAX_KNOWN
    assert knowledge.knows((7, 8), 1)


async def test_a_peer_that_asks_a_hundred_times_at_once_is_answered_once() -> None:
    async with hosting(HeldStore()) as (host, record_id), host.opened(record_id) as room:
        peer = RecordingPeer(person("nurse"))
        room.join(peer)
        for _ in range(100):
            await room.inbox.put(SyncAsked(peer, {}))
        await settled()

        assert sum(isinstance(message, SyncStep2) for message in peer.messages()) == 1
