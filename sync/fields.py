"""The field index: which field every struct of a record belongs to, without asking the document.

Owns: client id → runs of clocks → place (run-length coded; one look-up is one bisect), the ranges
that are deleted, and the clocks at which a surrogate pair starts. It is extended by each accepted
update and rebuilt from storage on load. It must never hold a clock that the document lacks.
SPEC PLACE-1, PLACE-2, PLACE-7.
"""

from bisect import bisect_right
from collections.abc import Container, Iterator
from functools import lru_cache

from permissions.profile import Profile
from sync.anchors import AnchorIndex
from sync.place import PROGRESS_ROOT, RECORD_ROOT, VOID, Place
from sync.structs import Id

__all__ = ["FieldIndex", "Places", "RangeSet"]


class Places:
    """The interned places of one record.

    Keys that peers make up (entries, server facts) are kept only once something stands there, so
    that refused names take no memory.
    """

    __slots__ = ("_known", "_new", "_profile")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[tuple[str, str | None], Place] = {}
        self._new: list[Place] = []

    def at(self, root: str, key: str | None) -> Place:
        """The place under a root name and map key; VOID where the profile declares none."""
        place = self._known.get((root, key))
        return place if place is not None else self._declare(root, key)

    def _declare(self, root: str, key: str | None) -> Place:
        if root == RECORD_ROOT:
            if key is None:
                return VOID
            place = _fact(key)
            self._new.append(place)
        elif root == PROGRESS_ROOT:
            if key is None or self._profile.step(key) is None:
                return VOID
            place = Place("intent", root, key, None)
        else:
            field = self._profile.field_at(root, key)
            if field is None:
                return VOID
            place = Place("text" if key is None else "keyed", root, key, field)
            if field.kind == "entry":
                self._new.append(place)
        self._known[root, key] = place
        return place

    def forget_unused(self, used: Container[Place]) -> None:
        """Drop the places that were asked for first since the last call and are not in use."""
        for place in self._new:
            if place not in used:
                del self._known[place.root, place.key]
        self._new.clear()


@lru_cache(maxsize=64)
def _fact(key: str) -> Place:
    """A key of the `record` map: the same few in every record, so each is in memory once."""
    return Place("server", RECORD_ROOT, key, None)


class RangeSet:
    """Sorted, disjoint ranges of clocks of one client."""

    __slots__ = ("ends", "starts")

    def __init__(self, starts: list[int] | None = None, ends: list[int] | None = None) -> None:
        self.starts = starts or []
        self.ends = ends or []

    def __contains__(self, clock: int) -> bool:
        at = bisect_right(self.starts, clock) - 1
        return at >= 0 and clock < self.ends[at]

    def add(self, start: int, end: int) -> None:
        """Include [start, end), merging what it touches."""
        starts, ends = self.starts, self.ends
        if not starts or start > ends[-1]:
            starts.append(start)
            ends.append(end)
            return
        first = bisect_right(starts, start)
        if first and ends[first - 1] >= start:
            first -= 1
        last = bisect_right(starts, end)
        if first < last:
            start = min(start, starts[first])
            end = max(end, ends[last - 1])
        starts[first:last] = [start]
        ends[first:last] = [end]

    def missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) that are not in the set, ascending."""
        at = max(bisect_right(self.starts, start) - 1, 0)
        while start < end and at < len(self.starts):
            if self.starts[at] >= end:
                break
            if self.starts[at] > start:
                yield start, self.starts[at]
            start = max(start, self.ends[at])
            at += 1
        if start < end:
            yield start, end


class _Runs:
    """One client's clocks: run i covers [starts[i], starts[i + 1]), the last one up to `end`."""

    __slots__ = ("end", "places", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.places: list[Place] = []
        self.end = 0


class FieldIndex:
    """id → place for every struct of a record, plus what is deleted in its texts."""

    __slots__ = ("_runs", "anchors", "deleted", "pairs")

    def __init__(self) -> None:
        self._runs: dict[int, _Runs] = {}
        self.anchors = AnchorIndex()
        self.deleted: dict[int, RangeSet] = {}
        self.pairs: dict[int, set[int]] = {}

    def next_clock(self, client: int) -> int:
        """The first clock of `client` that is not known yet; 0 for an unknown client."""
        runs = self._runs.get(client)
        return 0 if runs is None else runs.end

    def place_of(self, struct_id: Id) -> Place | None:
        """The place of a known id, None for an unknown one."""
        runs = self._runs.get(struct_id[0])
        if runs is None:
            return None
        clock = struct_id[1]
        starts = runs.starts
        if clock >= runs.end or not starts:
            return None
        if clock >= starts[-1]:
            return runs.places[-1]
        at = bisect_right(starts, clock)
        return runs.places[at - 1] if at else None

    def begin(self, client: int, clock: int) -> None:
        """Let `client` start at `clock`: for a draft that continues another index."""
        runs = self._runs[client] = _Runs()
        runs.end = clock

    def extend(self, client: int, clock: int, length: int, place: Place) -> None:
        """Append known clocks. `clock` is `next_clock(client)`; anything else is our mistake."""
        runs = self._runs.get(client)
        if runs is None:
            runs = self._runs[client] = _Runs()
        assert clock == runs.end, "the index grows without holes"
        if not runs.places or runs.places[-1] is not place:
            runs.starts.append(clock)
            runs.places.append(place)
        runs.end = clock + length

    def runs(self, client: int, start: int, end: int) -> Iterator[tuple[int, int, Place]]:
        """The known part of [start, end) as `(start, end, place)`; linear in the runs covered."""
        runs = self._runs.get(client)
        if runs is None or not runs.starts:
            return
        start, end = max(start, runs.starts[0]), min(end, runs.end)
        if start >= end:
            return
        at = bisect_right(runs.starts, start) - 1
        while start < end:
            stop = runs.starts[at + 1] if at + 1 < len(runs.starts) else runs.end
            stop = min(stop, end)
            yield start, stop, runs.places[at]
            start = stop
            at += 1

    def state_vector(self) -> dict[int, int]:
        return {client: runs.end for client, runs in self._runs.items()}

    def is_deleted(self, struct_id: Id) -> bool:
        ranges = self.deleted.get(struct_id[0])
        return ranges is not None and struct_id[1] in ranges

    def mark_deleted(self, client: int, start: int, end: int) -> None:
        ranges = self.deleted.get(client)
        if ranges is None:
            ranges = self.deleted[client] = RangeSet()
        ranges.add(start, end)

    def live_parts(self, client: int, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of [start, end) that are not deleted."""
        ranges = self.deleted.get(client)
        return [(start, end)] if ranges is None else list(ranges.missing(start, end))

    def mark_pairs(self, client: int, clock: int, text: str) -> None:
        """Remember where the surrogate pairs of a string that starts at `clock` are."""
        if text.isascii() or max(text) <= "\uffff":
            return
        pairs = self.pairs.setdefault(client, set())
        for character in text:
            if character > "\uffff":
                pairs.add(clock)
                clock += 1
            clock += 1

    def is_pair_start(self, client: int, clock: int) -> bool:
        """Whether `clock` is the first half of a surrogate pair (deleted or not)."""
        pairs = self.pairs.get(client)
        return pairs is not None and clock in pairs

    def export(self) -> dict[int, tuple[list[int], list[Place], int]]:
        """client → (run starts, places, end), for snapshots."""
        return {client: (r.starts, r.places, r.end) for client, r in self._runs.items()}

    def restore(self, client: int, starts: list[int], places: list[Place], end: int) -> None:
        """Put back what `export` gave."""
        runs = self._runs[client] = _Runs()
        runs.starts, runs.places, runs.end = starts, places, end
