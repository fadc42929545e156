"""The lock table: who holds what, for how long, under which fencing number. By a stepped clock."""

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from permissions.model import Principal
from sync.errors import LockHeld, LockLost, TooManyLocks
from sync.locks import Hold, LockTable, Terms
from tests.support.people import at, person

NURSE, COLLEAGUE = person("nurse", "nurse"), person("colleague", "nurse")
PULSE, SPO2 = "vitals.pulse", "vitals.spo2"


def table(**terms: float) -> LockTable:
    fences = itertools.count(1)
    return LockTable(Terms(**terms), lambda: next(fences))  # type: ignore[arg-type] # named below


def hold(
    locks: LockTable,
    who: Principal = NURSE,
    seconds: float = 0,
    field: str = PULSE,
    connection: str = "",
    **how: object,
) -> Hold:
    return locks.acquire("R", field, who, "nurse", connection, at(seconds), **how)  # type: ignore[arg-type]


@pytest.mark.rule("LOCK-1")
def test_a_field_has_one_holder_and_who_comes_second_is_told_who_and_until_when() -> None:
    locks = table()
    first = hold(locks)

    with pytest.raises(LockHeld) as told:
        hold(locks, COLLEAGUE, 10)

    assert told.value.hold == first
    assert not told.value.elsewhere
    assert "nurse is editing" in str(told.value)


@pytest.mark.rule("LOCK-2")
def test_a_lock_ends_300_seconds_after_its_last_renewal() -> None:
    locks = table()
    first = hold(locks)
    hold(locks, seconds=200)

    assert not locks.expire(at(499.9)).ended
    (ended,) = locks.expire(at(500)).ended

    assert (ended.cause, ended.hold.fence) == ("expired", first.fence)
    assert hold(locks, COLLEAGUE, 500).fence > first.fence


@pytest.mark.rule("LOCK-2")
def test_what_is_over_is_free_before_anybody_noticed_and_is_reported_all_the_same() -> None:
    locks = table()
    hold(locks)

    taken = hold(locks, COLLEAGUE, 300)

    assert locks.hold_of("R", PULSE) == taken
    assert [ended.cause for ended in locks.expire(at(300)).ended] == ["expired"]


@pytest.mark.rule("LOCK-2")
def test_the_holder_is_warned_once_30_seconds_before_the_end_and_again_after_a_renewal() -> None:
    locks = table()
    hold(locks)

    assert not locks.expire(at(269)).expiring
    assert [h.field for _, h in locks.expire(at(270)).expiring] == [PULSE]
    assert not locks.expire(at(280)).expiring
    hold(locks, seconds=290)
    assert len(locks.expire(at(565)).expiring) == 1


@pytest.mark.rule("LOCK-3")
def test_a_lock_outlives_its_socket_for_the_grace_and_no_longer() -> None:
    locks = table()
    hold(locks, connection="socket")

    assert locks.left("R", "socket", NURSE.login_id, at(50), is_last=True)

    assert not locks.expire(at(59.9)).ended
    assert [ended.cause for ended in locks.expire(at(60)).ended] == ["disconnected"]


@pytest.mark.rule("LOCK-3")
def test_who_comes_back_within_the_grace_renews_with_the_fence() -> None:
    locks = table()
    first = hold(locks, connection="socket")
    locks.left("R", "socket", NURSE.login_id, at(50), is_last=True)

    again = hold(locks, seconds=55, connection="new", fence=first.fence)

    assert again.fence == first.fence
    assert not locks.expire(at(354)).ended
    locks.left("R", "socket", NURSE.login_id, at(354), is_last=False)
    assert locks.expire(at(355)).ended


@pytest.mark.rule("LOCK-3")
def test_who_comes_back_without_the_fence_gets_a_new_one() -> None:
    locks = table()
    first = hold(locks, connection="socket")
    locks.left("R", "socket", NURSE.login_id, at(50), is_last=True)

    again = hold(locks, seconds=55, connection="new")

    assert again.fence > first.fence
    with pytest.raises(LockLost):
        hold(locks, seconds=56, connection="old", fence=first.fence)


@pytest.mark.rule("LOCK-3")
def test_a_lock_over_rest_goes_with_the_last_socket_of_its_log_in_and_stays_when_one_returns() -> (
    None
):
    locks = table()
    hold(locks)

    assert not locks.left("R", "one", NURSE.login_id, at(1), is_last=False)
    assert locks.left("R", "two", NURSE.login_id, at(2), is_last=True)
    assert locks.returned("R", NURSE.login_id, at(5))
    assert not locks.expire(at(299)).ended
    locks.left("R", "three", NURSE.login_id, at(290), is_last=True)
    assert [ended.cause for ended in locks.expire(at(300)).ended] == ["expired"]


@pytest.mark.rule("LOCK-3")
def test_signing_out_frees_everything_at_once() -> None:
    locks = table()
    hold(locks, connection="socket")
    hold(locks, field=SPO2)
    hold(locks, COLLEAGUE, field="vitals.weight")

    ended = locks.sign_out(login_id=NURSE.login_id)

    assert {one.hold.field for one in ended} == {PULSE, SPO2}
    assert set(locks.holds("R")) == {"vitals.weight"}
    assert len(locks.expire(at(0)).ended) == 2


@pytest.mark.rule("LOCK-4")
def test_a_late_renewal_or_release_of_a_lock_that_passed_to_somebody_else_is_told_so() -> None:
    locks = table()
    first = hold(locks)
    hold(locks, COLLEAGUE, 301)

    with pytest.raises(LockLost):
        hold(locks, seconds=302, fence=first.fence)
    with pytest.raises(LockLost):
        locks.release("R", PULSE, NURSE, at(302), first.fence)
    with pytest.raises(LockLost):
        hold(locks, seconds=302, field=SPO2, fence=first.fence)


@pytest.mark.rule("LOCK-5")
def test_another_window_of_the_same_person_is_told_and_may_take_over() -> None:
    locks = table()
    first = hold(locks, connection="window 1")

    with pytest.raises(LockHeld) as told:
        hold(locks, seconds=1, connection="window 2")
    taken = hold(locks, seconds=2, connection="window 2", take_over=True)

    assert told.value.elsewhere
    assert taken.fence > first.fence
    with pytest.raises(LockLost):
        hold(locks, seconds=3, connection="window 1", fence=first.fence)
    assert [ended.cause for ended in locks.expire(at(3)).ended] == ["taken_over"]


@pytest.mark.rule("LOCK-5")
def test_another_device_of_the_same_person_is_told_over_rest_too() -> None:
    locks = table()
    hold(locks)
    tablet = person("nurse", "nurse", login_id="tablet")

    with pytest.raises(LockHeld) as told:
        hold(locks, tablet, 1)

    assert told.value.elsewhere


@pytest.mark.rule("LOCK-5")
def test_over_rest_a_log_in_renews_what_its_socket_holds_and_the_lock_stays_the_sockets() -> None:
    locks = table()
    first = hold(locks, connection="socket")

    assert hold(locks, seconds=100).fence == first.fence
    locks.left("R", "socket", NURSE.login_id, at(110), is_last=True)
    assert locks.expire(at(120)).ended


@pytest.mark.rule("LOCK-6")
def test_locks_of_a_record_and_of_a_person_are_bounded() -> None:
    locks = table(per_record=3, per_person=2)
    hold(locks, field="a"), hold(locks, field="b")

    with pytest.raises(TooManyLocks):
        hold(locks, field="c")
    hold(locks, COLLEAGUE, field="c")
    with pytest.raises(TooManyLocks):
        hold(locks, COLLEAGUE, field="d")
    locks.release("R", "a", NURSE, at(1))
    hold(locks, field="a")


def test_each_person_asks_for_a_field_once() -> None:
    locks = table()
    hold(locks)

    assert locks.ask_for("R", PULSE, COLLEAGUE, at(1)) is not None
    assert locks.ask_for("R", PULSE, COLLEAGUE, at(2)) is None
    with pytest.raises(LockLost):
        locks.ask_for("R", PULSE, NURSE, at(3))
    with pytest.raises(LockLost):
        locks.ask_for("R", SPO2, COLLEAGUE, at(3))


PEOPLE = [person(f"p{i}", "nurse", login_id=f"login{i}-{j}") for i in range(2) for j in range(2)]
FIELDS = ["a", "b", "c"]
whoever, whichever = st.sampled_from(PEOPLE), st.sampled_from(FIELDS)
connections = st.sampled_from(["", "w1", "w2"])


class LockMachine(RuleBasedStateMachine):
    """The table beside a model that knows only: field → (fence, user, end)."""

    def __init__(self) -> None:
        super().__init__()
        self.locks = table(per_record=3, per_person=2, seconds=60, grace_seconds=5)
        self.now = at(0)
        self.given: list[int] = []
        self.model: dict[str, tuple[int, str, datetime]] = {}
        self.began = self.ended = 0

    def alive(self, field: str) -> tuple[int, str, datetime] | None:
        known = self.model.get(field)
        return known if known is not None and known[2] > self.now else None

    @rule(seconds=st.integers(0, 40))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(who=whoever, field=whichever, connection=connections, take_over=st.booleans())
    def acquire(self, who: Principal, field: str, connection: str, take_over: bool) -> None:
        before = self.alive(field)
        held = None
        try:
            got = self.locks.acquire(
                "R", field, who, "nurse", connection, self.now, take_over=take_over
            )
        except LockHeld as error:
            held = error
        except TooManyLocks:
            assert before is None
            mine = sum(user == who.user_id for _, user, _ in self.model.values())
            assert mine >= 2 or len(self.model) >= 3
            return
        if held is not None:
            assert before is not None
            assert held.elsewhere == (before[1] == who.user_id)
            return
        assert before is None or before[1] == who.user_id
        if before is None or got.fence != before[0]:
            assert got.fence > max(self.given, default=0)
            self.given.append(got.fence)
            self.began += 1
        self.model[field] = (got.fence, who.user_id, self.now + timedelta(seconds=60))

    @rule(who=whoever, field=whichever, back=st.integers(0, 3), connection=connections)
    def renew(self, who: Principal, field: str, back: int, connection: str) -> None:
        if len(self.given) <= back:
            return
        fence, before = self.given[-1 - back], self.alive(field)
        mine = before is not None and before[:2] == (fence, who.user_id)
        try:
            self.locks.acquire("R", field, who, "nurse", connection, self.now, fence=fence)
        except LockLost:
            assert not mine
            return
        assert mine
        self.model[field] = (fence, who.user_id, self.now + timedelta(seconds=60))

    @rule(who=whoever, field=whichever)
    def release(self, who: Principal, field: str) -> None:
        before = self.alive(field)
        try:
            self.locks.release("R", field, who, self.now)
        except LockLost:
            assert before is None or before[1] != who.user_id
            return
        assert before is not None
        assert before[1] == who.user_id
        del self.model[field]
        self.ended += 1

    @rule(who=whoever, connection=st.sampled_from(["w1", "w2"]), is_last=st.booleans())
    def leave(self, who: Principal, connection: str, is_last: bool) -> None:
        self.locks.left("R", connection, who.login_id, self.now, is_last=is_last)
        self._learn_ends()

    @rule(who=whoever)
    def come(self, who: Principal) -> None:
        self.locks.returned("R", who.login_id, self.now)
        self._learn_ends()

    @rule(who=whoever)
    def sign_out(self, who: Principal) -> None:
        self.locks.sign_out(login_id=who.login_id)
        self._learn_ends()
        assert all(h.holder.login_id != who.login_id for h in self.locks.holds("R").values())

    @rule()
    def look(self) -> None:
        over = {field for field in self.model if self.alive(field) is None}
        done = self.locks.expire(self.now)
        self.ended += len(done.ended)
        for field in over:
            del self.model[field]
        assert set(self.locks.holds("R")) == set(self.model)
        assert self.began == self.ended + len(self.model)

    def _learn_ends(self) -> None:
        """What a socket's end does to a lock's end is the table's to say; it never lengthens it."""
        for field, (fence, user, _) in list(self.model.items()):
            known = self.locks.hold_of("R", field)
            if known is None:
                del self.model[field]
            elif known.fence == fence:
                assert known.until <= self.now + timedelta(seconds=60)
                self.model[field] = (fence, user, known.expires_at)

    @invariant()
    def holders_are_those_of_the_model(self) -> None:
        for field in FIELDS:
            known, alive = self.locks.hold_of("R", field), self.alive(field)
            if alive is None:
                assert known is None or known.is_over(self.now)
            else:
                assert known is not None
                assert (known.fence, known.holder.user_id) == alive[:2]
                assert known.expires_at == alive[2]


TestLockMachine = pytest.mark.rule("LOCK-1")(LockMachine.TestCase)
TestLockMachine.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


@pytest.mark.rule("LOCK-2")
@pytest.mark.parametrize("days", [2, 0.1])
def test_a_lock_lasts_no_longer_when_the_clock_is_set_back(days: float) -> None:
    locks = table()
    ahead = days * 86_400
    first = hold(locks, seconds=ahead)

    assert not locks.expire(at(0)).ended
    (kept,) = locks.holds("R").values()
    assert (kept.acquired_at, kept.until, kept.fence) == (at(0), at(300), first.fence)
    (ended,) = locks.expire(at(300)).ended

    assert ended.cause == "expired"


@pytest.mark.rule("LOCK-3")
def test_the_grace_of_a_lost_connection_lasts_no_longer_when_the_clock_is_set_back() -> None:
    locks = table()
    hold(locks, seconds=172_800, connection="socket")
    locks.left("R", "socket", NURSE.login_id, at(172_800), is_last=True)

    assert not locks.expire(at(0)).ended
    (ended,) = locks.expire(at(10)).ended

    assert ended.cause == "disconnected"
