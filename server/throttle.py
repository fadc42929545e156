"""How long somebody who fails to sign in has to wait: pure counting over a bounded table."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta

from server.errors import TooManyAttempts

__all__ = ["Throttle"]


class Throttle:
    """Counts attempts by key; past `failures` each further one doubles the wait.

    An attempt is counted before it is tried, so a hundred at once are no way around; success
    forgives it. The table forgets whoever failed longest ago when it is full.
    """

    def __init__(
        self, *, failures: int, delay_seconds: float, delay_max_seconds: float, entries: int
    ) -> None:
        self._failures = failures
        self._delay_seconds = delay_seconds
        self._delay_max_seconds = delay_max_seconds
        self._entries = entries
        self._table: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def begin(self, keys: Sequence[str], now: datetime) -> None:
        """Count one attempt for each key. Raises TooManyAttempts, and then counts none."""
        waits = [self._wait_s(key, now) for key in keys]
        if any(wait > 0 for wait in waits):
            raise TooManyAttempts(math.ceil(max(waits)))
        for key in keys:
            attempts = self._table[key][0] if key in self._table else 0
            self._table[key] = (attempts + 1, now)
            self._table.move_to_end(key)
        while len(self._table) > self._entries:
            self._table.popitem(last=False)

    def forgive(self, keys: Sequence[str]) -> None:
        """Forget the attempts of `keys`: one of them succeeded."""
        for key in keys:
            self._table.pop(key, None)

    def _wait_s(self, key: str, now: datetime) -> float:
        if key not in self._table:
            return 0.0
        attempts, last = self._table[key]
        if now - last > timedelta(seconds=2 * self._delay_max_seconds):
            del self._table[key]
            return 0.0
        if attempts < self._failures:
            return 0.0
        doublings = float(min(attempts - self._failures, 32))
        delay = min(self._delay_seconds * 2**doublings, self._delay_max_seconds)
        return delay - (now - last).total_seconds()
