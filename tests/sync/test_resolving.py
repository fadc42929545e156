"""Deciding a conflict: who may, what stands then, and what those meet who had not seen it."""

import msgspec
import pytest

from permissions.model import RecordState, Rule
from sync.document import ABSENT, Absent
from sync.effects import Conflict
from sync.resolving import disputed_place, judge_resolution, offered_values
from tests.support.clinic import Clinic
from tests.support.people import at, person
from tests.support.replicas import PyReplica

SUPERVISOR = person("boss", "supervisor")
NURSE = person("ann", "nurse")
OFFICER = person("cleo", "clinical_officer")


class Dispute:
    """Two nurses offline, who wrote one field; both came back."""

    def __init__(
        self, *, key: str = "pulse", values: tuple[object, object] = (70, 80), owner: str = ""
    ) -> None:
        self.key = key
        self.clinic = Clinic()
        users = (owner, owner) if owner else ("one", "two")
        self.tablets = [
            self.clinic.join(PyReplica(client), person(user, "nurse", login_id=f"l{client}"))
            for client, user in zip((3000, 4000), users, strict=True)
        ]
        self.write(0, values[0], 10)
        self.write(1, values[1], 20)
        self.clinic.settle()

    def write(self, who: int, value: object, seconds: float | None = None) -> None:
        step = ("del", "vitals", self.key) if value is None else ("set", "vitals", self.key, value)
        self.tablets[who].edit(step, written_at=None if seconds is None else at(seconds))

    @property
    def conflict(self) -> Conflict:
        """The last conflict."""
        return list(self.clinic.conflicts.values())[-1]

    def decide(self, value: object | Absent) -> Conflict:
        return self.clinic.resolve(self.conflict.id, value, SUPERVISOR, "supervisor")

    def everybody(self) -> object:
        """The one value that all show, also whoever loads the record."""
        self.clinic.settle()
        replicas = [tablet.replica for tablet in self.tablets] + [self.clinic.fresh()]
        shown = [replica.show().maps["vitals"].get(self.key) for replica in replicas]
        assert len({str(value) for value in shown}) == 1, shown
        for from_snapshot in (False, True):
            loaded = self.clinic.loaded(from_snapshot=from_snapshot)
            assert loaded.books.encode() == self.clinic.room.books.encode()
        return shown[0]

    def values(self) -> list[object]:
        return [msgspec.json.decode(one.value) for one in self.conflict.values]


@pytest.mark.rule("RES-1")
@pytest.mark.parametrize("chosen", [0, 1])
def test_chosen_value_stands_everywhere_in_one_row_of_the_resolvers(chosen: int) -> None:
    dispute = Dispute()
    place = disputed_place(dispute.clinic.room, dispute.conflict.id)
    assert place is not None
    rows = len(dispute.clinic.rows)

    resolved = dispute.decide(offered_values(dispute.clinic.room, place)[chosen])

    assert dispute.everybody() == (70, 80)[chosen]
    assert len(dispute.clinic.rows) == rows + 1
    row = dispute.clinic.rows[-1]
    assert (row.author, row.role) == ("boss", "supervisor")
    assert (resolved.status, resolved.resolved_by) == ("resolved", "boss")
    assert (resolved.standing, resolved.reason) == (chosen, "as measured again")
    assert dispute.values() == [70, 80]
    assert disputed_place(dispute.clinic.room, resolved.id) is None


@pytest.mark.rule("RES-1")
def test_another_value_than_those_listed_is_added_to_them() -> None:
    dispute = Dispute()

    resolved = dispute.decide(75)

    assert dispute.everybody() == 75
    assert dispute.values() == [70, 80, 75]
    assert resolved.standing == 2
    assert [value.author for value in resolved.values] == ["one", "two", "boss"]


@pytest.mark.rule("RES-1")
def test_nothing_can_be_what_is_decided() -> None:
    dispute = Dispute(key="glucose", values=(5, 6))

    dispute.decide(ABSENT)

    assert dispute.everybody() is None


@pytest.mark.rule("RES-1")
def test_cleared_field_against_a_value_is_decided_for_the_clearing() -> None:
    dispute = Dispute(key="glucose", values=(5, 5))
    dispute.write(0, None, 40)
    dispute.write(1, 7, 50)
    dispute.clinic.settle()
    place = disputed_place(dispute.clinic.room, dispute.conflict.id)
    assert place is not None
    offered = offered_values(dispute.clinic.room, place)
    assert sorted(map(str, (value for value in offered if value is not ABSENT))) == ["7.0"]

    resolved = dispute.decide(ABSENT)

    assert dispute.everybody() is None
    assert resolved.values[resolved.standing].value == "null"


@pytest.mark.rule("RES-2")
def test_a_writer_and_the_power_decide_and_nobody_else() -> None:
    dispute = Dispute()
    room = dispute.clinic.room
    place = disputed_place(room, dispute.conflict.id)
    assert place is not None

    assert judge_resolution(room, place, 70, NURSE).role == "nurse"
    assert judge_resolution(room, place, 70, SUPERVISOR).role == "supervisor"
    assert judge_resolution(room, place, 70, OFFICER).rule is Rule.ROLE


@pytest.mark.rule("RES-2")
@pytest.mark.parametrize("value", [5000, "fast", {"a": 1}])
def test_what_the_field_cannot_hold_is_no_decision_even_by_power(value: object) -> None:
    dispute = Dispute()
    place = disputed_place(dispute.clinic.room, dispute.conflict.id)
    assert place is not None

    for who in (NURSE, SUPERVISOR):
        decision = judge_resolution(dispute.clinic.room, place, value, who)
        assert decision.rule in (Rule.RANGE, Rule.TYPE)


@pytest.mark.rule("RES-3")
@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_in_a_closed_record_only_what_stands_is_confirmed_and_by_power_only(status: str) -> None:
    dispute = Dispute()
    room = dispute.clinic.room
    place = disputed_place(room, dispute.conflict.id)
    assert place is not None
    room.state = RecordState(status=status)  # type: ignore[arg-type] # one of the statuses

    assert judge_resolution(room, place, 80, SUPERVISOR).allowed
    assert judge_resolution(room, place, 70, SUPERVISOR).rule is Rule.COMPLETED
    assert judge_resolution(room, place, 80, NURSE).rule is Rule.COMPLETED


@pytest.mark.rule("RES-3")
def test_in_a_closed_record_true_does_not_confirm_a_1() -> None:
    dispute = Dispute(key="pain", values=(3, 1))
    place = disputed_place(dispute.clinic.room, dispute.conflict.id)
    assert place is not None
    dispute.clinic.room.state = RecordState(status="completed")

    assert judge_resolution(dispute.clinic.room, place, 1.0, SUPERVISOR).allowed
    assert not judge_resolution(dispute.clinic.room, place, True, SUPERVISOR).allowed


@pytest.mark.rule("RES-4")
@pytest.mark.parametrize("seconds", [0.5, 1000])
def test_write_by_somebody_who_had_not_seen_the_decision_is_a_new_conflict(
    seconds: float,
) -> None:
    dispute = Dispute()
    first = dispute.conflict.id
    late = dispute.tablets[0]
    dispute.clinic.disconnect(late)
    dispute.write(0, 72)

    dispute.decide(75)
    dispute.clinic.take(late, late.replica.diff(b"\x00"), at(seconds))
    dispute.clinic.connect(late)

    assert dispute.conflict.id != first
    assert sorted(map(float, dispute.values())) == [72, 75]  # type: ignore[arg-type] # numbers
    assert dispute.everybody() == (72 if seconds > 100 else 75)


@pytest.mark.rule("RES-4")
def test_write_of_the_decided_value_by_somebody_who_had_not_seen_it_is_no_conflict() -> None:
    dispute = Dispute()
    late = dispute.tablets[0]
    dispute.clinic.disconnect(late)
    dispute.write(0, 75)

    dispute.decide(75)
    dispute.clinic.connect(late)

    assert dispute.everybody() == 75
    assert len(dispute.clinic.conflicts) == 1


@pytest.mark.rule("RES-4")
def test_write_by_somebody_who_saw_the_decision_just_succeeds_it() -> None:
    dispute = Dispute()
    dispute.decide(70)
    dispute.clinic.settle()

    dispute.write(1, 71)

    assert dispute.everybody() == 71
    assert len(dispute.clinic.conflicts) == 1
    assert dispute.conflict.status == "resolved"


@pytest.mark.rule("RES-5")
def test_conflict_follows_what_is_written_while_it_is_open() -> None:
    dispute = Dispute()
    first = dispute.conflict.id

    dispute.write(0, 90)

    assert dispute.everybody() == 90
    assert dispute.conflict.id == first
    assert dispute.values() == [70, 90]
    assert dispute.conflict.status == "open"


@pytest.mark.rule("RES-5")
@pytest.mark.rule("REG-6")
def test_conflict_ends_when_somebody_who_sees_it_writes_the_other_value() -> None:
    dispute = Dispute()

    dispute.write(1, 70)

    assert dispute.everybody() == 70
    assert (dispute.conflict.status, dispute.conflict.resolved_by) == ("resolved", "two")
    assert dispute.conflict.reason == "The values agree."
    assert len(dispute.clinic.conflicts) == 1


@pytest.mark.rule("RES-5")
@pytest.mark.rule("REG-6")
def test_conflict_ends_when_the_losing_branch_arrives_at_the_standing_value() -> None:
    clinic = Clinic()
    one = clinic.join(PyReplica(3000), person("one", "nurse"))
    two = clinic.join(PyReplica(4000), person("two", "nurse"))
    first = one.replica.edit([("set", "vitals", "pulse", 70)])
    second = one.replica.edit([("set", "vitals", "pulse", 80)])
    two.edit(("set", "vitals", "pulse", 80), written_at=at(20))
    while two.link is not None and two.link.up:
        clinic.step_up(two)
    clinic.take(one, first[0], at(10))
    [conflict] = clinic.conflicts.values()
    assert conflict.status == "open"
    clinic.take(one, second[0], at(11))

    [conflict] = clinic.conflicts.values()
    assert conflict.status == "resolved"
    assert clinic.loaded(from_snapshot=False).books.encode() == clinic.room.books.encode()


@pytest.mark.rule("RES-6")
def test_each_loser_is_named_once_also_when_the_loser_has_just_arrived() -> None:
    dispute = Dispute()
    assert [(loss.user_id, loss.field) for loss in dispute.clinic.losses] == [
        ("one", "vitals.pulse")
    ]
    dispute.clinic.losses.clear()

    dispute.write(1, 81)
    dispute.clinic.settle()

    assert dispute.clinic.losses == []


@pytest.mark.rule("RES-6")
def test_whoever_brings_an_older_value_than_the_one_that_stands_is_named() -> None:
    clinic = Clinic()
    one = clinic.join(PyReplica(3000), person("one", "nurse"))
    two = clinic.join(PyReplica(4000), person("two", "nurse"))
    clinic.disconnect(one)
    one.edit(("set", "vitals", "glucose", 5))
    two.edit(("set", "vitals", "glucose", 6), written_at=at(500))
    clinic.settle()
    clinic.take(one, one.replica.diff(b"\x00"), at(2))

    assert [(loss.user_id, loss.critical) for loss in clinic.losses] == [("one", False)]


@pytest.mark.rule("RES-6")
def test_two_devices_of_one_person_conflict_and_the_person_is_named() -> None:
    dispute = Dispute(owner="one")

    assert [value.author for value in dispute.conflict.values] == ["one", "one"]
    assert len({value.value for value in dispute.conflict.values}) == 2
    assert [loss.user_id for loss in dispute.clinic.losses] == ["one"]
