"""Intents: step changes asked for inside the document, live, offline, twice or in vain."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from permissions.model import Decision, Rule
from sync.flow import Flow
from sync.frame import WrittenRange
from sync.intents import Intent, read_intent
from sync.place import RECORD_ROOT
from sync.record_facts import flow_facts, flow_of
from sync.view import chart_of
from sync.workflow import begin
from tests.support.clinic import Clinic, Tablet, reloaded, shows_registers
from tests.support.people import at, outpatient, person, ulid
from tests.support.replicas import PyReplica, Replica, Step, YjsProcess

REGISTRATION: list[Step] = [
    ("set", "demographics", "family_name", "Example"),
    ("set", "demographics", "given_name", "Amina"),
    ("set", "demographics", "birth_date", "1984-03-12"),
    ("set", "demographics", "sex", "female"),
]
TRIAGE: list[Step] = [
    ("set", "triage", "category", "routine"),
    ("set", "vitals", "not_done_reason", "refused"),
]
FILLED = {"registration": REGISTRATION, "triage": TRIAGE}


def ask(step: str, action: str, **more: object) -> Step:
    return ("set", "progress", step, {"action": action, **more})


def visit() -> Clinic:
    clinic = Clinic()
    clinic.write_facts(person("server"), **flow_facts(begin(outpatient(), at(0))))
    return clinic


def stands(clinic: Clinic) -> Flow:
    return flow_of(outpatient(), clinic.room.document.section(RECORD_ROOT))


def whole(clinic: Clinic) -> list[tuple[str, str]]:
    """Everybody in step again, everything checked; the refusals as field and rule."""
    clinic.settle()
    shown = [tablet.replica.show() for tablet in clinic.tablets]
    wanted = clinic.fresh().show()
    assert all(one == wanted for one in shown)
    assert wanted.maps["progress"] == {}
    assert not wanted.pending
    assert shows_registers(clinic.room) == []
    loaded = reloaded(clinic.rows)
    assert chart_of(loaded) == chart_of(clinic.room)
    assert loaded.state == clinic.room.state
    return [(refusal.field, refusal.rule) for refusal in clinic.refusals]


@pytest.mark.rule("FLOW-9")
@pytest.mark.parametrize("stock", [False, True])
def test_an_intent_is_taken_out_again_and_answered_by_the_servers_facts(stock: bool) -> None:
    if stock and YjsProcess.missing():
        pytest.skip(YjsProcess.missing())
    clinic = visit()
    replica: Replica = YjsProcess.shared().open(5001) if stock else PyReplica(5001)
    clerk = clinic.join(replica, person("R", "receptionist"))
    nurse = clinic.join(PyReplica(5002), person("N", "nurse"))

    clerk.edit(ask("registration", "start"))
    clinic.settle()
    clerk.edit(*REGISTRATION)
    clerk.edit(ask("registration", "complete"))

    assert whole(clinic) == []
    assert nurse.replica.show().maps["record"]["current_step"] == "triage"
    done = stands(clinic).of("registration")
    assert (done.status, done.started_by, done.completed_by) == ("completed", "R", "R")
    assert clinic.rows[-1].author == "R"
    assert clinic.rows[-1].role == "receptionist"


@pytest.mark.rule("FLOW-10")
def test_fields_of_the_same_frame_count_and_several_intents_are_taken_in_their_order() -> None:
    clinic = visit()
    both = clinic.join(PyReplica(5001), person("B", "receptionist", "nurse"), online=False)

    both.edit(ask("registration", "start"), *REGISTRATION)
    both.edit(ask("registration", "complete"))
    both.edit(ask("triage", "start"))
    both.edit(ask("triage", "complete"), *TRIAGE)
    clinic.connect(both)

    assert whole(clinic) == []
    assert stands(clinic).current == "consultation"


@pytest.mark.rule("FLOW-10")
def test_what_is_missing_is_refused_and_the_rest_of_the_frame_stays() -> None:
    clinic = visit()
    clerk = clinic.join(PyReplica(5001), person("R", "receptionist"), online=False)

    clerk.edit(*REGISTRATION[:3], ask("registration", "complete"))
    clinic.connect(clerk)

    assert whole(clinic) == [("progress.registration", "transition")]
    assert "Sex" in clinic.refusals[0].reason
    assert '"complete"' in clinic.refusals[0].value
    assert stands(clinic).current == "registration"
    assert clinic.fresh().show().maps["demographics"]["given_name"] == "Amina"


@pytest.mark.rule("FLOW-11")
def test_of_two_who_completed_offline_the_second_is_told_and_nothing_is_disputed() -> None:
    clinic = visit()
    first = clinic.join(PyReplica(5001), person("R1", "receptionist"), online=False)
    second = clinic.join(PyReplica(5002), person("R2", "receptionist"), online=False)
    for tablet in (first, second):
        tablet.edit(*REGISTRATION, ask("registration", "complete"))

    for tablet in (first, second):
        clinic.connect(tablet)
        clinic.settle()

    assert whole(clinic) == [("progress.registration", "transition")]
    assert clinic.conflicts == {}
    assert stands(clinic).of("registration").completed_by == "R1"
    assert stands(clinic).current == "triage"


@pytest.mark.rule("FLOW-11")
def test_the_same_intent_again_changes_nothing() -> None:
    clinic = visit()
    clerk = clinic.join(PyReplica(5001), person("R", "receptionist"))
    clerk.edit(*REGISTRATION, ask("registration", "complete"))
    clinic.settle()
    before = stands(clinic)

    clerk.edit(ask("registration", "complete"))
    clinic.reunite()

    assert whole(clinic) == []
    assert stands(clinic) == before


@pytest.mark.rule("FLOW-12")
@pytest.mark.parametrize(
    ("role", "step", "rule"),
    [
        ("nurse", ask("registration", "start"), "role"),
        ("receptionist", ask("registration", "jump"), "type"),
        ("receptionist", ("set", "progress", "registration", "start"), "type"),
        ("receptionist", ask("registration", "start", by="me"), "type"),
        ("receptionist", ask("registration", "start", at="2026-01-01T00:00:00"), "type"),
        ("receptionist", ask("registration", "start", reason="x" * 2001), "size"),
        ("receptionist", ("nest", "progress", "registration", "x"), "type"),
        ("receptionist", ask("nowhere", "start"), "unknown_field"),
        ("nurse", ask("triage", "start"), "transition"),
        ("receptionist", ask("registration", "return", reason="x"), "transition"),
    ],
)
def test_what_nobody_may_ask_is_refused_and_taken_out(role: str, step: Step, rule: str) -> None:
    clinic = visit()
    tablet = clinic.join(PyReplica(5001), person("P", role))
    before = stands(clinic)

    tablet.edit(step)

    assert {one for _, one in whole(clinic)} == {rule}
    assert stands(clinic) == before


def test_who_takes_an_unsent_intent_back_has_asked_for_nothing() -> None:
    clinic = visit()
    clerk = clinic.join(PyReplica(5001), person("R", "receptionist"), online=False)

    clerk.edit(ask("registration", "start"), ("del", "progress", "registration"))
    clinic.connect(clerk)

    assert whole(clinic) == []
    assert stands(clinic).of("registration").status == "ready"


def test_the_time_of_an_offline_step_is_the_journals() -> None:
    clinic = visit()
    clerk = clinic.join(PyReplica(5001), person("R", "receptionist"), online=False)
    clinic.now_s = 1000
    (update,) = clerk.edit(ask("registration", "start"))

    clinic.take(clerk, update, journal=(WrittenRange(5001, 0, 1, at(600)),))

    started = stands(clinic).of("registration")
    assert started.started_at == at(600)
    assert clinic.rows[-1].received_at == at(1001)


@pytest.mark.rule("FLOW-12")
def test_an_intent_of_somebody_whose_hand_is_not_proven_is_refused() -> None:
    clinic = visit()
    clerk = clinic.join(PyReplica(5001), person("R", "receptionist"), online=False)
    (update,) = clerk.edit(ask("registration", "start"))
    denied = Decision(False, Rule.IDENTITY, "Not proven.")

    clinic.take(clerk, update, journal=(WrittenRange(5001, 0, 1, at(1), denied),))

    assert [refusal.rule for refusal in clinic.refusals] == ["identity"]
    assert stands(clinic).of("registration").status == "ready"


@pytest.mark.rule("FLOW-13")
def test_a_completed_record_takes_amendments_and_nothing_else() -> None:
    clinic = visit()
    clinic.write_facts(person("server"), status="completed")
    officer = clinic.join(PyReplica(5001), person("C", "clinical_officer"))
    comment = {"text": "late"}

    officer.edit(("set", "comments", ulid(1), comment))
    officer.edit(("set", "comments", ulid(2), {**comment, "amendment_reason": "  "}))
    officer.edit(("set", "comments", ulid(3), {**comment, "amendment_reason": "left out"}))
    officer.edit(("set", "vitals", "pulse", 80), ask("consultation", "start"))

    assert [rule for _, rule in whole(clinic)] == ["completed"] * 4
    assert list(clinic.fresh().show().maps["comments"]) == [ulid(3)]


def test_an_intent_is_read_strictly() -> None:
    said = read_intent(
        {"action": "return", "reason": "why", "to": "triage", "at": "2026-01-01T00:00:00Z"}
    )

    assert said == Intent(
        action="return", reason="why", to="triage", at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    for value in (None, 1, [], "start", {}, {"action": "start", "to": 3}, {"action": ["start"]}):
        assert getattr(read_intent(value), "rule", None) is Rule.TYPE


PEOPLE = (("R1", "receptionist"), ("R2", "receptionist"), ("N1", "nurse"), ("N2", "nurse"))
OFFICER = ("C", "clinical_officer", "cashier")
STEPS = [step.id for step in outpatient().steps]
whos = st.integers(0, len(PEOPLE))


class VisitMachine(RuleBasedStateMachine):
    """A visit with intents and edits in whatever order they are sent, lost, doubled and delayed."""

    @initialize()
    def begin(self) -> None:
        self.clinic = visit()
        for number, (name, *roles) in enumerate((*PEOPLE, OFFICER)):
            self.clinic.join(PyReplica(5001 + number), person(name, *roles))

    def tablet(self, who: int) -> Tablet:
        return self.clinic.tablets[who]

    @rule(
        who=whos, step=st.sampled_from(STEPS),
        action=st.sampled_from(["start", "complete", "return"]),
        reason=st.sampled_from(["", "why"]), minutes=st.integers(-60, 0),
    )  # fmt: skip
    def ask(self, who: int, step: str, action: str, reason: str, minutes: int) -> None:
        when = at(self.clinic.now_s) + timedelta(minutes=minutes)
        self.tablet(who).edit(ask(step, action, reason=reason, at=when.isoformat()))

    @rule(who=whos, action=st.sampled_from(["start", "complete"]))
    def ask_for_what_is_its_turn(self, who: int, action: str) -> None:
        self.tablet(who).edit(ask(stands(self.clinic).current, action))

    @rule(who=whos, which=st.sampled_from(sorted(FILLED)))
    def fill_in(self, who: int, which: str) -> None:
        self.tablet(who).edit(*FILLED[which])

    @rule(who=whos, step=st.sampled_from(STEPS))
    def take_back(self, who: int, step: str) -> None:
        self.tablet(who).edit(("del", "progress", step))

    @rule(number=st.integers(0, 10**6))
    def prescribe(self, number: int) -> None:
        tablet = self.tablet(len(PEOPLE))
        tablet.edit(("set", "prescriptions", ulid(number), {"drug": "x"}))

    @rule(who=whos, how_many=st.integers(1, 6))
    def deliver(self, who: int, how_many: int) -> None:
        for _ in range(how_many):
            self.clinic.step_up(self.tablet(who))
            self.clinic.step_down(self.tablet(who))
            self.check()

    @rule(who=whos)
    def flip(self, who: int) -> None:
        tablet = self.tablet(who)
        if tablet.link is None:
            self.clinic.connect(tablet)
        else:
            self.clinic.disconnect(tablet)

    @rule(who=whos)
    def duplicate(self, who: int) -> None:
        link = self.tablet(who).link
        if link is not None and link.up and link.up[0].kind == "update":
            link.up.append(link.up[0])

    @rule(from_snapshot=st.booleans())
    def crash(self, from_snapshot: bool) -> None:
        self.clinic.save_snapshot()
        self.clinic.crash(from_snapshot=from_snapshot)

    def check(self) -> None:
        flow = stands(self.clinic)
        turns = [id for id in STEPS if flow.of(id).status in ("ready", "in_progress", "returned")]
        assert turns == ([flow.current] if flow.status == "open" else [])
        assert self.clinic.room.document.section("progress") == {}

    def teardown(self) -> None:
        if not hasattr(self, "clinic"):
            return
        self.clinic.reunite()
        refused = whole(self.clinic)
        self.check()
        expected = {"role", "transition", "completed", "append_only"}
        assert {rule for _, rule in refused} <= expected
        assert not any(one.field.startswith("progress") for one in self.clinic.conflicts.values())
        if stands(self.clinic).current == "registration" and stands(self.clinic).status == "open":
            # Whatever went before, whose turn it is can go on.
            clerk = self.tablet(0)
            clerk.edit(*REGISTRATION)
            self.clinic.settle()
            if not self.clinic.room.state.status == "open" or chart_of(self.clinic.room).disputed:
                return
            clerk.edit(ask("registration", "complete"))
            whole(self.clinic)
            assert stands(self.clinic).current == "triage"


VisitMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestVisits: Any = pytest.mark.rule("FLOW-7")(VisitMachine.TestCase)
