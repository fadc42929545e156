"""Lengths and slices of structs, as yjs counts and cuts them."""

import pytest
from hypothesis import given

from sync.structs import Kind, Struct
from sync.update import slice_struct, utf16_length
from tests.support.update_strategies import texts

GC = b"\x00\x01"


@given(texts)
def test_the_length_of_a_text_is_the_one_that_javascript_counts(text: str) -> None:
    assert utf16_length(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@pytest.mark.parametrize(
    ("offset", "rest"),
    [(1, "😀b"), (2, "\ufffdb"), (3, "b")],
)
def test_a_text_cut_inside_a_surrogate_pair_starts_with_a_replacement(
    offset: int, rest: str
) -> None:
    struct = Struct(5, 10, 4, Kind.STRING, "a😀b", parent="t")

    assert slice_struct(struct, offset) == Struct(
        5, 10 + offset, 4 - offset, Kind.STRING, rest, origin=(5, 9 + offset)
    )


def test_a_slice_keeps_its_right_origin_and_key_bit_and_drops_its_parent() -> None:
    struct = Struct(5, 0, 3, Kind.DELETED, None, None, (7, 3), None, None, True)

    assert slice_struct(struct, 2) == Struct(
        5, 2, 1, Kind.DELETED, None, (5, 1), (7, 3), None, None, True
    )


def test_values_are_sliced_by_clocks() -> None:
    struct = Struct(5, 0, 3, Kind.ANY, (1, [2], None), parent="a")

    assert slice_struct(struct, 1).content == ([2], None)


@pytest.mark.parametrize("kind", [Kind.GC, Kind.SKIP])
def test_slices_of_gc_and_skip_structs_have_no_origin(kind: int) -> None:
    assert slice_struct(Struct(5, 0, 9, kind), 4) == Struct(5, 4, 5, kind)


@pytest.mark.parametrize("offset", [-1, 0, 3, 4])
def test_a_slice_starts_inside_the_struct(offset: int) -> None:
    with pytest.raises(ValueError, match="inside"):
        slice_struct(Struct(5, 0, 3, Kind.GC), offset)
