"""Whatever the bytes: an update is accepted canonically or refused as malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.bounds import Bounds
from sync.errors import MalformedFrame
from sync.structs import Deletes, StructsByClient
from sync.update import decode_update, encode_update
from tests.support.update_strategies import deletes, struct_sections
from tests.support.yjs_vectors import updates

BOUNDS = Bounds()
NAMED = [pytest.param(data, id=name) for name, data in updates()]


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_malformed(data: bytes) -> None:
    assert_accepted_canonically_or_malformed(data)


@given(struct_sections(), deletes, st.data())
def test_no_damaged_update_raises_anything_but_malformed(
    structs: StructsByClient, ranges: Deletes, data: st.DataObject
) -> None:
    damaged = bytearray(encode_update(structs, ranges))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        if not damaged:
            break

    assert_accepted_canonically_or_malformed(bytes(damaged))


@pytest.mark.parametrize("data", NAMED)
def test_no_truncated_vector_is_accepted(data: bytes) -> None:
    for end in range(0, len(data), max(1, len(data) // 300)):
        with pytest.raises(MalformedFrame):
            decode_update(data[:end], BOUNDS)


@pytest.mark.parametrize("data", NAMED)
def test_no_vector_with_a_changed_byte_raises_anything_but_malformed(data: bytes) -> None:
    for place in range(len(data) if len(data) < 300 else 60):
        for byte in (0, 1, 0x7F, 0x80, 0xFF, data[place] ^ 1, data[place] ^ 0x20):
            changed = data[:place] + bytes((byte,)) + data[place + 1 :]
            assert_accepted_canonically_or_malformed(changed)


def assert_accepted_canonically_or_malformed(data: bytes) -> None:
    try:
        update_ = decode_update(data, BOUNDS)
    except MalformedFrame:
        return
    canonical = encode_update(update_.structs, update_.deletes)
    again = decode_update(canonical, BOUNDS)
    assert encode_update(again.structs, again.deletes) == canonical
    assert repr(sorted(again.structs.items())) == repr(sorted(update_.structs.items()))
