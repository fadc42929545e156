"""What is written: one canonical form that decodes to the same structs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedFrame, MalformedUpdate
from sync.structs import Deletes, Kind, Struct, StructsByClient
from sync.update import (
    Update,
    decode_state_vector,
    decode_update,
    encode_state_vector,
    encode_update,
)
from tests.support.update_bytes import of_struct, uint
from tests.support.update_strategies import clocks, deletes, struct_sections

BOUNDS = Bounds()
NULL = b"\x7e"
GC = b"\x00\x01"
ORIGIN = b"\x07\x03"


def decoded(data: bytes, bounds: Bounds = BOUNDS) -> Update:
    return decode_update(data, bounds)


@given(struct_sections(), deletes)
def test_what_was_encoded_decodes_to_the_same_structs(
    structs: StructsByClient, ranges: Deletes
) -> None:
    data = encode_update(structs, ranges)

    update_ = decode_update(data, BOUNDS)

    # repr, because to Python 1 == 1.0 == True and nan != nan
    assert repr(sorted(update_.structs.items())) == repr(sorted(structs.items()))
    assert sorted(update_.deletes.items()) == sorted(ranges.items())
    assert encode_update(update_.structs, update_.deletes) == data


def test_clients_are_written_in_descending_order_whatever_the_order_given() -> None:
    def encoded(*clients: int) -> bytes:
        structs = {client: [Struct(client, 0, 1, Kind.GC)] for client in clients}
        return encode_update(structs, {client: [(9, 1)] for client in clients})

    data = encoded(3, 200, 7)

    assert data == encoded(200, 7, 3) == encoded(7, 3, 200)
    assert list(decoded(data).structs) == list(decoded(data).deletes) == [200, 7, 3]


def test_clients_without_structs_or_ranges_are_not_written() -> None:
    assert encode_update({5: []}, {5: []}) == b"\x00\x00"


def test_the_key_is_not_written_when_origins_imply_it() -> None:
    struct = Struct(5, 0, 1, Kind.ANY, (None,), origin=(7, 3), parent="m", key="k")

    assert encode_update({5: [struct]}, {}) == of_struct(b"\xa8" + ORIGIN + b"\x01" + NULL)


@pytest.mark.parametrize(
    "struct",
    [
        pytest.param(Struct(5, 0, 1, Kind.ANY, (None,)), id="no parent"),
        pytest.param(Struct(5, 0, 1, Kind.ANY, (None,), parent="m", keyed=True), id="no key"),
        pytest.param(Struct(5, 0, 1, 11, None, parent="m"), id="unknown kind"),
    ],
)
def test_a_struct_that_no_decoder_returns_is_not_written(struct: Struct) -> None:
    with pytest.raises(ValueError, match="struct"):
        encode_update({5: [struct]}, {})


@given(st.dictionaries(st.integers(0, 2**53 - 1), clocks, max_size=8))
def test_state_vectors_survive_encoding(vector: dict[int, int]) -> None:
    data = encode_state_vector(vector)

    assert decode_state_vector(data, BOUNDS) == vector


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x01\x05", id="cut off"),
        pytest.param(b"\x00\x00", id="bytes after it"),
        pytest.param(b"\x02\x05\x01\x05\x02", id="repeated client"),
        pytest.param(b"\x81\x00\x05\x01", id="not shortest"),
        pytest.param(b"\x01\x05" + uint(2**31), id="giant clock"),
        pytest.param(b"\x01" + uint(2**53) + b"\x01", id="giant client"),
        pytest.param(uint(2**50) + b"\x05\x01", id="giant count"),
    ],
)
def test_malformed_state_vectors_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        decode_state_vector(data, BOUNDS)


def test_state_vectors_are_bounded() -> None:
    data = encode_state_vector({1: 1, 2: 1, 3: 1})

    with pytest.raises(FrameTooLarge):
        decode_state_vector(data, Bounds(max_state_vector_entries=2))


@given(st.binary(max_size=30))
def test_no_bytes_of_a_state_vector_raise_anything_but_malformed(data: bytes) -> None:
    try:
        vector = decode_state_vector(data, BOUNDS)
    except MalformedFrame:
        return
    assert decode_state_vector(encode_state_vector(vector), BOUNDS) == vector
