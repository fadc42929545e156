"""Text that a refused deletion took comes back, unit by unit and in its place."""

import pytest

from tests.support.clinic import Tablet
from tests.support.crafting import Scene, scene

NOTES = "assessment.notes"


def noted(text: str, **limits: int) -> Scene:
    """A scene in which the nurse has written into the notes."""
    here = scene(**limits)
    here.nurse.edit(("insert", NOTES, 0, text))
    here.clinic.settle()
    return here


def work_offline(here: Scene, tablet: Tablet) -> None:
    here.clinic.disconnect(tablet)


@pytest.mark.rule("HEAL-1")
@pytest.mark.parametrize("text", ["abcdef", "aé漢b😀c"])
def test_refused_deletion_is_undone_at_everybodys_the_author_included(text: str) -> None:
    here = noted(text)

    here.attacker.edit(("cut", NOTES, 1, 4))

    assert here.outcome().texts[NOTES] == text
    assert here.attacker.replica.show().texts[NOTES] == text


@pytest.mark.rule("HEAL-1")
def test_text_is_put_back_as_often_as_it_is_taken() -> None:
    here = noted("abcdef")

    for _ in range(3):
        here.attacker.edit(("cut", NOTES, 1, 3))
        here.clinic.settle()

    assert here.outcome().texts[NOTES] == "abcdef"


@pytest.mark.rule("HEAL-2")
def test_what_a_colleague_wrote_into_the_deleted_text_meanwhile_stays_in_its_place() -> None:
    here = noted("abcdef")
    work_offline(here, here.nurse)
    here.nurse.edit(("insert", NOTES, 3, "XYZ"))

    here.attacker.edit(("cut", NOTES, 0, 6))
    here.clinic.settle()
    here.clinic.connect(here.nurse)

    assert here.outcome().texts[NOTES] == "abcXYZdef"


@pytest.mark.rule("HEAL-3")
def test_allowed_deletion_of_an_original_also_deletes_the_copy_that_its_author_did_not_know() -> (
    None
):
    here = noted("abcdef")
    work_offline(here, here.nurse)
    here.nurse.edit(("cut", NOTES, 2, 2))

    here.attacker.edit(("cut", NOTES, 0, 6))
    here.clinic.settle()
    here.clinic.connect(here.nurse)

    assert here.outcome().texts[NOTES] == "abef"


@pytest.mark.rule("HEAL-3")
def test_allowed_deletion_reaches_the_copy_of_a_copy() -> None:
    here = noted("abcdef")
    work_offline(here, here.nurse)
    here.nurse.edit(("cut", NOTES, 2, 2))

    for _ in range(3):
        here.attacker.edit(("cut", NOTES, 0, 6))
        here.clinic.settle()
    here.clinic.connect(here.nurse)

    assert here.outcome().texts[NOTES] == "abef"


@pytest.mark.rule("HEAL-3")
@pytest.mark.rule("KNOW-1")
def test_echo_of_the_refused_deletion_by_somebody_who_knows_the_copy_spares_it() -> None:
    here = noted("abcdef")
    here.attacker.edit(("cut", NOTES, 0, 6))
    here.clinic.settle()

    here.clinic.reunite()

    assert here.outcome().texts[NOTES] == "abcdef"


@pytest.mark.rule("KNOW-1")
def test_answer_to_a_question_after_a_gap_counts_as_written_by_somebody_who_saw_everything() -> (
    None
):
    here = noted("abcdef")
    here.attacker.edit(("cut", NOTES, 0, 6))
    here.clinic.settle()
    link = here.nurse.link
    assert link is not None
    here.nurse.edit(("set", "vitals", "pulse", 70))
    link.up.clear()  # lost: the next update is a gap, and the answer repeats the deletion

    here.nurse.edit(("set", "vitals", "pulse", 71))
    here.clinic.settle()

    assert here.outcome().texts[NOTES] == "abcdef"
    assert here.outcome().maps["vitals"] == {"pulse": 71}


@pytest.mark.rule("HEAL-4")
def test_copies_carry_a_client_id_below_anybody_elses() -> None:
    here = noted("abcdef")
    here.attacker.edit(("cut", NOTES, 1, 3))
    here.clinic.settle()

    assert set(here.clinic.room.books.index.state_vector()) == {1, 3002}


@pytest.mark.rule("HEAL-5")
def test_deletion_within_the_budget_is_put_back_and_one_beyond_it_is_ignored() -> None:
    here = noted("x" * 100, max_restored_units=50)

    within = here.send(deletes={3002: [(0, 50)]})
    beyond = here.send(deletes={3002: [(50, 50)], 1: [(0, 50)]})

    assert (within.restored_units, within.exhausted) == (50, False)
    assert beyond.exhausted
    assert beyond.refusals
    assert here.outcome().texts[NOTES] == "x" * 100
