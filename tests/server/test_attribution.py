"""A tablet that several people use: whose edit is whose, in a room with its storage."""

from datetime import timedelta

import msgspec
import pycrdt
import pytest

from sync.messages import Refused
from sync.session import MAX_UNKNOWN_LOGINS
from sync.wire import JournalEntry
from tests.support.rooms import RecordingPeer, settled
from tests.support.ward_tablet import setting, ward_tablet


def add_text(text: str, at: int = 0):
    return lambda doc: doc.get("assessment.notes", type=pycrdt.Text).insert(at, text)


def delete_text(start: int, end: int):
    def change(doc):
        del doc.get("assessment.notes", type=pycrdt.Text)[start:end]

    return change


@pytest.mark.rule("JOUR-1")
async def test_each_edit_of_a_shared_tablet_is_its_writers_and_the_delivery_is_audited() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "clinical_officer")
        of_a = await ward.take_over(a)
        ward.step(minutes=10)
        ward.tablet.write(setting("vitals", "pulse", 80))
        ward.tablet.sign_out()
        await ward.end(of_a)
        ward.step(minutes=10)
        of_b = await ward.take_over(b)
        ward.tablet.write(lambda doc: doc.get("diagnosis.plan", type=pycrdt.Text).insert(0, "Rest"))
        ward.step(hours=5)

        peer = await ward.connect(b, of_b)
        await ward.deliver(peer, ward.tablet.sealed)
        await ward.answer(peer)

        first, second = await ward.rows()
        assert (first.author, first.role, first.login_id) == ("id-A", "nurse", of_a.id)
        assert (first.device, first.address) == (of_a.device, of_a.address)
        assert (second.author, second.role, second.login_id) == (
            "id-B",
            "clinical_officer",
            of_b.id,
        )
        hours = [(row.received_at - row.written_at) / timedelta(hours=1) for row in (first, second)]
        assert [round(each, 2) for each in hours] == [5.17, 5.0]
        (delivered,) = [
            entry for entry in await ward.audited("deliver") if "login=" in entry.detail
        ]
        assert (delivered.user_id, delivered.login_id) == ("id-B", of_b.id)
        assert delivered.detail == f"login={of_a.id}"
        assert delivered.version == first.version
        assert not await ward.refusals()


@pytest.mark.rule("JOUR-6")
async def test_what_a_person_no_longer_may_is_refused_and_waits_in_their_name() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        of_a = await ward.take_over(a)
        ward.tablet.write(setting("vitals", "pulse", 80))
        await ward.end(of_a)
        of_b = await ward.take_over(b)
        ward.tablet.write(setting("vitals", "spo2", 97))
        ward.step(hours=1)
        await ward.roles(a, "receptionist")

        peer = await ward.connect(b, of_b)
        await ward.deliver(peer, ward.tablet.sealed)
        await ward.answer(peer)

        assert ward.shows("vitals") == {"spo2": 97.0}
        (refusal,) = await ward.refusals()
        assert (refusal.author, refusal.rule, refusal.field) == ("id-A", "role", "vitals.pulse")
        assert refusal.value == "80"
        assert refusal.login_id == of_a.id
        assert any(isinstance(message, Refused) for message in peer.messages())


@pytest.mark.rule("JOUR-6")
async def test_a_role_that_came_later_does_not_cover_what_was_written_before() -> None:
    async with ward_tablet() as ward:
        a = await ward.user("A", "receptionist")
        of_a = await ward.take_over(a)
        before = ward.tablet.write(setting("vitals", "pulse", 80))
        ward.step(hours=1)
        a = await ward.roles(a, "receptionist", "nurse")
        after = ward.tablet.write(setting("vitals", "spo2", 97))
        ward.step(hours=1)

        peer = await ward.connect(a, of_a)
        await ward.deliver(peer, [before, after])

        assert ward.shows("vitals") == {"spo2": 97.0}
        (refusal,) = await ward.refusals()
        assert (refusal.field, refusal.rule) == ("vitals.pulse", "role")


@pytest.mark.rule("JOUR-6")
async def test_one_diff_with_a_journal_is_judged_edit_by_edit_where_roles_changed() -> None:
    async with ward_tablet() as ward:
        a = await ward.user("A", "receptionist")
        of_a = await ward.take_over(a)
        entries = [ward.tablet.write(setting("vitals", "pulse", 80))[0]]
        ward.step(hours=1)
        a = await ward.roles(a, "receptionist", "nurse")
        entries.append(ward.tablet.write(setting("vitals", "spo2", 97))[0])
        ward.step(hours=1)

        peer = await ward.connect(a, of_a)
        await ward.send(peer, ward.tablet.doc.get_update(), *entries, answer=True)

        assert ward.shows("vitals") == {"spo2": 97.0}
        assert [refusal.field for refusal in await ward.refusals()] == ["vitals.pulse"]


@pytest.mark.rule("JOUR-5")
@pytest.mark.parametrize("how", ["signed_out", "expired"])
async def test_a_log_in_that_ended_by_itself_stays_good_for_what_came_before(how: str) -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        of_a = await ward.take_over(a)
        ward.tablet.write(setting("vitals", "pulse", 80))
        ward.step(minutes=1)
        await ward.end(of_a, how)  # type: ignore[arg-type] # an Ending
        of_b = await ward.take_over(b)
        ward.step(days=40)

        peer = await ward.connect(b, of_b)
        await ward.deliver(peer, ward.tablet.sealed)

        assert ward.shows("vitals") == {"pulse": 80.0}
        assert [row.author for row in await ward.rows()] == ["id-A"]


@pytest.mark.rule("JOUR-5")
async def test_a_long_shift_offline_keeps_its_times_though_the_log_in_expired_unused() -> None:
    async with ward_tablet() as ward:
        a = await ward.user("A", "nurse")
        of_a = await ward.take_over(a)
        ward.step(hours=12)
        await ward.end(of_a, "expired")
        ward.step(hours=2)
        sealed = ward.tablet.write(setting("vitals", "pulse", 80))
        written_at = ward.now
        ward.step(hours=1)
        again = await ward.login(a)

        peer = await ward.connect(a, again)
        await ward.deliver(peer, [sealed])

        (row,) = await ward.rows()
        assert (row.login_id, row.written_at) == (of_a.id, written_at)


@pytest.mark.rule("JOUR-5")
@pytest.mark.rule("JOUR-3")
async def test_a_revoked_log_in_is_refused_whole_and_costs_nobody_elses_edit() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        of_a = await ward.take_over(a)
        ward.tablet.write(setting("vitals", "pulse", 80))
        ward.tablet.write(add_text("stolen "))
        of_b = await ward.take_over(b)
        ward.tablet.write(setting("vitals", "pulse", 90))
        ward.tablet.write(setting("vitals", "spo2", 97))
        await ward.end(of_a, "revoked")

        peer = await ward.connect(b, of_b)
        await ward.deliver(peer, ward.tablet.sealed)
        await ward.answer(peer)

        assert ward.shows("vitals") == {"pulse": 90.0, "spo2": 97.0}
        assert ward.text("assessment.notes") == ""
        refused = [(r.author, r.rule, r.field, r.value) for r in await ward.refusals()]
        assert refused == [
            ("id-A", "identity", "vitals.pulse", "80"),
            ("id-A", "identity", "assessment.notes", '"stolen "'),
        ]
        assert peer.closed_with is None
        peer.messages()
        fresh = RecordingPeer(peer.principal, peer_id="fresh")
        await fresh.sync(ward.room, answers=True)
        await settled()
        fresh.messages()
        assert fresh.map("vitals").to_py() == {"pulse": 90.0, "spo2": 97.0}


@pytest.mark.rule("JOUR-5")
async def test_a_revocation_counts_while_the_log_in_is_still_remembered() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        of_a = await ward.take_over(a)
        first = ward.tablet.write(setting("vitals", "pulse", 80))
        second = ward.tablet.write(setting("vitals", "spo2", 97))
        of_b = await ward.take_over(b)
        peer = await ward.connect(b, of_b)
        await ward.deliver(peer, [first])

        await ward.end(of_a, "revoked")
        ward.step(seconds=2)
        await ward.deliver(peer, [second])

        assert ward.shows("vitals") == {"pulse": 80.0}
        assert [r.field for r in await ward.refusals()] == ["vitals.spo2"]


@pytest.mark.rule("JOUR-3")
async def test_where_the_profile_says_so_what_proves_nothing_is_the_senders_own() -> None:
    async with ward_tablet("sender") as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        await ward.take_over(a)
        entry, update = ward.tablet.write(setting("vitals", "pulse", 80))
        of_b = await ward.take_over(b)

        peer = await ward.connect(b, of_b)
        unproven = JournalEntry(
            entry.client, entry.from_clock, entry.to_clock, entry.written_at, entry.login_id, ""
        )
        ward.step(hours=1)
        await ward.send(peer, update, unproven)

        (row,) = await ward.rows()
        assert (row.author, row.login_id, row.written_at) == ("id-B", of_b.id, ward.now)


@pytest.mark.rule("JOUR-3")
async def test_in_a_mixed_diff_the_senders_own_edits_stand_and_the_rest_is_refused() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        await ward.take_over(a)
        entries = [ward.tablet.write(setting("vitals", "pulse", 80))[0]]
        of_b = await ward.take_over(b)
        entries.append(ward.tablet.write(setting("vitals", "spo2", 97))[0])

        peer = await ward.connect(b, of_b)
        await ward.send(peer, ward.tablet.doc.get_update(), *entries, answer=True)

        assert ward.shows("vitals") == {"spo2": 97.0}
        assert [(r.field, r.rule) for r in await ward.refusals()] == [("vitals.pulse", "identity")]


@pytest.mark.rule("JOUR-7")
async def test_a_refused_deletion_of_somebody_else_is_not_repeated_in_the_senders_name() -> None:
    """The delete set of the tablet's SyncStep2 holds the deletions of everybody who used it."""
    async with ward_tablet() as ward:
        nurse, a = await ward.user("N", "nurse"), await ward.user("A", "receptionist")
        of_n = await ward.take_over(nurse)
        peer = await ward.connect(nurse, of_n)
        await ward.deliver(peer, [
            ward.tablet.write(add_text("Drink plenty.")),
            ward.tablet.write(setting("triage", "complaint", "Cough")),
        ])  # fmt: skip
        ward.tablet.sealed.clear()
        await ward.take_over(a)
        ward.tablet.write(delete_text(0, 6))

        def clear(doc: "pycrdt.Doc") -> None:
            del doc.get("triage", type=pycrdt.Map)["complaint"]

        ward.tablet.write(clear)
        of_n = await ward.take_over(nurse)

        peer = await ward.connect(nurse, of_n)
        await ward.deliver(peer, ward.tablet.sealed)
        await ward.answer(peer)

        assert ward.text("assessment.notes") == "Drink plenty."
        assert ward.shows("triage") == {"complaint": "Cough"}
        assert {(r.author, r.rule) for r in await ward.refusals()} == {("id-A", "role")}
        peer.messages()
        await ward.answer(peer)
        assert ward.text("assessment.notes") == "Drink plenty."


@pytest.mark.rule("JOUR-7")
async def test_a_clearing_from_a_backlog_meets_what_a_colleague_wrote_meanwhile() -> None:
    """Not an echo, though everything had been sent to the tablet before the backlog came."""
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "nurse"), await ward.user("B", "nurse")
        of_a = await ward.take_over(a)
        peer = await ward.connect(a, of_a)
        await ward.deliver(peer, [ward.tablet.write(setting("triage", "complaint", "Cough"))])
        ward.tablet.sealed.clear()

        def clear(doc: "pycrdt.Doc") -> None:
            del doc.get("triage", type=pycrdt.Map)["complaint"]

        ward.step(minutes=5)
        colleague = RecordingPeer(await _signed_in(ward, b), peer_id="colleague")
        await colleague.sync(ward.room, answers=True)
        await settled()
        colleague.messages()
        colleague.map("triage")["complaint"] = "Fever"
        ward.step(minutes=5)
        ward.tablet.write(clear)
        ward.step(minutes=5)
        await colleague.push(ward.room)
        await settled()

        again = await ward.connect(a, of_a)
        await ward.deliver(again, ward.tablet.sealed)

        conflicts = await ward.store.records.conflicts(ward.room.record_id)
        assert [conflict.field for conflict in conflicts] == ["triage.complaint"]


async def _signed_in(ward, user):
    from server.accounts.hands import principal_of

    return principal_of(user, await ward.login(user))


@pytest.mark.rule("JOUR-8")
@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(hours=-3), timedelta(minutes=4)])
async def test_a_wrong_clock_is_read_on_connecting_and_its_times_are_corrected(
    ahead: timedelta,
) -> None:
    async with ward_tablet() as ward:
        a = await ward.user("A", "nurse")
        login = await ward.login(a)
        ward.tablet.sign_in(login.id, login.seal_key)
        ward.tablet.ahead = ahead
        ward.step(hours=1)
        sealed = ward.tablet.write(setting("vitals", "pulse", 80))
        written_at = ward.now
        ward.step(hours=5)

        peer = await ward.connect(a, login)
        told = peer.session.keep_journal((ward.tablet.reading(),), login.id, ward.now)
        await ward.deliver(peer, [sealed])

        assert told == ahead
        assert [row.written_at for row in await ward.rows()] == [written_at]


@pytest.mark.rule("JOUR-4")
async def test_times_do_not_run_back_over_restarts() -> None:
    async with ward_tablet() as ward:
        a = await ward.user("A", "nurse")
        of_a = await ward.take_over(a)
        ward.step(days=3)
        first = ward.tablet.write(setting("vitals", "pulse", 80))
        ward.tablet.ahead = timedelta(days=-2)
        second = ward.tablet.write(setting("vitals", "spo2", 97))
        peer = await ward.connect(a, of_a)
        await ward.deliver(peer, [first])
        await ward.room.save_snapshot()

        stored = await ward.store.records.load(ward.room.record_id)
        assert stored.snapshot is not None
        room = (await ward.host._load(ward.room.record_id)).room
        await ward.deliver(peer, [second])

        one, two = await ward.rows()
        assert room.books.written[first[0].client] == one.written_at == two.written_at


def _asking(step: str, action: str):
    return lambda doc: doc.get("progress", type=pycrdt.Map).__setitem__(step, {"action": action})


@pytest.mark.rule("JOUR-1")
async def test_a_step_that_somebody_started_offline_was_started_by_them() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "receptionist"), await ward.user("B", "nurse")
        await ward.take_over(a)
        step = ward.shows("record")["current_step"]
        ward.tablet.write(_asking(str(step), "start"))
        of_b = await ward.take_over(b)
        ward.step(hours=1)

        peer = await ward.connect(b, of_b)
        await ward.deliver(peer, ward.tablet.sealed)

        started = ward.shows("record")["steps"][step]  # type: ignore[index]
        assert started["status"] == "in_progress"
        assert started["started_by"] == "id-A"
        assert not await ward.refusals()


@pytest.mark.rule("JOUR-3")
async def test_a_step_that_somebody_is_said_to_have_started_is_not_started() -> None:
    async with ward_tablet() as ward:
        a, b = await ward.user("A", "receptionist"), await ward.user("B", "receptionist")
        await ward.take_over(a)
        step = ward.shows("record")["current_step"]
        entry, update = ward.tablet.write(_asking(str(step), "start"))
        of_b = await ward.take_over(b)

        peer = await ward.connect(b, of_b)
        await ward.send(peer, update, msgspec.structs.replace(entry, seal=""))

        assert ward.shows("record")["current_step"] == step
        assert [(r.author, r.rule) for r in await ward.refusals()] == [("id-B", "identity")]


@pytest.mark.rule("JOUR-9")
async def test_a_tablet_may_have_been_used_by_more_people_than_strangers_may_be_named() -> None:
    async with ward_tablet() as ward:
        a = await ward.user("A", "nurse")
        logins = []
        for pulse in range(MAX_UNKNOWN_LOGINS + 8):
            logins.append((await ward.take_over(a)).id)
            ward.tablet.write(setting("vitals", "pulse", 60 + pulse))
        b = await ward.user("B", "nurse")

        peer = await ward.connect(b, await ward.take_over(b))
        await ward.deliver(peer, ward.tablet.sealed)

        assert [row.login_id for row in await ward.rows()] == logins
