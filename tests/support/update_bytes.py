"""Crafts the bytes of updates, the impossible ones included, from their parts."""

ROOT_MAP_KEY = b"\x01\x01m\x01k"
"""Parent and key of a struct without origins: root `m`, key `k`."""

ROOT_TEXT = b"\x01\x01t"
"""Parent of a struct without origins or key: root `t`."""


def uint(value: int) -> bytes:
    """A varUint of any size, also those that lib0 would not read."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def section(*structs: bytes, client: int = 5, clock: int = 0, count: int | None = None) -> bytes:
    """The structs of one client; `count` is what the section claims to hold."""
    claimed = len(structs) if count is None else count
    return uint(claimed) + uint(client) + uint(clock) + b"".join(structs)


def update(*sections: bytes, deletes: bytes = b"\x00", count: int | None = None) -> bytes:
    """An update of these sections; `count` is the number of sections it claims."""
    return uint(len(sections) if count is None else count) + b"".join(sections) + deletes


def delete_set(*clients: tuple[int, list[tuple[int, int]]]) -> bytes:
    """A delete set of `(client, [(clock, length), …])` as given, also repeated or empty."""
    out = uint(len(clients))
    for client, ranges in clients:
        out += uint(client) + uint(len(ranges))
        out += b"".join(uint(clock) + uint(length) for clock, length in ranges)
    return out


def of_struct(struct: bytes) -> bytes:
    """An update that holds one struct of client 5 at clock 0."""
    return update(section(struct))


def any_struct(*values: bytes) -> bytes:
    """An ANY struct under a map key, of encoded values."""
    return b"\x28" + ROOT_MAP_KEY + uint(len(values)) + b"".join(values)
