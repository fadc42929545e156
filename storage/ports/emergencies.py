"""Emergency access to records one is not assigned to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

__all__ = ["Emergencies", "Emergency"]


class Emergency(msgspec.Struct, frozen=True, kw_only=True):
    """One emergency access. ended_by: a person's id, or the server's when its time was up."""

    id: str
    record_id: str
    user_id: str
    login_id: str
    reason: str
    started_at: datetime
    until: datetime
    ended_at: datetime | None = None
    ended_by: str = ""


class Emergencies(Protocol):
    """Every emergency access there ever was, but for pruned records."""

    async def start(self, emergency: Emergency) -> None:
        """Store one that begins now. Raises StorageError."""

    async def end(self, emergency_id: str, at: datetime, by: str) -> None:
        """Idempotent; the first end stands."""

    async def of_record(self, record_id: str) -> Sequence[Emergency]:
        """Newest first."""

    async def due(self, now: datetime, limit: int) -> Sequence[Emergency]:
        """Those without an end whose time is up, the longest overdue first.

        Also those that have not begun: the clock was set back by more than SET_BACK meanwhile.
        """

    async def count_since(self, user_id: str, since: datetime) -> int:
        """How many this person started at `since` or later."""
