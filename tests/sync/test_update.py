"""What updates decode to, and what is refused for not being exactly one (gate.md, section 7)."""

from collections.abc import Callable

import pytest

from sync.bounds import Bounds
from sync.errors import MalformedUpdate
from sync.structs import Kind, Struct
from sync.update import Update, decode_update, encode_update
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


@pytest.mark.rule("WIRE-1")
@pytest.mark.parametrize("extra", [b"\x00", b"\x01", b"\x00\x00", b"\xff" * 9])
def test_bytes_after_the_update_are_refused(extra: bytes) -> None:
    refused(update(section(GC)) + extra)


@pytest.mark.rule("WIRE-2")
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


@pytest.mark.rule("WIRE-3")
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
