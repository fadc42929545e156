"""The field index: runs of clocks, deleted ranges and surrogate pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.fields import FieldIndex, Places, RangeSet
from sync.place import VOID
from tests.support.people import outpatient, ulid

ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=20)


@given(added=ranges, asked=st.tuples(st.integers(0, 70), st.integers(0, 20)))
def test_range_set_holds_exactly_the_clocks_that_were_added(
    added: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    held = RangeSet()
    clocks: set[int] = set()

    for start, length in added:
        held.add(start, start + length)
        clocks.update(range(start, start + length))

    assert {clock for clock in range(90) if clock in held} == clocks
    start, end = asked[0], asked[0] + asked[1]
    missing = [clock for first, last in held.missing(start, end) for clock in range(first, last)]
    assert missing == [clock for clock in range(start, end) if clock not in clocks]


@given(added=ranges)
def test_range_set_is_sorted_with_gaps_between_its_ranges(added: list[tuple[int, int]]) -> None:
    held = RangeSet()

    for start, length in added:
        held.add(start, start + length)

    bounds = [bound for pair in zip(held.starts, held.ends, strict=True) for bound in pair]
    assert bounds == sorted(set(bounds))


@pytest.mark.rule("PLACE-7")
@given(lengths=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=20))
def test_index_finds_the_place_of_every_clock(lengths: list[tuple[int, int]]) -> None:
    places = Places(outpatient())
    known = [places.at("vitals", "pulse"), places.at("assessment.notes", None), VOID]
    index = FieldIndex()
    wanted = []

    for length, which in lengths:
        index.extend(5000, len(wanted), length, known[which])
        wanted += [known[which]] * length

    assert [index.place_of((5000, clock)) for clock in range(len(wanted))] == wanted
    assert index.place_of((5000, len(wanted))) is None
    runs = list(index.runs(5000, 0, 1000))
    assert [place for start, end, place in runs for _ in range(start, end)] == wanted


def test_draft_knows_nothing_before_its_beginning() -> None:
    draft = FieldIndex()
    draft.begin(5000, 10)
    draft.extend(5000, 10, 2, VOID)

    assert draft.place_of((5000, 9)) is None
    assert draft.place_of((5000, 10)) is VOID


def test_place_is_one_object_for_one_field() -> None:
    places = Places(outpatient())

    assert places.at("vitals", "pulse") is places.at("vitals", "pulse")
    assert places.at("vitals", "unheard_of") is VOID


def test_place_that_nobody_uses_is_forgotten_and_a_used_one_stays() -> None:
    places = Places(outpatient())
    unused, used = places.at("prescriptions", ulid(1)), places.at("prescriptions", ulid(2))

    places.forget_unused({used})

    assert places.at("prescriptions", ulid(2)) is used
    assert places.at("prescriptions", ulid(1)) is not unused


@pytest.mark.rule("GATE-12")
def test_pairs_are_found_by_their_first_half() -> None:
    index = FieldIndex()

    index.mark_pairs(5000, 3, "é😀漢😀")

    assert [clock for clock in range(12) if index.is_pair_start(5000, clock)] == [4, 7]
