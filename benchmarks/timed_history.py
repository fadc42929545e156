"""A room's history that notes what telling the changes of each row took."""

import time

from sync.annotations import Annotations
from sync.effects import Change, UpdateRow
from sync.history import Tells

__all__ = ["TimedHistory"]


class TimedHistory:
    """Stands before a room's own history. seconds: per row, in order."""

    def __init__(self, history: Tells) -> None:
        self._history = history
        self.seconds: list[float] = []

    def changes_of(self, row: UpdateRow, annotations: Annotations) -> tuple[Change, ...]:
        begun = time.perf_counter()
        changes = self._history.changes_of(row, annotations)
        self.seconds.append(time.perf_counter() - begun)
        return changes
