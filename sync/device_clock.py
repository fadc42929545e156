"""How far a device's clock runs ahead of ours, estimated from when it said what time it was.

Pure. A reading arrives later than it was made, so a clock seems to lag by the way of its message:
of a few recent readings the one that lags least is the best. A difference that no message's way
explains means that the clock was set, and only what comes from then on counts. SPEC JOUR-8.
"""

from datetime import datetime, timedelta

__all__ = ["DeviceClock"]

RECENT = 8
"""Readings that count: one comes with each connection, so they span hours to days."""

CLOCK_WAS_SET = timedelta(seconds=30)
"""More than any message that arrives at all is under way; less than a wrong clock matters."""


class DeviceClock:
    """The recent readings of one device's clock."""

    __slots__ = ("_ahead",)

    def __init__(self, known: timedelta | None = None) -> None:
        self._ahead: tuple[timedelta, ...] = () if known is None else (known,)

    def read(self, device_at: datetime, received_at: datetime) -> timedelta:
        """Note what the device said; returns how far it is ahead (negative: it is behind)."""
        ahead = device_at - received_at
        if self._ahead and abs(ahead - max(self._ahead)) > CLOCK_WAS_SET:
            self._ahead = ()
        self._ahead = (*self._ahead, ahead)[-RECENT:]
        return max(self._ahead)
