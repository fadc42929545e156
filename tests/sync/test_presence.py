"""Who is on a record: identity is the server's to say, and nobody speaks for somebody else."""

from datetime import UTC, datetime

import msgspec
import pytest

from permissions.model import Principal
from sync.presence import MAX_CLIENTS_PER_PEER, Presence
from sync.wire import AwarenessEntry
from tests.support.people import person

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
NURSE, DOCTOR = person("N", "nurse"), person("D", "clinical_officer")


def entry(client: int, clock: int = 1, **state: object) -> AwarenessEntry:
    text = msgspec.json.encode(state).decode()
    return AwarenessEntry(client, clock, text, msgspec.json.decode(text))


def told(
    presence: Presence, who: Principal, *entries: AwarenessEntry, owners: dict[int, str]
) -> dict[int, object]:
    entries_told = presence.announce(f"peer-{who.user_id}", who, entries, owners, NOW)
    return {
        one.client: None if one.state_json is None else msgspec.json.decode(one.state_json)
        for one in entries_told
    }


@pytest.mark.rule("IDENT-3")
def test_identity_and_time_are_stamped_over_what_the_peer_says() -> None:
    forged = entry(5001, user={"name": "Somebody else"}, last_activity="never", page="vitals")

    stamped = told(Presence(1), NURSE, forged, owners={})

    assert stamped == {
        5001: {
            "page": "vitals",
            "user": {"id": NURSE.user_id, "name": NURSE.name, "role": "nurse"},
            "last_activity": "2026-03-01T08:00:00.000Z",
        }
    }


@pytest.mark.rule("IDENT-3")
def test_an_entry_under_a_colleagues_id_is_ignored_and_the_rest_of_the_message_counts() -> None:
    presence, owners = Presence(1), {5001: NURSE.user_id}

    seen = told(presence, DOCTOR, entry(5001, page="x"), entry(5002, page="y"), owners=owners)

    assert set(seen) == {5002}


@pytest.mark.rule("IDENT-1")
def test_an_announced_id_is_its_announcers_before_the_first_edit() -> None:
    presence, owners = Presence(1), dict[int, str]()

    told(presence, NURSE, entry(5001, page="x"), owners=owners)

    assert owners == {5001: NURSE.user_id}
    assert told(presence, DOCTOR, entry(5001, 2, page="y"), owners=owners) == {}


def test_who_leaves_is_gone_at_once_and_only_they() -> None:
    presence, owners = Presence(1), dict[int, str]()
    told(presence, NURSE, entry(5001, 7, page="x"), owners=owners)
    told(presence, DOCTOR, entry(5002, page="y"), owners=owners)

    gone = presence.leave(f"peer-{NURSE.user_id}")

    assert [(one.client, one.clock, one.state_json) for one in gone] == [(5001, 8, None)]
    assert presence.people() == {DOCTOR.user_id}


def test_one_connection_announces_no_more_ids_than_its_bound() -> None:
    presence, owners = Presence(1), dict[int, str]()

    many = [entry(6000 + at, page="x") for at in range(MAX_CLIENTS_PER_PEER + 5)]

    assert len(told(presence, NURSE, *many, owners=owners)) == MAX_CLIENTS_PER_PEER
    assert len(owners) == MAX_CLIENTS_PER_PEER


def test_the_servers_ids_are_nobodys_to_announce() -> None:
    assert told(Presence(1), NURSE, entry(1, page="x"), entry(900, page="x"), owners={}) == {}
