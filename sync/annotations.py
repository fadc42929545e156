"""What a stored row says beside its update: who wrote it, split pairs, restored text, registers."""

from datetime import datetime

import msgspec

from sync.errors import CorruptLog
from sync.registers import Register, Write
from sync.structs import Id, Struct

__all__ = ["Annotations", "Copy", "RowAuthor", "decode_annotations", "encode_annotations"]


class Copy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A character of restored text: what `client, clock` showed, `server, copy_clock` shows now.

    length: 1, or 2 for a surrogate pair. version: the row that put it back. refused_to: whose
    deletion it undoes; empty where a pair was cut.
    """

    client: int
    clock: int
    server: int
    copy_clock: int
    length: int
    version: int
    refused_to: str = ""


class Annotations(msgspec.Struct, frozen=True, array_like=True):
    """What replay needs beside a row's update: pairs to delete first, restored text, registers.

    resolution: the reason of a row that decides the conflict of its one register, else None.
    """

    splits: list[Id] = []
    copies: list[Copy] = []
    registers: list[Register] = []
    resolution: str | None = None


_ENCODE = msgspec.msgpack.Encoder()
_DECODE_ANNOTATIONS = msgspec.msgpack.Decoder(Annotations)


class RowAuthor(msgspec.Struct, frozen=True):
    """Who and when of a row: makes a register's write of one of its structs."""

    author: str
    role: str
    login_id: str
    device: str
    written_at: datetime
    at: datetime
    version: int

    def write(self, struct: Struct) -> Write:
        value = struct.content[0] if isinstance(struct.content, tuple) else None
        return Write(
            (struct.client, struct.end - 1), self.author, self.role, self.login_id, self.device,
            self.written_at, self.at, self.version, value, value is None,
        )  # fmt: skip


def encode_annotations(annotations: Annotations) -> bytes:
    """Empty for the everyday row."""
    if not (annotations.splits or annotations.copies or annotations.registers):
        return b""
    return _ENCODE.encode(annotations)


def decode_annotations(data: bytes) -> Annotations:
    """Raises CorruptLog."""
    if not data:
        return Annotations()
    try:
        return _DECODE_ANNOTATIONS.decode(data)
    except msgspec.DecodeError as error:
        raise CorruptLog("A row's annotations do not parse.") from error
