"""Who comes and goes in a live room, and what ends by itself there. By a stepped clock."""

from typing import Any

import msgspec
import pytest

from server.live_room import LiveRoom
from sync.messages import AwarenessEntry, AwarenessMessage, Notice
from tests.server.builders import SteppedClock
from tests.support.rooms import PROFILES, HeldStore, RecordingPeer, hosting, person, settled, ticked


def attendance(peer: RecordingPeer) -> list[tuple[str, str, list[str]]]:
    """Each event as (action, who, who is there)."""
    told: list[dict[str, Any]] = [m.body for m in peer.messages() if isinstance(m, Notice)]
    return [
        (one["action"], one["user"]["username"], sorted(u["username"] for u in one["active_users"]))
        for one in told
        if one["event"] == "session_user_joined"
    ]


def states(peer: RecordingPeer) -> dict[int, Any]:
    return {
        entry.client: entry.state
        for message in peer.messages()
        if isinstance(message, AwarenessMessage)
        for entry in message.entries
    }


def say(room: LiveRoom, peer: RecordingPeer, state: str, clock: int, now: Any) -> None:
    outcome = room.presence.announce(
        peer.id, peer.principal, (AwarenessEntry(7001, clock, state),), {}, now
    )
    room.tell_presence(outcome.told)


@pytest.mark.rule("PRES-7")
async def test_who_comes_and_goes_is_told_to_everybody_once_and_stored_before() -> None:
    store, clock = HeldStore(), SteppedClock()
    eyes = PROFILES / "eye_screening.toml"
    async with (
        hosting(store, eyes, clock=clock) as (host, record_id),
        host.opened(record_id) as room,
    ):
        technician = RecordingPeer(person("vision_technician", "technician"), extension=True)
        await technician.sync(room)
        await settled()
        await host.expiry.round(clock())
        await settled()
        alone = attendance(technician)
        doctor = RecordingPeer(person("doctor", "doctor"), peer_id="one")
        window = RecordingPeer(person("doctor", "doctor"), peer_id="two")
        for peer in (doctor, window):
            await peer.sync(room)
        await settled()

        store.held.free.clear()
        await host.expiry.round(clock())
        await settled()
        assert attendance(technician) == []
        store.held.free.set()
        await settled()
        joined = attendance(technician)
        room.leave(doctor)
        await host.expiry.round(clock())
        await settled()
        still_there = attendance(technician)
        room.leave(window)
        await host.expiry.round(clock())
        await settled()

        assert alone == [("joined", "technician", ["technician"])]
        assert joined == [("joined", "doctor", ["doctor", "technician"])]
        assert still_there == []
        assert attendance(technician) == [("left", "doctor", ["technician"])]
        announced = [
            one
            for commit in store.held.commits
            for one in commit.announcements
            if one.event == "session_user_joined"
        ]
        assert [(one.event, one.payload["action"]) for one in announced] == [
            ("session_user_joined", "joined"),
            ("session_user_joined", "joined"),
            ("session_user_joined", "left"),
        ]
        assert all(one.session for one in announced)


@pytest.mark.rule("PRES-7")
async def test_a_connection_that_is_back_before_the_round_is_no_event() -> None:
    clock = SteppedClock()
    async with hosting(HeldStore(), clock=clock) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"), extension=True)
            await nurse.sync(room)
            await settled()
            await host.expiry.round(clock())
            await settled()
            room.leave(nurse)
            again = RecordingPeer(person("nurse"), extension=True, peer_id="again")
            await again.sync(room)
            await settled()

            await host.expiry.round(clock())
            await settled()

            assert attendance(again) == []


@pytest.mark.rule("PRES-3")
@pytest.mark.rule("PRES-4")
async def test_typing_and_then_presence_end_by_themselves_for_everybody() -> None:
    clock = SteppedClock()
    async with hosting(HeldStore(), clock=clock, presence_tick_ms=0) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse, cashier = RecordingPeer(person("nurse")), RecordingPeer(person("cashier"))
            for peer in (nurse, cashier):
                await peer.sync(room)
            await settled()
            say(room, nurse, '{"page":"vitals","typing":"vitals.pulse"}', 1, clock())

            seen = []
            for seconds in (4.9, 0.1, 24.9, 0.1):
                clock.step(seconds=seconds)
                await host.expiry.round(clock())
                await ticked()
                seen.append(states(cashier).get(7001, "nothing"))

            assert seen[0]["typing"] == "vitals.pulse"
            assert (seen[1]["typing"], seen[1]["page"]) == (None, "vitals")
            assert seen[2:] == ["nothing", None]


async def test_typing_in_a_field_that_the_profile_lacks_is_not_shown() -> None:
    clock = SteppedClock()
    async with hosting(HeldStore(), clock=clock) as (host, record_id):
        async with host.opened(record_id) as room:
            nurse = RecordingPeer(person("nurse"))
            await nurse.sync(room)

            say(room, nurse, '{"page":"vitals","typing":"vitals.made_up"}', 1, clock())

            (state,) = [one.state for one in room.presence.everybody() if one.client == 7001]
            assert state is not None
            assert "typing" not in state


async def test_somebody_with_roles_of_several_profiles_comes_in_their_role_here() -> None:
    clock = SteppedClock()
    async with (
        hosting(HeldStore(), PROFILES / "eye_screening.toml", clock=clock) as (host, record_id),
        host.opened(record_id) as room,
    ):
        roles = frozenset({"admin", "clinical_officer", "doctor"})
        several = msgspec.structs.replace(person("doctor", "several"), roles=roles)
        peer = RecordingPeer(several, extension=True)
        await peer.sync(room)
        await settled()
        await host.expiry.round(clock())
        await settled()
        told = [m.body for m in peer.messages() if isinstance(m, Notice)]

    (joined,) = [one for one in told if one["event"] == "session_user_joined"]
    assert joined["user"]["role"] == "doctor"
    assert [one["role"] for one in joined["active_users"]] == ["doctor"]
