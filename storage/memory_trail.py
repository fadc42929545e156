"""The audit trail of the store in memory."""

from collections.abc import Sequence

from storage import audit as audit_trail
from storage.errors import StoreUnavailable
from sync.effects import AuditEntry

__all__ = ["MemoryTrail"]


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
