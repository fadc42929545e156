"""Clock ranges of delete sets: sorted, disjoint, non-adjacent `(clock, length)` per client."""

from collections.abc import Iterable

from sync.structs import Deletes

__all__ = ["merge_deletes", "normalised"]


def normalised(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same clocks as sorted ranges with a gap between any two."""
    merged: list[tuple[int, int]] = []
    start = end = -1
    for clock, length in sorted(ranges):
        if clock > end:
            if end > start:
                merged.append((start, end - start))
            start, end = clock, clock + length
        elif clock + length > end:
            end = clock + length
    if end > start:
        merged.append((start, end - start))
    return merged


def merge_deletes(a: Deletes, b: Deletes) -> Deletes:
    """Every clock that `a` or `b` deletes, normalised.

    Neither is changed, but lists of theirs may be part of the result: treat them as values.
    """
    merged = dict(a)
    for client, ranges in b.items():
        own = merged.get(client)
        merged[client] = ranges if own is None else normalised([*own, *ranges])
    return merged
