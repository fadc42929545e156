"""One way to write an audit entry about a signed-in person."""

from datetime import datetime

from permissions.model import Principal
from sync.effects import AuditAction, AuditEntry, AuditOutcome

__all__ = ["entry_for"]


def entry_for(
    who: Principal,
    action: AuditAction,
    outcome: AuditOutcome,
    at: datetime,
    record_id: str = "",
    version: int = 0,
    detail: str = "",
) -> AuditEntry:
    """What `who` did, or tried. detail: identifiers, counts and names of our own lists only."""
    return AuditEntry(
        at=at, action=action, outcome=outcome, user_id=who.user_id, login_id=who.login_id,
        device=who.device, address=who.address, record_id=record_id, version=version, detail=detail,
    )  # fmt: skip
