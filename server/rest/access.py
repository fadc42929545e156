"""What somebody may see at all, and the audit line that every reading leaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from permissions.model import Principal, RecordState
from permissions.policy import Policy
from server.errors import NotAllowed
from server.house import House
from server.rest.endpoint import Call
from storage.ports import RecordHead
from sync.effects import AuditEntry

__all__ = ["Seen", "audit_read", "may_open", "opened_profiles", "own_profiles"]


@dataclass(slots=True)
class Seen:
    """What was shown; the handler fills in the version."""

    version: int = 0


def own_profiles(house: House, principal: Principal) -> dict[str, Policy]:
    """The profiles in which this person has a role, by name."""
    return {
        name: policy
        for name, policy in house.policies.items()
        if not principal.roles.isdisjoint(policy.profile.roles)
    }


def opened_profiles(house: House, principal: Principal) -> dict[str, Policy]:
    """The profiles of which this person may open records (assigned ones, where that is asked)."""
    assigned = RecordState(assigned=frozenset({principal.user_id}))
    return {
        name: policy
        for name, policy in house.policies.items()
        if policy.may_open(principal, assigned).allowed
    }


def may_open(policy: Policy, principal: Principal, head: RecordHead) -> bool:
    """Whether this person may open the record that a listing found."""
    state = RecordState(assigned=frozenset(head.facts.assigned))
    return policy.may_open(principal, state).allowed


@asynccontextmanager
async def audit_read(call: Call[Any, Any], record_id: str, detail: str = "") -> AsyncIterator[Seen]:
    """Audit a reading before anything of it leaves; a denied one is audited too."""
    seen = Seen()
    try:
        yield seen
    except NotAllowed:
        await _audit(call, record_id, seen, "denied", detail)
        raise
    await _audit(call, record_id, seen, "success", detail)


async def _audit(
    call: Call[Any, Any],
    record_id: str,
    seen: Seen,
    outcome: Literal["success", "denied"],
    detail: str,
) -> None:
    who = call.principal
    entry = AuditEntry(
        at=call.house.clock(),
        action="read",
        outcome=outcome,
        user_id=who.user_id,
        login_id=who.login_id,
        device=who.device,
        address=who.address,
        record_id=record_id,
        version=seen.version,
        detail=detail,
    )
    await call.house.store.append_audit([entry])
