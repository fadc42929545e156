"""Journals that lie: seals forged, moved and replayed; stolen log-ins; impossible times; floods."""

from datetime import timedelta

import msgspec
import pytest

from server.accounts.hands import MAX_HANDS, Hands
from server.ports import NewRecord
from storage import Login, MemoryStore
from sync.budgets import Budgets
from sync.messages import Refused
from sync.session import MAX_DELIVERED, MAX_UNKNOWN_LOGINS, Session
from sync.wire import JournalEntry
from tests.support.crafting import writing
from tests.support.journals import payload_of
from tests.support.rooms import NOW, person
from tests.support.ward_tablet import WardTablet, setting, ward_tablet

DAYS = timedelta(days=2)


async def two_people(ward: WardTablet) -> tuple[Login, Login]:
    """A, who wrote and sealed a pulse of 80 and left; and B, a receptionist, who has the tablet."""
    a, b = await ward.user("A", "nurse"), await ward.user("B", "receptionist")
    of_a = await ward.take_over(a)
    ward.tablet.write(setting("vitals", "pulse", 80))
    ward.tablet.sign_out()
    return of_a, await ward.take_over(b)


async def b_connects(ward: WardTablet, of_b: Login):
    return await ward.connect(await ward.store.directory.user("id-B"), of_b)


@pytest.mark.rule("JOUR-2")
@pytest.mark.rule("JOUR-3")
async def test_a_receptionist_cannot_write_as_the_nurse_whose_tablet_they_hold() -> None:
    async with ward_tablet() as ward:
        of_a, of_b = await two_people(ward)
        entry, update = ward.tablet.write(setting("vitals", "spo2", 18))
        forged = msgspec.structs.replace(entry, login_id=of_a.id)

        peer = await b_connects(ward, of_b)
        await ward.send(peer, update, forged)

        assert ward.shows("vitals") == {}
        (refusal,) = await ward.refusals()
        assert (refusal.author, refusal.rule, refusal.value) == ("id-B", "identity", "18")
        assert [entry.outcome for entry in await ward.audited("deliver")] == ["denied"]
        assert any(isinstance(message, Refused) for message in peer.messages())


@pytest.mark.rule("JOUR-2")
async def test_a_sealed_edit_cannot_be_altered_or_brought_under_another_client_id() -> None:
    async with ward_tablet() as ward:
        _, of_b = await two_people(ward)
        entry, _ = ward.tablet.sealed[0]
        altered = payload_of(writing(entry.client, 0, 180))
        elsewhere = payload_of(writing(5_001, 0, 80))

        peer = await b_connects(ward, of_b)
        await ward.send(peer, altered, entry)
        await ward.send(peer, elsewhere, msgspec.structs.replace(entry, client=5_001))

        assert ward.shows("vitals") == {}
        assert [(r.author, r.rule) for r in await ward.refusals()] == [("id-B", "identity")] * 2


@pytest.mark.rule("JOUR-2")
async def test_a_sealed_edit_cannot_be_moved_to_another_patient() -> None:
    async with ward_tablet() as ward:
        _, of_b = await two_people(ward)
        other = await ward.host.create(
            person("receptionist"), NewRecord(profile=ward.room.room.profile.name, fields={})
        )
        async with ward.host.opened(other.id) as room:
            ward.room = room
            peer = await b_connects(ward, of_b)
            await ward.deliver(peer, ward.tablet.sealed)

            assert ward.shows("vitals") == {}
            assert [(r.author, r.rule) for r in await ward.refusals()] == [("id-B", "identity")]


@pytest.mark.rule("JOUR-2")
async def test_replaying_a_delivery_changes_nothing_even_after_other_edits() -> None:
    async with ward_tablet() as ward:
        _, of_b = await two_people(ward)
        peer = await b_connects(ward, of_b)
        await ward.deliver(peer, ward.tablet.sealed)
        version = ward.room.room.version

        await ward.deliver(peer, ward.tablet.sealed * 3)
        again = await b_connects(ward, of_b)
        await ward.deliver(again, ward.tablet.sealed)

        assert ward.room.room.version == version
        assert not await ward.refusals()


@pytest.mark.rule("JOUR-6")
async def test_a_delivery_that_waited_for_a_role_change_is_judged_by_both_roles() -> None:
    async with ward_tablet() as ward:
        _, of_b = await two_people(ward)
        ward.step(hours=1)
        await ward.roles(await ward.store.directory.user("id-A"), "cashier")

        peer = await b_connects(ward, of_b)
        await ward.deliver(peer, ward.tablet.sealed * 2)

        assert ward.shows("vitals") == {}
        assert [(r.author, r.rule) for r in await ward.refusals()] == [("id-A", "role")]


@pytest.mark.rule("IDENT-1")
@pytest.mark.rule("JOUR-1")
async def test_a_delivered_client_id_is_its_writers_and_not_the_senders() -> None:
    async with ward_tablet() as ward:
        _, of_b = await two_people(ward)
        entry, _ = ward.tablet.sealed[0]
        peer = await b_connects(ward, of_b)
        await ward.deliver(peer, ward.tablet.sealed)

        await ward.send(
            peer, payload_of(writing(entry.client, 1, "x", root="contact", key="phone"))
        )

        assert peer.closed_with == 4409
        assert [(r.author, r.rule) for r in await ward.refusals()] == [("id-B", "identity")]


@pytest.mark.rule("JOUR-5")
@pytest.mark.parametrize("how", ["revoked", "disabled"])
async def test_a_stolen_key_is_worth_nothing_once_somebody_knows(how: str) -> None:
    async with ward_tablet() as ward:
        of_a, of_b = await two_people(ward)
        a = await ward.store.directory.user("id-A")
        if how == "disabled":
            await ward.store.directory.update_user(
                msgspec.structs.replace(a, disabled=True), ward.now
            )
        else:
            await ward.end(of_a, "signed_out")
            await ward.end(of_a, "revoked")

        peer = await b_connects(ward, of_b)
        await ward.deliver(peer, ward.tablet.sealed)

        assert ward.shows("vitals") == {}
        (refusal,) = await ward.refusals()
        assert (refusal.author, refusal.rule) == ("id-A", "identity")
        assert refusal.original


@pytest.mark.rule("JOUR-4")
@pytest.mark.rule("JOUR-5")
@pytest.mark.parametrize("ahead", [DAYS, -DAYS, timedelta(days=3650), timedelta(days=-18_000)])
async def test_no_clock_puts_an_edit_outside_the_life_of_its_log_in(ahead: timedelta) -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "receptionist")
        of_a = await ward.take_over(a)
        ward.step(minutes=1)
        ward.tablet.ahead = ahead  # after the log-in: nobody has seen it
        ward.tablet.write(setting("vitals", "pulse", 80))
        ward.tablet.ahead = -ahead if abs(ahead) == DAYS else timedelta(0)
        ward.tablet.write(setting("vitals", "pulse", 81))
        ward.step(minutes=1)
        await ward.end(of_a)
        signed_out = ward.now
        of_b = await ward.take_over(b)
        ward.step(hours=1)

        peer = await b_connects(ward, of_b)
        await ward.deliver(peer, ward.tablet.sealed)

        times = [row.written_at for row in await ward.rows()]
        assert of_a.created_at <= times[0] <= times[1] <= signed_out
        assert ward.shows("vitals") == {"pulse": 81.0}
        claimed = [e.detail for e in await ward.audited("deliver") if "claimed=" in e.detail]
        assert claimed


class CountingDirectory:
    """A directory that knows nobody and counts how often it was asked."""

    def __init__(self, store: MemoryStore) -> None:
        self.asked = 0
        self._directory = store.directory

    async def login(self, login_id: str) -> Login:
        self.asked += 1
        return await self._directory.login(login_id)


@pytest.mark.rule("JOUR-9")
async def test_a_flood_of_named_log_ins_costs_a_few_look_ups_and_forgets_the_oldest() -> None:
    async with ward_tablet() as ward:
        _, of_b = await two_people(ward)
        directory = CountingDirectory(ward.store)
        ward.room._hands = Hands(directory, 2.0)  # type: ignore[arg-type] # asked for log-ins alone
        peer = await b_connects(ward, of_b)
        flood = [JournalEntry(5_001, 0, 1, NOW, f"nobody{n}", "x") for n in range(20_000)]

        await ward.send(peer, payload_of(writing(5_001, 0, 80)), *flood)
        for clock in range(1, 50):
            lone = JournalEntry(5_001, clock, clock + 1, NOW, f"somebody{clock}", "x")
            await ward.send(peer, payload_of(writing(5_001, clock, 80)), lone)

        assert directory.asked <= MAX_UNKNOWN_LOGINS + 1
        hands = Hands(directory, 2.0)  # type: ignore[arg-type]
        for n in range(2 * MAX_HANDS):
            assert await hands.find(f"nobody{n}", NOW) is None
        assert len(hands._known) == MAX_HANDS


@pytest.mark.rule("JOUR-9")
def test_what_a_connection_remembers_of_deliveries_and_journals_is_bounded() -> None:
    session = Session(Budgets(), 0.0)

    for n in range(3):
        session.keep_journal(
            tuple(JournalEntry(7, c, c, NOW, "l", "") for c in range(20_000)), "l", NOW
        )
        session.note_delivered({7: [(2 * (n * 20_000 + k), 1) for k in range(20_000)]})

    assert len(session.take_journal()) == 20_000
    assert session._delivered_ranges == MAX_DELIVERED
