"""lib0's "any" values: plain JavaScript values with a one-byte tag each.

Nesting is bounded and counts are compared with the bytes that are left before anything is built.
`decode ∘ encode` is the identity on values; `encode ∘ decode` is the identity on what yjs writes.
Source: lib0 `encoding.js`, `writeAny`.
"""

import struct
from typing import TypeAlias

from sync.errors import FrameTooLarge, MalformedUpdate
from sync.structs import UNDEFINED, BigInt, Undefined
from sync.varint import (
    MAX_SAFE_INTEGER,
    read_bytes,
    read_string,
    read_varint,
    read_varuint,
    write_bytes,
    write_string,
    write_varint,
    write_varuint,
)

__all__ = ["AnyValue", "decode_any", "encode_any", "read_any", "write_any"]

AnyValue: TypeAlias = (
    "bool | int | float | str | bytes | BigInt | Undefined"
    " | list[AnyValue] | dict[str, AnyValue] | None"
)

_FLOAT32 = struct.Struct(">f")
_FLOAT64 = struct.Struct(">d")
_INT64 = struct.Struct(">q")


def decode_any(data: bytes, depth: int, max_items: int) -> AnyValue:
    """The one value of `data`, at most `depth` containers deep and `max_items` entries large."""
    value, position = read_any(data, 0, depth, [max_items])
    if position != len(data):
        raise MalformedUpdate("Bytes follow the value.")
    return value


def encode_any(value: object) -> bytes:
    """The encoding of `value`; TypeError or ValueError if no JavaScript value equals it."""
    buffer = bytearray()
    write_any(buffer, value)
    return bytes(buffer)


def read_any(data: bytes, position: int, depth: int, items: list[int]) -> tuple[AnyValue, int]:
    """The value at `position` and the position after it.

    items: one number, the entries that containers may still have; it is counted down.
    Raises MalformedUpdate, and FrameTooLarge when containers nest deeper than `depth`.
    """
    if position >= len(data):
        raise MalformedUpdate("The bytes end before a value.")
    tag = data[position]
    position += 1
    if tag == 119:
        return read_string(data, position)
    if tag == 125:
        return read_varint(data, position)
    if tag >= 120:
        return _read_fixed(data, position, tag)
    if tag == 116:
        return read_bytes(data, position)
    if tag < 116:
        raise MalformedUpdate("A value has an unknown tag.")
    if depth <= 0:
        raise FrameTooLarge("A value is nested too deeply.")
    count, position = read_varuint(data, position)
    if count * (tag - 116) > len(data) - position:
        raise MalformedUpdate("A count exceeds the bytes that follow.")
    items[0] -= count
    if items[0] < 0:
        raise FrameTooLarge("The values have too many entries.")
    if tag == 117:
        return _read_array(data, position, count, depth - 1, items)
    return _read_object(data, position, count, depth - 1, items)


def _read_fixed(data: bytes, position: int, tag: int) -> tuple[AnyValue, int]:
    if tag == 126:
        return None, position
    if tag == 120:
        return True, position
    if tag == 121:
        return False, position
    if tag == 127:
        return UNDEFINED, position
    try:
        if tag == 124:
            return _FLOAT32.unpack_from(data, position)[0], position + 4
        if tag == 123:
            return _FLOAT64.unpack_from(data, position)[0], position + 8
        if tag == 122:
            return BigInt(_INT64.unpack_from(data, position)[0]), position + 8
    except struct.error:
        raise MalformedUpdate("The bytes end inside a number.") from None
    raise MalformedUpdate("A value has an unknown tag.")


def _read_array(
    data: bytes, position: int, count: int, depth: int, items: list[int]
) -> tuple[AnyValue, int]:
    values: list[AnyValue] = []
    for _ in range(count):
        value, position = read_any(data, position, depth, items)
        values.append(value)
    return values, position


def _read_object(
    data: bytes, position: int, count: int, depth: int, items: list[int]
) -> tuple[AnyValue, int]:
    values: dict[str, AnyValue] = {}
    for _ in range(count):
        key, position = read_string(data, position)
        # lib0 assigns keys to a plain object: this one would replace its prototype and vanish.
        if key in values or key == "__proto__":
            raise MalformedUpdate("An object repeats a key or replaces its prototype.")
        values[key], position = read_any(data, position, depth, items)
    return values, position


def write_any(buffer: bytearray, value: object) -> None:
    """Append `value`; its nesting is the caller's to bound."""
    if isinstance(value, str):
        buffer.append(119)
        write_string(buffer, value)
    elif value is None:
        buffer.append(126)
    elif isinstance(value, bool):
        buffer.append(120 if value else 121)
    elif isinstance(value, int):
        _write_int(buffer, value)
    elif isinstance(value, float):
        _write_float(buffer, value)
    else:
        _write_rest(buffer, value)


def _write_int(buffer: bytearray, value: int) -> None:
    if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        raise ValueError("An integer beyond 53 bits has no exact JavaScript number.")
    buffer.append(125)
    write_varint(buffer, value)


def _write_float(buffer: bytearray, value: float) -> None:
    if value == 0 and str(value) == "-0.0":
        buffer += b"\x7d\x40"
        return
    try:
        raw = _FLOAT32.pack(value)
    except OverflowError:
        raw = b""
    if raw and _FLOAT32.unpack(raw)[0] == value:
        buffer.append(124)
        buffer += raw
    else:
        buffer.append(123)
        buffer += _FLOAT64.pack(value)


def _write_rest(buffer: bytearray, value: object) -> None:
    if isinstance(value, list | tuple):
        buffer.append(117)
        write_varuint(buffer, len(value))
        for entry in value:
            write_any(buffer, entry)
    elif isinstance(value, dict):
        buffer.append(118)
        write_varuint(buffer, len(value))
        for key, entry in value.items():
            write_string(buffer, key)
            write_any(buffer, entry)
    elif isinstance(value, bytes):
        buffer.append(116)
        write_bytes(buffer, value)
    elif value is UNDEFINED:
        buffer.append(127)
    elif isinstance(value, BigInt):
        buffer.append(122)
        buffer += _INT64.pack(value.value)
    else:
        raise TypeError(f"A {type(value).__name__} has no JavaScript value.")
