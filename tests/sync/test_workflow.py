"""The workflow as a table: whose turn it is, what blocks it, and that no record is ever stuck."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permissions import Profile, load_profile
from sync.flow import Action, Flow, Impossible, Moved, StepStatus
from sync.workflow import TRANSITIONS, advance, begin, pending_steps, settle

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PROFILES = Path(__file__).parents[2] / "profiles"
ANTENATAL = Path(__file__).parents[2] / "examples" / "custom_profile" / "antenatal.toml"
OUTPATIENT = load_profile(PROFILES / "outpatient.toml")
EYE = load_profile(PROFILES / "eye_screening.toml")
ACTIONS: tuple[Action, ...] = get_args(Action)
TURN = ("ready", "in_progress", "returned")


@dataclass
class Chart:
    """What a record shows, as far as the workflow looks."""

    fields: dict[str, dict[str, object]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    disputed: list[str] = field(default_factory=list)

    def add(self, section: str, **entry: object) -> str:
        entries = self.fields.setdefault(section, {})
        id = f"{section}-{len(entries)}"
        entries[id] = entry
        return id

    def meet(self, profile: Profile, step_id: str) -> None:
        """Fill in what the step requires, and close what it waits for."""
        step = profile.step(step_id)
        assert step is not None
        if step.condition is not None:
            for id in profile.open_entries(step.condition, self.fields):
                self.add(step.condition.closed_by_section, **{step.condition.closed_by_key: id})
        for requirement in profile.missing(step, self.fields, self.texts):
            name = profile.fields[requirement.any_of[0]]
            if name.kind == "entry":
                self.add(name.section)
            else:
                self.fields.setdefault(name.section, {})[name.key or ""] = "x"


@dataclass
class Visit:
    """One record on its way."""

    profile: Profile
    chart: Chart = field(default_factory=Chart)
    now: datetime = NOW
    flow: Flow = field(init=False)

    def __post_init__(self) -> None:
        self.flow = begin(self.profile, self.now)

    def ask(
        self, action: Action, step: str = "", by: str = "ana", **more: str
    ) -> Moved | Impossible:
        self.now += timedelta(minutes=1)
        answer = advance(
            self.profile, self.flow, self.chart, step_id=step or self.flow.current,
            action=action, by=by, at=self.now, **more,
        )  # fmt: skip
        if isinstance(answer, Moved):
            self.flow = answer.flow
        return answer

    def add(self, section: str, **entry: object) -> str:
        id = self.chart.add(section, **entry)
        self.flow = settle(self.profile, self.flow, self.chart.fields, self.now)
        return id

    def finish_step(self) -> None:
        self.chart.meet(self.profile, self.flow.current)
        assert isinstance(self.ask("complete"), Moved)

    def walk_to(self, step: str) -> None:
        while self.flow.current != step:
            self.finish_step()

    def finish(self) -> list[str]:
        """Complete step after step; the steps that were walked."""
        walked = []
        while self.flow.status == "open":
            walked.append(self.flow.current)
            assert len(walked) < 40, "a record that is worked on comes to its end"
            self.finish_step()
        return walked


def refused(answer: Moved | Impossible) -> Impossible:
    assert isinstance(answer, Impossible)
    return answer


@pytest.mark.rule("FLOW-1")
def test_the_table_answers_every_action_at_every_status() -> None:
    assert set(TRANSITIONS) == {
        (status, action) for status in get_args(StepStatus) for action in ACTIONS
    }


@pytest.mark.rule("FLOW-1")
@pytest.mark.parametrize("action", ACTIONS)
def test_a_step_whose_turn_it_is_not_is_refused_with_the_step_where_the_record_stands(
    action: Action,
) -> None:
    visit = Visit(OUTPATIENT)
    before = visit.flow

    answer = refused(visit.ask(action, "pharmacy", reason="x"))

    assert answer.current == "registration"
    assert "Registration" in answer.reason
    assert visit.flow == before


@pytest.mark.rule("FLOW-1")
def test_each_step_is_started_and_completed_with_who_and_when() -> None:
    visit = Visit(OUTPATIENT)
    visit.chart.meet(OUTPATIENT, "registration")

    visit.ask("start")
    visit.ask("complete", by="ben")

    done = visit.flow.of("registration")
    assert (done.status, done.started_by, done.completed_by) == ("completed", "ana", "ben")
    assert done.ready_at == NOW
    assert done.started_at == NOW + timedelta(minutes=1)
    assert done.completed_at == NOW + timedelta(minutes=2)
    assert visit.flow.current == "triage"
    assert visit.flow.of("triage").status == "ready"
    assert visit.flow.assigned == {"receptionist": "ana"}


@pytest.mark.rule("FLOW-2")
def test_optional_steps_come_only_where_something_is_open_for_them() -> None:
    plain, full = Visit(OUTPATIENT), Visit(OUTPATIENT)
    full.walk_to("consultation")
    full.add("lab_orders", test="x")
    full.add("prescriptions", drug="y")

    assert plain.finish() == ["registration", "triage", "consultation", "payment", "discharge"]
    assert full.finish() == ["consultation", "laboratory", "pharmacy", "payment", "discharge"]


@pytest.mark.rule("FLOW-2")
def test_a_third_profile_walks_by_its_own_steps() -> None:
    visit = Visit(load_profile(ANTENATAL))
    visit.walk_to("examination")
    visit.add("referrals")

    assert visit.finish() == ["examination", "doctor"]
    assert visit.flow.status == "completed"


@pytest.mark.rule("FLOW-3")
def test_completing_says_every_field_that_is_missing() -> None:
    visit = Visit(OUTPATIENT)
    visit.chart.fields["demographics"] = {"family_name": "Example", "sex": ""}

    answer = refused(visit.ask("complete"))

    assert [unmet.field for unmet in answer.unmet] == [
        "demographics.given_name", "demographics.birth_date", "demographics.sex",
    ]  # fmt: skip


@pytest.mark.rule("FLOW-3")
def test_a_disputed_critical_field_blocks_completing_until_it_is_decided() -> None:
    visit = Visit(OUTPATIENT)
    visit.chart.meet(OUTPATIENT, "registration")
    visit.chart.disputed = ["demographics.sex"]

    answer = refused(visit.ask("complete"))
    visit.chart.disputed = []

    (unmet,) = answer.unmet
    assert unmet.field == "demographics.sex"
    assert unmet.reason.startswith("Sex is disputed")  # a refused intent has no list of fields
    assert isinstance(visit.ask("complete"), Moved)


@pytest.mark.rule("FLOW-3")
def test_an_open_order_blocks_its_step_unless_a_reason_stands_in_for_the_result() -> None:
    visit = Visit(OUTPATIENT)
    visit.walk_to("consultation")
    first = visit.add("lab_orders", test="x")
    visit.add("lab_orders", test="y")
    visit.finish_step()
    visit.add("lab_results", order=first)

    answer = refused(visit.ask("complete"))
    visit.chart.fields["lab_status"] = {"rejected_reason": "clotted"}

    assert [unmet.field for unmet in answer.unmet] == ["lab_orders"]
    assert "1 open" in answer.unmet[0].reason
    assert isinstance(visit.ask("complete"), Moved)
    assert visit.flow.current == "payment"
    assert visit.finish() == ["payment", "discharge"]


@pytest.mark.rule("FLOW-4")
def test_an_order_placed_late_takes_the_record_out_of_a_queue_that_nobody_serves_yet() -> None:
    visit = Visit(OUTPATIENT)
    visit.walk_to("payment")

    visit.add("lab_orders", test="x")

    assert visit.flow.current == "laboratory"
    assert visit.flow.of("payment").status == "waiting"
    assert visit.finish() == ["laboratory", "payment", "discharge"]


@pytest.mark.rule("FLOW-4")
def test_an_order_placed_while_a_later_step_is_underway_comes_next() -> None:
    visit = Visit(OUTPATIENT)
    visit.walk_to("payment")
    visit.ask("start")

    visit.add("lab_orders", test="x")

    assert visit.flow.current == "payment"
    assert visit.finish() == ["payment", "laboratory", "discharge"]


@pytest.mark.rule("FLOW-4")
def test_the_last_step_is_not_completed_over_an_open_order_and_may_send_the_record_there() -> None:
    visit = Visit(OUTPATIENT)
    visit.walk_to("discharge")
    visit.ask("start")
    visit.add("lab_orders", test="x")

    answer = refused(visit.ask("complete"))

    assert [unmet.field for unmet in answer.unmet] == ["lab_orders"]
    assert visit.flow.status == "open"
    assert isinstance(visit.ask("return", to="laboratory", reason="an order is open"), Moved)
    assert visit.finish() == ["laboratory", "payment", "discharge"]


@pytest.mark.rule("FLOW-5")
def test_of_two_people_who_press_complete_one_wins_and_the_other_is_told() -> None:
    visit = Visit(OUTPATIENT)
    visit.chart.meet(OUTPATIENT, "registration")
    visit.ask("complete", "registration", by="ana")
    stands = visit.flow

    other = refused(visit.ask("complete", "registration", by="ben"))
    again = visit.ask("complete", "registration", by="ana")

    assert other.current == "triage"
    assert again == Moved(stands, None)
    assert visit.flow is stands


@pytest.mark.rule("FLOW-5")
def test_starting_twice_changes_nothing_and_starting_anothers_is_refused() -> None:
    visit = Visit(OUTPATIENT)
    visit.ask("start", by="ana")
    stands = visit.flow

    assert visit.ask("start", by="ana") == Moved(stands, None)
    assert "Somebody else" in refused(visit.ask("start", by="ben")).reason


@pytest.mark.rule("FLOW-6")
def test_a_return_needs_a_reason_and_a_step_that_the_profile_names() -> None:
    visit = Visit(EYE)
    visit.walk_to("supervisor_approval")

    assert refused(visit.ask("return", reason="  ")).unmet[0].field == "reason"
    assert refused(visit.ask("return", reason="blurred", to="completed"))
    assert refused(visit.ask("return", reason="blurred", to="nowhere"))
    assert isinstance(visit.ask("return", reason="blurred", to="visual_assessment"), Moved)


@pytest.mark.rule("FLOW-6")
def test_what_lies_after_a_returned_step_is_looked_at_again() -> None:
    visit = Visit(EYE)
    visit.walk_to("supervisor_approval")
    visit.ask("return", reason="blurred", to="visual_assessment", by="sue")

    back = visit.flow.of("visual_assessment")
    assert (back.status, back.returned_by, back.returned_from, back.reason) == (
        "returned", "sue", "supervisor_approval", "blurred",
    )  # fmt: skip
    assert visit.flow.of("check_in").status == "completed"
    assert visit.finish() == ["visual_assessment", "doctor_diagnosis", "supervisor_approval"]


@pytest.mark.rule("FLOW-6")
def test_a_return_without_a_target_goes_to_the_step_done_last() -> None:
    visit = Visit(OUTPATIENT)
    visit.walk_to("payment")

    visit.ask("return", reason="wrong scheme")

    assert visit.flow.current == "registration"


@pytest.mark.rule("FLOW-8")
@pytest.mark.parametrize("profile", [OUTPATIENT, EYE])
def test_past_the_last_step_or_at_nobodys_the_record_is_completed(profile: Profile) -> None:
    visit = Visit(profile)
    visit.finish()

    assert visit.flow.status == "completed"
    assert visit.flow.of(profile.steps[-1].id).status == "completed"
    for step in profile.steps:
        for action in ACTIONS:
            assert "completed" in refused(visit.ask(action, step.id, reason="x")).reason


def test_a_time_before_the_step_was_ready_counts_as_when_it_became_ready() -> None:
    flow = begin(OUTPATIENT, NOW)

    moved = advance(
        OUTPATIENT, flow, Chart(), step_id="registration", action="start", by="ana",
        at=NOW - timedelta(days=3),
    )  # fmt: skip

    assert isinstance(moved, Moved)
    assert moved.flow.of("registration").started_at == NOW


STEP_IDS = {profile.name: [step.id for step in profile.steps] for profile in (OUTPATIENT, EYE)}
ORDERED = [
    step.condition.section for step in OUTPATIENT.steps if step.condition is not None
]  # fmt: skip


@st.composite
def deeds(draw: st.DrawFn) -> tuple[Profile, list[tuple[str, Mapping[str, str]]]]:
    profile = draw(st.sampled_from([OUTPATIENT, EYE]))
    step = st.one_of(st.just(""), st.sampled_from(STEP_IDS[profile.name]))
    asking = st.tuples(
        st.sampled_from(ACTIONS),
        st.fixed_dictionaries(
            {"step": step, "by": st.sampled_from(["ana", "ben"])},
            optional={"reason": st.just("why"), "to": st.sampled_from(STEP_IDS[profile.name])},
        ),
    )
    other = st.tuples(st.sampled_from(["meet", "order", "excuse"]), st.just({}))
    return profile, draw(st.lists(st.one_of(asking, other), max_size=40))


@pytest.mark.rule("FLOW-7")
@given(deeds())
@settings(max_examples=300, deadline=None)
def test_no_order_of_messages_leaves_a_record_stuck_or_in_two_queues(
    told: tuple[Profile, list[tuple[str, Mapping[str, str]]]],
) -> None:
    profile, doings = told
    visit = Visit(profile)
    for number, (deed, how) in enumerate(doings):
        if deed == "meet":
            visit.chart.meet(profile, visit.flow.current)
        elif deed == "order" and profile is OUTPATIENT:
            visit.add(ORDERED[number % len(ORDERED)])
        elif deed == "excuse" and profile is OUTPATIENT:
            visit.chart.fields["lab_status"] = {"rejected_reason": "clotted"}
        elif deed in ACTIONS:
            visit.ask(deed, **how)
        turns = [step.id for step in profile.steps if visit.flow.of(step.id).status in TURN]
        if visit.flow.status == "open":
            assert turns == [visit.flow.current]
        else:
            assert turns == []
            break
    while visit.flow.status == "open":
        visit.chart.meet(profile, visit.flow.current)
        if isinstance(visit.ask("complete"), Impossible):
            # Only an order that is open further back can hold it up, and then it can go there.
            first = next(pending_steps(profile, visit.flow, visit.chart.fields))
            assert isinstance(visit.ask("return", reason="open", to=first.id), Moved)
        assert visit.now < NOW + timedelta(minutes=200), "it comes to its end"
    assert not list(pending_steps(profile, visit.flow, visit.chart.fields))
