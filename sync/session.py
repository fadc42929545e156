"""What one connection has done and may still do: counts, budgets, questions, deliveries.

Pure; `now_s` is monotonic seconds. SPEC KNOW-1, HEAL-5, JOUR-7.
"""

from datetime import datetime, timedelta

from sync.budgets import Budgets
from sync.device_clock import DeviceClock
from sync.fields import RangeSet
from sync.frame import Knowledge
from sync.structs import Deletes
from sync.update import Update
from sync.wire import JournalEntry

__all__ = ["MAX_GAPS", "Session", "TokenBucket"]

MAX_GAPS = 3
"""Times in a row that what a peer sends may hang on something unknown before it starts afresh."""

MAX_JOURNAL = 20_000
"""Journal entries that may wait for the update they describe."""

MAX_UNKNOWN_LOGINS = 32
"""Log-ins that one connection's journal may name and that there are not: each costs a look-up in
the database. An honest tablet names none, however many people used it."""

MAX_DELIVERED = 20_000
"""Deletions of others' hands that are remembered until the connection ends."""


RELAYED_PER_SECOND = 2000
"""Entries of others that a connection may relay, as stock clients do of all that they are told."""

OFFENCES_PER_SECOND, OFFENCES_AT_ONCE = 0.5, 30
"""Awareness that had to be dropped, until the connection ends."""

LOCK_REQUESTS_PER_SECOND = 10
"""Lock messages of one connection: each may leave an audit entry. People move between fields."""


class TokenBucket:
    """Allows `rate` units a second on average, and `burst` at once."""

    __slots__ = ("_at_s", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at_s = now_s

    def take(self, units: float, now_s: float) -> float:
        """Spend `units`; returns the seconds until they would have been there (0: they were)."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._rate) - units
        self._at_s = now_s
        return 0.0 if self._left >= 0 else -self._left / self._rate

    def spend(self, units: float, now_s: float) -> bool:
        """Spend `units` if they are there: who asks for too much owes nothing for it."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        if self._left < units:
            return False
        self._left -= units
        return True


class Session:
    """The protocol state of one connection."""

    def __init__(self, budgets: Budgets, now_s: float) -> None:
        self.knowledge = Knowledge()
        self.received = 0
        self.judged = 0
        self.saved = 0
        self._is_behind = False
        self.gaps = 0
        self.restored_units = 0
        self._budgets = budgets
        self._asked: list[int] = []
        self.has_answered = False
        self.is_overdue = False
        """Nobody waits for its first answer any more: it has been sent what it asked for."""
        self.skew: timedelta | None = None
        self._clock = DeviceClock()
        self.offline: Knowledge | None = None
        self._journal: list[JournalEntry] = []
        self._unknown: set[str] = set()
        self._delivered: dict[int, RangeSet] = {}
        self._delivered_ranges = 0
        per_second, window = budgets.update_frames_per_second, budgets.update_window_seconds
        self.updates = TokenBucket(per_second, per_second * window, now_s)
        refused = budgets.refused_fields_per_minute
        self.refused = TokenBucket(refused / 60, refused, now_s)
        self.awareness = TokenBucket(
            budgets.awareness_per_second, budgets.awareness_per_second * 2, now_s
        )
        self.relayed = TokenBucket(RELAYED_PER_SECOND, RELAYED_PER_SECOND * 5, now_s)
        self.offences = TokenBucket(OFFENCES_PER_SECOND, OFFENCES_AT_ONCE, now_s)
        self.locks = TokenBucket(LOCK_REQUESTS_PER_SECOND, LOCK_REQUESTS_PER_SECOND * 5, now_s)

    def asked(self, version: int) -> None:
        """SyncStep1 went out after everything up to `version`."""
        self._asked.append(version)

    def is_asking(self) -> bool:
        """Whether a SyncStep1 of ours waits for its answer."""
        return bool(self._asked)

    def answered(self) -> None:
        """A SyncStep2 came in: its author had processed all that went out before the question."""
        self.has_answered = True
        if self._asked:
            self.knowledge.version = max(self.knowledge.version, self._asked.pop(0))

    def tells_more_than_it_had(self, update: Update) -> bool:
        """Whether the update deletes what its author lacked when they said what they had.

        Then they took in what was sent to them before they wrote it. SPEC KNOW-5.
        """
        had = self.knowledge.state_vector
        for client, ranges in update.deletes.items():
            structs = update.structs.get(client)
            end = max(had.get(client, 0), structs[-1].end if structs else 0)
            if any(clock + length > end for clock, length in ranges):
                return True
        return False

    def may_have_seen(self, version: int) -> None:
        """A live update came in when everything up to `version` had been sent to its author.

        Some clients repeat all deletions they know in every update. A deletion of what has been
        overwritten since is therefore taken for such an echo once the overwriting was on its way:
        a clearing lost in that instant can be repeated, a value cleared by an echo is damage.
        """
        self.knowledge.version = max(self.knowledge.version, version)

    def note_gap(self) -> bool:
        """The peer's update hangs on something unknown; returns whether to ask once more."""
        self.gaps += 1
        return self.gaps < MAX_GAPS

    def note_judged(self, *, gap: bool, answer: bool) -> bool:
        """One more update-carrying message was judged; returns whether `saved` covers it.

        Once a message hung on something unknown, later ones do not count either: "the first so
        many are on disk" would be a lie. An answer to our question brings all that was missing.
        SPEC SAVED-1.
        """
        self.judged += 1
        self._is_behind = gap or (self._is_behind and not answer)
        if not self._is_behind:
            self.saved = self.judged
        return not self._is_behind

    def may_restore(self, units: int) -> bool:
        """Whether the connection's healing budget covers these units too."""
        self.restored_units += units
        return self.restored_units <= self._budgets.restored_units

    def keep_journal(
        self, entries: tuple[JournalEntry, ...], login_id: str, received_at: datetime
    ) -> timedelta | None:
        """Remember what is said of the coming update; returns a new estimate of the clock's error.

        An empty range of client 0 under the sender's own log-in is no edit: it tells what time it
        is there.
        """
        told: timedelta | None = None
        for entry in entries:
            if entry.client == entry.to_clock == 0:
                if entry.login_id == login_id:
                    told = self.skew = self._clock.read(entry.written_at, received_at)
            else:
                self._journal.append(entry)
        del self._journal[:-MAX_JOURNAL]
        return told

    def skews(self) -> tuple[timedelta, ...]:
        """How far the device's clock is ahead, if it said on this connection what time it was."""
        return () if self.skew is None else (self.skew,)

    def take_journal(self) -> tuple[JournalEntry, ...]:
        """The journal of the update that has just come."""
        if not self._journal:
            return ()
        entries, self._journal = self._journal, []
        return tuple(entries)

    def heard(self, state_vector: dict[int, int]) -> None:
        """A SyncStep1 came in. The first tells what all that was written before had seen."""
        self.knowledge.learn(state_vector)
        if self.offline is None:
            self.offline = Knowledge()
            self.offline.learn(state_vector)

    def may_look_up(self, login_id: str) -> bool:
        """Whether another log-in that its journal names is looked up."""
        return login_id not in self._unknown and len(self._unknown) < MAX_UNKNOWN_LOGINS

    def note_unknown(self, login_id: str) -> None:
        """There is no such log-in: nobody looks for it again."""
        self._unknown.add(login_id)

    def note_delivered(self, deletes: Deletes) -> None:
        """Deletions that were judged in another hand than the sender's.

        The delete set of the sender's own updates repeats them; there they are echoes. SPEC JOUR-7.
        """
        for client, ranges in deletes.items():
            for clock, length in ranges:
                if self._delivered_ranges < MAX_DELIVERED:
                    self._delivered_ranges += 1
                    known = self._delivered.setdefault(client, RangeSet())
                    for start, end in list(known.missing(clock, clock + length)):
                        known.add(start, end)

    def without_delivered(self, update: Update) -> Update:
        """The update without the deletions that came in another hand before."""
        if not self._delivered or self._delivered.keys().isdisjoint(update.deletes):
            return update
        deletes: Deletes = {}
        for client, ranges in update.deletes.items():
            known = self._delivered.get(client)
            left = (
                ranges
                if known is None
                else [
                    (start, end - start)
                    for clock, length in ranges
                    for start, end in known.missing(clock, clock + length)
                ]
            )
            if left:
                deletes[client] = left
        return Update(update.structs, deletes)
