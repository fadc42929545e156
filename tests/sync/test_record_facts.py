"""The server's facts: what is written of a flow comes back equal, also of records from before."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from permissions import load_profile
from sync.flow import Flow, StepState
from sync.record_facts import flow_facts, flow_of, state_in
from sync.workflow import begin
from tests.support.clinic import Clinic
from tests.support.people import person
from tests.support.replicas import PyReplica

NOW = datetime(2026, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC)
PROFILE = load_profile(Path(__file__).parents[2] / "profiles" / "outpatient.toml")


def test_a_flow_comes_back_from_its_facts_as_it_was() -> None:
    flow = Flow(
        status="open",
        current="triage",
        steps={
            "registration": StepState(
                status="completed", ready_at=NOW, started_at=NOW, started_by="ana",
                completed_at=NOW, completed_by="ben", settled=("A", "B"),
            ),
            "triage": StepState(
                status="returned", ready_at=NOW, returned_at=NOW, returned_by="sue",
                returned_from="consultation", reason="unclear",
            ),
        },
        assigned={"nurse": "ana"},
    )  # fmt: skip

    facts = flow_facts(flow)

    assert flow_of(PROFILE, facts) == flow
    assert flow_of(PROFILE, msgspec.json.decode(msgspec.json.encode(facts))) == flow
    assert facts["steps"]["triage"]["ready_at"] == "2026-03-01T08:00:00.250Z"  # type: ignore[index]
    assert state_in(facts).assigned == {"ana"}


def test_a_record_from_before_there_were_steps_stands_where_it_stood() -> None:
    flow = flow_of(PROFILE, {"status": "open", "current_step": "consultation"})

    assert flow.of("triage").status == "completed"
    assert flow.of("consultation").status == "ready"
    assert flow.of("payment").status == "waiting"


def test_a_step_that_the_profile_no_longer_has_leaves_the_record_at_the_first_undone_one() -> None:
    facts = flow_facts(begin(PROFILE, NOW))
    gone = {**facts, "current_step": "weighing", "steps": {"weighing": {"status": "in_progress"}}}

    flow = flow_of(PROFILE, gone)

    assert flow.current == "registration"
    assert flow.of("registration").status == "ready"


@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("GATE-10")
@pytest.mark.parametrize("key", ["emergency", "cancelled", "status"])
def test_who_invented_a_fact_before_there_was_one_sees_it_like_everybody(key: str) -> None:
    clinic = Clinic()
    tablet = clinic.join(PyReplica(40_000), person("N", "nurse"))
    tablet.edit(("set", "record", key, "mine"))
    clinic.settle()

    clinic.write_facts(person("server"), **{key: "the server's"})
    clinic.settle()

    assert tablet.replica.show().maps["record"] == {key: "the server's"}
    assert [refusal.rule for refusal in clinic.refusals] == ["server_owned"]
