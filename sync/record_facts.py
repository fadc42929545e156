"""The server's own facts in a record's `record` map: how they are written down and read back.

Times are ISO 8601, UTC, milliseconds. Nobody but the server writes that map (SPEC GATE-10).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from permissions.model import RecordState, RecordStatus
from permissions.profile import Profile
from sync.flow import Flow, StepState

__all__ = ["FACTS", "flow_facts", "flow_of", "state_in"]

FACTS = frozenset(
    {
        "number", "profile", "patient_id", "status", "current_step", "steps", "assigned",
        "disputed", "emergency", "cancelled", "estimate",
    }
)  # fmt: skip
"""The keys of the `record` map. What somebody else tried to write under one of them stays in its
chain, blank, so that the fact, which may come later, stands on it in their replica too."""


def flow_facts(flow: Flow) -> dict[str, object]:
    """The facts that say where the record stands."""
    return {
        "status": flow.status,
        "current_step": flow.current,
        "steps": {id: _written(state) for id, state in flow.steps.items()},
        "assigned": dict(flow.assigned),
    }


def flow_of(profile: Profile, facts: Mapping[str, object]) -> Flow:
    """Where the record with these facts stands.

    Of a record from before there were `steps`, and of one whose step the profile no longer has,
    the steps up to where it stands count as done.
    """
    status = _status(facts)
    current = facts.get("current_step")
    assigned = facts.get("assigned")
    steps = facts.get("steps")
    states = {
        str(id): msgspec.convert(state, StepState)
        for id, state in (steps.items() if isinstance(steps, dict) else ())
    }
    if not isinstance(current, str) or profile.step(current) is None:
        current = next(
            (s.id for s in profile.steps if _is_undone(states, s.id)), profile.steps[0].id
        )
    if status == "open" and _is_undone(states, current) and states.get(current, _NEW) == _NEW:
        for step in profile.steps:
            if step.id == current:
                states[current] = StepState(status="ready")
                break
            if step.condition is None:
                states.setdefault(step.id, StepState(status="completed"))
    return Flow(
        status=status, current=current, steps=states,
        assigned={
            str(role): user
            for role, user in (assigned.items() if isinstance(assigned, dict) else ())
            if isinstance(user, str)
        },
    )  # fmt: skip


def state_in(facts: Mapping[str, object]) -> RecordState:
    """What decisions must know of a record with these facts."""
    step = facts.get("current_step")
    assigned = facts.get("assigned")
    users = assigned.values() if isinstance(assigned, dict) else ()
    responsible = frozenset(user for user in users if isinstance(user, str))
    running = facts.get("emergency")
    emergency = (
        frozenset(str(user) for user in running) if isinstance(running, dict) else frozenset()
    )
    return RecordState(
        status=_status(facts),
        current_step=step if isinstance(step, str) else None,
        assigned=responsible | emergency,
        emergency=emergency - responsible,
    )


_NEW = StepState()


def _is_undone(states: Mapping[str, StepState], step_id: str) -> bool:
    return states.get(step_id, _NEW).status != "completed"


def _status(facts: Mapping[str, object]) -> RecordStatus:
    match facts.get("status"):
        case "completed":
            return "completed"
        case "cancelled":
            return "cancelled"
        case _:
            return "open"


def _written(state: StepState) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(state, builtin_types=(datetime,))
    plain["status"] = state.status
    for key, value in plain.items():
        if isinstance(value, datetime):
            utc = value.astimezone(UTC).isoformat(timespec="milliseconds")
            plain[key] = utc.replace("+00:00", "Z")
        elif isinstance(value, tuple):
            plain[key] = list(value)
    return plain
