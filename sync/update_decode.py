"""Yjs update v1 → structs and delete ranges, strictly and with bounds.

Whatever the bytes, only MalformedUpdate and FrameTooLarge leave this module, and the work is linear
in the bytes that are there, never in a number they claim. Source: yjs 13 `UpdateDecoder.js`,
`encoding.js` (`readClientsStructRefs`), `DeleteSet.js`, `Item.js`. SPEC WIRE.
"""

from collections.abc import Generator

from sync.any_value import AnyValue, read_any
from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedUpdate
from sync.json_text import parse_json
from sync.ranges import normalised
from sync.structs import Deletes, Id, Struct, StructsByClient, TypeContent, Update
from sync.varint import read_bytes, read_string, read_varuint

__all__ = ["decode_state_vector", "decode_steps", "decode_update"]


def decode_update(data: bytes, bounds: Bounds) -> Update:
    """The structs and delete ranges of a Yjs update, v1 encoding.

    Delete ranges come back sorted and merged. Raises MalformedUpdate, FrameTooLarge.
    """
    steps = decode_steps(data, bounds, every=bounds.max_structs)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        update: Update = done.value
        return update


def decode_steps(data: bytes, bounds: Bounds, every: int = 500) -> Generator[None, None, Update]:
    """`decode_update` in steps: yields after every `every` structs and returns the Update."""
    if len(data) > bounds.max_frame_bytes:
        raise FrameTooLarge("The update is larger than a frame may be.")
    structs: StructsByClient = {}
    left = bounds.max_structs
    step = every
    items = [bounds.max_value_items]
    clients, position = read_varuint(data, 0)
    if clients * 5 > len(data) - position:
        raise MalformedUpdate("A count exceeds the bytes that follow.")
    for _ in range(clients):
        count, position = read_varuint(data, position)
        start = position
        client, position = read_varuint(data, position)
        own = data[start:position]
        clock, position = read_varuint(data, position)
        if count == 0 or client in structs or client > bounds.max_client_id:
            raise MalformedUpdate("A section is empty, repeated or of an impossible client id.")
        if count * 2 > len(data) - position:
            raise MalformedUpdate("A count exceeds the bytes that follow.")
        left -= count
        if left < 0:
            raise FrameTooLarge("The update has too many structs.")
        section = structs[client] = []
        while count > step:
            position, clock = _read_structs(
                data, position, client, own, clock, step, section, bounds, items
            )
            count -= step
            step = every
            yield
        position, clock = _read_structs(
            data, position, client, own, clock, count, section, bounds, items
        )
        step -= count
    deletes, position = _read_deletes(data, position, bounds)
    if position != len(data):
        raise MalformedUpdate("Bytes follow the update.")
    return Update(structs, deletes)


def decode_state_vector(data: bytes, bounds: Bounds) -> dict[int, int]:
    """Client id → the clock up to which its structs are known. Raises as `decode_update` does."""
    count, position = read_varuint(data, 0)
    if count * 2 > len(data) - position:
        raise MalformedUpdate("A count exceeds the bytes that follow.")
    if count > bounds.max_state_vector_entries:
        raise FrameTooLarge("The state vector has too many entries.")
    vector: dict[int, int] = {}
    for _ in range(count):
        client, position = read_varuint(data, position)
        clock, position = read_varuint(data, position)
        if client in vector or client > bounds.max_client_id or clock > bounds.max_clock:
            raise MalformedUpdate("A state vector repeats a client or holds an impossible number.")
        vector[client] = clock
    if position != len(data):
        raise MalformedUpdate("Bytes follow the state vector.")
    return vector


def _read_deletes(data: bytes, position: int, bounds: Bounds) -> tuple[Deletes, int]:
    deletes: Deletes = {}
    left = bounds.max_delete_ranges
    max_clock = bounds.max_clock
    clients, position = read_varuint(data, position)
    if clients * 4 > len(data) - position:
        raise MalformedUpdate("A count exceeds the bytes that follow.")
    for _ in range(clients):
        client, position = read_varuint(data, position)
        count, position = read_varuint(data, position)
        if count == 0 or client in deletes or client > bounds.max_client_id:
            raise MalformedUpdate("A section is empty, repeated or of an impossible client id.")
        if count * 2 > len(data) - position:
            raise MalformedUpdate("A count exceeds the bytes that follow.")
        left -= count
        if left < 0:
            raise FrameTooLarge("The delete set has too many ranges.")
        ranges: list[tuple[int, int]] = []
        for _ in range(count):
            clock, position = read_varuint(data, position)
            length, position = read_varuint(data, position)
            if length == 0 or clock + length > max_clock:
                raise MalformedUpdate("A delete range is empty or ends beyond the last clock.")
            ranges.append((clock, length))
        deletes[client] = ranges if count == 1 else normalised(ranges)
    return deletes, position


def _read_structs(
    data: bytes,
    position: int,
    client: int,
    own: bytes,
    clock: int,
    count: int,
    section: list[Struct],
    bounds: Bounds,
    items: list[int],
) -> tuple[int, int]:
    """Append the next `count` structs of one client; returns the position and clock after them.

    own: the encoding of `client`; most origins repeat it, and comparing is cheaper than reading.
    Flat on purpose: this is the hot path of every keystroke.
    """
    max_clock = bounds.max_clock
    max_client = bounds.max_client_id
    max_nesting = bounds.max_nesting
    size = len(data)
    own_size = len(own)
    for _ in range(count):
        if position >= size:
            raise MalformedUpdate("The bytes end before a struct.")
        info = data[position]
        position += 1
        kind = info & 31
        origin: Id | None = None
        right_origin: Id | None = None
        parent: str | Id | None = None
        key: str | None = None
        if info & 192:
            if info & 128:
                if data.startswith(own, position):
                    origin_client = client
                    position += own_size
                else:
                    origin_client, position = read_varuint(data, position)
                if position < size and data[position] < 128:
                    origin_clock = data[position]
                    position += 1
                else:
                    origin_clock, position = read_varuint(data, position)
                if origin_client > max_client or origin_clock >= max_clock:
                    raise MalformedUpdate("An origin has an impossible id.")
                origin = (origin_client, origin_clock)
            if info & 64:
                if data.startswith(own, position):
                    origin_client = client
                    position += own_size
                else:
                    origin_client, position = read_varuint(data, position)
                if position < size and data[position] < 128:
                    origin_clock = data[position]
                    position += 1
                else:
                    origin_clock, position = read_varuint(data, position)
                if origin_client > max_client or origin_clock >= max_clock:
                    raise MalformedUpdate("An origin has an impossible id.")
                right_origin = (origin_client, origin_clock)
        elif info != 0 and info != 10:
            parent, key, position = _read_parent(data, position, info & 32, bounds)
        if kind == 8:
            length, position = read_varuint(data, position)
            if length > size - position:
                raise MalformedUpdate("A count exceeds the bytes that follow.")
            if length == 1:
                value, position = read_any(data, position, max_nesting, items)
                content: object = (value,)
            else:
                content, position = _read_values(data, position, length, max_nesting, items)
        elif kind == 4:
            length, position = read_varuint(data, position)
            end = position + length
            if end > size:
                raise MalformedUpdate("A length exceeds the bytes that follow.")
            try:
                text = data[position:end].decode()
            except UnicodeDecodeError:
                raise MalformedUpdate("A text is not valid UTF-8.") from None
            position = end
            if len(text) != length:
                length = len(text.encode("utf-16-le")) >> 1
            content = text
        else:
            content, length, position = _read_content(data, position, info, bounds, items)
        if length == 0 or clock + length > max_clock:
            raise MalformedUpdate("A struct is empty or ends beyond the last clock.")
        section.append(
            Struct(
                client,
                clock,
                length,
                kind,
                content,
                origin,
                right_origin,
                parent,
                key,
                info & 32 != 0,
            )
        )
        clock += length
    return position, clock


def _read_values(
    data: bytes, position: int, count: int, depth: int, items: list[int]
) -> tuple[tuple[AnyValue, ...], int]:
    items[0] -= count
    if items[0] < 0:
        raise FrameTooLarge("The values have too many entries.")
    values: list[AnyValue] = []
    for _ in range(count):
        value, position = read_any(data, position, depth, items)
        values.append(value)
    return tuple(values), position


def _read_parent(
    data: bytes, position: int, keyed: int, bounds: Bounds
) -> tuple[str | Id, str | None, int]:
    named, position = read_varuint(data, position)
    parent: str | Id
    if named == 1:
        parent, position = _read_name(data, position, bounds)
    elif named == 0:
        parent_client, position = read_varuint(data, position)
        parent_clock, position = read_varuint(data, position)
        if parent_client > bounds.max_client_id or parent_clock >= bounds.max_clock:
            raise MalformedUpdate("A parent has an impossible id.")
        parent = (parent_client, parent_clock)
    else:
        raise MalformedUpdate("A parent is neither a root nor a struct.")
    if not keyed:
        return parent, None, position
    key, position = _read_name(data, position, bounds)
    return parent, key, position


def _read_name(data: bytes, position: int, bounds: Bounds) -> tuple[str, int]:
    length, position = read_varuint(data, position)
    end = position + length
    if end > len(data):
        raise MalformedUpdate("A length exceeds the bytes that follow.")
    if length > bounds.max_name_bytes:
        raise FrameTooLarge("A name is too long.")
    try:
        return data[position:end].decode(), end
    except UnicodeDecodeError:
        raise MalformedUpdate("A name is not valid UTF-8.") from None


def _read_content(
    data: bytes, position: int, info: int, bounds: Bounds, items: list[int]
) -> tuple[object, int, int]:
    """Content of the kinds that a record seldom uses: `(content, length, next position)`."""
    kind = info & 31
    if kind in (0, 1, 10):
        if kind != 1 and info != kind:
            raise MalformedUpdate("A GC or Skip struct has flags.")
        length, position = read_varuint(data, position)
        return None, length, position
    if kind == 2:
        return _read_json_list(data, position, bounds, items)
    if kind == 3:
        content, position = read_bytes(data, position)
        return content, 1, position
    if kind == 5:
        text, position = read_string(data, position)
        parse_json(text, bounds.max_nesting, items)
        return text, 1, position
    if kind == 6:
        key, position = _read_name(data, position, bounds)
        text, position = read_string(data, position)
        parse_json(text, bounds.max_nesting, items)
        return (key, text), 1, position
    if kind == 7:
        return _read_type(data, position, bounds)
    if kind == 9:
        guid, position = _read_name(data, position, bounds)
        options, position = read_any(data, position, bounds.max_nesting, items)
        # yjs reads properties of the options, and throws on null and undefined.
        if not isinstance(options, dict):
            raise MalformedUpdate("The options of a subdocument are no object.")
        return (guid, options), 1, position
    raise MalformedUpdate("A struct is of an unknown kind.")


def _read_json_list(
    data: bytes, position: int, bounds: Bounds, items: list[int]
) -> tuple[object, int, int]:
    length, position = read_varuint(data, position)
    if length > len(data) - position:
        raise MalformedUpdate("A count exceeds the bytes that follow.")
    items[0] -= length
    if items[0] < 0:
        raise FrameTooLarge("The values have too many entries.")
    texts: list[str] = []
    for _ in range(length):
        text, position = read_string(data, position)
        if text != "undefined":
            parse_json(text, bounds.max_nesting, items)
        texts.append(text)
    return tuple(texts), length, position


def _read_type(data: bytes, position: int, bounds: Bounds) -> tuple[object, int, int]:
    ref, position = read_varuint(data, position)
    if ref > 6:
        raise MalformedUpdate("A shared type is of an unknown kind.")
    name: str | None = None
    if ref in (3, 5):
        name, position = _read_name(data, position, bounds)
    return TypeContent(ref, name), 1, position
