"""Who is on a record: identity is the server's to say, and nobody speaks for somebody else.

Clients are modelled after y-protocols' `awareness.js`; the clock is stepped.
"""

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from permissions.model import Principal
from sync.messages import AwarenessEntry
from sync.presence import MAX_CLIENTS_PER_PEER, Presence
from tests.support.people import at, person

NURSE, DOCTOR = person("N", "nurse"), person("D", "clinical_officer")
FIELDS, ROOTS = {"vitals.pulse", "vitals.spo2"}, {"assessment.notes"}


def role_of(roles: frozenset[str]) -> str:
    """The role that this record's profile has, not one that the person has elsewhere."""
    return next((role for role in ("clinical_officer", "nurse") if role in roles), "")


def empty() -> Presence:
    return Presence(1, FIELDS.__contains__, ROOTS.__contains__, role_of)


def entry(client: int, clock: int = 1, **state: object) -> AwarenessEntry:
    return AwarenessEntry(client, clock, msgspec.json.encode(state).decode())


def told(
    presence: Presence,
    who: Principal,
    *entries: AwarenessEntry,
    owners: dict[int, str] | None = None,
    seconds: float = 0,
) -> dict[int, Any]:
    owners = {} if owners is None else owners
    outcome = presence.announce(f"peer-{who.user_id}", who, entries, owners, at(seconds))
    return {one.client: one.state for one in outcome.told}


def shown(presence: Presence, client: int) -> dict[str, Any] | None:
    """What somebody who joins now is told of a client."""
    return next((one.state for one in presence.everybody() if one.client == client), None)


@pytest.mark.rule("IDENT-3")
def test_who_has_roles_of_several_profiles_is_shown_in_the_one_that_counts_here() -> None:
    stamped = told(empty(), person("B", "admin", "doctor", "nurse"), entry(5001))

    assert stamped[5001]["user"]["role"] == "nurse"


@pytest.mark.rule("IDENT-3")
@pytest.mark.rule("PRES-1")
def test_identity_device_and_time_are_stamped_over_what_the_peer_says() -> None:
    forged = entry(
        5001, user={"name": "Somebody else"}, last_activity="never", device="mine", page="vitals"
    )

    stamped = told(empty(), NURSE, forged)

    assert stamped == {
        5001: {
            "page": "vitals",
            "user": {"id": NURSE.user_id, "name": NURSE.name, "role": "nurse"},
            "last_activity": "2026-01-01T00:00:00.000Z",
            "device": "device-N",
        }
    }


@pytest.mark.rule("IDENT-3")
def test_an_entry_under_a_colleagues_id_is_ignored_and_the_rest_of_the_message_counts() -> None:
    presence, owners = empty(), {5001: NURSE.user_id}

    seen = told(presence, DOCTOR, entry(5001, page="x"), entry(5002, page="y"), owners=owners)

    assert set(seen) == {5002}


@pytest.mark.rule("IDENT-1")
def test_an_announced_id_is_its_announcers_before_the_first_edit() -> None:
    presence, owners = empty(), dict[int, str]()

    told(presence, NURSE, entry(5001, page="x"), owners=owners)

    assert owners == {5001: NURSE.user_id}
    assert told(presence, DOCTOR, entry(5001, 2, page="y"), owners=owners) == {}


@pytest.mark.rule("PRES-3")
def test_who_leaves_is_gone_at_once_and_only_they() -> None:
    presence, owners = empty(), dict[int, str]()
    told(presence, NURSE, entry(5001, 7, page="x"), owners=owners)
    told(presence, DOCTOR, entry(5002, page="y"), owners=owners)

    gone = presence.leave(f"peer-{NURSE.user_id}")

    assert [(one.client, one.clock, one.state_json) for one in gone] == [(5001, 8, None)]
    assert presence.people() == {DOCTOR.user_id}


def test_one_connection_announces_no_more_ids_than_its_bound() -> None:
    presence, owners = empty(), dict[int, str]()

    many = [entry(6000 + at, page="x") for at in range(MAX_CLIENTS_PER_PEER + 5)]

    assert len(told(presence, NURSE, *many, owners=owners)) == MAX_CLIENTS_PER_PEER
    assert len(owners) == MAX_CLIENTS_PER_PEER


def test_the_servers_ids_are_nobodys_to_announce() -> None:
    assert told(empty(), NURSE, entry(1, page="x"), entry(900, page="x")) == {}


@pytest.mark.rule("PRES-2")
def test_page_typing_and_the_cursors_of_stock_editors_are_shown() -> None:
    cursor = {
        "anchor": {"type": None, "tname": "assessment.notes", "item": None, "assoc": 0},
        "head": {"tname": None, "item": {"client": 5001, "clock": 3}, "assoc": -1},
    }
    state = {"page": "vitals", "typing": "vitals.pulse", "cursor": cursor, "selection": None}

    seen = told(empty(), NURSE, entry(5001, **state))[5001]

    assert {key: seen[key] for key in state} == state


# -- silence -------------------------------------------------------------------------------------


@pytest.mark.rule("PRES-3")
def test_who_is_silent_for_30_seconds_is_gone_and_comes_back_with_the_next_word() -> None:
    presence = empty()
    told(presence, NURSE, entry(5001, 1, page="x"))

    assert not presence.expire(at(29.9))
    (gone,) = presence.expire(at(30))
    back = told(presence, NURSE, entry(5001, 2, page="x"), seconds=40)

    assert (gone.client, gone.state_json) == (5001, None)
    assert 5001 in back
    assert presence.everybody()[0].clock > gone.clock


@pytest.mark.rule("PRES-3")
def test_who_renews_every_15_seconds_as_stock_clients_do_stays() -> None:
    presence = empty()
    for clock in range(1, 20):
        told(presence, NURSE, entry(5001, clock, page="x"), seconds=15 * clock)
        assert not presence.expire(at(15 * clock + 14.9))

    assert shown(presence, 5001)


@pytest.mark.rule("PRES-4")
def test_typing_clears_after_5_seconds_of_silence_under_a_later_clock() -> None:
    presence = empty()
    told(presence, NURSE, entry(5001, 1, typing="vitals.pulse"))
    told(presence, NURSE, entry(5001, 2, typing="vitals.pulse"), seconds=4)

    assert not presence.expire(at(8.9))
    (cleared,) = presence.expire(at(9))

    assert cleared.clock == 3
    assert cleared.state is not None
    assert cleared.state["typing"] is None
    assert not presence.expire(at(20))


@pytest.mark.rule("PRES-4")
def test_leaving_the_field_clears_typing_at_once() -> None:
    presence = empty()
    told(presence, NURSE, entry(5001, 1, typing="vitals.pulse"))

    assert told(presence, NURSE, entry(5001, 2, typing=None), seconds=1)[5001]["typing"] is None
    assert not presence.expire(at(20))


@pytest.mark.rule("PRES-4")
def test_the_renewal_of_a_stock_client_is_no_typing_and_no_activity() -> None:
    presence = empty()
    told(presence, NURSE, entry(5001, 1, typing="vitals.pulse"))
    presence.expire(at(5))

    renewed = told(presence, NURSE, entry(5001, 4, typing="vitals.pulse"), seconds=15)[5001]
    again = told(presence, NURSE, entry(5001, 6, typing="vitals.pulse"), seconds=16)[5001]

    assert (renewed["typing"], again["typing"]) == (None, "vitals.pulse")
    assert renewed["last_activity"] == "2026-01-01T00:00:00.000Z"
    assert again["last_activity"] == "2026-01-01T00:00:16.000Z"


@pytest.mark.rule("PRES-1")
def test_edits_count_as_activity() -> None:
    presence = empty()
    told(presence, NURSE, entry(5001, 1, page="x"))
    presence.acted(f"peer-{NURSE.user_id}", at(14))

    renewed = told(presence, NURSE, entry(5001, 2, page="x"), seconds=15)[5001]

    assert renewed["last_activity"] == "2026-01-01T00:00:14.000Z"


# -- stock clients relay, and come back ----------------------------------------------------------


@pytest.mark.rule("PRES-6")
def test_who_reconnects_under_the_same_clock_is_seen_again_by_those_who_saw_them_go() -> None:
    presence, owners = empty(), dict[int, str]()
    told(presence, NURSE, entry(5001, 7, page="x"), owners=owners)
    (gone,) = presence.leave(f"peer-{NURSE.user_id}")

    told(presence, NURSE, entry(5001, 7, page="x"), owners=owners)

    assert presence.everybody()[0].clock > gone.clock


@pytest.mark.rule("PRES-6")
def test_an_echo_of_what_the_server_said_of_a_client_is_nothing_new() -> None:
    presence = empty()
    told(presence, NURSE, entry(5001, 1, typing="vitals.pulse"))
    (cleared,) = presence.expire(at(5))

    assert told(presence, NURSE, cleared, seconds=6) == {}
    assert told(presence, NURSE, entry(5001, 3, page="y"), seconds=7)[5001]["page"] == "y"


class Client:
    """An awareness as y-protocols keeps it, relaying what changed as y-websocket does."""

    def __init__(self, client: int, who: Principal) -> None:
        self.client, self.who, self.clock = client, who, 0
        self.state: dict[str, Any] | None = {}
        self.states: dict[int, tuple[int, dict[str, Any] | None]] = {}
        self.up: list[AwarenessEntry] = []
        self.peer = ""

    def say(self, state: dict[str, Any] | None = None) -> None:
        self.state = self.state if state is None else state
        self.clock += 1
        self._relay(self.client)

    def hear(self, heard: AwarenessEntry) -> None:
        clock, _ = self.states.get(heard.client, (0, None))
        clock = self.clock if heard.client == self.client else clock
        _, known = self.states.get(heard.client, (0, None))
        if not (clock < heard.clock or (clock == heard.clock and heard.state is None and known)):
            return
        if heard.client == self.client:
            self.clock = heard.clock + (heard.state is None)
            self.state = self.state if heard.state is None else heard.state
        else:
            self.states[heard.client] = heard.clock, heard.state
        self._relay(heard.client)

    def _relay(self, client: int) -> None:
        clock, state = self.states.get(client, (0, None))
        if client == self.client:
            clock, state = self.clock, self.state
        text = "null" if state is None else msgspec.json.encode(state).decode()
        self.up.append(AwarenessEntry(client, clock, None if state is None else text))


class PresenceMachine(RuleBasedStateMachine):
    """Stock clients that say, relay, renew, lose their links and come back, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.presence, self.owners, self.now = empty(), dict[int, str](), 0.0
        self.clients = [Client(5001, NURSE), Client(5002, NURSE), Client(5003, DOCTOR)]
        self.down: list[list[AwarenessEntry]] = [[], [], []]
        self.links = 0
        for which in range(3):
            self._connect(which)

    def _connect(self, which: int) -> None:
        client = self.clients[which]
        self.links += 1
        client.peer = f"link{self.links}"
        client.up = []
        self.down[which] = self.presence.everybody()
        client._relay(client.client)

    def _tell(self, entries: list[AwarenessEntry]) -> None:
        for which, client in enumerate(self.clients):
            if client.peer:
                self.down[which] += entries

    @rule(which=st.integers(0, 2), page=st.sampled_from("abc"), typing=st.booleans())
    def say(self, which: int, page: str, typing: bool) -> None:
        self.clients[which].say({"page": page, "typing": "vitals.pulse" if typing else None})

    @rule(which=st.integers(0, 2))
    def renew(self, which: int) -> None:
        self.clients[which].say()

    @rule(which=st.integers(0, 2), count=st.integers(1, 5))
    def deliver(self, which: int, count: int) -> None:
        client = self.clients[which]
        if not client.peer:
            return
        for _ in range(count):
            if client.up:
                outcome = self.presence.announce(
                    client.peer, client.who, (client.up.pop(0),), self.owners, at(self.now)
                )
                assert not outcome.dropped, "stock clients commit no offence"
                self._tell(outcome.told)
            if self.down[which]:
                client.hear(self.down[which].pop(0))

    @rule(which=st.integers(0, 2))
    def lose_link(self, which: int) -> None:
        client = self.clients[which]
        if client.peer:
            gone, client.peer = client.peer, ""
            self._tell(self.presence.leave(gone))
        else:
            client.states = {}  # y-websocket forgets the others when its link is gone
            self._connect(which)

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self._tell(self.presence.expire(at(self.now)))

    @invariant()
    def it_comes_to_rest_and_everybody_agrees(self) -> None:
        if self.links % 4:
            return
        for _ in range(100):
            moved = False
            for which, client in enumerate(self.clients):
                moved = moved or bool(client.peer and (client.up or self.down[which]))
                self.deliver(which, 20)
            if not moved:
                break
        assert not moved, "they echo each other for ever"
        truth = {one.client: one.state for one in self.presence.everybody()}
        for client in self.clients:
            if not client.peer:
                continue
            for other in self.clients:
                _, seen = client.states.get(other.client, (0, None))
                if other is not client:
                    assert seen == truth.get(other.client)
            mine = truth.get(client.client)
            assert mine is None or mine["user"]["id"] == client.who.user_id


TestPresenceMachine = pytest.mark.rule("PRES-6")(PresenceMachine.TestCase)
TestPresenceMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.rule("PRES-6")
def test_echoes_of_two_states_that_crossed_on_their_way_come_to_rest() -> None:
    """Found by the machine: client and server answered each other for ever."""
    presence = empty()
    told(presence, NURSE, entry(5001, 1, page="x"))
    presence.leave(f"peer-{NURSE.user_id}")

    told(presence, NURSE, entry(5001, 1, page="x"))
    (first,) = [one for one in presence.everybody() if one.client == 5001]
    told(presence, NURSE, entry(5001, 2, page="y"))
    (second,) = [one for one in presence.everybody() if one.client == 5001]

    assert second.clock > first.clock > 2
    assert told(presence, NURSE, first, second) == {}


@pytest.mark.rule("PRES-6")
def test_another_window_that_still_relays_somebody_who_left_does_not_speak_for_them() -> None:
    """Found by the machine: the window kept them alive, and was told so, for ever."""
    presence, owners = empty(), dict[int, str]()
    presence.announce("one", NURSE, (entry(5001, 1, page="x"),), owners, at(0))
    presence.announce("two", NURSE, (entry(5002, 1, page="x"),), owners, at(0))
    (relayed,) = [one for one in presence.everybody() if one.client == 5001]
    presence.leave("one")

    outcome = presence.announce("two", NURSE, (relayed,), owners, at(1))

    assert not outcome.told
    assert not outcome.dropped


@pytest.mark.rule("PRES-3")
@pytest.mark.rule("PRES-4")
def test_who_fell_silent_before_the_clock_was_set_back_is_gone_in_time() -> None:
    presence = empty()
    ahead = 172_800
    told(presence, NURSE, entry(5001, typing="vitals.pulse"), seconds=ahead)

    presence.expire(at(0))
    typing = presence.expire(at(5))
    gone = presence.expire(at(30))

    assert [(one.client, (one.state or {}).get("typing", "?")) for one in typing] == [(5001, None)]
    assert [(one.client, one.state) for one in gone] == [(5001, None)]
