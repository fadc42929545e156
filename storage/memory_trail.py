"""The audit trail of the store in memory."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from storage import audit as audit_trail
from storage.attesting import GONE, digest_of
from storage.errors import StoreUnavailable
from sync.effects import AuditEntry

__all__ = ["MemoryTrail"]

_SECRET = bytes(32)
"""Nothing in memory is ever read from elsewhere."""


class MemoryTrail:
    """The audit trail, linked like the one on disk; and whether the store is open."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.rows: list[tuple[object, ...]] = []
        self.chain = audit_trail.FIRST
        self.closed = False

    def require_open(self) -> None:
        if self.closed:
            raise StoreUnavailable("it is closed")

    def extend(self, entries: Sequence[AuditEntry]) -> None:
        self.require_open()
        prepared = [audit_trail.entry_values(entry) for entry in entries]
        for entry, values in zip(entries, prepared, strict=True):
            row = audit_trail.link(self.chain, values)
            self.chain = audit_trail.after(row)
            self.rows.append(row)
            self.entries.append(entry)

    def attest(self, table: str, key: object, at: datetime, row: msgspec.Struct | None) -> None:
        """Attest a row as it stands, as `storage/attesting.py` does; None: it has gone."""
        digest = GONE if row is None else digest_of(_SECRET, {"table": table, "row": repr(row)})
        detail = f"{table} {key} {digest}"
        self.extend([
            AuditEntry(
                at=at, action="attest", outcome="success", user_id="", login_id="", device="",
                address="", detail=detail,
            )
        ])  # fmt: skip
