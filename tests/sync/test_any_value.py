"""lib0's "any" values: nothing lost, nothing deep, nothing claimed."""

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.any_value import AnyValue, decode_any, encode_any
from sync.errors import FrameTooLarge, MalformedFrame, MalformedUpdate
from sync.structs import UNDEFINED, BigInt
from tests.support.update_bytes import uint
from tests.support.update_strategies import any_values
from tests.support.work import lines_run
from tests.support.yjs_vectors import load, unspell

DEPTH = 32
ITEMS = 1000


@pytest.mark.parametrize(("spelled", "encoding"), load("primitives.json")["any"])
def test_what_lib0_writes_is_read_as_the_same_value_and_written_as_the_same_bytes(
    spelled: object, encoding: str
) -> None:
    value = decode_any(bytes.fromhex(encoding), DEPTH, ITEMS)

    assert value == unspell(spelled) or (value != value and repr(unspell(spelled)) == "nan")
    assert encode_any(value).hex() == encoding


@given(any_values)
@example(-0.0)
@example(math.nan)
@example([1, 1.0, True])
def test_every_value_survives_encoding_with_its_type(value: AnyValue) -> None:
    encoding = encode_any(value)

    decoded = decode_any(encoding, DEPTH, ITEMS)

    # repr, because to Python 1 == 1.0 == True and nan != nan
    assert repr(decoded) == repr(value)
    assert encode_any(decoded) == encoding


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_malformed(data: bytes) -> None:
    try:
        value = decode_any(data, DEPTH, ITEMS)
    except MalformedFrame:
        return

    assert repr(decode_any(encode_any(value), DEPTH, ITEMS)) == repr(value)


def test_an_integer_stays_an_integer_and_a_float_a_float() -> None:
    assert encode_any(1) == b"\x7d\x01"
    assert encode_any(1.0) == b"\x7c" + struct.pack(">f", 1.0)
    assert encode_any(0.1) == b"\x7b" + struct.pack(">d", 0.1)
    assert encode_any(1e300) == b"\x7b" + struct.pack(">d", 1e300)


def test_minus_zero_is_the_integer_that_lib0_writes_for_it() -> None:
    assert encode_any(-0.0) == b"\x7d\x40"
    assert math.copysign(1, decode_any(b"\x7d\x40", DEPTH, ITEMS)) == -1  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", [0, 1, 100, 115, 128, 255])
def test_unknown_tags_are_refused(tag: int) -> None:
    with pytest.raises(MalformedUpdate):
        decode_any(bytes((tag, 0, 0, 0, 0, 0, 0, 0, 0)), DEPTH, ITEMS)


@pytest.mark.parametrize("encoding", [b"\x7e\x7e", b"\x77\x01ab", b"\x75\x00\x00"])
def test_bytes_after_the_value_are_refused(encoding: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        decode_any(encoding, DEPTH, ITEMS)


def test_an_object_that_repeats_a_key_is_refused() -> None:
    with pytest.raises(MalformedUpdate):
        decode_any(b"\x76\x02\x01a\x7d\x01\x01a\x7d\x02", DEPTH, ITEMS)


def test_an_object_that_would_replace_its_prototype_in_javascript_is_refused() -> None:
    with pytest.raises(MalformedUpdate):
        decode_any(b"\x76\x01\x09__proto__\x76\x00", DEPTH, ITEMS)


@pytest.mark.parametrize("opening", [b"\x75\x01", b"\x76\x01\x01a"], ids=["array", "object"])
@pytest.mark.parametrize("levels", [33, 1000, 20_000, 100_000])
def test_a_value_nested_beyond_the_bound_is_refused_whatever_its_depth(
    opening: bytes, levels: int
) -> None:
    with pytest.raises(FrameTooLarge):
        decode_any(opening * levels + b"\x7e", DEPTH, ITEMS)


@pytest.mark.parametrize("opening", [b"\x75\x01", b"\x76\x01\x01a"], ids=["array", "object"])
def test_a_value_nested_up_to_the_bound_is_accepted(opening: bytes) -> None:
    encoding = opening * DEPTH + b"\x7e"

    assert encode_any(decode_any(encoding, DEPTH, ITEMS)) == encoding


@pytest.mark.parametrize("tag", [0x74, 0x75, 0x76, 0x77], ids=["bytes", "array", "object", "text"])
@pytest.mark.parametrize("claimed", [100, 2**31, 2**50, 2**53 - 1])
def test_a_claimed_count_costs_nothing(tag: int, claimed: int) -> None:
    encoding = bytes((tag,)) + uint(claimed) + b"\x7e\x7e"

    with pytest.raises(MalformedUpdate):
        decode_any(encoding, DEPTH, ITEMS)
    assert lines_run(lambda: decode_any(encoding, DEPTH, ITEMS)) < 100


def test_the_entries_of_all_containers_together_are_bounded() -> None:
    encoding = b"\x75\x02" + (b"\x75" + uint(50) + b"\x75\x00" * 50) * 2

    assert decode_any(encoding, DEPTH, 102)
    with pytest.raises(FrameTooLarge):
        decode_any(encoding, DEPTH, 101)


@pytest.mark.parametrize("value", [2**53, -(2**53)])
def test_an_integer_without_an_exact_javascript_number_is_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="53 bits"):
        encode_any(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j])
def test_what_javascript_does_not_have_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        encode_any(value)


def test_special_values_are_themselves() -> None:
    assert decode_any(b"\x7f", DEPTH, ITEMS) is UNDEFINED
    assert decode_any(b"\x7a" + b"\xff" * 8, DEPTH, ITEMS) == BigInt(-1)
