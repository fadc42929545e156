"""The lib0 primitives: variable-length integers, strings and byte arrays at a position in `bytes`.

Readers take `(data, position)` and return `(value, next position)`; they raise MalformedUpdate and
nothing else. Only the shortest form of a number is accepted, so that a value has one encoding.
Source: lib0 `encoding.js` and `decoding.js`.
"""

from functools import lru_cache

from sync.errors import MalformedUpdate

__all__ = [
    "MAX_SAFE_INTEGER",
    "read_bytes",
    "read_string",
    "read_varint",
    "read_varuint",
    "varuint",
    "write_bytes",
    "write_string",
    "write_varint",
    "write_varuint",
]

MAX_SAFE_INTEGER = 2**53 - 1
"""JavaScript's `Number.MAX_SAFE_INTEGER`; lib0 throws above it."""


def read_varuint(data: bytes, position: int) -> tuple[int, int]:
    """The unsigned integer at `position`, at most 2^53-1."""
    try:
        byte = data[position]
        position += 1
        if byte < 128:
            return byte, position
        value = byte & 127
        shift = 7
        while True:
            byte = data[position]
            position += 1
            if byte < 128:
                break
            value |= (byte & 127) << shift
            shift += 7
            if shift > 49:
                raise MalformedUpdate("A number exceeds 53 bits.")
    except IndexError:
        raise MalformedUpdate("The bytes end inside a number.") from None
    value |= byte << shift
    if byte == 0 or value > MAX_SAFE_INTEGER:
        raise MalformedUpdate("A number is not in its shortest form or exceeds 53 bits.")
    return value, position


def read_varint(data: bytes, position: int) -> tuple[int | float, int]:
    """The signed integer at `position`; `-0.0` for lib0's minus zero, which no int can hold."""
    try:
        byte = data[position]
        position += 1
        value = byte & 63
        negative = byte & 64
        if byte >= 128:
            shift = 6
            while True:
                byte = data[position]
                position += 1
                value |= (byte & 127) << shift
                if byte < 128:
                    break
                shift += 7
                if shift > 48:
                    raise MalformedUpdate("A number exceeds 53 bits.")
            if byte == 0 or value > MAX_SAFE_INTEGER:
                raise MalformedUpdate("A number is not in its shortest form or exceeds 53 bits.")
    except IndexError:
        raise MalformedUpdate("The bytes end inside a number.") from None
    if not negative:
        return value, position
    return (-value if value else -0.0), position


def read_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """The length-prefixed byte array at `position`."""
    length, position = read_varuint(data, position)
    end = position + length
    if end > len(data):
        raise MalformedUpdate("A length exceeds the bytes that follow.")
    return data[position:end], end


def read_string(data: bytes, position: int) -> tuple[str, int]:
    """The length-prefixed string at `position`: strict UTF-8, so without lone surrogates."""
    raw, position = read_bytes(data, position)
    try:
        return raw.decode(), position
    except UnicodeDecodeError:
        raise MalformedUpdate("A text is not valid UTF-8.") from None


def write_varuint(buffer: bytearray, value: int) -> None:
    """Append an integer of 0..2^53-1."""
    if 0 <= value < 128:
        buffer.append(value)
        return
    if not 0 <= value <= MAX_SAFE_INTEGER:
        raise ValueError("A varUint holds 0 to 2^53-1.")
    while value > 127:
        buffer.append(value & 127 | 128)
        value >>= 7
    buffer.append(value)


@lru_cache(maxsize=4096)
def varuint(value: int) -> bytes:
    """The encoding of `value`. Cached: one client's id is written again and again."""
    buffer = bytearray()
    write_varuint(buffer, value)
    return bytes(buffer)


def write_varint(buffer: bytearray, value: int | float) -> None:
    """Append a signed integer of 53 bits, or `-0.0`."""
    negative = value < 0 or isinstance(value, float)
    magnitude = abs(int(value))
    if magnitude > MAX_SAFE_INTEGER or magnitude != abs(value):
        raise ValueError("A varInt holds a whole number of at most 53 bits.")
    byte = magnitude & 63 | (64 if negative else 0)
    magnitude >>= 6
    while magnitude:
        buffer.append(byte | 128)
        byte = magnitude & 127
        magnitude >>= 7
    buffer.append(byte)


def write_bytes(buffer: bytearray, value: bytes) -> None:
    """Append a length-prefixed byte array."""
    write_varuint(buffer, len(value))
    buffer += value


def write_string(buffer: bytearray, value: str) -> None:
    """Append a length-prefixed string; a lone surrogate is a ValueError (UnicodeEncodeError)."""
    raw = value.encode()
    if len(raw) < 128:
        buffer.append(len(raw))
    else:
        write_varuint(buffer, len(raw))
    buffer += raw
