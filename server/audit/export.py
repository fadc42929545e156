"""The audit trail as lines: our own JSON, or FHIR R4 AuditEvent. Read a page at a time.

An export ends with the entry that was the newest when it began. Nobody's name is in it. JSON lines
carry the hash of each entry and, unless an action is asked for, every entry: who has the lines of
everything can check the chain without us (docs/operations.md).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal, get_args

import msgspec

from server.audit.fhir import audit_event
from server.audit.selection import asked_for
from server.rest.shapes import instant
from storage.columns import micros
from storage.ports import AuditFilter, Store
from sync.effects import AuditEntry

__all__ = ["FORMATS", "ExportFormat", "ExportStream", "described", "export_lines"]

ExportFormat = Literal["jsonl", "fhir"]
FORMATS: tuple[str, ...] = get_args(ExportFormat)

PAGE = 1000
"""Entries held in memory at a time: about a megabyte as FHIR."""

STALL_SECONDS = 60.0
"""A reader that takes nothing for so long is cut off: else it would hold the export for ever."""

_encode = msgspec.json.Encoder().encode


class ExportStream:
    """An export as the body of an answer (keeps `server.rest.endpoint.Stream`)."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._lines = lines
        self._stall = self._watched()

    async def frames(self) -> AsyncIterator[bytes]:
        """The lines; each page is read when the one before has been taken."""
        async for chunk in self._lines:
            self._stall.cancel()
            self._stall = self._watched()
            yield chunk

    def end(self, why: str) -> None:
        """Stop. why: slow, left."""
        self._stall.cancel()
        if not self.ended.done():
            self.ended.set_result(why)

    def _watched(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(STALL_SECONDS, self.end, "slow")


def described(wanted: AuditFilter, format: str) -> str:
    """An export as the trail tells of it: its format and what it was limited to, as ids."""
    return f"format={format} {asked_for(wanted)}".rstrip()


async def export_lines(
    store: Store, wanted: AuditFilter, format: str, source: str
) -> AsyncIterator[bytes]:
    """The entries of the filter, oldest first, as whole lines; some hundred kilobytes at a time.

    source: what this server is called in FHIR.
    """
    newest, _ = await store.audit_head()
    after = 0
    while after < newest:
        found = await store.audit(
            record_id=wanted.record_id, user_id=wanted.user_id, action=wanted.action,
            outcome=wanted.outcome, since=wanted.since, until=wanted.until,
            profiles=wanted.profiles, after=after, limit=PAGE, attests=format == "jsonl",
        )  # fmt: skip
        if not found:
            return
        after = found[-1][0]
        page = [each for each in found if each[0] <= newest]
        if format == "jsonl":
            hashes = await store.audit_hashes([seq for seq, _ in page])
            yield b"".join(_encode(_plain(seq, e, hashes[seq])) + b"\n" for seq, e in page)
            continue
        names = await store.records.names({e.record_id for _, e in page if e.record_id})
        patients = {id: name.patient_id for id, name in names.items()}
        yield b"".join(
            _encode(audit_event(seq, entry, patients.get(entry.record_id, ""), source)) + b"\n"
            for seq, entry in page
        )


def _plain(seq: int, entry: AuditEntry, hash_: bytes) -> dict[str, object]:
    """The entry with what its hash is computed from: the instant in microseconds."""
    line = msgspec.structs.asdict(entry)
    return {
        "seq": seq,
        **line,
        "at": instant(entry.at),
        "at_us": micros(entry.at),
        "hash": hash_.hex(),
    }
