"""One database with all that it holds, its audit trail and the overview."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from storage.overview import Overview, OverviewFilter
from storage.ports.announcements import Announcements
from storage.ports.directory import Directory
from storage.ports.emergencies import Emergencies
from storage.ports.records import Records
from sync.effects import AuditEntry

if TYPE_CHECKING:
    from storage.alerts import Alerts

__all__ = ["AuditFilter", "Store"]


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which audit entries a listing wants; None means any.

    since, until: half open. profiles: of records of these only. after: the seq of the last entry of
    the page before, 0 for the first page; the order is that of seq, or the reverse. attests: also
    the entries `attest`, which are about rows and nobody's doing; naming that action means so, too.
    """

    record_id: str | None = None
    user_id: str | None = None
    action: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    profiles: frozenset[str] | None = None
    newest_first: bool = False
    after: int = 0
    limit: int = 100
    attests: bool = False


class Store(Protocol):
    """One database."""

    @property
    def records(self) -> Records: ...

    @property
    def directory(self) -> Directory: ...

    @property
    def announcements(self) -> Announcements: ...

    @property
    def emergencies(self) -> Emergencies: ...

    @property
    def alerts(self) -> "Alerts": ...

    async def append_audit(self, entries: Sequence[AuditEntry]) -> None: ...

    async def overview(self, wanted: OverviewFilter) -> Overview:
        """What the supervisor's view of a profile is made of, at one instant of the database."""

    async def audit(
        self,
        *,
        record_id: str | None = None,
        user_id: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        profiles: frozenset[str] | None = None,
        newest_first: bool = False,
        after: int = 0,
        limit: int = 100,
        attests: bool = False,
    ) -> Sequence[tuple[int, AuditEntry]]:
        """One page of the audit trail with each entry's seq; see AuditFilter."""

    async def audit_hashes(self, seqs: Sequence[int]) -> Mapping[int, bytes]:
        """The hashes of these entries, by seq. At most 1000 of them."""

    async def audit_head(self) -> tuple[int, bytes]:
        """The seq and the hash of the newest audit entry; (0, zeros) before there is one."""

    async def close(self) -> None: ...
