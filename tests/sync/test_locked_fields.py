"""Edits of a field that somebody else holds: live ones are refused, offline ones are conflicts."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permissions.model import Rule
from sync.document import ABSENT
from sync.view import disputed_fields
from tests.support.clinic import Clinic, Tablet, shows_registers
from tests.support.people import at, person
from tests.support.replicas import PyReplica, Replica, YjsProcess

PULSE, NOTES = ("vitals", "pulse"), "assessment.notes"


class Shift:
    """Two nurses on one record: one holds `vitals.pulse`, the other is in the way."""

    def __init__(self) -> None:
        self.clinic = Clinic()
        stock: Replica
        stock = PyReplica(9002) if YjsProcess.missing() else YjsProcess.shared().open(9002)
        self.holder = self.clinic.join(PyReplica(2001), person("Holder", "nurse"))
        self.other = self.clinic.join(stock, person("Other", "nurse"))

    def shown(self, key: str = "pulse") -> object:
        """What everybody shows of a vital sign; None for nothing."""
        self.clinic.settle()
        replicas = [self.holder.replica, self.other.replica, self.clinic.fresh()]
        loaded = self.clinic.loaded(from_snapshot=False)
        assert loaded.books.encode() == self.clinic.room.books.encode()
        assert not shows_registers(self.clinic.room)
        seen = [replica.show() for replica in replicas]
        assert all(one == seen[0] for one in seen), seen
        assert not seen[0].pending
        return seen[0].maps["vitals"].get(key)

    def text(self) -> str:
        self.clinic.settle()
        texts = [t.replica.show().texts[NOTES] for t in self.clinic.tablets]
        assert len(set(texts)) == 1, texts
        return texts[0]

    def offline(self, tablet: Tablet, *steps: tuple[object, ...]) -> None:
        """Edit without a link, then come back."""
        self.clinic.settle()
        self.clinic.disconnect(tablet)
        for step in steps:
            tablet.edit(step)  # type: ignore[arg-type] # a step of tests.support.replicas
        self.clinic.connect(tablet)
        self.clinic.settle()

    def values(self) -> list[object]:
        """The values of the one conflict, the standing one first."""
        (conflict,) = self.clinic.conflicts.values()
        values = [msgspec.json.decode(v.value) for v in conflict.values]
        return [values.pop(conflict.standing), *values]


@pytest.mark.rule("LOCK-7")
def test_a_live_edit_of_a_field_held_by_somebody_else_is_refused_with_the_holders_name() -> None:
    shift = Shift()
    shift.holder.edit(("set", *PULSE, 70))
    shift.clinic.settle()
    shift.clinic.lock("vitals.pulse", shift.holder.person)

    shift.other.edit(("set", *PULSE, 99), ("set", "vitals", "spo2", 97))

    assert shift.shown() == 70
    assert shift.shown("spo2") == 97
    (refusal,) = shift.clinic.refusals
    assert (refusal.rule, refusal.field, refusal.value) == (Rule.LOCKED, "vitals.pulse", "99")
    assert refusal.reason == "Holder is editing Pulse."
    assert not shift.clinic.conflicts


@pytest.mark.rule("LOCK-7")
def test_a_live_clearing_of_a_held_field_is_refused_and_undone() -> None:
    shift = Shift()
    shift.holder.edit(("set", *PULSE, 70))
    shift.clinic.settle()
    shift.clinic.lock("vitals.pulse", shift.holder.person)

    shift.other.edit(("del", *PULSE))

    assert shift.shown() == 70
    assert [refusal.rule for refusal in shift.clinic.refusals] == [Rule.LOCKED]


@pytest.mark.rule("LOCK-7")
def test_the_holder_edits_on_from_any_window() -> None:
    shift = Shift()
    shift.clinic.lock("vitals.pulse", shift.holder.person)
    window = shift.clinic.join(PyReplica(2002), shift.holder.person)

    shift.holder.edit(("set", *PULSE, 70))
    shift.clinic.settle()
    window.edit(("set", *PULSE, 71))

    assert shift.shown() == 71
    assert not shift.clinic.refusals
    assert not shift.clinic.conflicts


@pytest.mark.rule("LOCK-7")
def test_a_lock_that_is_over_refuses_nothing() -> None:
    shift = Shift()
    shift.clinic.lock("vitals.pulse", shift.holder.person, seconds=0.5)

    shift.other.edit(("set", *PULSE, 99))

    assert shift.shown() == 99
    assert not shift.clinic.refusals


@pytest.mark.rule("LOCK-7")
def test_live_typing_and_deleting_in_a_held_narrative_is_refused_and_put_back() -> None:
    shift = Shift()
    shift.holder.edit(("insert", NOTES, 0, "Calm."))
    shift.clinic.settle()
    shift.clinic.lock(NOTES, shift.holder.person)

    shift.other.edit(("insert", NOTES, 5, " Or not."))
    shift.other.edit(("cut", NOTES, 0, 2))

    assert shift.text() == "Calm."
    assert {refusal.rule for refusal in shift.clinic.refusals} == {Rule.LOCKED}


@pytest.mark.rule("LOCK-8")
def test_what_was_written_offline_into_a_held_narrative_merges() -> None:
    shift = Shift()
    shift.holder.edit(("insert", NOTES, 0, "Calm."))
    shift.clinic.lock(NOTES, shift.holder.person)

    shift.offline(shift.other, ("insert", NOTES, 5, " Asleep."), ("cut", NOTES, 4, 1))

    assert shift.text() == "Calm Asleep."
    assert not shift.clinic.refusals


@pytest.mark.rule("LOCK-8")
def test_an_offline_edit_of_a_held_field_is_a_conflict_and_the_holders_value_stays() -> None:
    shift = Shift()
    shift.holder.edit(("set", *PULSE, 70))
    shift.clinic.settle()
    shift.clinic.lock("vitals.pulse", shift.holder.person)

    shift.offline(shift.other, ("set", *PULSE, 98), ("set", *PULSE, 99))

    assert shift.shown() == 70
    assert shift.values() == [70, 99]
    assert not shift.clinic.refusals
    assert disputed_fields(shift.clinic.room) == ["vitals.pulse"]

    shift.holder.edit(("set", *PULSE, 71))

    assert shift.shown() == 71
    assert shift.values() == [71, 99]


@pytest.mark.rule("LOCK-8")
@pytest.mark.parametrize("has_heard", [True, False])
def test_an_offline_edit_of_a_field_held_empty_is_a_conflict_with_what_its_holder_writes(
    has_heard: bool,
) -> None:
    shift = Shift()
    shift.clinic.lock("vitals.pulse", shift.holder.person)
    shift.clinic.disconnect(shift.other)
    shift.other.edit(("set", *PULSE, 99))
    shift.clinic.connect(shift.other)
    if has_heard:
        assert shift.shown() is None
        assert shift.values() == [None, 99]
    else:
        link = shift.other.link
        assert link is not None
        while not shift.clinic.conflicts:
            shift.clinic.step_up(shift.other)
            shift.clinic.step_down(shift.other)

    shift.holder.edit(("set", *PULSE, 70))

    assert shift.shown() == 70
    assert shift.values() == [70, 99]


@pytest.mark.rule("LOCK-8")
def test_an_offline_clearing_of_a_held_field_is_a_conflict() -> None:
    shift = Shift()
    shift.holder.edit(("set", *PULSE, 70))
    shift.clinic.settle()
    shift.clinic.lock("vitals.pulse", shift.holder.person)

    shift.offline(shift.other, ("del", *PULSE))

    assert shift.shown() == 70
    assert shift.values() == [70, None]


@pytest.mark.rule("LOCK-8")
def test_the_same_value_written_offline_is_no_conflict() -> None:
    shift = Shift()
    shift.holder.edit(("set", *PULSE, 70))
    shift.clinic.settle()
    shift.clinic.lock("vitals.pulse", shift.holder.person)

    shift.offline(shift.other, ("set", *PULSE, 71), ("set", *PULSE, 70))

    assert shift.shown() == 70
    assert not shift.clinic.conflicts


@pytest.mark.rule("LOCK-8")
@pytest.mark.parametrize(("locked_s", "written_s"), [(60, 55), (0, 20)])
def test_an_edit_that_was_not_live_by_its_journal_counts_as_offline(
    locked_s: float, written_s: float
) -> None:
    """Written before the lock, though it came at once; or after it, but long before it came."""
    shift = Shift()
    shift.clinic.now_s = locked_s
    shift.clinic.lock("vitals.pulse", shift.holder.person)
    shift.clinic.now_s = 60

    shift.other.edit(("set", *PULSE, 99), written_at=at(written_s))
    shift.clinic.settle()

    assert shift.shown() is None
    assert shift.values() == [None, 99]
    assert not shift.clinic.refusals


@pytest.mark.rule("LOCK-7")
def test_a_journal_does_not_make_a_live_edit_offline() -> None:
    shift = Shift()
    shift.clinic.now_s = 60
    shift.clinic.lock("vitals.pulse", shift.holder.person)

    shift.other.edit(("set", *PULSE, 99), written_at=at(60.5))
    shift.clinic.settle()

    assert shift.shown() is None
    assert [refusal.rule for refusal in shift.clinic.refusals] == [Rule.LOCKED]


Deed = tuple[int, str, int]
deeds = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["set", "del", "insert", "cut", "lock", "unlock", "off", "on", "deliver"]),
        st.integers(0, 9),
    ),
    max_size=40,
)


@pytest.mark.rule("LOCK-8")
@settings(max_examples=200, deadline=None)
@given(deeds)
def test_whatever_happens_around_locks_all_replicas_agree_and_only_holders_change_what_stands(
    history: list[Deed],
) -> None:
    clinic = Clinic()
    nurses = [clinic.join(PyReplica(c), person(f"u{c}", "nurse")) for c in (9001, 2002, 5003)]

    def move(tablet: Tablet) -> None:
        before = clinic.room.document.value(*PULSE)
        hold = clinic.holds.get("vitals.pulse")
        if clinic.step_up(tablet) and hold is not None and hold.holder != tablet.person:
            assert clinic.room.document.value(*PULSE) == before
        assert not shows_registers(clinic.room)
        clinic.step_down(tablet)

    for count, (who, deed, how) in enumerate(history):
        tablet = nurses[who]
        match deed:
            case "set":
                tablet.edit(("set", *PULSE, 60 + count))
            case "del" if "pulse" in tablet.replica.show().maps["vitals"]:
                tablet.edit(("del", *PULSE))
            case "insert":
                length = len(tablet.replica.show().texts[NOTES])
                tablet.edit(("insert", NOTES, how % (length + 1), f"{count}."))
            case "cut" if tablet.replica.show().texts[NOTES]:
                tablet.edit(("cut", NOTES, how % len(tablet.replica.show().texts[NOTES]), 1))
            case "lock":
                clinic.lock(("vitals.pulse", NOTES)[how % 2], tablet.person, seconds=3600)
            case "unlock":
                clinic.holds.pop(("vitals.pulse", NOTES)[how % 2], None)
            case "off":
                clinic.disconnect(tablet)
            case "on" if tablet.link is None:
                clinic.connect(tablet)
            case "deliver":
                for _ in range(how):
                    move(tablet)
    for tablet in nurses:
        if tablet.link is None:
            clinic.connect(tablet)
    moved = True
    while moved:
        moved = False
        for tablet in nurses:
            while tablet.link is not None and (tablet.link.up or tablet.link.down):
                moved = True
                move(tablet)

    shown = [tablet.replica.show() for tablet in nurses] + [clinic.fresh().show()]
    assert all(one == shown[0] for one in shown), shown
    assert not shown[0].pending
    standing = clinic.room.document.value(*PULSE)
    assert shown[0].maps["vitals"].get("pulse") == (None if standing is ABSENT else standing)
    loaded = clinic.loaded(from_snapshot=False)
    assert loaded.books.encode() == clinic.room.books.encode()


@pytest.mark.rule("HEAL-3")
@pytest.mark.rule("LOCK-7")
def test_deletion_refused_for_a_lock_is_not_carried_out_when_its_author_comes_back() -> None:
    shift = Shift()
    shift.holder.edit(("insert", NOTES, 0, "kept"))
    shift.clinic.settle()
    shift.clinic.lock(NOTES, shift.holder.person)
    shift.other.edit(("cut", NOTES, 0, 4))
    shift.clinic.step_up(shift.other)

    shift.clinic.crash()  # before what heals its author arrives
    for tablet in shift.clinic.tablets:
        shift.clinic.connect(tablet)

    assert shift.text() == "kept"
    assert [refusal.rule for refusal in shift.clinic.refusals] == [Rule.LOCKED]


@pytest.mark.rule("HEAL-3")
def test_who_was_refused_a_deletion_deletes_the_text_once_they_see_it_again() -> None:
    shift = Shift()
    shift.holder.edit(("insert", NOTES, 0, "gone"))
    shift.clinic.settle()
    shift.clinic.lock(NOTES, shift.holder.person)
    shift.other.edit(("cut", NOTES, 0, 4))
    shift.clinic.settle()
    shift.clinic.holds.clear()

    shift.other.edit(("cut", NOTES, 0, 4))

    assert shift.text() == ""
