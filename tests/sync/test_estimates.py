"""How long a visit still takes."""

from datetime import timedelta

import msgspec

from permissions.fields import Step
from sync.estimates import Pace, remaining
from sync.flow import Flow, StepState
from sync.workflow import begin
from tests.support.people import at, outpatient

MINUTE = timedelta(minutes=1)


def pace(step: Step) -> Pace:
    return Pace(waiting=2 * MINUTE, handling=10 * MINUTE)


def left(flow: Flow, minutes: float, **fields: dict[str, object]) -> timedelta:
    return remaining(outpatient(), flow, fields, pace, at(60 * minutes))


def test_every_step_that_is_still_to_be_done_counts_with_waiting_and_doing() -> None:
    flow = begin(outpatient(), at(0))

    assert left(flow, 0) == 5 * 12 * MINUTE
    assert left(flow, 1) == 5 * 12 * MINUTE - MINUTE
    assert left(flow, 0, lab_orders={"A": {}}) == 6 * 12 * MINUTE


def test_what_lasts_longer_than_usual_may_end_any_moment() -> None:
    running = StepState(status="in_progress", ready_at=at(0), started_at=at(0))
    flow = msgspec.structs.replace(begin(outpatient(), at(0)), steps={"registration": running})

    assert left(flow, 4) == (6 + 4 * 12) * MINUTE
    assert left(flow, 99) == 4 * 12 * MINUTE


def test_nothing_is_left_of_a_record_that_is_over() -> None:
    flow = msgspec.structs.replace(begin(outpatient(), at(0)), status="completed")

    assert left(flow, 0) == timedelta(0)
