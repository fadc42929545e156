"""What runs together in one process: the collaborators that handlers are handed."""

from collections.abc import Mapping
from dataclasses import dataclass

from permissions.policy import Policy
from server.accounts.authentication import Authenticator, Clock
from server.audit.heads import AuditHeads
from server.background import Background
from server.emergencies import BreakGlass
from server.events import Hub
from server.logs import Log
from server.metrics import Metrics
from server.overseeing import Overseeing
from server.ports import Rooms
from server.settings import Settings
from storage.ports import Store

__all__ = ["House"]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Settings, store, rooms and rules of one process. policies: by the name of their profile."""

    settings: Settings
    store: Store
    rooms: Rooms
    events: Hub
    policies: Mapping[str, Policy]
    clock: Clock
    authenticator: Authenticator
    metrics: Metrics
    log: Log
    heads: AuditHeads
    break_glass: BreakGlass
    background: Background
    overseeing: Overseeing
