"""The update codec on crafted bytes: strict, bounded, canonical (gate.md, section 7)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedFrame, MalformedUpdate
from sync.structs import Deletes, Kind, Struct, StructsByClient
from sync.update import (
    Update,
    decode_state_vector,
    decode_steps,
    decode_update,
    encode_state_vector,
    encode_update,
    merge_deletes,
    slice_struct,
    utf16_length,
)
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
from tests.support.update_strategies import clocks, deletes, struct_sections, texts
from tests.support.work import lines_run
from tests.support.yjs_vectors import updates

BOUNDS = Bounds()
NULL = b"\x7e"
GC = b"\x00\x01"
DELETES_NOTHING = b"\x00"
ORIGIN = b"\x07\x03"


def decoded(data: bytes, bounds: Bounds = BOUNDS) -> Update:
    return decode_update(data, bounds)


def the_struct(data: bytes) -> Struct:
    ((struct,),) = decoded(data).structs.values()
    return struct


def refused(data: bytes, bounds: Bounds = BOUNDS) -> None:
    with pytest.raises(MalformedUpdate):
        decode_update(data, bounds)


def refused_as_too_large(data: bytes, bounds: Bounds = BOUNDS) -> None:
    with pytest.raises(FrameTooLarge):
        decode_update(data, bounds)


# What comes out


def test_a_live_keystroke_is_one_struct_after_its_origin() -> None:
    struct = the_struct(update(section(b"\x84\x05\x06\x02hi", clock=7)))

    assert struct == Struct(5, 7, 2, Kind.STRING, "hi", origin=(5, 6))


def test_a_first_map_value_names_its_root_and_key() -> None:
    struct = the_struct(of_struct(any_struct(b"\x7d\x05")))

    assert struct == Struct(5, 0, 1, Kind.ANY, (5,), parent="m", key="k", keyed=True)


def test_a_struct_can_name_a_nested_parent() -> None:
    struct = the_struct(of_struct(b"\x08\x00\x07\x03\x01" + NULL))

    assert (struct.parent, struct.key, struct.keyed) == ((7, 3), None, False)


def test_the_key_bit_of_a_struct_with_origins_is_kept() -> None:
    keyed = of_struct(b"\xa8" + ORIGIN + b"\x01" + NULL)
    plain = of_struct(b"\x88" + ORIGIN + b"\x01" + NULL)

    assert the_struct(keyed).keyed
    assert not the_struct(plain).keyed
    for data in (keyed, plain):
        assert encode_update(decoded(data).structs, {}) == data


def test_a_text_occupies_as_many_clocks_as_it_has_utf16_units() -> None:
    text = "a😀b漢"

    struct = the_struct(of_struct(b"\x04" + ROOT_TEXT + uint(len(text.encode())) + text.encode()))

    assert (struct.content, struct.length) == (text, 5)


def test_structs_of_one_client_are_contiguous() -> None:
    data = update(section(b"\x00\x05", b"\x0a\x03", any_struct(NULL, NULL), GC, clock=10))

    structs = decoded(data).structs[5]

    assert [(s.clock, s.end, s.kind) for s in structs] == [
        (10, 15, Kind.GC),
        (15, 18, Kind.SKIP),
        (18, 20, Kind.ANY),
        (20, 21, Kind.GC),
    ]


def test_delete_ranges_may_come_unsorted_and_overlapping_and_leave_normalised() -> None:
    ranges = [(10, 2), (4, 3), (0, 2), (12, 1), (5, 1), (2, 1)]

    update_ = decoded(update(deletes=delete_set((5, ranges))))

    assert update_.deletes == {5: [(0, 3), (4, 3), (10, 3)]}


def test_deletes_beyond_every_known_clock_are_decoded_for_the_gate_to_clip() -> None:
    assert decoded(update(deletes=delete_set((5, [(10**6, 1)])))).deletes == {5: [(10**6, 1)]}


# Strictness: one encoding, nothing after it, nothing twice


@pytest.mark.parametrize("extra", [b"\x00", b"\x01", b"\x00\x00", b"\xff" * 9])
def test_bytes_after_the_update_are_refused(extra: bytes) -> None:
    refused(update(section(GC)) + extra)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x00\x00", id="count of sections"),
        pytest.param(b"\x01\x81\x00\x05\x00" + GC + DELETES_NOTHING, id="count of structs"),
        pytest.param(b"\x01\x01\x85\x00\x00" + GC + DELETES_NOTHING, id="client"),
        pytest.param(b"\x01\x01\x05\x80\x00" + GC + DELETES_NOTHING, id="clock"),
        pytest.param(of_struct(b"\x00\x81\x00"), id="length of a GC struct"),
        pytest.param(of_struct(b"\x88\x87\x00\x03\x01" + NULL), id="client of an origin"),
        pytest.param(of_struct(b"\x88\x07\x83\x00\x01" + NULL), id="clock of an origin"),
        pytest.param(of_struct(b"\x48\x07\x83\x00\x01" + NULL), id="clock of a right origin"),
        pytest.param(of_struct(b"\x08\x81\x00\x01m\x01" + NULL), id="parent info"),
        pytest.param(of_struct(b"\x08\x01\x81\x00m\x01" + NULL), id="length of a root's name"),
        pytest.param(of_struct(b"\x08\x01\x01m\x81\x00" + NULL), id="count of values"),
        pytest.param(of_struct(b"\x04\x01\x01m\x81\x00x"), id="length of a text"),
        pytest.param(of_struct(b"\x07\x01\x01m\x81\x00"), id="type"),
        pytest.param(update(deletes=b"\x81\x00\x05\x01\x00\x01"), id="count of delete sections"),
        pytest.param(update(deletes=b"\x01\x85\x00\x01\x00\x01"), id="client of a delete section"),
        pytest.param(update(deletes=b"\x01\x05\x81\x00\x00\x01"), id="count of ranges"),
        pytest.param(update(deletes=b"\x01\x05\x01\x80\x00\x01"), id="clock of a range"),
        pytest.param(update(deletes=b"\x01\x05\x01\x00\x81\x00"), id="length of a range"),
    ],
)
def test_a_number_that_is_not_in_its_shortest_form_is_refused_wherever_it_stands(
    data: bytes,
) -> None:
    refused(data)


def test_two_sections_of_one_client_are_refused() -> None:
    refused(update(section(GC), section(GC, client=6), section(GC, clock=1)))


def test_two_delete_sections_of_one_client_are_refused() -> None:
    refused(update(deletes=delete_set((5, [(0, 1)]), (6, [(0, 1)]), (5, [(3, 1)]))))


def test_a_section_without_structs_is_refused() -> None:
    refused(update(section(), section(GC, client=6)))


def test_a_delete_section_without_ranges_is_refused() -> None:
    refused(update(deletes=delete_set((5, []), (6, [(0, 1)]))))


@pytest.mark.parametrize(
    "struct",
    [
        pytest.param(b"\x00\x00", id="GC"),
        pytest.param(b"\x0a\x00", id="Skip"),
        pytest.param(b"\x21" + ROOT_MAP_KEY + b"\x00", id="deleted"),
        pytest.param(b"\x02" + ROOT_TEXT + b"\x00", id="JSON"),
        pytest.param(b"\x04" + ROOT_TEXT + b"\x00", id="text"),
        pytest.param(any_struct(), id="any"),
    ],
)
def test_a_struct_of_no_clocks_is_refused(struct: bytes) -> None:
    refused(of_struct(struct + b"\x00"))
    refused(of_struct(struct))


def test_an_empty_delete_range_is_refused() -> None:
    refused(update(deletes=delete_set((5, [(3, 0)]))))


@pytest.mark.parametrize("flags", [0x20, 0x40, 0x80, 0xE0])
@pytest.mark.parametrize("kind", [Kind.GC, Kind.SKIP])
def test_a_gc_or_skip_struct_with_flags_is_refused(kind: int, flags: int) -> None:
    refused(of_struct(bytes((kind | flags, 1))))
    refused(of_struct(bytes((kind | flags,)) + ORIGIN + b"\x01"))
    refused(of_struct(bytes((kind | flags,)) + ROOT_MAP_KEY + b"\x01"))


@pytest.mark.parametrize("kind", range(11, 32))
def test_unknown_content_kinds_are_refused(kind: int) -> None:
    refused(of_struct(bytes((kind,)) + ROOT_TEXT + b"\x01\x00\x00"))
    refused(of_struct(bytes((kind | 0x80,)) + ORIGIN + b"\x01\x00\x00"))


@pytest.mark.parametrize("ref", [7, 8, 9, 15, 127, 2**40])
def test_unknown_shared_types_are_refused(ref: int) -> None:
    refused(of_struct(b"\x07" + ROOT_TEXT + uint(ref)))


@pytest.mark.parametrize("named", [2, 3, 127, 300])
def test_a_parent_that_is_neither_root_nor_struct_is_refused(named: int) -> None:
    refused(of_struct(b"\x08" + uint(named) + b"\x01m\x01" + NULL))


@pytest.mark.parametrize(
    "raw", [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\xbd", b"\xed\xb8\x80\xed\xa0\xbd"]
)
@pytest.mark.parametrize(
    "struct",
    [
        pytest.param(lambda s: b"\x04" + ROOT_TEXT + s, id="text"),
        pytest.param(lambda s: b"\x08\x01" + s + b"\x01" + NULL, id="root"),
        pytest.param(lambda s: b"\x28\x01\x01m" + s + b"\x01" + NULL, id="key"),
        pytest.param(lambda s: any_struct(b"\x77" + s), id="value"),
        pytest.param(lambda s: any_struct(b"\x76\x01" + s + NULL), id="key in a value"),
        pytest.param(lambda s: b"\x05" + ROOT_TEXT + s, id="embed"),
        pytest.param(lambda s: b"\x06" + ROOT_TEXT + s + b"\x04true", id="format key"),
        pytest.param(lambda s: b"\x07" + ROOT_TEXT + b"\x03" + s, id="node name"),
        pytest.param(lambda s: b"\x09" + ROOT_TEXT + s + b"\x76\x00", id="subdocument"),
    ],
)
def test_text_that_is_not_strict_utf8_is_refused_wherever_it_stands(
    struct: Callable[[bytes], bytes], raw: bytes
) -> None:
    refused(of_struct(struct(uint(len(raw)) + raw)))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "tru",
            "undefined",
            "NaN",
            "Infinity",
            "-Infinity",
            "01",
            "+1",
            ".5",
            "1.",
            "'a'",
        ),
        *(
            '"',
            '"\\x41"',
            '"\n"',
            '"\\ud800"',
            '{"\\udc00":1}',
            "[1,]",
            "[",
            "{}{}",
            '{"a":1,"a":2}',
        ),
        *('{"__proto__":{}}', "1e400", "-1e999", "9" * 5000, "\ufeff1", "\u00a01", "1 //"),
    ],
)
def test_json_that_a_strict_parser_refuses_is_refused(text: str) -> None:
    raw = uint(len(text.encode())) + text.encode()

    refused(of_struct(b"\x05" + ROOT_TEXT + raw))
    refused(of_struct(b"\x06" + ROOT_TEXT + b"\x01b" + raw))
    if text != "undefined":
        refused(of_struct(b"\x02" + ROOT_TEXT + b"\x01" + raw))


@pytest.mark.parametrize(
    "text", ["null", "0", "-1.5e-7", '"\\ud83d\\ude00"', '{"a":[{},[]]}', "123456789012345680000"]
)
def test_json_is_kept_as_the_text_that_came(text: str) -> None:
    struct = the_struct(of_struct(b"\x05" + ROOT_TEXT + uint(len(text)) + text.encode()))

    assert struct.content == text


@pytest.mark.parametrize("options", [NULL, b"\x7f", b"\x75\x00", b"\x78", b"\x77\x01a"])
def test_a_subdocument_without_an_options_object_is_refused(options: bytes) -> None:
    refused(of_struct(b"\x09" + ROOT_TEXT + b"\x01g" + options))


# Bounds


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


# Work


CLAIMS = [100, 20_000, 2**31, 2**50, 2**53 - 1]


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


def parts(update_: Update) -> tuple[StructsByClient, Deletes]:
    return update_.structs, update_.deletes


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


# Encoding


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


# Whatever the bytes


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


@pytest.mark.parametrize(("name", "data"), updates(), ids=lambda value: str(value)[:40])
def test_no_truncated_vector_is_accepted(name: str, data: bytes) -> None:
    for end in range(0, len(data), max(1, len(data) // 300)):
        with pytest.raises(MalformedFrame):
            decode_update(data[:end], BOUNDS)


@pytest.mark.parametrize(("name", "data"), updates(), ids=lambda value: str(value)[:40])
def test_no_vector_with_a_changed_byte_raises_anything_but_malformed(
    name: str, data: bytes
) -> None:
    for place in range(min(len(data), 200)):
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


# State vectors


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


# Ranges, slices, lengths


@given(deletes, deletes)
def test_merged_deletes_hold_the_clocks_of_both(a: Deletes, b: Deletes) -> None:
    merged = merge_deletes(a, b)

    for client in a.keys() | b.keys():
        expected = clocks_of(a.get(client, [])) | clocks_of(b.get(client, []))
        assert clocks_of(merged[client]) == expected
        ends = [clock + length for clock, length in merged[client]]
        starts = [clock for clock, _ in merged[client]]
        assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


def clocks_of(ranges: list[tuple[int, int]]) -> set[int]:
    return {clock + i for clock, length in ranges for i in range(length)}


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
