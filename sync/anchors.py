"""Where the units of narratives were inserted: between which neighbours, as their authors saw it.

An honest struct stands between two neighbours of its author's replica, so its right origin's own
origin lies at or left of its origin, and the other way round. Yjs replicas only agree on structs of
which that is true; a hand-made one of which it is not lets them order a colleague's text
differently. SPEC GATE-18.
"""

from bisect import bisect_right
from collections.abc import Callable

from sync.structs import Id, Struct

__all__ = ["AnchorIndex", "Anchors", "agrees"]

Anchors = tuple[Id | None, Id | None]
"""(origin, right origin) of one unit; None is the start or the end of the text."""


class _Runs:
    """One client's text: run i begins at starts[i]; inside it each unit follows the one before."""

    __slots__ = ("origins", "rights", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.origins: list[Id | None] = []
        self.rights: list[Id | None] = []


class AnchorIndex:
    """id → anchors for every struct in a narrative, run-length coded: typing on is one run."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: dict[int, _Runs] = {}

    def add(self, struct: Struct) -> None:
        """Note the next text struct of its client."""
        runs = self._runs.get(struct.client)
        if runs is None:
            runs = self._runs[struct.client] = _Runs()
        typed_on = struct.origin == (struct.client, struct.clock - 1)
        if not (runs.starts and typed_on and runs.rights[-1] == struct.right_origin):
            runs.starts.append(struct.clock)
            runs.origins.append(struct.origin)
            runs.rights.append(struct.right_origin)

    def of(self, unit: Id) -> Anchors | None:
        """The anchors of a text unit; None before the first one of its client that is known."""
        runs = self._runs.get(unit[0])
        if runs is None:
            return None
        at = bisect_right(runs.starts, unit[1]) - 1
        if at < 0:
            return None
        if runs.starts[at] == unit[1]:
            return runs.origins[at], runs.rights[at]
        return (unit[0], unit[1] - 1), runs.rights[at]

    def export(self) -> list[tuple[int, list[int], list[Id | None], list[Id | None]]]:
        """(client, starts, origins, right origins), for snapshots."""
        return [
            (client, runs.starts, runs.origins, runs.rights)
            for client, runs in sorted(self._runs.items())
        ]

    def restore(
        self, client: int, starts: list[int], origins: list[Id | None], rights: list[Id | None]
    ) -> None:
        """Put back what `export` gave."""
        runs = self._runs[client] = _Runs()
        runs.starts, runs.origins, runs.rights = starts, origins, rights


def agrees(
    struct: Struct,
    anchors_of: Callable[[Id], Anchors],
    in_order: Callable[[list[Id]], bool],
) -> bool:
    """Whether somebody can have inserted the struct between two neighbours.

    in_order: whether these different ids stand in this order; asked only where the anchors of the
    neighbours do not tell, which is where people wrote at one place without seeing each other.
    """
    origin, right = struct.origin, struct.right_origin
    before = None if right is None else anchors_of(right)[0]
    after = None if origin is None else anchors_of(origin)[1]
    if before == origin or after == right:
        return True
    if origin is None or right is None:
        return False
    ids = [origin, right]
    if before is not None:
        ids.insert(0, before)
    if after is not None:
        ids.append(after)
    return len(set(ids)) == len(ids) and in_order(ids)
