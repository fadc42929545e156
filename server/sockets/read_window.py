"""What many sockets bring within a few milliseconds, read together.

Between two edits of a quiet server the processor forgets the way of an edit: alone, it costs about
four times what it costs in company (docs/performance.md). So the first bytes after a quiet time are
read at once and open a window; what arrives within it is read at its end, socket by socket, and the
rooms' turns, their commit and their broadcasts follow together. Bytes of one socket stay in order.
"""

import asyncio
from typing import Protocol

__all__ = ["MOST_WAITING_BYTES", "ReadWindow", "Reading"]

MOST_WAITING_BYTES = 4 * 2**20
"""When so much waits the window ends early: a hundred tablets that come back at once."""


class Reading(Protocol):
    """A socket that has bytes to read."""

    def read_waiting(self) -> None:
        """Read what has arrived. Raises nothing."""


class ReadWindow:
    """The windows of one event loop. seconds: how long each is; 0: everything is read at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: list[Reading] = []
        self._bytes = 0
        self._end: asyncio.TimerHandle | None = None

    def arrived(self, socket: Reading, size: int) -> None:
        """`socket` holds `size` more bytes to read: now, or when the window ends.

        It is read once for each time it says so; one that has read meanwhile has nothing left.
        """
        if not self._seconds:
            socket.read_waiting()
        elif self._end is None:
            self._open()
            socket.read_waiting()
        else:
            self._waiting.append(socket)
            self._bytes += size
            if self._bytes > MOST_WAITING_BYTES:
                self._read()

    def _open(self) -> None:
        self._end = asyncio.get_running_loop().call_later(self._seconds, self._close)

    def _close(self) -> None:
        """A window in which something arrived is followed by another."""
        self._end = None
        if self._waiting:
            self._open()
            self._read()

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._bytes = 0
        for socket in waiting:
            socket.read_waiting()
