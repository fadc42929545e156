"""Registers: successors, branches and what stands."""

from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.registers import (
    MAX_ALIASES,
    MAX_CONTENDERS,
    MAX_TRAIL,
    Register,
    Tail,
    Write,
    insert_in_order,
)
from sync.structs import Id
from tests.support.people import at
from tests.support.replicas import PyReplica


def write(client: int, clock: int, value: object, seconds: float, **more: object) -> Write:
    return Write(
        (client, clock), f"u{client}", "nurse", f"l{client}", "d", at(seconds), at(seconds), 1,
        value, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def standing(*writes: Write) -> Register:
    """A register in which these writes followed each other."""
    register = Register("vitals", "pulse")
    for one in writes:
        register.succeed(one, register.tail, live=True)
    return register


@pytest.mark.rule("REG-3")
def test_write_on_the_standing_write_succeeds_it() -> None:
    register = standing(write(5, 0, 70, 1))

    assert register.follows((5, 0), "anybody")
    assert not register.follows((9, 9), "anybody")
    assert not register.follows(None, "anybody")


@pytest.mark.rule("REG-3")
def test_anything_succeeds_an_empty_register() -> None:
    assert Register("vitals", "pulse").follows((9, 9), "anybody")


def test_a_stored_register_that_shares_its_parts_is_equal_and_has_one_of_each() -> None:
    register = standing(write(5, 0, 70, 1), write(5, 1, 71, 2))
    register.contend(None, write(7, 0, 99, 3))
    stored = msgspec.msgpack.encode(register)
    plain, shared = (msgspec.msgpack.decode(stored, type=Register) for _ in range(2))

    shared.share()

    assert shared == plain == register
    assert shared.standing is not None
    assert shared.standing.id is shared.trail[-1].id is shared.trail[-1].shows is shared.tail
    assert shared.standing.device is shared.contenders[0].device
    assert shared.standing.at is shared.standing.written_at


@pytest.mark.rule("REG-2")
def test_basis_of_a_struct_is_what_its_origin_stands_for() -> None:
    register = standing(write(5, 0, 70, 1))
    register.alias((1, 0), (5, 0))

    assert register.basis((1, 0)) == (5, 0)
    assert register.basis((5, 0)) == (5, 0)
    assert register.basis(None) is None


@pytest.mark.rule("REG-4")
def test_write_on_a_losing_branch_replaces_it_and_any_other_opens_one() -> None:
    register = standing(write(5, 0, 70, 1), write(5, 1, 71, 2))

    register.contend((5, 0), write(6, 0, 80, 3))
    register.contend((6, 0), write(6, 1, 81, 4))
    register.contend((5, 0), write(7, 0, 90, 5))

    assert [head.value for head in register.contenders] == [81, 90]


@pytest.mark.rule("REG-5")
@given(times=st.lists(st.integers(0, 5), min_size=2, max_size=6))
def test_latest_of_concurrent_branches_stands_and_a_tie_goes_to_the_later_arrival(
    times: list[int],
) -> None:
    register = standing(write(100, 0, 0, times[0]))

    for number, seconds in enumerate(times[1:], 1):
        branch = write(100 - number, 0, number, seconds)
        register.contend(None, branch)
        register.settle({branch.id})

    latest = max(range(len(times)), key=lambda number: (times[number], number))
    assert register.standing is not None
    assert register.standing.value == latest


@pytest.mark.rule("REG-6")
def test_equal_values_are_no_conflict_and_stand_for_each_other() -> None:
    register = standing(write(5, 0, 70, 1))
    register.contend(None, write(6, 0, 70, 2))

    assert not register.settle({(6, 0)})
    assert register.basis((6, 0)) == (5, 0)


@pytest.mark.rule("REG-7")
def test_register_keeps_the_value_that_the_branches_started_from() -> None:
    register = standing(write(5, 0, 70, 1), write(5, 1, 71, 2))

    register.contend((5, 0), write(6, 0, 80, 3))

    assert register.base == 70


@pytest.mark.rule("REG-8")
def test_register_remembers_a_bounded_number_of_everything() -> None:
    register = standing(*(write(5, clock, clock, clock) for clock in range(40)))

    for number in range(300):
        register.alias((1, number), (5, 39))
        register.contend((8, number), write(6, 2 * number, number, 1))

    assert len(register.trail) == MAX_TRAIL
    assert len(register.contenders) == MAX_CONTENDERS
    assert len(register.stands_for) == MAX_ALIASES


@pytest.mark.rule("REG-3")
def test_whoever_cleared_a_field_continues_from_what_they_removed_and_nobody_else_does() -> None:
    register = standing(write(5, 0, 70, 1))
    register.standing = write(1, 0, None, 2, cleared=True, removed=(5, 0))

    assert register.follows((5, 0), "l1")
    assert not register.follows((5, 0), "l2")
    assert register.follows((1, 0), "l2")


@pytest.mark.rule("REG-1")
@pytest.mark.parametrize("clients", list(permutations((11, 12, 13, 14))))
def test_trail_has_the_order_in_which_yjs_chains_concurrent_writes(
    clients: tuple[int, ...],
) -> None:
    """Four replicas write one key: two on nothing, two on the first one's write."""
    replicas = [PyReplica(client) for client in clients]
    first = replicas[0].edit([("set", "vitals", "pulse", 0)])[0]
    origins: list[Id | None] = [None, None, (clients[0], 0), (clients[0], 0)]
    for replica, origin in zip(replicas[1:], origins[1:], strict=True):
        if origin is not None:
            replica.apply(first)
    updates = [first]
    for number, replica in enumerate(replicas[1:], 1):
        updates += replica.edit([("set", "vitals", "pulse", number)])
    whole = PyReplica(1)
    for update in updates:
        whole.apply(update)
    trail: list[Tail] = []

    for client, origin in zip(clients, origins, strict=True):
        insert_in_order(trail, Tail((client, 0), 1, origin, None))

    last = clients.index(trail[-1].id[0])
    assert whole.show().maps["vitals"]["pulse"] == last
