"""Presence is the one thing that everybody may write: it must stay cheap and bind few ids."""

import pytest

from permissions.model import Principal
from server.sockets.websocket import FrameReader
from sync.bounds import Bounds
from sync.presence import MAX_CLIENTS_PER_PEER, Presence
from sync.wire import AwarenessEntry, AwarenessMessage, encode_awareness, encode_query_awareness
from tests.server.builders import Bench
from tests.support import rooms
from tests.support.people import at, person
from tests.support.work import lines_run

NURSE = person("N", "nurse")


def entry(client: int, clock: int = 1, *, gone: bool = False) -> AwarenessEntry:
    if gone:
        return AwarenessEntry(client, clock, None)
    return AwarenessEntry(client, clock, '{"page":"x"}', {"page": "x"})


def announce(
    presence: Presence, peer: str, who: Principal, owners: dict[int, str], *said: AwarenessEntry
) -> list[AwarenessEntry]:
    return presence.announce(peer, who, said, owners, at(0))


@pytest.mark.rule("IDENT-1")
def test_a_connection_binds_few_ids_however_often_it_takes_them_back() -> None:
    """Announced and taken back, 160 ids a second stayed bound, in memory and in snapshots."""
    presence, owners = Presence(1), dict[int, str]()
    for client in range(5000, 5200):
        announce(presence, "p", NURSE, owners, entry(client))
        announce(presence, "p", NURSE, owners, entry(client, 2, gone=True))

    assert len(owners) == MAX_CLIENTS_PER_PEER


def test_an_announced_id_may_come_and_go_for_ever() -> None:
    presence, owners = Presence(1), dict[int, str]()
    for client in range(5000, 5100):
        announce(presence, "p", NURSE, owners, entry(client))
    for clock in range(2, 50, 2):
        assert announce(presence, "p", NURSE, owners, entry(5000, clock, gone=True))
        assert announce(presence, "p", NURSE, owners, entry(5000, clock + 1))


@pytest.mark.rule("IDENT-3")
def test_nobody_is_told_that_somebody_left_who_was_never_there() -> None:
    presence, owners = Presence(1), dict[int, str]()

    told = announce(presence, "p", NURSE, owners, *(entry(n, gone=True) for n in range(2000, 3000)))

    assert told == []
    assert owners == {}


def test_one_message_costs_the_same_however_many_people_are_there() -> None:
    """Every unknown id of a message was compared with everybody: a million steps for 7 kB."""

    def work(people: int) -> int:
        presence, owners = Presence(1), dict[int, str]()
        for n in range(people):
            announce(presence, f"p{n}", person(f"U{n}", "nurse"), owners, entry(5000 + n))
        strange = [entry(9000 + n) for n in range(500)]
        return lines_run(lambda: announce(presence, "p0", NURSE, owners, *strange))

    assert work(400) < 1.2 * work(100)


@pytest.mark.parametrize("message", ["query", "entries"])
async def test_presence_is_budgeted_by_what_goes_out_not_by_what_comes_in(
    bench: Bench, message: str
) -> None:
    """One byte fetched everybody's states without limit; sixteen states counted as one."""
    async with rooms.hosting(rooms.HeldStore()) as (host, record_id):
        async with host.opened(record_id) as room:
            peer = rooms.RecordingPeer(rooms.person("nurse"))
            await peer.sync(room)
            await rooms.settled()
            reader = FrameReader(peer, room, bench.house, Bounds())
            peer.messages()
            told: list[AwarenessEntry] = []
            room.tell_presence = told.extend  # type: ignore[method-assign]

            for clock in range(1, 200):
                entries = [entry(5000 + n, clock) for n in range(16)]
                query = message == "query"
                reader.accept(encode_query_awareness() if query else encode_awareness(entries))

            answers = sum(isinstance(one, AwarenessMessage) for one in peer.messages())
            assert answers <= 25
            assert len(told) <= 25 + 16
