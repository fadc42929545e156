"""What somebody may see at all, and the audit line that every reading leaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from permissions.model import Principal, RecordState
from permissions.policy import Policy
from server.audit.entries import entry_for
from server.house import House
from server.queueing import may_call
from server.rest.endpoint import Call
from storage.heads import waits
from storage.ports import RecordHead
from sync.effects import AuditAction

__all__ = [
    "Seen",
    "audit_call",
    "audit_read",
    "may_open",
    "may_take",
    "opened_profiles",
    "own_profiles",
]


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


def may_take(policy: Policy, principal: Principal, head: RecordHead) -> bool:
    """Whether the record waits at a step that this person does, so that they may take it."""
    step = head.facts.current_step
    return waits(head, policy.profile.name, step) and may_call(policy, principal, step, head)


@asynccontextmanager
async def audit_read(
    call: Call[Any, Any], record_id: str, detail: str = "", *, action: AuditAction = "read"
) -> AsyncIterator[Seen]:
    """Audit a reading before anything of it leaves; one that fails, `Resource` audits."""
    seen = Seen()
    yield seen
    await audit_call(call, action, record_id, seen.version, detail)


async def audit_call(
    call: Call[Any, Any],
    action: AuditAction,
    record_id: str = "",
    version: int = 0,
    detail: str = "",
) -> None:
    """Audit what a call has done, with who, from where and when."""
    if record_id and call.house.rooms.in_emergency(record_id, call.principal.user_id):
        detail = f"{detail} emergency".lstrip()
    entry = entry_for(
        call.principal, action, "success", call.house.clock(), record_id, version, detail
    )
    await call.house.store.append_audit([entry])
