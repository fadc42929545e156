"""The workflow by both ways at once: REST's own functions beside intents in the document."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from permissions.model import Principal
from server.errors import (
    AssignmentTaken,
    InvalidRequest,
    NotAllowed,
    StepIncomplete,
    TransitionImpossible,
)
from server.executor import Batch
from server.visits import assign, call_in, change_step
from storage import User
from sync.flow import StepChange
from sync.room import Room
from tests.support.clinic import Clinic
from tests.support.people import at, outpatient
from tests.sync.test_progress import STEPS, VisitMachine, stands, whos

ROLES = sorted({step.role for step in outpatient().steps if step.role is not None})
REFUSALS = (AssignmentTaken, InvalidRequest, NotAllowed, StepIncomplete, TransitionImpossible)


class Desk:
    """A clinic's room as REST's functions see a live one: what they write is stored and told."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.record_id = clinic.room.record_id

    @property
    def room(self) -> Room:
        return self.clinic.room

    def write_facts(self, batch: Batch, facts: Any, who: Principal, when: datetime) -> None:
        accepted = self.room.write_facts(facts, who, when)
        if accepted is not None:
            batch.add_facts(accepted, who, when)
            self.clinic.store(accepted, skip=None)


def account(who: Principal) -> User:
    return User(
        id=who.user_id, username=who.username, name=who.name, roles=who.roles, password_hash="",
        disabled=False, created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


class TwoWays(VisitMachine):
    """Everything of VisitMachine, with people who press the same buttons over REST."""

    def over_rest(self, work: Any, who: int, *asked: Any, **more: Any) -> StepChange | str | None:
        """What `work` answers; the name of its refusal, which must have changed nothing."""
        desk: Any = Desk(self.clinic)
        batch = Batch(desk.record_id, self.clinic.room.version, "outpatient")
        self.clinic.now_s += 1
        before = stands(self.clinic)
        try:
            answer = work(
                desk, batch, self.tablet(who).person, *asked, at(self.clinic.now_s), **more
            )
        except REFUSALS as refused:
            assert stands(self.clinic) == before
            assert batch.is_empty()
            return type(refused).__name__
        finally:
            self.check()
        changed = stands(self.clinic) != before
        assert changed == bool(batch.rows)
        assert len(batch.steps) == (isinstance(answer, StepChange))
        return answer

    @rule(
        who=whos, step=st.sampled_from(STEPS),
        action=st.sampled_from(["start", "complete", "return"]),
        reason=st.sampled_from(["", "why"]),
    )  # fmt: skip
    def press(self, who: int, step: str, action: str, reason: str) -> None:
        self.over_rest(change_step, who, step, action, reason=reason)

    @rule(who=whos, action=st.sampled_from(["start", "complete"]))
    def press_what_is_its_turn(self, who: int, action: str) -> None:
        self.over_rest(change_step, who, stands(self.clinic).current, action)

    @rule(one=whos, other=whos, by_intent=st.booleans())
    def two_press_complete(self, one: int, other: int, by_intent: bool) -> None:
        step = stands(self.clinic).current
        first = self.over_rest(change_step, one, step, "complete")
        if not isinstance(first, StepChange):
            return
        after = stands(self.clinic)
        if by_intent:
            self.tablet(other).edit(("set", "progress", step, {"action": "complete"}))
        else:
            second = self.over_rest(change_step, other, step, "complete")
            assert second is None if one == other else isinstance(second, str)
            assert stands(self.clinic) == after

    @rule(who=whos)
    def call_next(self, who: int) -> None:
        step = stands(self.clinic).current
        called = self.over_rest(call_in, who, step)
        if isinstance(called, StepChange):
            flow, person = stands(self.clinic), self.tablet(who).person
            begun = flow.of(step)
            assert (begun.status, begun.started_by) == ("in_progress", person.user_id)
            assert person.user_id in flow.assigned.values()

    @rule(who=whos, whom=st.none() | whos, role=st.sampled_from(ROLES))
    def hand_over(self, who: int, whom: int | None, role: str) -> None:
        user = None if whom is None else account(self.tablet(whom).person)
        held = stands(self.clinic).assigned.get(role)
        done = self.over_rest(assign, who, role, user)
        if done is None:
            assert stands(self.clinic).assigned.get(role) == (user and user.id)
        elif done == "AssignmentTaken":
            assert held not in (None, self.tablet(who).person.user_id)

    def check(self) -> None:
        super().check()
        people = {tablet.person.user_id: tablet.person for tablet in self.clinic.tablets}
        for role, holder in stands(self.clinic).assigned.items():
            assert role in people[holder].roles


TwoWays.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestTwoWays: Any = pytest.mark.rule("FLOW-7")(TwoWays.TestCase)
