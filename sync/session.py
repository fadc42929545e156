"""What one connection has done and may still do: counts, budgets, what was asked, when it wrote.

Pure; `now_s` is monotonic seconds. SPEC KNOW-1, HEAL-5.
"""

from datetime import datetime

import msgspec

from sync.frame import Knowledge, WrittenRange
from sync.wire import JournalEntry

__all__ = ["MAX_GAPS", "Budgets", "Session", "TokenBucket"]

MAX_GAPS = 3
"""Times in a row that what a peer sends may hang on something unknown before it starts afresh."""

MAX_JOURNAL = 20_000
"""Journal entries that may wait for the update they describe."""


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


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may cause (contract, section 4)."""

    update_frames_per_second: int = 200
    update_window_seconds: int = 10
    refused_fields_per_minute: int = 600
    restored_units: int = 65_536
    awareness_per_second: int = 10


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
        self._journal: list[JournalEntry] = []
        self._written_floor: datetime | None = None
        per_second, window = budgets.update_frames_per_second, budgets.update_window_seconds
        self.updates = TokenBucket(per_second, per_second * window, now_s)
        refused = budgets.refused_fields_per_minute
        self.refused = TokenBucket(refused / 60, refused, now_s)
        self.awareness = TokenBucket(
            budgets.awareness_per_second, budgets.awareness_per_second * 2, now_s
        )
        self.locks = TokenBucket(LOCK_REQUESTS_PER_SECOND, LOCK_REQUESTS_PER_SECOND * 5, now_s)

    def asked(self, version: int) -> None:
        """SyncStep1 went out after everything up to `version`."""
        self._asked.append(version)

    def is_asking(self) -> bool:
        """Whether a SyncStep1 of ours waits for its answer."""
        return bool(self._asked)

    def answered(self) -> None:
        """A SyncStep2 came in: its author had processed all that went out before the question."""
        if self._asked:
            self.knowledge.version = max(self.knowledge.version, self._asked.pop(0))

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

    def keep_journal(self, entries: tuple[JournalEntry, ...], login_id: str) -> None:
        """Remember when the coming update was written, as far as its author's own log-in says so.

        Entries of other log-ins count as the sender's own edits until their seals can be checked.
        """
        own = [entry for entry in entries if entry.login_id == login_id]
        self._journal = (self._journal + own)[-MAX_JOURNAL:]

    def take_journal(self, received_at: datetime) -> tuple[WrittenRange, ...]:
        """The journal of the update that has just come, bounded by what the server can know.

        No time lies after the receipt, and none before an earlier one of this connection.
        """
        if not self._journal:
            return ()
        entries, self._journal = self._journal, []
        ranges = []
        for entry in entries:
            at = min(entry.written_at, received_at)
            if self._written_floor is not None:
                at = max(at, self._written_floor)
            ranges.append(WrittenRange(entry.client, entry.from_clock, entry.to_clock, at))
        self._written_floor = max(entry.at for entry in ranges)
        return tuple(ranges)
