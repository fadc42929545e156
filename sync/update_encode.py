"""Structs and delete ranges → Yjs update v1, in one canonical form.

Clients are written in descending order, as yjs writes them; a struct is written as it stands.
Source: yjs 13 `UpdateEncoder.js`, `encoding.js` (`writeStructs`), `Item.js` (`write`). SPEC WIRE.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sync.any_value import write_any
from sync.structs import Deletes, Kind, Struct, StructsByClient
from sync.varint import varuint, write_bytes, write_string, write_varuint

__all__ = ["encode_state_vector", "encode_update"]


def encode_update(structs: StructsByClient, deletes: Deletes) -> bytes:
    """A Yjs update, v1 encoding. Clients without structs or ranges are left out.

    Ranges must be normalised. ValueError or TypeError for structs no decoder would return.
    """
    buffer = bytearray()
    clients = _filled(structs)
    write_varuint(buffer, len(clients))
    for client in clients:
        section = structs[client]
        write_varuint(buffer, len(section))
        buffer += varuint(client)
        write_varuint(buffer, section[0].clock)
        for struct in section:
            _write_struct(buffer, struct)
    clients = _filled(deletes)
    write_varuint(buffer, len(clients))
    for client in clients:
        ranges = deletes[client]
        buffer += varuint(client)
        write_varuint(buffer, len(ranges))
        for clock, length in ranges:
            write_varuint(buffer, clock)
            write_varuint(buffer, length)
    return bytes(buffer)


def _filled(sections: Mapping[int, Sequence[object]]) -> list[int]:
    """The clients with anything to write, in the order of writing."""
    if len(sections) == 1:
        return [client for client in sections if sections[client]]
    return sorted((client for client in sections if sections[client]), reverse=True)


def encode_state_vector(vector: dict[int, int]) -> bytes:
    """The encoding of client id → known clock, in descending order of ids."""
    buffer = bytearray()
    write_varuint(buffer, len(vector))
    for client in sorted(vector, reverse=True):
        write_varuint(buffer, client)
        write_varuint(buffer, vector[client])
    return bytes(buffer)


def _write_struct(buffer: bytearray, struct: Struct) -> None:
    kind = struct.kind
    if kind == 0 or kind == 10:
        buffer.append(kind)
        write_varuint(buffer, struct.length)
        return
    origin = struct.origin
    right_origin = struct.right_origin
    keyed = struct.keyed or struct.key is not None
    buffer.append(
        kind
        | (32 if keyed else 0)
        | (64 if right_origin is not None else 0)
        | (128 if origin is not None else 0)
    )
    if origin is not None:
        buffer += varuint(origin[0])
        write_varuint(buffer, origin[1])
    if right_origin is not None:
        buffer += varuint(right_origin[0])
        write_varuint(buffer, right_origin[1])
    if origin is None and right_origin is None:
        _write_parent(buffer, struct, keyed)
    content: Any = struct.content  # its shape follows from the kind, see `Struct`
    if kind == 8:
        write_varuint(buffer, len(content))
        for value in content:
            write_any(buffer, value)
    elif kind == 4:
        write_string(buffer, content)
    else:
        _write_content(buffer, kind, content, struct.length)


def _write_parent(buffer: bytearray, struct: Struct, keyed: bool) -> None:
    parent = struct.parent
    if isinstance(parent, str):
        buffer.append(1)
        write_string(buffer, parent)
    elif parent is not None:
        buffer.append(0)
        write_varuint(buffer, parent[0])
        write_varuint(buffer, parent[1])
    else:
        raise ValueError("A struct without origins must name its parent.")
    if struct.key is not None:
        write_string(buffer, struct.key)
    elif keyed:
        raise ValueError("A keyed struct without origins must name its key.")


def _write_content(buffer: bytearray, kind: int, content: Any, length: int) -> None:
    match kind:
        case Kind.DELETED:
            write_varuint(buffer, length)
        case Kind.JSON:
            write_varuint(buffer, len(content))
            for text in content:
                write_string(buffer, text)
        case Kind.BINARY:
            write_bytes(buffer, content)
        case Kind.EMBED:
            write_string(buffer, content)
        case Kind.FORMAT:
            write_string(buffer, content[0])
            write_string(buffer, content[1])
        case Kind.TYPE:
            write_varuint(buffer, content.ref)
            if content.name is not None:
                write_string(buffer, content.name)
        case Kind.DOC:
            write_string(buffer, content[0])
            write_any(buffer, content[1])
        case _:
            raise ValueError("A struct is of an unknown kind.")
