"""Ways through or around the gate that the other tests do not walk."""

import pytest

from sync.registers import MAX_CONTENDERS
from sync.structs import Kind, Struct
from tests.support.crafting import insertion, scene, update_of, writing
from tests.support.people import at, ulid

ATTACKER, NURSE = 3001, 3002


@pytest.mark.rule("GATE-6")
def test_the_key_of_an_entry_does_not_travel_with_a_struct_that_came_deleted() -> None:
    here = scene()
    keys = [ulid(n + 1) for n in range(50)]

    here.send(
        *(
            Struct(ATTACKER, n, 1, Kind.DELETED, None, None, None, "prescriptions", key, True)
            for n, key in enumerate(keys)
        )
    )

    assert not here.clinic.room.registers
    assert not any(key.encode() in here.sent() for key in keys)
    here.outcome()


@pytest.mark.rule("GATE-15")
def test_an_entry_that_its_entitled_author_took_back_before_sending_costs_nothing() -> None:
    here = scene("nurse")
    key = ulid(7)

    proposal = here.send(
        Struct(ATTACKER, 0, 1, Kind.DELETED, None, None, None, "comments", key, True),
        writing(ATTACKER, 1, {"text": "again"}, root="comments", key=key, origin=(ATTACKER, 0)),
    )

    assert proposal.refusals == ()
    assert here.outcome().maps["comments"] == {key: {"text": "again"}}


@pytest.mark.rule("REG-7")
@pytest.mark.rule("REG-8")
def test_nobody_crowds_a_colleagues_value_out_of_a_conflict() -> None:
    """Nine branches of one person made the colleague's value vanish from the conflict."""
    here = scene("nurse")
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()

    for n in range(MAX_CONTENDERS + 4):
        here.clinic.take(here.attacker, update_of(writing(5000 + n, 0, 80 + n)), at(100 + n))

    (conflict,) = here.clinic.conflicts.values()
    assert "70" in [value.value for value in conflict.values]
    assert len(conflict.values) == MAX_CONTENDERS + 1
    here.outcome()


@pytest.mark.rule("GATE-12")
def test_insertion_between_two_pairs_cuts_neither_of_them() -> None:
    """Only the pair at the origin was looked at: a supervisor tore the one at the right origin."""
    here = scene("supervisor")
    here.nurse.edit(("insert", "assessment.notes", 0, "x😀y"))
    here.clinic.settle()
    here.send(deletes={NURSE: [(1, 2)]})
    half = Struct(
        ATTACKER, 0, 1, Kind.EMBED, '{"a":1}', (NURSE, 1), (1, 1)
    )  # in the original, which is deleted, and in its copy, which shows

    here.send(half)

    assert here.outcome().texts["assessment.notes"] == "x😀y"


@pytest.mark.rule("PLACE-6")
@pytest.mark.parametrize("role", ["nurse", "supervisor"])
def test_struct_between_a_struct_and_itself_contradicts_history(role: str) -> None:
    """Yrs put it elsewhere in the live document than in one that is loaded afresh."""
    here = scene(role)
    here.nurse.edit(("insert", "assessment.notes", 0, "abcd"))
    here.clinic.settle()

    here.send(insertion(ATTACKER, 0, "x", origin=(NURSE, 2), right_origin=(NURSE, 2)))

    assert here.outcome().texts["assessment.notes"] == "abcd"
