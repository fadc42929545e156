"""Where a record stands in the steps of its profile, and what becomes of a step change. Values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from permissions.model import RecordStatus
from permissions.profile import Fields, Texts

__all__ = [
    "Action",
    "Flow",
    "Impossible",
    "Moved",
    "Seen",
    "StepChange",
    "StepState",
    "StepStatus",
    "Unmet",
]

Action = Literal["start", "complete", "return"]
StepStatus = Literal["waiting", "ready", "in_progress", "completed", "returned"]


class StepState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a record. Times are the server's, bounded; who: user ids.

    status: `waiting` for its turn, `ready` to be started, `in_progress`, `completed`, or
    `returned`: sent back by a later step, to be done again. ready_at: since when it is its turn.
    settled: entries that it left open for a reason that was given; they hold nobody up again.
    """

    status: StepStatus = "waiting"
    ready_at: datetime | None = None
    started_at: datetime | None = None
    started_by: str | None = None
    completed_at: datetime | None = None
    completed_by: str | None = None
    returned_at: datetime | None = None
    returned_by: str | None = None
    returned_from: str | None = None
    reason: str | None = None
    settled: tuple[str, ...] = ()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Where a record stands. While it is open, `current` alone is neither waiting nor completed.

    assigned: role → user id of who is responsible for that role's steps.
    """

    status: RecordStatus
    current: str
    steps: Mapping[str, StepState]
    assigned: Mapping[str, str] = {}

    def of(self, step_id: str) -> StepState:
        """The state of a step; one that was never reached is waiting."""
        return self.steps.get(step_id, _WAITING)


class Seen(Protocol):
    """What the record shows (`sync.view.Chart`)."""

    @property
    def fields(self) -> Fields: ...

    @property
    def texts(self) -> Texts: ...

    @property
    def disputed(self) -> list[str]: ...


class Unmet(msgspec.Struct, frozen=True):
    """One thing that stands against completing: a field's name, and why in a sentence."""

    field: str
    reason: str


class Impossible(msgspec.Struct, frozen=True):
    """A step change that may not happen now. unmet: what is missing, where that is why."""

    reason: str
    current: str
    unmet: tuple[Unmet, ...] = ()


class StepChange(msgspec.Struct, frozen=True, kw_only=True):
    """A step change that happened: who did what, and where the record stands after it.

    ready_at, started_at: of the step that was left, for its waiting and handling time.
    """

    step: str
    action: Action
    by: str
    at: datetime
    current: str
    status: RecordStatus
    ready_at: datetime | None = None
    started_at: datetime | None = None
    reason: str = ""


class Moved(msgspec.Struct, frozen=True):
    """A step change that is possible. change: None where it had already happened."""

    flow: Flow
    change: StepChange | None


_WAITING = StepState()
