"""How long somebody who fails to sign in has to wait: pure counting over a bounded table."""

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from server.errors import TooManyAttempts

__all__ = ["Throttle"]


class Throttle:
    """Counts failures by key; from `failures` on each further one doubles the wait.

    Many may try a key at once while it has few failures (a clinic signs in behind one address);
    later ones go one at a time, so that a hundred at once are no way around the wait. The table
    forgets whoever failed longest ago when it is full.
    """

    def __init__(
        self, *, failures: int, delay_seconds: float, delay_max_seconds: float, entries: int
    ) -> None:
        self._failures = failures
        self._delay_seconds = delay_seconds
        self._delay_max_seconds = delay_max_seconds
        self._entries = entries
        self._failed: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._trying: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._failed)

    @contextmanager
    def trying(self, keys: Sequence[str], now: datetime) -> Iterator[None]:
        """While one attempt is made under all of `keys`. Raises TooManyAttempts."""
        waits = [self._wait_s(key, now) for key in keys]
        if any(wait > 0 for wait in waits):
            raise TooManyAttempts(math.ceil(max(waits)))
        self._trying.update(keys)
        try:
            yield
        finally:
            self._trying.subtract(keys)
            for key in keys:
                if not self._trying[key]:
                    del self._trying[key]

    def failed(self, keys: Sequence[str], now: datetime) -> None:
        """Count a failure for each of `keys`."""
        for key in keys:
            self._failed[key] = (self._count(key) + 1, now)
            self._failed.move_to_end(key)
        while len(self._failed) > self._entries:
            self._failed.popitem(last=False)

    def forgive(self, keys: Sequence[str]) -> None:
        """Forget the failures of `keys`: somebody succeeded."""
        for key in keys:
            self._failed.pop(key, None)

    def _count(self, key: str) -> int:
        return self._failed[key][0] if key in self._failed else 0

    def _wait_s(self, key: str, now: datetime) -> float:
        if key not in self._failed:
            return 0.0
        count, last = self._failed[key]
        if now - last > timedelta(seconds=2 * self._delay_max_seconds):
            del self._failed[key]
            return 0.0
        if count < self._failures:
            return 0.0
        if self._trying[key]:
            return self._delay_seconds
        doublings = float(min(count - self._failures, 32))
        delay = min(self._delay_seconds * 2**doublings, self._delay_max_seconds)
        return delay - (now - last).total_seconds()
