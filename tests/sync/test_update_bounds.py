"""Bounds on updates: clocks, ids, counts, nesting, and work for nothing (gate.md, section 7)."""

from collections.abc import Callable

import pytest

from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedFrame, MalformedUpdate
from sync.structs import Deletes, StructsByClient
from sync.update import Update, decode_steps, decode_update, encode_update
from tests.support.update_bytes import (
    ROOT_MAP_KEY,
    ROOT_TEXT,
    any_struct,
    delete_set,
    of_struct,
    section,
    uint,
    update,
)
from tests.support.work import lines_run

BOUNDS = Bounds()
NULL = b"\x7e"
GC = b"\x00\x01"
DELETES_NOTHING = b"\x00"


def decoded(data: bytes, bounds: Bounds = BOUNDS) -> Update:
    return decode_update(data, bounds)


def refused(data: bytes, bounds: Bounds = BOUNDS) -> None:
    with pytest.raises(MalformedUpdate):
        decode_update(data, bounds)


def refused_as_too_large(data: bytes, bounds: Bounds = BOUNDS) -> None:
    with pytest.raises(FrameTooLarge):
        decode_update(data, bounds)


def parts(update_: Update) -> tuple[StructsByClient, Deletes]:
    return update_.structs, update_.deletes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(of_struct(b"\x00" + uint(2**31)), id="length of a GC struct"),
        pytest.param(of_struct(b"\x00" + uint(2**53 - 1)), id="length of 2^53-1"),
        pytest.param(of_struct(b"\x0a" + uint(2**53 - 1)), id="length of a Skip struct"),
        pytest.param(of_struct(b"\x01" + ROOT_TEXT + uint(2**53 - 1)), id="length of a deletion"),
        pytest.param(update(section(GC, clock=2**31 - 1)), id="end of a struct"),
        pytest.param(update(section(GC, clock=2**53 - 1)), id="clock of 2^53-1"),
        pytest.param(update(section(b"\x00" + uint(2**30), b"\x00" + uint(2**30))), id="sum"),
        pytest.param(of_struct(b"\x88\x07" + uint(2**31) + b"\x01" + NULL), id="origin"),
        pytest.param(of_struct(b"\x48\x07" + uint(2**31) + b"\x01" + NULL), id="right origin"),
        pytest.param(of_struct(b"\x08\x00\x07" + uint(2**31) + b"\x01" + NULL), id="parent"),
        pytest.param(update(deletes=delete_set((5, [(2**31 - 1, 1)]))), id="end of a range"),
        pytest.param(update(deletes=delete_set((5, [(0, 2**53 - 1)]))), id="length of a range"),
    ],
)
def test_clocks_that_yrs_would_wrap_around_are_refused(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize("client", [2**53, 2**56, 2**63])
def test_client_ids_beyond_53_bits_are_refused(client: int) -> None:
    refused(update(section(GC, client=client)))
    refused(update(deletes=delete_set((client, [(0, 1)]))))
    refused(of_struct(b"\x88" + uint(client) + b"\x00\x01" + NULL))


def test_a_client_id_above_the_bound_is_refused_wherever_it_stands() -> None:
    bounds = Bounds(max_client_id=2**32 - 1)
    client = uint(2**32)

    refused(update(section(GC, client=2**32)), bounds)
    refused(update(deletes=delete_set((2**32, [(0, 1)]))), bounds)
    refused(of_struct(b"\x88" + client + b"\x00\x01" + NULL), bounds)
    refused(of_struct(b"\x48" + client + b"\x00\x01" + NULL), bounds)
    refused(of_struct(b"\x08\x00" + client + b"\x00\x01" + NULL), bounds)


def test_an_update_larger_than_a_frame_is_refused() -> None:
    refused_as_too_large(update(section(GC)), Bounds(max_frame_bytes=5))


def test_structs_are_counted_over_all_clients() -> None:
    data = update(section(GC, GC), section(GC, GC, client=6))

    assert decoded(data, Bounds(max_structs=4))
    refused_as_too_large(data, Bounds(max_structs=3))


def test_delete_ranges_are_counted_over_all_clients() -> None:
    data = update(deletes=delete_set((5, [(0, 1), (2, 1)]), (6, [(0, 1), (2, 1)])))

    assert decoded(data, Bounds(max_delete_ranges=4))
    refused_as_too_large(data, Bounds(max_delete_ranges=3))


def test_entries_of_values_are_counted_over_all_structs() -> None:
    data = update(section(any_struct(NULL, NULL), any_struct(b"\x75\x02\x7e\x7e")))

    assert decoded(data, Bounds(max_value_items=4))
    refused_as_too_large(data, Bounds(max_value_items=3))


def test_entries_of_json_are_counted_with_those_of_values() -> None:
    embed = b"\x05" + ROOT_TEXT + b"\x0b[[1,2],[] ]"
    data = update(section(embed, any_struct(b"\x75\x02\x7e\x7e"), embed))

    assert decoded(data, Bounds(max_value_items=12))
    refused_as_too_large(data, Bounds(max_value_items=11))


def test_names_are_bounded() -> None:
    name = uint(9) + b"x" * 9
    bounds = Bounds(max_name_bytes=8)

    for struct in (
        b"\x08\x01" + name + b"\x01" + NULL,
        b"\x28\x01\x01m" + name + b"\x01" + NULL,
        b"\x06" + ROOT_TEXT + name + b"\x04true",
        b"\x07" + ROOT_TEXT + b"\x03" + name,
        b"\x09" + ROOT_TEXT + name + b"\x76\x00",
    ):
        assert decoded(of_struct(struct))
        refused_as_too_large(of_struct(struct), bounds)


@pytest.mark.parametrize("levels", [33, 1000, 20_000, 100_000])
@pytest.mark.parametrize("opening", [b"\x75\x01", b"\x76\x01\x01a"], ids=["array", "object"])
def test_a_value_nested_too_deeply_is_refused_without_recursion(
    opening: bytes, levels: int
) -> None:
    value = opening * levels + NULL

    refused_as_too_large(of_struct(any_struct(value)))
    refused_as_too_large(of_struct(any_struct(NULL, value)))
    refused_as_too_large(of_struct(b"\x09" + ROOT_TEXT + b"\x01g" + value))


@pytest.mark.parametrize("levels", [33, 1000, 20_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '["\\"",'])
def test_json_nested_too_deeply_is_refused_without_recursion(opening: str, levels: int) -> None:
    raw = uint(len(opening) * levels) + opening.encode() * levels

    refused_as_too_large(of_struct(b"\x05" + ROOT_TEXT + raw))
    refused_as_too_large(of_struct(b"\x06" + ROOT_TEXT + b"\x01b" + raw))
    refused_as_too_large(of_struct(b"\x02" + ROOT_TEXT + b"\x01" + raw))


def test_brackets_inside_json_strings_do_not_nest() -> None:
    text = ('["' + "[{" * 1000 + '\\"[",{"}":"]"}]').encode()

    assert decoded(of_struct(b"\x05" + ROOT_TEXT + uint(len(text)) + text))


def test_json_quotes_that_never_close_cost_linear_time() -> None:
    text = b"[" * 40 + b'"' + b'\\"' * 1_000_000

    # quadratic scanning of this text takes an hour
    with pytest.raises(MalformedFrame):
        decode_update(of_struct(b"\x05" + ROOT_TEXT + uint(len(text)) + text), BOUNDS)


CLAIMS = [100, 20_000, 2**31, 2**50, 2**53 - 1]


@pytest.mark.rule("WIRE-4")
@pytest.mark.parametrize("claimed", CLAIMS)
@pytest.mark.parametrize(
    "crafted",
    [
        pytest.param(lambda n: uint(n) + section(GC) + DELETES_NOTHING, id="sections"),
        pytest.param(lambda n: update(section(GC, count=n)), id="structs"),
        pytest.param(lambda n: update(deletes=uint(n) + b"\x05\x01\x00\x01"), id="delete sections"),
        pytest.param(lambda n: update(deletes=b"\x01\x05" + uint(n) + b"\x00\x01"), id="ranges"),
        pytest.param(lambda n: of_struct(b"\x28" + ROOT_MAP_KEY + uint(n) + NULL), id="values"),
        pytest.param(lambda n: of_struct(b"\x02" + ROOT_TEXT + uint(n) + b"\x011"), id="JSON"),
        pytest.param(lambda n: of_struct(b"\x03" + ROOT_TEXT + uint(n) + b"x"), id="binary"),
        pytest.param(lambda n: of_struct(b"\x04" + ROOT_TEXT + uint(n) + b"x"), id="text"),
        pytest.param(lambda n: of_struct(b"\x08\x01" + uint(n) + b"m\x01" + NULL), id="name"),
        pytest.param(lambda n: of_struct(any_struct(b"\x75" + uint(n) + NULL)), id="array"),
        pytest.param(lambda n: of_struct(any_struct(b"\x76" + uint(n) + NULL)), id="object"),
    ],
)
def test_a_claimed_count_or_length_is_refused_at_once(
    crafted: Callable[[int], bytes], claimed: int
) -> None:
    data = crafted(claimed)

    with pytest.raises(MalformedFrame):
        decode_update(data, BOUNDS)
    assert lines_run(lambda: decode_update(data, BOUNDS)) < 250


def test_a_struct_or_range_of_giant_length_costs_what_its_bytes_cost() -> None:
    data = update(section(b"\x00" + uint(2**30)), deletes=delete_set((6, [(0, 2**30)])))

    assert decoded(data).structs[5][0].length == 2**30
    assert lines_run(lambda: encode_update(*parts(decoded(data)))) < 500


@pytest.mark.rule("WIRE-4")
@pytest.mark.parametrize(
    "crafted",
    [
        pytest.param(lambda n: update(section(*[GC] * n)), id="structs"),
        pytest.param(lambda n: update(*[section(GC, client=i) for i in range(n)]), id="clients"),
        pytest.param(lambda n: of_struct(any_struct(*[NULL] * n)), id="values"),
        pytest.param(
            lambda n: update(deletes=delete_set((5, [(2 * i, 1) for i in range(n)]))), id="ranges"
        ),
        pytest.param(
            lambda n: update(deletes=delete_set((5, [(2 * i, 1) for i in range(n)][::-1]))),
            id="unsorted",
        ),
    ],
)
def test_work_is_linear_in_the_bytes(crafted: Callable[[int], bytes]) -> None:
    def work(n: int) -> int:
        data = crafted(n)
        return lines_run(lambda: encode_update(*parts(decoded(data))))

    assert work(2000) <= 2.2 * work(1000)


def test_decoding_in_steps_breathes_after_every_so_many_structs_of_any_client() -> None:
    data = update(*[section(GC, GC, GC, client=i) for i in range(10)])

    steps = decode_steps(data, BOUNDS, every=4)
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result = done.value
            break
        pauses += 1

    assert result == decoded(data)
    assert pauses == 7
