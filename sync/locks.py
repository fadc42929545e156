"""Field locks: who holds which field, until when, and with which fencing number. Pure.

A lock keeps a field for one person for a while; the gate refuses others' live edits of it. Nothing
here is stored: after a restart nobody holds anything, and every fencing number is larger than all
before (`storage/locks.py`), so that whoever comes late with an old one is told. SPEC LOCK-1 to
LOCK-6.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

import msgspec

from permissions.model import Principal
from sync.errors import LockHeld, LockLost, TooManyLocks

__all__ = ["Cause", "Ended", "Hold", "LockTable", "Round", "Terms"]

Cause = Literal[
    "released", "expired", "disconnected", "signed_out", "taken_over", "broken", "closed"
]
"""Why a lock ended."""

MAX_ASKERS = 16
"""People of whom it is remembered that they asked for a field: each is passed on once."""

_NOTHING: Mapping[str, "Hold"] = MappingProxyType({})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How long locks last and how many there may be. grace: after the holder's socket is gone."""

    seconds: float = 300.0
    grace_seconds: float = 10.0
    warn_seconds: float = 30.0
    per_record: int = 100
    per_person: int = 20


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One held field. connection: the socket that holds it; "" where it was acquired over REST.

    until: without renewal. left_until: the end of the grace, once the holder's socket is gone.
    asked: ids of people who asked for the field.
    """

    field: str
    fence: int
    holder: Principal
    role: str
    connection: str
    acquired_at: datetime
    until: datetime
    left_until: datetime | None = None
    is_warned: bool = False
    asked: tuple[str, ...] = ()

    @property
    def expires_at(self) -> datetime:
        """When it ends unless it is renewed."""
        return self.until if self.left_until is None else min(self.until, self.left_until)

    def is_over(self, now: datetime) -> bool:
        """Whether it holds no more."""
        return now >= self.expires_at


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that is no more."""

    record_id: str
    hold: Hold
    cause: Cause


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What time has done: locks that ended, those whose holder is to be warned, by record, and how
    many are held."""

    ended: tuple[Ended, ...]
    expiring: tuple[tuple[str, Hold], ...]
    held: int


class LockTable:
    """The locks of many records. next_fence: gives a larger number each time."""

    def __init__(self, terms: Terms, next_fence: Callable[[], int]) -> None:
        self._terms = terms
        self._next_fence = next_fence
        self._records: dict[str, dict[str, Hold]] = {}
        self._counts: dict[str, int] = {}
        self._ended: list[Ended] = []

    # -- looking -----------------------------------------------------------------------------------

    def hold_of(self, record_id: str, field: str) -> Hold | None:
        """The lock of a field; it may be over since the last `expire`."""
        holds = self._records.get(record_id)
        return None if holds is None else holds.get(field)

    def holds(self, record_id: str) -> Mapping[str, Hold]:
        """The locks of a record by field."""
        return self._records.get(record_id, _NOTHING)

    def __len__(self) -> int:
        return sum(self._counts.values())

    # -- holding -----------------------------------------------------------------------------------

    def acquire(
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
        """Hold a field, or renew what this window holds already (its fence stays).

        fence: renew exactly this lock. take_over: from another window of the same person.
        Raises LockHeld, LockLost, TooManyLocks. SPEC LOCK-1, LOCK-2, LOCK-4.
        """
        known = self._current(record_id, field, now)
        if fence is not None:
            if known is None or known.fence != fence or not _is_theirs(known, person):
                raise LockLost(field)
            return self._renew(record_id, known, person, connection, now)
        if known is None:
            return self._hold(record_id, field, person, role, connection, now)
        if not _is_theirs(known, person):
            raise LockHeld(known)
        if _is_this_window(known, person, connection):
            return self._renew(record_id, known, person, connection, now)
        if not (take_over or _has_left(known, person)):
            raise LockHeld(known, elsewhere=True)
        self._end(record_id, known, "taken_over")
        return self._hold(record_id, field, person, role, connection, now)

    def release(
        self, record_id: str, field: str, person: Principal, now: datetime, fence: int | None = None
    ) -> Hold:
        """Let go of one's own lock, from any window. Raises LockLost: it is not theirs any more."""
        known = self._current(record_id, field, now)
        if known is None or not _is_theirs(known, person):
            raise LockLost(field)
        if fence is not None and known.fence != fence:
            raise LockLost(field)
        self._drop(record_id, known)
        return known

    def break_lock(self, record_id: str, field: str, now: datetime) -> Hold:
        """Take a field from whoever holds it. Raises LockLost: nobody does."""
        known = self._current(record_id, field, now)
        if known is None:
            raise LockLost(field)
        self._drop(record_id, known)
        return known

    def ask_for(self, record_id: str, field: str, person: Principal, now: datetime) -> Hold | None:
        """Note that somebody asks for a held field; None where the holder was told already.

        Raises LockLost: nobody else holds it.
        """
        known = self._current(record_id, field, now)
        if known is None or _is_theirs(known, person):
            raise LockLost(field)
        if person.user_id in known.asked or len(known.asked) >= MAX_ASKERS:
            return None
        asked = (*known.asked, person.user_id)
        known = self._records[record_id][field] = msgspec.structs.replace(known, asked=asked)
        return known

    # -- coming and going --------------------------------------------------------------------------

    def left(
        self, record_id: str, connection: str, login_id: str, now: datetime, *, is_last: bool
    ) -> bool:
        """A socket is gone: what it held ends after the grace. Returns whether it held anything.

        is_last: no other socket of the log-in is on the record; then its locks over REST go too.
        """
        end = now + timedelta(seconds=self._terms.grace_seconds)
        gone = [
            hold
            for hold in self.holds(record_id).values()
            if hold.connection == connection
            or (is_last and not hold.connection and hold.holder.login_id == login_id)
        ]
        for hold in gone:
            self._records[record_id][hold.field] = msgspec.structs.replace(hold, left_until=end)
        return bool(gone)

    def returned(self, record_id: str, login_id: str, now: datetime) -> bool:
        """A socket of the log-in came: its locks over REST go on. Returns whether there were any.

        A lock of a socket is renewed, with its fence, over the new one.
        """
        back = [
            hold
            for hold in self.holds(record_id).values()
            if not hold.connection
            and hold.holder.login_id == login_id
            and hold.left_until is not None
            and not hold.is_over(now)
        ]
        for hold in back:
            self._records[record_id][hold.field] = msgspec.structs.replace(hold, left_until=None)
        return bool(back)

    def sign_out(self, *, login_id: str | None = None, user_id: str | None = None) -> list[Ended]:
        """A log-in or a person is signed out: what they held is free at once. SPEC LOCK-3."""
        ended = [
            Ended(record_id=record_id, hold=hold, cause="signed_out")
            for record_id, holds in self._records.items()
            for hold in holds.values()
            if hold.holder.login_id == login_id or hold.holder.user_id == user_id
        ]
        for one in ended:
            self._end(one.record_id, one.hold, one.cause)
        return ended

    def close(self, record_id: str) -> bool:
        """The record takes no edits any more: nobody holds it. Returns whether anybody did."""
        held = list(self.holds(record_id).values())
        for hold in held:
            self._end(record_id, hold, "closed")
        return bool(held)

    def logins(self) -> set[tuple[str, str]]:
        """The people and log-ins that hold anything."""
        return {
            (hold.holder.user_id, hold.holder.login_id)
            for holds in self._records.values()
            for hold in holds.values()
        }

    def expire(self, now: datetime) -> Round:
        """End what is over, warn who is about to lose a field, report all that ended since."""
        expiring: list[tuple[str, Hold]] = []
        warn = timedelta(seconds=self._terms.warn_seconds)
        for record_id in list(self._records):
            for found in list(self._records[record_id].values()):
                hold = self._records[record_id][found.field] = self._in_time(found, now)
                if hold.is_over(now):
                    self._end(record_id, hold, _cause(hold))
                elif not hold.is_warned and hold.left_until is None and now >= hold.until - warn:
                    warned = msgspec.structs.replace(hold, is_warned=True)
                    self._records[record_id][hold.field] = warned
                    expiring.append((record_id, warned))
        ended, self._ended = self._ended, []
        return Round(ended=tuple(ended), expiring=tuple(expiring), held=len(self))

    # -- inside ------------------------------------------------------------------------------------

    def _in_time(self, hold: Hold, now: datetime) -> Hold:
        """The lock, with a full term at most: more is left only where the clock was set back."""
        terms = self._terms
        until = now + timedelta(seconds=terms.seconds)
        grace_until = now + timedelta(seconds=terms.grace_seconds)
        left_until = hold.left_until
        if hold.until <= until and (left_until is None or left_until <= grace_until):
            return hold
        return msgspec.structs.replace(
            hold,
            acquired_at=min(hold.acquired_at, now),
            until=min(hold.until, until),
            left_until=None if left_until is None else min(left_until, grace_until),
        )

    def _current(self, record_id: str, field: str, now: datetime) -> Hold | None:
        known = self.hold_of(record_id, field)
        if known is not None and known.is_over(now):
            self._end(record_id, known, _cause(known))
            return None
        return known

    def _hold(
        self, record_id: str, field: str, person: Principal, role: str, connection: str,
        now: datetime,
    ) -> Hold:  # fmt: skip
        holds = self._records.get(record_id, _NOTHING)
        if len(holds) >= self._terms.per_record:
            raise TooManyLocks("Too many fields of this record are held.")
        if self._counts.get(person.user_id, 0) >= self._terms.per_person:
            raise TooManyLocks("You hold too many fields. Release one.")
        hold = Hold(
            field=field, fence=self._next_fence(), holder=person, role=role, connection=connection,
            acquired_at=now, until=now + timedelta(seconds=self._terms.seconds),
        )  # fmt: skip
        self._records.setdefault(record_id, {})[field] = hold
        self._counts[person.user_id] = self._counts.get(person.user_id, 0) + 1
        return hold

    def _renew(
        self, record_id: str, known: Hold, person: Principal, connection: str, now: datetime
    ) -> Hold:
        # Over REST a window renews what its socket holds: it stays bound to the socket.
        is_rest = not connection and known.left_until is None
        hold = self._records[record_id][known.field] = msgspec.structs.replace(
            known,
            holder=known.holder if is_rest else person,
            connection=known.connection if is_rest else connection,
            until=now + timedelta(seconds=self._terms.seconds),
            left_until=None,
            is_warned=False,
        )
        return hold

    def _end(self, record_id: str, hold: Hold, cause: Cause) -> None:
        self._drop(record_id, hold)
        self._ended.append(Ended(record_id=record_id, hold=hold, cause=cause))

    def _drop(self, record_id: str, hold: Hold) -> None:
        holds = self._records[record_id]
        del holds[hold.field]
        if not holds:
            del self._records[record_id]
        user_id = hold.holder.user_id
        self._counts[user_id] -= 1
        if not self._counts[user_id]:
            del self._counts[user_id]


def _is_theirs(hold: Hold, person: Principal) -> bool:
    return hold.holder.user_id == person.user_id


def _is_this_window(hold: Hold, person: Principal, connection: str) -> bool:
    """Whether the lock is this window's. A log-in's REST calls count as those of its windows."""
    if hold.left_until is not None and hold.connection:
        return False  # its socket is gone: whoever renews it must know the fence
    if hold.connection and connection:
        return hold.connection == connection
    return hold.holder.login_id == person.login_id


def _has_left(hold: Hold, person: Principal) -> bool:
    return hold.left_until is not None and hold.holder.login_id == person.login_id


def _cause(hold: Hold) -> Cause:
    return "expired" if hold.expires_at == hold.until else "disconnected"
