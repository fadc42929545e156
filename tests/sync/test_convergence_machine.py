"""Any history of edits, refusals, cut links and crashes ends in one record, and the right one.

Stock Y.Docs and pycrdt documents of five people (one with two tablets) against the model. The
ordinary run is short; FIELDCHART_MACHINE_EXAMPLES and FIELDCHART_MACHINE_STEPS lengthen it.
"""

import os
import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.support.busy_ward import BusyWard
from tests.support.replicas import YjsProcess
from tests.support.ward import Ward

EXAMPLES = int(os.environ.get("FIELDCHART_MACHINE_EXAMPLES", "25"))
SEEDS = int(os.environ.get("FIELDCHART_MACHINE_SEEDS", "20"))
STEPS = int(os.environ.get("FIELDCHART_MACHINE_STEPS", "50"))

people = st.integers(0, 5)
fields = st.integers(0, 4)
modes = st.integers(0, 7)
skews = st.sampled_from((0, 0, 0, 3, 10, 50))
positions = st.integers(0, 50)
jumps = st.sampled_from((-172_800, 172_800, -3600, 20, 301))


class RecordMachine(RuleBasedStateMachine):
    """A day on the ward in whatever order Hypothesis likes."""

    @initialize(client_ids=st.permutations((2001, 2002, 40_000, 2**31, 2**32 - 1, 2**40)))
    def open_the_ward(self, client_ids: list[int]) -> None:
        self.ward = BusyWard(client_ids, None if YjsProcess.missing() else YjsProcess.shared())

    @rule(who=people, which=fields, mode=modes, skew=skews)
    def write(self, who: int, which: int, mode: int, skew: int) -> None:
        self.ward.write(who, which, mode, skew)

    @rule(who=people, which=fields, skew=skews)
    def write_what_is_allowed(self, who: int, which: int, skew: int) -> None:
        self.ward.write(who, which, 1, skew)

    @rule(who=people, which=st.lists(fields, min_size=2, max_size=4), mode=modes, skew=skews)
    def write_several(self, who: int, which: list[int], mode: int, skew: int) -> None:
        self.ward.write_several(who, which, mode, skew)

    @rule(who=people, which=st.integers(0, 1))
    def clear(self, who: int, which: int) -> None:
        self.ward.clear(who, which)

    @rule(who=people, which=st.integers(0, 2))
    def clear_what_is_forbidden(self, who: int, which: int) -> None:
        self.ward.clear_exact(who, which)

    @rule(who=people, which=st.integers(0, 1), good=st.integers(0, 2))
    def add_entry(self, who: int, which: int, good: int) -> None:
        self.ward.add_entry(who, which, good)

    @rule(who=people, which=st.integers(0, 4), how=st.integers(0, 1))
    def spoil_entry(self, who: int, which: int, how: int) -> None:
        self.ward.spoil_entry(who, which, how)

    @rule(who=people, which=st.integers(0, 1), where=positions, how=st.integers(0, 3))
    def insert(self, who: int, which: int, where: int, how: int) -> None:
        self.ward.insert(who, which, where, how)

    @rule(who=people, which=st.integers(0, 1), where=positions, length=st.integers(0, 4))
    def cut(self, who: int, which: int, where: int, length: int) -> None:
        self.ward.cut(who, which, where, length)

    @rule(who=people, which=st.integers(0, 8))
    def oddity(self, who: int, which: int) -> None:
        self.ward.oddity(who, which)

    @rule(who=people, how_many=st.integers(1, 6))
    def deliver(self, who: int, how_many: int) -> None:
        self.ward.deliver(who, how_many)

    @rule(who=people)
    def go_offline(self, who: int) -> None:
        self.ward.go_offline(who)

    @rule(who=people)
    def go_online(self, who: int) -> None:
        self.ward.go_online(who)

    @rule(who=people)
    def lose(self, who: int) -> None:
        self.ward.lose(who)

    @rule(who=people)
    def duplicate(self, who: int) -> None:
        self.ward.duplicate(who)

    @rule()
    def save_snapshot(self) -> None:
        self.ward.save_snapshot()

    @rule(from_snapshot=st.booleans())
    def crash(self, from_snapshot: bool) -> None:
        self.ward.crash(from_snapshot)

    @rule(which=st.integers(0, 1))
    def facts(self, which: int) -> None:
        self.ward.facts(which)

    @rule(which=st.integers(0, 4))
    def resolve(self, which: int) -> None:
        self.ward.resolve(which)

    @rule(who=people, which=fields, seconds=st.sampled_from((5.0, 300.0)))
    def hold(self, who: int, which: int, seconds: float) -> None:
        self.ward.hold(who, which, seconds)

    @rule(which=fields)
    def let_go(self, which: int) -> None:
        self.ward.let_go(which)

    @rule(which=st.integers(0, 20))
    def apply_refusal(self, which: int) -> None:
        self.ward.apply(which)

    @rule(who=people, which=st.integers(0, 1), action=st.integers(0, 4))
    def ask_for_step(self, who: int, which: int, action: int) -> None:
        self.ward.ask_for_step(who, which, action)

    @rule(seconds=jumps)
    def jump(self, seconds: float) -> None:
        self.ward.jump(seconds)

    def teardown(self) -> None:
        if hasattr(self, "ward"):
            self.ward.rest()


RecordMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.skipif(bool(YjsProcess.missing()), reason=YjsProcess.missing() or "yjs is there")
@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("ROOM-2")
@pytest.mark.rule("ROOM-3")
@pytest.mark.rule("ROOM-4")
@pytest.mark.rule("LOG-3")
@pytest.mark.rule("HIST-1")
@pytest.mark.rule("HIST-2")
@pytest.mark.rule("ARB-1")
@pytest.mark.rule("REG-5")
@pytest.mark.rule("RES-4")
class TestRecordsConverge(RecordMachine.TestCase):  # type: ignore[misc] # made by Hypothesis
    """Every replica, stock or not, ends with the same and rightful record."""


@pytest.mark.rule("ROOM-1")
@pytest.mark.parametrize("seed", range(20))
def test_random_day_on_the_ward_ends_in_one_record(seed: int) -> None:
    choose = random.Random(seed)
    ward = Ward(choose.sample(range(1024, 2**32), 6), None)

    for _ in range(120):
        random_deed(ward, choose)

    ward.rest()


@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("LOCK-7")
@pytest.mark.rule("LOCK-8")
@pytest.mark.rule("APPLY-1")
@pytest.mark.rule("APPLY-3")
@pytest.mark.rule("FLOW-9")
@pytest.mark.rule("LOG-5")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_busy_day_with_locks_steps_and_wrong_clocks_ends_in_one_record(seed: int) -> None:
    choose = random.Random(seed)
    ward = BusyWard(choose.sample(range(1024, 2**32), 6), None)

    for _ in range(120):
        busy_deed(ward, choose)

    ward.rest()


def busy_deed(ward: BusyWard, choose: random.Random) -> None:
    """A deed of any day, or one of a busy day."""
    number, who = choose.randrange, choose.randrange(6)
    deeds = (
        (60, lambda: random_deed(ward, choose)),
        (8, lambda: ward.hold(who, number(5), choose.choice((5.0, 300.0)))),
        (3, lambda: ward.let_go(number(5))),
        (8, lambda: ward.apply(number(20))),
        (5, lambda: ward.ask_for_step(who, number(2), number(5))),
        (2, lambda: ward.jump(choose.choice((-172_800, 172_800, -3600, 20, 301)))),
    )
    choose.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()


def random_deed(ward: Ward, choose: random.Random) -> None:
    """One deed, the likely ones more often."""
    number, who = choose.randrange, choose.randrange(6)
    skew = choose.choice((0, 0, 0, 3, 10, 50))
    deeds = (
        (25, lambda: ward.write(who, number(5), number(8), skew)),
        (4, lambda: ward.write_several(who, [number(5) for _ in range(3)], number(8), skew)),
        (5, lambda: ward.clear(who, number(2))),
        (2, lambda: ward.clear_exact(who, number(3))),
        (4, lambda: ward.add_entry(who, number(2), number(3))),
        (3, lambda: ward.spoil_entry(who, number(5), number(2))),
        (10, lambda: ward.insert(who, number(2), number(50), number(4))),
        (7, lambda: ward.cut(who, number(2), number(50), number(5))),
        (3, lambda: ward.oddity(who, number(9))),
        (22, lambda: ward.deliver(who, number(6) + 1)),
        (4, lambda: ward.go_offline(who)),
        (6, lambda: ward.go_online(who)),
        (1, lambda: ward.lose(who)),
        (2, lambda: ward.duplicate(who)),
        (3, lambda: ward.resolve(number(5))),
        (1, ward.save_snapshot),
        (1, lambda: ward.crash(choose.random() < 0.5)),
    )
    choose.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()
