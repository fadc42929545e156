"""The stored form of the books of a record (snapshots): msgpack."""

from datetime import datetime

import msgspec

from sync.annotations import Copy
from sync.errors import CorruptLog
from sync.registers import Register
from sync.sittings import Sitting
from sync.structs import Id

__all__ = ["Pages", "decode_pages", "encode_pages"]


class Pages(msgspec.Struct, frozen=True, array_like=True):
    """The stored form of Books (snapshots). Run places are numbers into `places`; 0 is VOID."""

    places: list[tuple[str, str | None]]
    runs: list[tuple[int, list[int], list[int], int]]
    deleted: list[tuple[int, list[int], list[int]]]
    pairs: list[tuple[int, list[int]]]
    owners: dict[int, str]
    copies: list[Copy]
    text_units: dict[str, int]
    registers: list[Register]
    cut_pairs: list[Id]
    anchors: list[tuple[int, list[int], list[Id | None], list[Id | None]]]
    sittings: list[Sitting] = []
    written: dict[int, datetime] = {}


_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(Pages)


def encode_pages(pages: Pages) -> bytes:
    """msgpack: equal pages give equal bytes."""
    return _ENCODE.encode(pages)


def decode_pages(data: bytes) -> Pages:
    """Raises CorruptLog."""
    try:
        return _DECODE.decode(data)
    except msgspec.DecodeError as error:
        raise CorruptLog("The stored index does not parse.") from error
