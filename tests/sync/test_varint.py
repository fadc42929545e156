"""lib0's primitives: one encoding per value, read as lib0 reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import MalformedUpdate
from sync.varint import (
    MAX_SAFE_INTEGER,
    read_bytes,
    read_string,
    read_varint,
    read_varuint,
    varuint,
    write_bytes,
    write_string,
    write_varint,
    write_varuint,
)
from tests.support.update_bytes import uint
from tests.support.yjs_vectors import load, unspell

PRIMITIVES = load("primitives.json")


@pytest.mark.parametrize(("value", "encoding"), PRIMITIVES["varuint"])
def test_unsigned_integers_are_written_and_read_as_lib0_does(value: int, encoding: str) -> None:
    buffer = bytearray()

    write_varuint(buffer, value)

    assert buffer.hex() == encoding
    assert varuint(value).hex() == encoding
    assert read_varuint(bytes(buffer), 0) == (value, len(buffer))


@pytest.mark.parametrize(("spelled", "encoding"), PRIMITIVES["varint"])
def test_signed_integers_are_written_and_read_as_lib0_does(spelled: object, encoding: str) -> None:
    value = unspell(spelled)
    buffer = bytearray()

    write_varint(buffer, value)

    assert buffer.hex() == encoding
    assert repr(read_varint(bytes(buffer), 0)) == repr((value, len(buffer)))


@pytest.mark.parametrize(("value", "encoding"), PRIMITIVES["string"])
def test_strings_are_written_and_read_as_lib0_does(value: str, encoding: str) -> None:
    buffer = bytearray()

    write_string(buffer, value)

    assert buffer.hex() == encoding
    assert read_string(bytes(buffer), 0) == (value, len(buffer))


@given(st.integers(0, MAX_SAFE_INTEGER), st.binary(max_size=3))
def test_every_unsigned_integer_survives_encoding_and_bytes_after_it_are_left(
    value: int, rest: bytes
) -> None:
    encoding = varuint(value)

    assert read_varuint(encoding + rest, 0) == (value, len(encoding))


@given(st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER))
def test_every_signed_integer_survives_encoding(value: int) -> None:
    buffer = bytearray()
    write_varint(buffer, value)

    assert read_varint(bytes(buffer), 0) == (value, len(buffer))


@given(st.binary(max_size=300))
def test_byte_arrays_survive_encoding(value: bytes) -> None:
    buffer = bytearray()
    write_bytes(buffer, value)

    assert read_bytes(bytes(buffer), 0) == (value, len(buffer))


@pytest.mark.parametrize(
    "encoding",
    [
        pytest.param(b"\x80\x00", id="zero in two bytes"),
        pytest.param(b"\x81\x00", id="one in two bytes"),
        pytest.param(b"\xff\x80\x00", id="127 in three bytes"),
        pytest.param(b"\x80" * 8, id="endless"),
        pytest.param(b"\x80" * 100_000 + b"\x01", id="100 kB long"),
        pytest.param(uint(2**53), id="2^53"),
        pytest.param(uint(2**60), id="2^60"),
        pytest.param(uint(2**64), id="2^64"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x80", id="cut off"),
        pytest.param(b"\xff" * 7, id="cut off late"),
    ],
)
def test_unsigned_integers_that_are_not_shortest_or_exceed_53_bits_are_refused(
    encoding: bytes,
) -> None:
    with pytest.raises(MalformedUpdate):
        read_varuint(encoding, 0)


@pytest.mark.parametrize(
    "encoding",
    [
        pytest.param(b"\x80\x00", id="zero in two bytes"),
        pytest.param(b"\xc1\x00", id="minus one in two bytes"),
        pytest.param(b"\xbf\xff\xff\xff\xff\xff\xff\xff\x00", id="zero at the end"),
        pytest.param(b"\x80\x80\x80\x80\x80\x80\x80\x80\x01", id="2^55"),
        pytest.param(b"\x80\x80\x80\x80\x80\x80\x80\x20", id="2^53"),
        pytest.param(b"\x80" * 100_000 + b"\x01", id="100 kB long"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x80", id="cut off"),
    ],
)
def test_signed_integers_that_are_not_shortest_or_exceed_53_bits_are_refused(
    encoding: bytes,
) -> None:
    with pytest.raises(MalformedUpdate):
        read_varint(encoding, 0)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xff", id="no start byte"),
        pytest.param(b"\xc3", id="cut off character"),
        pytest.param(b"\xc0\xaf", id="overlong slash"),
        pytest.param(b"\xed\xa0\xbd", id="high surrogate"),
        pytest.param(b"\xed\xb8\x80", id="low surrogate"),
        pytest.param(b"\xf4\x90\x80\x80", id="beyond Unicode"),
    ],
)
def test_strings_that_are_not_strict_utf8_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedUpdate):
        read_string(varuint(len(raw)) + raw, 0)


@pytest.mark.parametrize("claimed", [2, 2**31, 2**50, MAX_SAFE_INTEGER])
def test_a_length_beyond_the_bytes_that_follow_is_refused(claimed: int) -> None:
    with pytest.raises(MalformedUpdate):
        read_bytes(varuint(claimed) + b"x", 0)


@pytest.mark.parametrize("value", [-1, 2**53])
def test_numbers_that_lib0_could_not_read_are_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="varUint"):
        write_varuint(bytearray(), value)


@pytest.mark.parametrize("value", [2**53, -(2**53), 0.5, 1e300])
def test_signed_numbers_that_lib0_could_not_read_are_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="varInt"):
        write_varint(bytearray(), value)
