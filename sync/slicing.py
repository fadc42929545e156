"""Lengths and slices of structs in clocks, as yjs counts and cuts them."""

from sync.structs import Kind, Struct

__all__ = ["slice_struct", "utf16_length"]

REPLACEMENT = "\ufffd"


def utf16_length(text: str) -> int:
    """The length that JavaScript and the clocks of Yjs give `text`."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) >> 1


def slice_struct(struct: Struct, offset: int) -> Struct:
    """The part of `struct` from its `offset`th clock on, `0 < offset < length`.

    Its origin is the clock before it. A surrogate pair cut in half becomes U+FFFD, as in yjs
    (`ContentString.splice`).
    """
    if not 0 < offset < struct.length:
        raise ValueError("A slice starts inside the struct.")
    clock = struct.clock + offset
    length = struct.length - offset
    if struct.kind in (Kind.GC, Kind.SKIP):
        return Struct(struct.client, clock, length, struct.kind)
    content = struct.content
    if isinstance(content, str):
        content = _slice_text(content, offset)
    elif isinstance(content, tuple):
        content = content[offset:]
    return Struct(
        struct.client,
        clock,
        length,
        struct.kind,
        content,
        (struct.client, clock - 1),
        struct.right_origin,
        keyed=struct.keyed,
    )


def _slice_text(text: str, offset: int) -> str:
    if text.isascii():
        return text[offset:]
    units = text.encode("utf-16-le")
    rest = units[2 * offset :]
    if rest[1] & 0xFC == 0xDC:
        return REPLACEMENT + rest[2:].decode("utf-16-le")
    return rest.decode("utf-16-le")
