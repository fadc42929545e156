"""Small legal frames that once made the server work for seconds: work is counted, never timed."""

import pytest

from sync.structs import Kind, Struct
from tests.support.crafting import Scene, scene, update_of, writing
from tests.support.work import lines_run

ATTACKER, NURSE, SERVER = 3001, 3002, 1


def grows_linearly(work: list[int]) -> bool:
    """Whether twice the input cost no more than twice the lines, with room for what is fixed."""
    return work[1] < 2.6 * work[0]


@pytest.mark.rule("PLACE-7")
def test_a_stale_chain_that_deletes_its_own_end_costs_what_its_bytes_cost() -> None:
    """Each struct was compared with every other: half a minute for one frame of 170 kB."""

    def work(size: int) -> int:
        here = scene("nurse")
        here.nurse.edit(("set", "vitals", "pulse", 70))
        here.clinic.settle()
        chain = [
            writing(ATTACKER, n, 60 + n % 9, origin=(ATTACKER, n - 1) if n else None)
            for n in range(size)
        ]
        return lines_run(lambda: here.send(*chain, deletes={ATTACKER: [(size - 1, 1)]}))

    assert grows_linearly([work(500), work(1000)])


@pytest.mark.rule("HEAL-5")
@pytest.mark.parametrize("again", [False, True])
def test_putting_back_every_second_character_costs_what_is_put_back(again: bool) -> None:
    """Each refused range read the whole text, or all its pieces: seconds for one 24 kB frame."""

    def work(size: int) -> int:
        here = _scene_with_notes("é" * 2 * size)
        ranges = [(clock, 1) for clock in range(0, 2 * size, 2)]
        if not again:
            return lines_run(lambda: here.send(deletes={NURSE: ranges}))
        here.send(deletes={NURSE: ranges})
        return lines_run(lambda: here.send(deletes={SERVER: ranges[: size // 2]}))

    assert grows_linearly([work(500), work(1000)])


@pytest.mark.rule("HEAL-3")
def test_long_ranges_over_deleted_text_do_not_walk_all_copies_each() -> None:
    def work(size: int) -> int:
        here = _scene_with_notes("x" * size)
        here.send(deletes={NURSE: [(0, size)]})
        gap = Struct(NURSE, size, 2**29, Kind.DELETED, None, (NURSE, size - 1))
        here.clinic.take(here.nurse, update_of(gap))
        step = 2 * size
        long = {NURSE: [(size + step * n, step - 1) for n in range(size)]}
        return lines_run(lambda: here.clinic.take(here.nurse, update_of(deletes=long)))

    assert grows_linearly([work(500), work(1000)])


def _scene_with_notes(text: str) -> Scene:
    here = scene()
    here.nurse.edit(("insert", "assessment.notes", 0, text))
    here.clinic.settle()
    return here


@pytest.mark.rule("HEAL-1")
def test_ranges_that_cut_structs_and_pairs_put_back_just_what_they_took() -> None:
    here = _scene_with_notes("ab😀cd")
    here.nurse.edit(("insert", "assessment.notes", 2, "é"))
    here.clinic.settle()

    here.send(deletes={NURSE: [(0, 1), (3, 2), (5, 2)]})

    assert here.outcome().texts["assessment.notes"] == "abé😀cd"
