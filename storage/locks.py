"""Where field locks live: an interface, and the one that keeps them in this process's memory.

Locks are not stored: a restart frees every field. What is stored is how often locks were begun in
this database, the upper part of every fencing number, so that none is ever given out twice. When
several processes serve one database, a shared store (Redis) takes the place of `MemoryLocks`; what
it answers then is what the others know too, `hold_of` reading a copy that it keeps here.
"""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from permissions.model import Principal
from sync.locks import Ended, Hold, LockTable, Round, Terms

__all__ = ["FENCES_PER_START", "Locks", "MemoryLocks"]

FENCES_PER_START = 2**32
"""Locks between two starts; 2^21 starts of them stay below 2^53, where JSON's integers end."""

NUMBER_PREFIX = "LOCKS"


class Locks(Protocol):
    """The locks of every record. See `sync.locks.LockTable` for what each call means."""

    def hold_of(self, record_id: str, field: str) -> Hold | None: ...

    def holds(self, record_id: str) -> Mapping[str, Hold]: ...

    async def acquire(
        self,
        record_id: str,
        field: str,
        person: Principal,
        role: str,
        connection: str,
        now: datetime,
        *,
        fence: int | None = None,
        take_over: bool = False,
    ) -> Hold: ...

    async def release(
        self, record_id: str, field: str, person: Principal, now: datetime, fence: int | None = None
    ) -> Hold: ...

    async def break_lock(self, record_id: str, field: str, now: datetime) -> Hold: ...

    async def ask_for(
        self, record_id: str, field: str, person: Principal, now: datetime
    ) -> Hold | None: ...

    def left(
        self, record_id: str, connection: str, login_id: str, now: datetime, *, is_last: bool
    ) -> bool: ...

    def returned(self, record_id: str, login_id: str, now: datetime) -> bool: ...

    def sign_out(
        self, *, login_id: str | None = None, user_id: str | None = None
    ) -> list[Ended]: ...

    def close(self, record_id: str) -> bool: ...

    def logins(self) -> set[tuple[str, str]]: ...

    def expire(self, now: datetime) -> Round: ...


class MemoryLocks:
    """Keeps `Locks` in memory. next_number: a counter of the database, as Records.next_number."""

    def __init__(self, terms: Terms, next_number: Callable[[str], Awaitable[str]]) -> None:
        self._next_number = next_number
        self._fences = itertools.count(1)
        self._base: int | None = None
        self._table = LockTable(terms, self._next_fence)
        self.hold_of = self._table.hold_of
        self.holds = self._table.holds
        self.left = self._table.left
        self.returned = self._table.returned
        self.sign_out = self._table.sign_out
        self.close = self._table.close
        self.logins = self._table.logins
        self.expire = self._table.expire

    async def acquire(
        self,
        record_id: str,
        field: str,
        person: Principal,
        role: str,
        connection: str,
        now: datetime,
        *,
        fence: int | None = None,
        take_over: bool = False,
    ) -> Hold:
        if self._base is None:
            number = await self._next_number(NUMBER_PREFIX)
            start = int(number.rpartition("-")[2])
            self._base = max(self._base or 0, start * FENCES_PER_START)
        return self._table.acquire(
            record_id, field, person, role, connection, now, fence=fence, take_over=take_over
        )

    async def release(
        self, record_id: str, field: str, person: Principal, now: datetime, fence: int | None = None
    ) -> Hold:
        return self._table.release(record_id, field, person, now, fence)

    async def break_lock(self, record_id: str, field: str, now: datetime) -> Hold:
        return self._table.break_lock(record_id, field, now)

    async def ask_for(
        self, record_id: str, field: str, person: Principal, now: datetime
    ) -> Hold | None:
        return self._table.ask_for(record_id, field, person, now)

    def _next_fence(self) -> int:
        assert self._base is not None, "acquire reads the counter first"
        return self._base + next(self._fences)
