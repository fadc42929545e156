"""Asking those who may write a field to take over what was refused of it. SPEC APPLY-7, APPLY-8.

The audit trail remembers who was asked: it outlives rooms, and nobody can take a line out of it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from permissions.fields import Field
from permissions.model import Principal, Rule
from permissions.policy import Policy
from permissions.profile import Profile
from server.audit.entries import entry_for
from server.errors import AlreadyDecided, TooManyAttempts
from server.executor import Batch
from server.live_room import LiveRoom
from server.problems import invalid
from storage.ports import Store
from sync.announcing import facts_from, person_of
from sync.effects import AuditEntry, Refusal
from sync.errors import NotRepeatable
from sync.place import RECORD_ROOT

__all__ = ["ask_role", "field_of", "may_take_over"]

EVENT = "refusal_asked"

MOST_ON_A_RECORD = 100
"""Questions about one record for all time; more would be noise, and each is looked up."""

MOST_A_MINUTE = 5
"""Questions of one person about one record; a person reads and presses slower."""

_MINUTE = timedelta(minutes=1)


def field_of(profile: Profile, refusal: Refusal) -> Field | None:
    """The field that was refused; None where a whole frame was, or the profile has it no more."""
    root, _, key = refusal.field.partition(".")
    return profile.fields.get(refusal.field) or profile.field_at(root, key)


def may_take_over(policy: Policy, who: Principal, refusal: Refusal) -> bool:
    """Whether one of the person's roles writes the field, so that they may apply the refusal."""
    field = field_of(policy.profile, refusal)
    if field is None or not who.roles & field.writers:
        return False
    return policy.may_read(who, field).allowed


async def ask_role(
    live: LiveRoom, batch: Batch, who: Principal, refusal: Refusal, role: str, at: datetime,
    store: Store,
) -> int:  # fmt: skip
    """Tell a role that writes the field of an open refusal, once. To how many it is addressed.

    A role counts as one; where it needs an assignment, those who have one count, 0 where nobody
    has. Raises AlreadyDecided, NotRepeatable, InvalidRequest, TooManyAttempts.
    """
    if refusal.status != "open":
        raise AlreadyDecided(f"This refusal is {refusal.status}.")
    profile = live.room.profile
    field = field_of(profile, refusal)
    if field is None:
        raise NotRepeatable("Nobody can write this; there is no such field.")
    if role not in field.writers or role not in profile.roles:
        raise invalid("role", Rule.ROLE, "This role does not write the field.")
    roles, users = _audience(live, role)
    asked = f"refusal={refusal.id} role={role}"
    known = await store.audit(
        record_id=live.record_id, action="ask", outcome="success", limit=MOST_ON_A_RECORD
    )
    entries = [*(entry for _, entry in known), *batch.audit]
    if not (roles or users) or _is_known(entries, asked):
        return len(roles) + len(users)
    _check_pace(entries, who, at)
    facts = facts_from(live.room.document.section(RECORD_ROOT))
    told = {
        "number": facts.number, "refusal": refusal.id, "field": refusal.field,
        "by": person_of(who, profile), "role": role,
    }  # fmt: skip
    batch.announce(EVENT, at, roles=roles, users=users, payload=told)
    version = live.room.version
    batch.audit.append(entry_for(who, "ask", "success", at, live.record_id, version, asked))
    return len(roles) + len(users)


def _audience(live: LiveRoom, role: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Roles and users to tell: the role, or where only the assigned may open the record, those."""
    profile = live.room.profile
    if not profile.assignment_required or not profile.roles[role].needs_assignment:
        return (role,), ()
    assigned = facts_from(live.room.document.section(RECORD_ROOT)).assigned
    return (), (assigned[role],) if role in assigned else ()


def _is_known(entries: Iterable[AuditEntry], asked: str) -> bool:
    return any(
        one.action == "ask"
        and one.outcome == "success"
        and one.detail.removesuffix(" emergency") == asked
        for one in entries
    )


def _check_pace(entries: Iterable[AuditEntry], who: Principal, at: datetime) -> None:
    asked = [one for one in entries if one.action == "ask" and one.outcome == "success"]
    mine = [one for one in asked if one.user_id == who.user_id and at - one.at < _MINUTE]
    if len(asked) >= MOST_ON_A_RECORD or len(mine) >= MOST_A_MINUTE:
        seconds = round(_MINUTE.total_seconds())
        raise TooManyAttempts(seconds, "Colleagues were asked often enough about this record.")
