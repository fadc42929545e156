"""How far a device's clock is ahead, by readings that are late and by clocks that are set."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.device_clock import CLOCK_WAS_SET, RECENT, DeviceClock
from tests.support.people import at

DAY = timedelta(days=1)
DELAYS = st.lists(
    st.timedeltas(timedelta(0), CLOCK_WAS_SET / 2), min_size=1, max_size=RECENT
)  # fmt: skip


def after(clock: DeviceClock, second: int, ahead: timedelta, delay: timedelta) -> timedelta:
    """The estimate after the device told its time at `second`, and the message took `delay`."""
    return clock.read(at(second) + ahead, at(second) + delay)


@pytest.mark.rule("JOUR-8")
@given(st.timedeltas(-2 * DAY, 2 * DAY), DELAYS)
def test_the_reading_that_came_fastest_is_the_estimate(
    ahead: timedelta, delays: list[timedelta]
) -> None:
    clock = DeviceClock()

    for second, delay in enumerate(delays):
        estimate = after(clock, second, ahead, delay)

    assert estimate == ahead - min(delays)


@pytest.mark.rule("JOUR-8")
@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY, timedelta(minutes=4)])
def test_a_clock_that_was_set_is_estimated_anew(jump: timedelta) -> None:
    clock = DeviceClock()
    after(clock, 0, timedelta(0), timedelta(milliseconds=5))

    there = after(clock, 60, jump, timedelta(milliseconds=40))
    back = after(clock, 120, timedelta(0), timedelta(milliseconds=30))

    assert (there, back) == (jump - timedelta(milliseconds=40), -timedelta(milliseconds=30))


@pytest.mark.rule("JOUR-8")
def test_a_clock_that_drifts_is_followed_once_its_old_readings_are_no_longer_recent() -> None:
    clock = DeviceClock()
    after(clock, 0, timedelta(0), timedelta(0))

    for second in range(1, RECENT + 1):
        estimate = after(clock, second, -timedelta(seconds=2), timedelta(0))

    assert estimate == -timedelta(seconds=2)
