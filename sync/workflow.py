"""The workflow: where a record stands in the steps of its profile, and what may happen next. Pure.

Owns the table of step changes and the rule of what follows: the first step, in the profile's order,
that is not done. An optional step is not done while an entry that it waits for is open, so an order
that is placed late sends the record back instead of getting lost. SPEC FLOW-1 to FLOW-9.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from permissions.fields import Step
from permissions.profile import Fields, Profile
from sync.flow import (
    Action,
    Flow,
    Impossible,
    Moved,
    Seen,
    StepChange,
    StepState,
    StepStatus,
    Unmet,
)

__all__ = ["TRANSITIONS", "advance", "begin", "pending_steps", "settle"]

Outcome = Literal["start", "complete", "return", "early", "underway", "over"]

TRANSITIONS: Mapping[tuple[StepStatus, Action], Outcome] = {
    ("waiting", "start"): "early",
    ("waiting", "complete"): "early",
    ("waiting", "return"): "early",
    ("ready", "start"): "start",
    ("ready", "complete"): "complete",
    ("ready", "return"): "return",
    ("returned", "start"): "start",
    ("returned", "complete"): "complete",
    ("returned", "return"): "return",
    ("in_progress", "start"): "underway",
    ("in_progress", "complete"): "complete",
    ("in_progress", "return"): "return",
    ("completed", "start"): "over",
    ("completed", "complete"): "over",
    ("completed", "return"): "over",
}
"""What asking for an action at a step of this status leads to. early: it is not the step's turn;
underway, over: somebody was first, which is fine if it was the same person."""


def begin(profile: Profile, at: datetime) -> Flow:
    """A new record at its first step."""
    first = profile.steps[0].id
    return Flow(status="open", current=first, steps={first: StepState(status="ready", ready_at=at)})


def pending_steps(profile: Profile, flow: Flow, fields: Fields) -> Iterator[Step]:
    """The steps that are not done, in the profile's order; the first of them is whose turn it is.

    An optional step is not done while an entry is open that it did not settle. SPEC FLOW-2.
    """
    for step in profile.steps:
        state = flow.of(step.id)
        if step.condition is None:
            if state.status != "completed":
                yield step
        elif any(id not in state.settled for id in profile.open_entries(step.condition, fields)):
            yield step


def settle(profile: Profile, flow: Flow, fields: Fields, at: datetime) -> Flow:
    """The flow after entries were added: an order placed late takes a record out of a later queue.

    Only where nobody has begun the step at which it stands; else completing that step leads there.
    SPEC FLOW-4.
    """
    if flow.status != "open" or flow.of(flow.current).status != "ready":
        return flow
    first = next(pending_steps(profile, flow, fields), None)
    if first is None or _position(profile, first.id) >= _position(profile, flow.current):
        return flow
    left = _fresh(flow.of(flow.current), None)
    return _standing_at(flow, first.id, at, {flow.current: left})


def advance(
    profile: Profile,
    flow: Flow,
    seen: Seen,
    *,
    step_id: str,
    action: Action,
    by: str,
    at: datetime,
    reason: str = "",
    to: str | None = None,
) -> Moved | Impossible:
    """What a person's step change leads to, or why it is impossible. SPEC FLOW-1, FLOW-3, FLOW-5.

    to: where a return sends the record; without it, to the latest step done of those it may go to.
    Whether the person may do it at all is the policy's question.
    """
    step = profile.step(step_id)
    if step is None:
        return Impossible("The profile has no such step.", flow.current)
    if flow.status != "open":
        return Impossible(f"The record is {flow.status}.", flow.current)
    state = flow.of(step_id)
    match TRANSITIONS[state.status, action]:
        case "early":
            return Impossible(
                f"It is not the turn of {step.title}: {_turn(profile, flow)}", flow.current
            )
        case "underway":
            if state.started_by == by:
                return Moved(flow, None)
            return Impossible(f"Somebody else has started {step.title}.", flow.current)
        case "over":
            if action == "complete" and state.completed_by == by:
                return Moved(flow, None)
            return Impossible(f"{step.title} is completed: {_turn(profile, flow)}", flow.current)
        case "start":
            return _start(flow, step, by, at)
        case "complete":
            return _complete(profile, flow, seen, step, by, at)
        case "return":
            return _return(profile, flow, seen, step, by, at, reason.strip(), to)


def _start(flow: Flow, step: Step, by: str, at: datetime) -> Moved:
    state = flow.of(step.id)
    at = _not_before(at, state.ready_at)
    started = msgspec.structs.replace(state, status="in_progress", started_at=at, started_by=by)
    assigned = dict(flow.assigned)
    if step.role is not None:
        assigned[step.role] = by
    flow = Flow(
        status="open", current=step.id, steps={**flow.steps, step.id: started}, assigned=assigned
    )
    return Moved(flow, _change(flow, step, "start", by, at, started))


def _complete(
    profile: Profile, flow: Flow, seen: Seen, step: Step, by: str, at: datetime
) -> Moved | Impossible:
    open_entries, excused = _left_open(profile, flow, step, seen)
    unmet = tuple(_unmet(profile, seen, step, 0 if excused else len(open_entries)))
    if unmet:
        return Impossible(f"{step.title} cannot be completed yet.", flow.current, unmet)
    state = flow.of(step.id)
    at = _not_before(at, state.started_at or state.ready_at)
    done = msgspec.structs.replace(
        state, status="completed", completed_at=at, completed_by=by,
        settled=tuple(dict.fromkeys((*state.settled, *open_entries))),
    )  # fmt: skip
    assigned = {**({step.role: by} if step.role else {}), **flow.assigned}
    after = Flow(
        status="open", current=step.id, steps={**flow.steps, step.id: done}, assigned=assigned
    )
    pending = list(pending_steps(profile, after, seen.fields))
    here = _position(profile, step.id)
    later = [one for one in pending if _position(profile, one.id) > here and one.role is not None]
    reopened = [one for one in pending if _position(profile, one.id) < here]
    if reopened and not later:
        return Impossible(
            f"{step.title} cannot be completed yet.", flow.current,
            tuple(Unmet(_subject(one), _still_open(profile, one, seen)) for one in reopened),
        )  # fmt: skip
    after = _arrived(after, pending[0] if pending else None, at)
    return Moved(after, _change(after, step, "complete", by, at, done))


def _arrived(flow: Flow, step: Step | None, at: datetime) -> Flow:
    """The flow standing at the step; past the last step, or at nobody's, the record completes."""
    if step is not None and step.role is not None:
        return _standing_at(flow, step.id, at, {})
    steps, current = dict(flow.steps), flow.current
    if step is not None:
        steps[step.id] = StepState(status="completed", ready_at=at, completed_at=at)
        current = step.id
    return msgspec.structs.replace(flow, status="completed", current=current, steps=steps)


def _return(
    profile: Profile, flow: Flow, seen: Seen, step: Step, by: str, at: datetime, reason: str,
    to: str | None,
) -> Moved | Impossible:  # fmt: skip
    if not reason:
        unmet = Unmet("reason", "Say why the record is sent back.")
        return Impossible(f"{step.title} returns a record with a reason.", flow.current, (unmet,))
    here = _position(profile, step.id)
    reopened = [
        one.id
        for one in pending_steps(profile, flow, seen.fields)
        if _position(profile, one.id) < here
    ]
    targets = [*step.returns_to, *(id for id in reopened if id not in step.returns_to)]
    target = _latest_done(flow, targets) if to is None else to
    if target is None or target not in targets:
        return Impossible(f"{step.title} cannot send the record there.", flow.current)
    state = flow.of(step.id)
    at = _not_before(at, state.started_at or state.ready_at)
    steps = dict(flow.steps)
    for one in profile.steps[_position(profile, target) + 1 : here + 1]:
        if one.id in steps:
            # What it rested on may change: it is to be looked at again, not only skipped.
            steps[one.id] = _fresh(flow.of(one.id), None)
    steps[target] = StepState(
        status="returned", ready_at=at, returned_at=at, returned_by=by, returned_from=step.id,
        reason=reason,
    )  # fmt: skip
    after = msgspec.structs.replace(flow, current=target, steps=steps)
    return Moved(after, _change(after, step, "return", by, at, state, reason))


def _latest_done(flow: Flow, targets: list[str]) -> str | None:
    done = [id for id in targets if flow.of(id).completed_at is not None]
    latest = max(done, key=lambda id: str(flow.of(id).completed_at), default=None)
    return latest or next(iter(targets), None)


def _unmet(profile: Profile, seen: Seen, step: Step, open_entries: int) -> Iterator[Unmet]:
    """What stands against completing the step. SPEC FLOW-3."""
    for requirement in profile.missing(step, seen.fields, seen.texts):
        reason = f"{profile.requirement_title(requirement)} must be filled in."
        yield Unmet(requirement.any_of[0], reason)
    for name in seen.disputed:
        field = profile.fields.get(name)
        title = name if field is None else field.title
        yield Unmet(name, f"{title} is disputed: somebody entitled decides between its values.")
    if open_entries:
        yield Unmet(_subject(step), _still_open(profile, step, seen))


def _left_open(
    profile: Profile, flow: Flow, step: Step, seen: Seen
) -> tuple[tuple[str, ...], bool]:
    """The entries that the step would leave open, and whether a reason was given for it.

    A reason is what a requirement of the step takes in place of closing entries.
    """
    condition = step.condition
    if condition is None:
        return (), True
    settled = flow.of(step.id).settled
    entries = tuple(id for id in profile.open_entries(condition, seen.fields) if id not in settled)
    instead = {
        name
        for requirement in step.required
        if condition.closed_by_section in requirement.any_of
        for name in requirement.any_of
        if name != condition.closed_by_section
    }
    return entries, any(profile.is_filled(name, seen.fields, seen.texts) for name in instead)


def _still_open(profile: Profile, step: Step, seen: Seen) -> str:
    assert step.condition is not None or step.role is not None, "only steps with work are open"
    if step.condition is None:
        return f"{step.title} is not completed."
    count = len(profile.open_entries(step.condition, seen.fields))
    title = profile.fields[step.condition.section].title
    return f"{step.title} is not done: {title}, {count} open."


def _subject(step: Step) -> str:
    return step.id if step.condition is None else step.condition.section


def _standing_at(flow: Flow, step_id: str, at: datetime, changed: Mapping[str, StepState]) -> Flow:
    steps = {**flow.steps, **changed, step_id: _fresh(flow.of(step_id), at)}
    return msgspec.structs.replace(flow, current=step_id, steps=steps)


def _fresh(state: StepState, ready_at: datetime | None) -> StepState:
    """The step as if it had never been reached, or (ready_at) as if only just."""
    status: StepStatus = "waiting" if ready_at is None else "ready"
    return StepState(status=status, ready_at=ready_at, settled=state.settled)


def _change(
    flow: Flow, step: Step, action: Action, by: str, at: datetime, left: StepState, reason: str = ""
) -> StepChange:
    return StepChange(
        step=step.id, action=action, by=by, at=at, current=flow.current, status=flow.status,
        ready_at=left.ready_at, started_at=left.started_at, reason=reason,
    )  # fmt: skip


def _turn(profile: Profile, flow: Flow) -> str:
    current = profile.step(flow.current)
    return f"the record stands at {current.title if current else flow.current}."


def _position(profile: Profile, step_id: str) -> int:
    """Where the step stands in the profile; a step that it no longer has comes first."""
    return next((at for at, step in enumerate(profile.steps) if step.id == step_id), -1)


def _not_before(at: datetime, earliest: datetime | None) -> datetime:
    return at if earliest is None else max(at, earliest)
