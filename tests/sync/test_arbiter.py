"""The arbiter: which write stands, and what the server writes so that every replica shows it."""

import msgspec
import pytest

from sync.document import ABSENT
from sync.effects import Conflict
from sync.structs import Kind, Struct
from tests.support.clinic import Clinic
from tests.support.crafting import scene, update_of, writing
from tests.support.people import at, person
from tests.support.replicas import PyReplica

PULSE = ("vitals", "pulse")


class Ward:
    """A clinic of nurses, by client id, who work offline and come back one by one."""

    def __init__(self, *clients: int) -> None:
        self.clinic = Clinic()
        self.nurses = {c: self.clinic.join(PyReplica(c), person(f"u{c}", "nurse")) for c in clients}

    def set(self, client: int, value: object, seconds: float | None = None) -> None:
        written_at = None if seconds is None else at(seconds)
        self.nurses[client].edit(("set", *PULSE, value), written_at=written_at)

    def clear(self, client: int, seconds: float | None = None) -> None:
        written_at = None if seconds is None else at(seconds)
        self.nurses[client].edit(("del", *PULSE), written_at=written_at)

    def arrive(self, *clients: int) -> None:
        """Let everything of these nurses arrive, before anybody hears of it."""
        for client in clients:
            tablet = self.nurses[client]
            assert tablet.link is not None
            while tablet.link.up:
                self.clinic.step_up(tablet)

    def everybody(self) -> object:
        """The one value that all show; None for nothing."""
        self.clinic.settle()
        replicas = [tablet.replica for tablet in self.nurses.values()] + [self.clinic.fresh()]
        shown = [replica.show().maps["vitals"].get("pulse") for replica in replicas]
        assert len({str(value) for value in shown}) == 1, shown
        standing = self.clinic.room.document.value(*PULSE)
        assert (None if standing is ABSENT else standing) == shown[0]
        loaded = self.clinic.loaded(from_snapshot=False)
        assert loaded.books.encode() == self.clinic.room.books.encode()
        return shown[0]

    def conflict(self) -> list[object] | None:
        """The values of the one conflict, the standing one first; None without."""
        conflicts: list[Conflict] = list(self.clinic.conflicts.values())
        if not conflicts:
            return None
        assert len(conflicts) == 1
        values = [msgspec.json.decode(v.value) for v in conflicts[0].values]
        return [values.pop(conflicts[0].standing), *values]


@pytest.mark.rule("ARB-1")
@pytest.mark.rule("REG-5")
@pytest.mark.parametrize("clients", [(3000, 4000), (4000, 3000)])
def test_later_of_two_concurrent_writes_stands_whatever_the_client_ids(
    clients: tuple[int, int],
) -> None:
    ward = Ward(3000, 4000)
    early, late = clients

    ward.set(early, 70, 10)
    ward.set(late, 80, 20)
    ward.arrive(late, early)

    assert ward.everybody() == 80
    assert ward.conflict() == [80, 70]


@pytest.mark.rule("ARB-1")
def test_write_by_somebody_who_saw_the_last_one_raises_no_conflict() -> None:
    ward = Ward(3000, 4000)

    for value, client in enumerate((3000, 4000, 4000, 3000), 70):
        ward.set(client, value, 100 - value)
        ward.clinic.settle()

    assert ward.everybody() == 73
    assert ward.conflict() is None


@pytest.mark.rule("REG-4")
def test_chain_of_offline_edits_is_one_branch_and_raises_one_conflict() -> None:
    ward = Ward(3000, 4000)
    ward.set(4000, 75, 50)
    for seconds, value in enumerate((70, 71, 72), 1):
        ward.set(3000, value, seconds)

    ward.arrive(4000, 3000)

    assert ward.everybody() == 75
    assert ward.conflict() == [75, 72]


@pytest.mark.rule("REG-7")
def test_conflict_keeps_authors_times_device_and_base() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 60)
    ward.clinic.settle()
    ward.set(3000, 70, 10)
    ward.set(4000, 80, 20)

    ward.arrive(3000, 4000)

    [conflict] = ward.clinic.conflicts.values()
    assert conflict.base == "60"
    assert [v.author for v in conflict.values] == ["u3000", "u4000"]
    assert [v.written_at for v in conflict.values] == [at(10), at(20)]
    assert [v.device for v in conflict.values] == ["device-u3000", "device-u4000"]


@pytest.mark.rule("ARB-2")
def test_correction_is_one_struct_of_the_servers_in_the_row_of_its_cause() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 80, 20)
    ward.set(4000, 70, 10)
    ward.arrive(3000)
    rows = len(ward.clinic.rows)

    ward.arrive(4000)

    assert len(ward.clinic.rows) == rows + 1
    assert ward.clinic.corrections == 1
    assert ward.clinic.room.books.index.next_clock(1) == 1


@pytest.mark.rule("ARB-3")
def test_write_on_a_correction_continues_the_write_it_stands_for() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 80, 20)
    ward.set(4000, 70, 10)
    ward.arrive(3000, 4000)
    ward.clinic.settle()

    ward.set(4000, 90)
    ward.set(3000, 91)
    ward.arrive(4000)

    assert ward.clinic.room.document.value(*PULSE) == 90


@pytest.mark.rule("ARB-4")
def test_colleague_who_continues_under_a_refused_write_raises_no_conflict() -> None:
    here = scene()
    here.nurse.edit(("set", *PULSE, 70))
    here.clinic.settle()

    here.send(writing(3001, 0, 99, origin=(3002, 0)))
    here.nurse.edit(("set", *PULSE, 71))
    here.clinic.settle()

    assert here.clinic.conflicts == {}
    assert here.outcome().maps["vitals"] == {"pulse": 71}


@pytest.mark.rule("ARB-5")
def test_author_who_removes_their_own_unsent_write_clears_the_field() -> None:
    here = scene("nurse")
    here.nurse.edit(("set", *PULSE, 70))
    here.clinic.settle()
    gone = Struct(3001, 0, 1, Kind.DELETED, None, (3002, 0), keyed=True)

    here.send(gone, deletes={3001: [(0, 1)], 3002: [(0, 1)]})

    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("ARB-5")
def test_write_that_was_overwritten_before_it_was_sent_clears_nothing() -> None:
    here = scene("nurse")
    here.nurse.edit(("set", *PULSE, 70))
    here.clinic.settle()
    gone = Struct(3001, 0, 1, Kind.DELETED, None, (3002, 0), keyed=True)

    here.send(gone, writing(3001, 1, 7000, origin=(3001, 0)), deletes={3001: [(0, 1)]})

    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("ARB-5")
def test_write_that_a_colleagues_write_replaced_before_it_was_sent_clears_nothing() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    link = ward.nurses[3000].link
    assert link is not None
    link.up.clear()  # the frame is lost
    ward.set(4000, 80)
    ward.clinic.settle()
    ward.nurses[3000].edit(("set", "vitals", "systolic", 120))

    assert ward.everybody() == 80
    assert ward.conflict() is None


@pytest.mark.rule("ARB-6")
def test_clearing_of_what_one_saw_clears_the_field() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    ward.clinic.settle()

    ward.clear(4000)

    assert ward.everybody() is None
    assert ward.conflict() is None


@pytest.mark.rule("ARB-6")
def test_echo_of_an_old_clearing_does_not_clear_what_was_written_since() -> None:
    ward = Ward(3000, 4000, 5000)
    ward.set(3000, 70)
    ward.clinic.settle()
    ward.clear(4000)
    ward.clinic.settle()
    ward.clinic.disconnect(ward.nurses[5000])
    ward.set(3000, 80)
    ward.clinic.settle()

    ward.clinic.connect(ward.nurses[5000])

    assert ward.everybody() == 80
    assert ward.conflict() is None


@pytest.mark.rule("ARB-6")
def test_write_that_lost_by_client_id_and_is_echoed_as_deleted_clears_nothing() -> None:
    ward = Ward(3000, 4000)
    ward.set(4000, 70, 10)
    ward.set(3000, 80, 20)
    ward.arrive(4000, 3000)
    late = ward.nurses[3000]
    assert late.link is not None
    while len(late.link.down) > 1:  # it hears of the colleague's write, not of the correction
        ward.clinic.step_down(late)
    ward.clinic.disconnect(late)

    ward.clinic.connect(late)

    assert ward.everybody() == 80


@pytest.mark.rule("ARB-6")
def test_own_refused_value_that_is_taken_back_clears_the_field_for_who_may() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    ward.clinic.settle()

    ward.set(4000, 7000)
    ward.clear(4000)

    assert ward.everybody() is None
    assert len(ward.clinic.refusals) == 1


@pytest.mark.rule("ARB-7")
def test_clearing_leaves_a_tombstone_that_a_later_write_continues() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    ward.clinic.settle()
    ward.clear(3000)
    ward.clinic.settle()

    ward.set(4000, 71)

    assert ward.everybody() == 71
    assert ward.conflict() is None


@pytest.mark.rule("ARB-7")
@pytest.mark.parametrize("times", [(10, 20), (20, 10)])
@pytest.mark.parametrize("order", [(3000, 4000), (4000, 3000)])
def test_clearing_and_writing_concurrently_is_a_conflict_that_the_later_wins(
    times: tuple[int, int], order: tuple[int, int]
) -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    ward.clinic.settle()
    ward.clear(3000, times[0])
    ward.set(4000, 80, times[1])

    ward.arrive(*order)

    cleared = times[0] > times[1]
    assert ward.everybody() == (None if cleared else 80)
    assert ward.conflict() == ([None, 80] if cleared else [80, None])


@pytest.mark.rule("ARB-7")
def test_two_people_who_clear_the_same_value_are_in_no_conflict() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    ward.clinic.settle()
    ward.clear(3000)
    ward.clear(4000)

    ward.arrive(3000, 4000)

    assert ward.everybody() is None
    assert ward.conflict() is None


@pytest.mark.rule("ARB-7")
def test_author_of_a_clearing_writes_on_without_a_conflict_before_hearing_of_it() -> None:
    ward = Ward(3000, 4000)
    ward.set(3000, 70)
    ward.clinic.settle()
    ward.clear(3000)
    ward.set(3000, 71)

    ward.arrive(3000)

    assert ward.everybody() == 71
    assert ward.conflict() is None


@pytest.mark.rule("ARB-8")
@pytest.mark.parametrize("times", [1, 2])
def test_refused_clearing_is_undone_and_refused_once(times: int) -> None:
    here = scene()
    here.nurse.edit(("set", *PULSE, 70))
    here.clinic.settle()

    here.attacker.edit(("del", *PULSE))
    link = here.attacker.link
    assert link is not None
    link.up.extend([link.up[0]] * (times - 1))
    here.clinic.settle()

    assert here.attacker.replica.show().maps["vitals"] == {"pulse": 70}
    assert here.outcome().maps["vitals"] == {"pulse": 70}
    assert [refusal.field for refusal in here.clinic.refusals] == ["vitals.pulse"]


@pytest.mark.rule("ARB-8")
def test_removal_of_a_null_value_reaches_everybody() -> None:
    here = scene("nurse")
    here.send(writing(3001, 0, None))
    here.clinic.settle()

    here.nurse.edit(("del", *PULSE))

    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("ARB-6")
def test_deletion_set_of_an_overwriting_is_not_a_clearing() -> None:
    here = scene("nurse")
    here.nurse.edit(("set", *PULSE, 70))
    here.clinic.settle()
    update = update_of(writing(3001, 0, 71, origin=(3002, 0)), deletes={3002: [(0, 1)]})

    here.clinic.take(here.attacker, update)

    assert here.outcome().maps["vitals"] == {"pulse": 71}
    assert here.clinic.conflicts == {}
