"""Field locks in live rooms: message 104, what everybody is told and sees, what edits meet."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from permissions.model import Principal
from server.errors import EditRefused
from server.executor import Batch
from server.expiry import Expiry
from server.field_locks import ask_for, break_lock
from server.inbox import LockAsked
from server.live_room import LiveRoom
from server.resolutions import Choice, resolve_conflict
from server.rooms import RoomHost
from sync.locks import Hold
from sync.messages import AwarenessMessage, LockRequest, Notice, Refused
from tests.server.builders import SteppedClock
from tests.support.rooms import HeldStore, RecordingPeer, hosting, person, settled, ticked

PULSE = "vitals.pulse"


def locked_room(
    clock: SteppedClock, store: HeldStore, **settings: object
) -> AbstractAsyncContextManager[tuple[RoomHost, str]]:
    return hosting(store, clock=clock, presence_tick_ms=0, **settings)


async def ask(room: LiveRoom, peer: RecordingPeer, action: str, **wish: Any) -> dict[str, Any]:
    """Send message 104 and return the answer."""
    peer.messages()
    request = LockRequest(action=action, **{"field": PULSE, **wish})  # type: ignore[arg-type]
    await room.inbox.put(LockAsked(peer, request))
    await settled()
    (answer,) = [
        m.body for m in peer.messages() if isinstance(m, Notice) and m.body["event"] == "lock"
    ]
    return answer


def notices(peer: RecordingPeer, event: str) -> list[dict[str, Any]]:
    return [
        message.body
        for message in peer.messages()
        if isinstance(message, Notice) and message.body["event"] == event
    ]


def shown_locks(peer: RecordingPeer) -> dict[str, Any]:
    """The locks as the newest of the server's states tells a plain Yjs client."""
    told = [
        entry.state["server"]
        for message in peer.messages()
        if isinstance(message, AwarenessMessage)
        for entry in message.entries
        if entry.state is not None and "server" in entry.state
    ]
    return told[-1]["locks"]


async def joined(room: LiveRoom, *people: Principal) -> list[RecordingPeer]:
    peers = [
        RecordingPeer(who, extension=True, peer_id=f"peer-{at}-{who.username}")
        for at, who in enumerate(people)
    ]
    for peer in peers:
        await peer.sync(room)
    await settled()
    for peer in peers:
        peer.messages()
    return peers


async def audited(store: HeldStore) -> list[tuple[str, str]]:
    return [
        (entry.action, entry.outcome)
        for _, entry in await store.audit(limit=1000)
        if entry.action.startswith("lock")
    ]


async def test_a_lock_is_answered_told_shown_to_plain_clients_and_audited() -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        plain = RecordingPeer(person("clinical_officer"))
        await plain.sync(room)

        answer = await ask(room, nurse, "acquire")
        (held,) = notices(other, "lock_held")
        await ticked()

        assert answer["holder"] == {
            "id": "id-nurse", "username": "nurse", "name": "Test nurse", "role": "nurse",
        }  # fmt: skip
        assert answer["expires_at"] == "2026-03-01T08:05:00.000Z"
        assert answer["fence"] > 0
        assert held["holder"]["id"] == "id-nurse"
        assert "fence" not in held
        assert shown_locks(plain) == {
            PULSE: {
                "user": {"id": "id-nurse", "name": "Test nurse", "role": "nurse"},
                "expires_at": "2026-03-01T08:05:00.000Z",
            }
        }
        assert await audited(store) == [("lock_acquired", "success")]


async def test_of_two_who_want_a_field_the_second_is_told_who_holds_it() -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        await ask(room, nurse, "acquire")

        answer = await ask(room, other, "acquire")

        assert (answer["refused"], answer["holder"]["id"]) == ("held", "id-nurse")
        assert await audited(store) == [("lock_acquired", "success"), ("lock_acquired", "denied")]


async def test_the_same_person_in_two_windows_is_told_so_and_may_take_over() -> None:
    clock = SteppedClock()
    async with locked_room(clock, HeldStore()) as (host, record_id), host.opened(record_id) as room:
        one, two = await joined(room, person("nurse"), person("nurse"))
        first = await ask(room, one, "acquire")

        told = await ask(room, two, "acquire")
        taken = await ask(room, two, "acquire", take_over=True)
        late = await ask(room, one, "renew", fence=first["fence"])

        assert told["refused"] == "held_elsewhere"
        assert taken["fence"] > first["fence"]
        assert late["refused"] == "lost"


@pytest.mark.parametrize(
    ("field", "refused"),
    [("vitals.unheard_of", "unknown_field"), ("triage", "unknown_field"), ("safety", "type"),
     ("payment.method", "role"), ("record.status", "unknown_field"), ("", "unknown_field")],
)  # fmt: skip
async def test_a_field_that_is_unknown_or_not_theirs_is_not_held(field: str, refused: str) -> None:
    clock = SteppedClock()
    async with locked_room(clock, HeldStore()) as (host, record_id), host.opened(record_id) as room:
        (nurse,) = await joined(room, person("nurse"))

        answer = await ask(room, nurse, "acquire", field=field)

        assert answer["refused"] == refused
        assert not room.locks.holds(record_id)


@pytest.mark.rule("LOCK-7")
async def test_a_live_edit_meets_the_lock_and_an_offline_one_becomes_a_conflict() -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        nurse.map("vitals")["pulse"] = 72
        await nurse.push(room, clock())
        await ask(room, nurse, "acquire")

        other.messages()
        other.map("vitals")["pulse"] = 99
        await other.push(room, clock())
        await settled()
        (refused,) = [m for m in other.messages() if isinstance(m, Refused)]
        other.map("vitals")["pulse"] = 98
        await other.push(room, clock(), answer=True)
        await settled()
        view = await host.view(record_id)

        assert refused.body["fields"][0]["rule"] == "locked"  # type: ignore[index]
        assert "Test nurse" in refused.body["fields"][0]["reason"]  # type: ignore[index]
        assert view.fields["vitals"] == {"pulse": 72}
        assert view.disputed == ["vitals.pulse"]
        (conflict,) = await store.records.conflicts(record_id)
        assert [value.value for value in conflict.values] == ["72", "98"]


@pytest.mark.rule("LOCK-7")
async def test_a_rest_edit_of_a_field_held_by_somebody_is_refused_as_locked() -> None:
    clock = SteppedClock()
    async with locked_room(clock, HeldStore()) as (host, record_id), host.opened(record_id) as room:
        (nurse,) = await joined(room, person("nurse"))
        await ask(room, nurse, "acquire")
        version = (await host.view(record_id)).version

        with pytest.raises(EditRefused) as refused:
            await host.edit(person("nurse", "other"), record_id, {PULSE: 80}, if_version=version)
        await host.edit(person("nurse"), record_id, {PULSE: 81}, if_version=version)

        assert [violation.rule for violation in refused.value.violations] == ["locked"]


@pytest.mark.rule("LOCK-2")
async def test_a_lock_expires_after_300_seconds_its_holder_is_warned_and_all_are_told() -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        await ask(room, nurse, "acquire")

        clock.step(seconds=271)
        await host.expiry.round(clock())
        gauge = host.expiry._metrics.locks_held._value
        held = (gauge.get(),)
        (warning,) = notices(nurse, "lock_expiring")
        assert not notices(other, "lock_expiring")
        clock.step(seconds=29)
        await host.expiry.round(clock())
        await ticked()
        held = (*held, gauge.get())

        assert warning["field"] == PULSE
        assert held == (1, 0)
        assert notices(nurse, "lock_released") == [
            {"event": "lock_released", "field": PULSE, "cause": "expired"}
        ]
        assert shown_locks(other) == {}
        assert (await audited(store))[-1] == ("lock_expired", "success")


@pytest.mark.rule("LOCK-3")
async def test_a_lock_is_free_after_the_grace_when_its_socket_is_gone() -> None:
    clock = SteppedClock()
    async with locked_room(clock, HeldStore()) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        await ask(room, nurse, "acquire")

        room.leave(nurse)
        clock.step(seconds=9)
        held = await ask(room, other, "acquire")
        clock.step(seconds=1)
        got = await ask(room, other, "acquire")

        assert held["expires_at"] == "2026-03-01T08:00:10.000Z"
        assert got["holder"]["id"] == "id-other"


@pytest.mark.rule("LOCK-3")
async def test_signing_out_frees_a_lock_at_once() -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        await ask(room, nurse, "acquire")

        host.disconnect(login_id="login-nurse", code=4401, reason="Signed out.")
        got = await ask(room, other, "acquire")
        await host.expiry.round(clock())

        assert got["holder"]["id"] == "id-other"
        assert ("lock_released", "success") in await audited(store)


async def test_what_a_closed_connection_had_asked_for_is_not_held() -> None:
    clock = SteppedClock()
    async with locked_room(clock, HeldStore()) as (host, record_id), host.opened(record_id) as room:
        (nurse,) = await joined(room, person("nurse"))
        room.leave(nurse)

        await room.inbox.put(LockAsked(nurse, LockRequest(action="acquire", field=PULSE)))
        await settled()

        assert not room.locks.holds(record_id)


async def test_locks_outlive_a_room_that_was_loaded_again() -> None:
    clock = SteppedClock()
    async with locked_room(clock, HeldStore()) as (host, record_id):
        async with host.opened(record_id) as room:
            (nurse,) = await joined(room, person("nurse"))
            await ask(room, nurse, "acquire")
            first = room
        first.leave(nurse)
        await host.unload_idle(10**9)

        async with host.opened(record_id) as room:
            assert room is not first
            hold = room.room.hold_of(PULSE)
            assert isinstance(hold, Hold)


async def test_an_end_that_could_not_be_audited_is_told_in_the_next_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        await ask(room, nurse, "acquire")
        clock.step(seconds=301)
        append, failing = store.append_audit, True

        async def fail(entries: Any) -> None:
            if failing:
                raise OSError("disk")
            await append(entries)

        monkeypatch.setattr(store, "append_audit", fail)
        expiry: Expiry = host.expiry

        with pytest.raises(OSError, match="disk"):
            await expiry.round(clock())
        assert not notices(other, "lock_released")
        failing = False
        await expiry.round(clock())

        assert len(notices(other, "lock_released")) == 1


@pytest.mark.rule("LOCK-7")
async def test_nobody_decides_a_conflict_of_a_field_while_somebody_else_edits_it() -> None:
    store, clock = HeldStore(), SteppedClock()
    supervisor = person("supervisor")
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        for peer, pulse in ((nurse, 70), (other, 80)):
            peer.map("vitals")["pulse"] = pulse
        for peer in (nurse, other):
            await peer.push(room, clock())
        await ask(room, nurse, "acquire")
        (conflict,) = await store.records.conflicts(record_id)

        async def decide(live: LiveRoom, batch: Batch) -> object:
            choice = Choice(reason="measured again", value=75)
            return await resolve_conflict(
                live, batch, supervisor, conflict.id, choice, clock(), store.records
            )

        with pytest.raises(EditRefused) as refused:
            await host.ask(record_id, decide)
        await ask(room, nurse, "release")
        await host.ask(record_id, decide)

        assert refused.value.violations[0].rule == "locked"
        assert (await host.view(record_id)).fields["vitals"] == {"pulse": 75}


async def test_who_is_asked_for_a_field_or_loses_it_is_told_once_wherever_they_are() -> None:
    store, clock = HeldStore(), SteppedClock()
    async with locked_room(clock, store) as (host, record_id), host.opened(record_id) as room:
        nurse, other = await joined(room, person("nurse"), person("nurse", "other"))
        await ask(room, nurse, "acquire")

        async def beg(live: LiveRoom, batch: Batch) -> object:
            return await ask_for(live, batch, other.principal, PULSE, clock())

        async def take(live: LiveRoom, batch: Batch) -> None:
            await break_lock(live, batch, person("supervisor"), PULSE, "left", clock())

        await host.ask(record_id, beg)
        await host.ask(record_id, beg)
        await host.ask(record_id, take)

        announced = [one for commit in store.held.commits for one in commit.announcements]
        assert [(one.event, one.users) for one in announced] == [
            ("lock_asked", ("id-nurse",)), ("lock_broken", ("id-nurse",)),
        ]  # fmt: skip
        by = announced[1].payload["by"]
        assert announced[1].payload == {"field": PULSE, "reason": "left", "by": by}
        assert isinstance(by, dict)
        assert (by["id"], by["role"]) == ("id-supervisor", "supervisor")
