"""The audit trail as lines: our own JSON, or FHIR R4 AuditEvent. Read a page at a time.

An export ends with the entry that was the newest when it began. Nobody's name is in it.
"""

from collections.abc import AsyncIterator
from typing import Literal, get_args

import msgspec

from server.audit.fhir import audit_event
from server.audit.selection import asked_for
from server.rest.shapes import instant
from storage.ports import AuditFilter, Store
from sync.effects import AuditEntry

__all__ = ["FORMATS", "ExportFormat", "described", "export_lines"]

ExportFormat = Literal["jsonl", "fhir"]
FORMATS: tuple[str, ...] = get_args(ExportFormat)

PAGE = 1000
"""Entries held in memory at a time: about a megabyte as FHIR."""

_encode = msgspec.json.Encoder().encode


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
            profiles=wanted.profiles, after=after, limit=PAGE,
        )  # fmt: skip
        if not found:
            return
        after = found[-1][0]
        page = [each for each in found if each[0] <= newest]
        if format == "jsonl":
            yield b"".join(_encode(_plain(seq, entry)) + b"\n" for seq, entry in page)
            continue
        patients = await store.records.patients({e.record_id for _, e in page if e.record_id})
        yield b"".join(
            _encode(audit_event(seq, entry, patients.get(entry.record_id, ""), source)) + b"\n"
            for seq, entry in page
        )


def _plain(seq: int, entry: AuditEntry) -> dict[str, object]:
    line = msgspec.structs.asdict(entry)
    return {"seq": seq, **line, "at": instant(entry.at)}
