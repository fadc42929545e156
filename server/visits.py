"""What people do to a visit as a whole, in the room's turn: its steps, who is responsible, its end.

Everything goes by `sync.workflow`; the facts that follow are written in the name of who did it.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from permissions.model import Principal, Rule
from server.audit.entries import entry_for
from server.errors import (
    AssignmentTaken,
    FieldViolation,
    NotAllowed,
    StepIncomplete,
    TransitionImpossible,
)
from server.executor import Batch
from server.people import instant
from server.problems import invalid
from storage.ports import User
from sync.estimates import remaining
from sync.flow import Action, Flow, Impossible, StepChange
from sync.place import RECORD_ROOT
from sync.record_facts import flow_facts, flow_of
from sync.view import chart_of
from sync.workflow import advance

if TYPE_CHECKING:
    from server.live_room import LiveRoom

__all__ = ["assign", "call_in", "cancel", "change_step", "current_flow", "time_left"]


def current_flow(live: "LiveRoom") -> Flow:
    """Where the record stands."""
    return flow_of(live.room.profile, live.room.document.section(RECORD_ROOT))


def change_step(
    live: "LiveRoom",
    batch: Batch,
    who: Principal,
    step_id: str,
    action: Action,
    at: datetime,
    *,
    reason: str = "",
    to: str | None = None,
) -> StepChange | None:
    """Start, complete or return a step; None where this person had done so already.

    Raises NotAllowed, TransitionImpossible with the current step, StepIncomplete with what is
    missing.
    """
    room, flow = live.room, current_flow(live)
    decision = room.policy.may_step(who, room.profile.step(step_id), room.state)
    if not decision.allowed:
        if decision.rule is Rule.COMPLETED:
            raise TransitionImpossible(decision.reason, flow.current)
        raise NotAllowed(decision.reason)
    outcome = advance(
        room.profile, flow, chart_of(room), step_id=step_id, action=action, by=who.user_id, at=at,
        reason=reason, to=to,
    )  # fmt: skip
    if isinstance(outcome, Impossible):
        if not outcome.unmet:
            raise TransitionImpossible(outcome.reason, outcome.current)
        raise StepIncomplete(
            outcome.reason,
            outcome.current,
            [FieldViolation(one.field, Rule.TRANSITION, one.reason) for one in outcome.unmet],
        )
    if outcome.change is not None:
        live.write_facts(batch, flow_facts(outcome.flow), who, at)
        batch.add_step(outcome.change, who, at)
    return outcome.change


def call_in(
    live: "LiveRoom", batch: Batch, who: Principal, step_id: str, at: datetime
) -> StepChange | None:
    """Start the step for who calls, if the record still waits there and is nobody else's.

    None where somebody was faster. Raises NotAllowed.
    """
    room, flow = live.room, current_flow(live)
    step = room.profile.step(step_id)
    state = flow.of(step_id)
    if flow.status != "open" or flow.current != step_id or state.status == "in_progress":
        return None
    role = step.role if step is not None else None
    if role is None or flow.assigned.get(role, who.user_id) != who.user_id:
        return None
    if role in who.roles and who.user_id not in room.state.assigned:
        _write_assigned(live, batch, {**flow.assigned, role: who.user_id}, who, at)
    return change_step(live, batch, who, step_id, "start", at)


def assign(
    live: "LiveRoom", batch: Batch, who: Principal, role: str, user: User | None, at: datetime
) -> None:
    """Make somebody responsible for a role's steps, or nobody (None): take, hand over, release.

    Who is responsible hands over or releases; a free role is taken by anybody who has it;
    everything else needs the power to assign staff. Raises NotAllowed, AssignmentTaken,
    TransitionImpossible, InvalidRequest (`user`).
    """
    room, flow = live.room, current_flow(live)
    holder = flow.assigned.get(role)
    may_assign = room.policy.may(who, "assign_staff").allowed
    if flow.status != "open":
        raise TransitionImpossible(f"The record is {flow.status}.", flow.current)
    if not may_assign and role not in who.roles:
        raise NotAllowed("You neither have this role nor assign staff.")
    if not may_assign and holder not in (None, who.user_id):
        raise AssignmentTaken("Somebody else is responsible; ask them to hand over.", holder)
    if not may_assign and holder is None and user is not None and user.id != who.user_id:
        raise NotAllowed("You may take the record yourself, not give it to somebody.")
    if user is not None and (user.disabled or role not in user.roles):
        raise invalid("user", Rule.ROLE, "This person does not have the role.")
    assigned = {other: its for other, its in flow.assigned.items() if other != role}
    if user is not None:
        assigned[role] = user.id
    _write_assigned(live, batch, assigned, who, at)
    if user is not None and user.id != who.user_id and holder != user.id:
        batch.announce("assigned", at, users=[user.id], payload={"role": role, "by": who.user_id})


def cancel(live: "LiveRoom", batch: Batch, who: Principal, reason: str, at: datetime) -> None:
    """Cancel an open record: it takes no edits. Raises NotAllowed, TransitionImpossible."""
    room, flow = live.room, current_flow(live)
    decision = room.policy.may(who, "cancel_records")
    if not decision.allowed:
        raise NotAllowed(decision.reason)
    if flow.status != "open":
        raise TransitionImpossible(f"The record is {flow.status}.", flow.current)
    cancelled = msgspec.structs.replace(flow, status="cancelled")
    told = {"by": who.user_id, "at": instant(at), "reason": reason}
    live.write_facts(batch, {**flow_facts(cancelled), "cancelled": told}, who, at)
    batch.audit.append(entry_for(who, "cancel", "success", at, live.record_id, batch.version))


def time_left(live: "LiveRoom", at: datetime) -> timedelta:
    """How long the visit probably still takes."""
    profile = live.room.profile
    seen = chart_of(live.room)
    pace = partial(live.paces.of, profile)
    return remaining(profile, current_flow(live), seen.fields, pace, at)


def _write_assigned(
    live: "LiveRoom", batch: Batch, assigned: dict[str, str], who: Principal, at: datetime
) -> None:
    live.write_facts(batch, {"assigned": assigned}, who, at)
    batch.audit.append(entry_for(who, "assign", "success", at, live.record_id, batch.version))
