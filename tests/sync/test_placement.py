"""Placing structs: which field each one belongs to."""

from collections.abc import Generator
from typing import TypeVar

import pytest

from sync.errors import ForeignClientId
from sync.fields import FieldIndex, Places
from sync.place import VOID
from sync.placed import Gap, Placement
from sync.placement import STEP, check_owners, place_structs
from sync.structs import Struct
from tests.support.crafting import insertion, update_of, writing
from tests.support.people import outpatient

T = TypeVar("T")


def run(steps: Generator[None, None, T]) -> tuple[T, int]:
    """The result and how often it paused."""
    pauses = 0
    while True:
        try:
            next(steps)
            pauses += 1
        except StopIteration as done:
            result: T = done.value
            return result, pauses


def place(*structs: Struct, index: FieldIndex | None = None) -> Placement | Gap:
    places = Places(outpatient())
    return run(place_structs(update_of(*structs), index or FieldIndex(), places))[0]


def placed(*structs: Struct) -> list[str]:
    result = place(*structs)
    assert isinstance(result, Placement)
    return [one.place.name for one in result.placed]


@pytest.mark.rule("PLACE-1")
def test_struct_without_neighbours_is_placed_by_its_parent_and_key() -> None:
    assert placed(writing(5000, 0, 70), insertion(5000, 1, "x")) == [
        "vitals.pulse", "assessment.notes",
    ]  # fmt: skip


@pytest.mark.rule("PLACE-1")
def test_struct_with_neighbours_is_placed_where_they_are() -> None:
    names = placed(
        writing(5000, 0, 70), writing(5000, 1, 71, origin=(5000, 0)),
        insertion(5000, 2, "b"), insertion(5000, 3, "a", right_origin=(5000, 2)),
    )  # fmt: skip

    assert names == ["vitals.pulse"] * 2 + ["assessment.notes"] * 2


@pytest.mark.rule("PLACE-2")
def test_only_the_unknown_part_of_a_struct_is_placed() -> None:
    index = FieldIndex()
    notes = Places(outpatient()).at("assessment.notes", None)
    index.extend(5000, 0, 3, notes)

    result = place(insertion(5000, 0, "abcde"), index=index)

    assert isinstance(result, Placement)
    assert [(one.struct.clock, one.struct.content) for one in result.placed] == [(3, "de")]


@pytest.mark.rule("PLACE-2")
def test_known_structs_are_not_placed_again() -> None:
    index = FieldIndex()
    index.extend(5000, 0, 3, VOID)

    result = place(insertion(5000, 0, "abc"), index=index)

    assert isinstance(result, Placement)
    assert result.placed == []


@pytest.mark.rule("PLACE-4")
@pytest.mark.parametrize("first", [5000, 6000])
def test_structs_of_two_clients_are_placed_in_the_order_in_which_they_hang(first: int) -> None:
    structs = [
        writing(5000, 0, 70), writing(6000, 0, 71, origin=(5000, 0)),
        writing(5000, 1, 72, origin=(6000, 0)), writing(6000, 1, 73, origin=(5000, 1)),
    ]  # fmt: skip

    result = place(*sorted(structs, key=lambda s: (s.client != first, s.clock)))

    assert isinstance(result, Placement)
    assert [one.struct for one in result.placed] == structs


@pytest.mark.rule("ROOM-6")
def test_large_update_is_placed_in_steps() -> None:
    update = update_of(*(writing(5000, n, 70, key=f"k{n}") for n in range(3 * STEP)))

    _, pauses = run(place_structs(update, FieldIndex(), Places(outpatient())))

    assert pauses == 3


@pytest.mark.rule("IDENT-1")
def test_client_id_that_is_used_first_becomes_the_authors() -> None:
    assert check_owners(update_of(writing(5000, 0, 70)), FieldIndex(), {}, "N") == [5000]


@pytest.mark.rule("IDENT-1")
def test_known_structs_of_a_colleague_are_no_offence() -> None:
    index = FieldIndex()
    index.extend(5000, 0, 1, VOID)

    assert check_owners(update_of(writing(5000, 0, 70)), index, {5000: "M"}, "N") == []


@pytest.mark.rule("IDENT-2")
def test_new_struct_under_a_reserved_id_is_foreign_even_if_nobody_used_it() -> None:
    with pytest.raises(ForeignClientId):
        check_owners(update_of(writing(1023, 0, 70)), FieldIndex(), {}, "N")
