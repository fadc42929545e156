"""What REST, demo data and the CLI need of the live rooms; `rooms.RoomHost` implements it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from permissions import Principal

if TYPE_CHECKING:
    from server.executor import Batch
    from server.inbox import Later
    from server.live_room import LiveRoom

__all__ = ["Cutter", "Json", "NewRecord", "ReadOnly", "RecordView", "Rooms"]

T = TypeVar("T")

Json = object
"""A JSON value: None, bool, int, float, str, list, dict."""


class ReadOnly(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record takes no edits: its log is damaged. version: the last that is sound."""

    reason: str
    version: int


class RecordView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record as people read it (contract, sections 2 and 4).

    fields: section → {field: value}, entry sections → {ulid: entry}; texts: narrative name → text.
    read_only: only of a damaged record, which is shown as far as it is sound.
    """

    id: str
    number: str
    profile: str
    patient_id: str
    version: int
    status: str
    current_step: str
    fields: dict[str, dict[str, Json]]
    texts: dict[str, str]
    disputed: list[str]
    read_only: ReadOnly | None = None


class NewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST /api/records` asks for. fields: `{"section.field": value}`.

    number: one that was handed to who makes the record; None: the next.
    """

    profile: str
    id: str | None = None
    number: str | None = None
    patient_id: str | None = None
    fields: Mapping[str, Json] = {}


class Cutter(Protocol):
    """Whoever holds connections of people."""

    def disconnect(
        self, *, login_id: str | None = None, user_id: str | None = None, code: int, reason: str
    ) -> int:
        """Close the connections of a log-in or a person; returns how many."""


class Rooms(Protocol):
    """Live records. Every change goes through a room's one inbox; an answer means: on disk."""

    async def ask(
        self, record_id: str, work: "Callable[[LiveRoom, Batch], Awaitable[T | Later[T]]]"
    ) -> T:
        """Run `work` in the record's turn; answers when everything it proposed is on disk.

        A `Later` is made when what follows from the turn is written too: versions, views.

        `work` may run again on a fresh room, so it must change nothing else. Raises what `work`
        raises, RecordNotFound, RecordDamaged, RecordUnreadable, Overloaded.
        """

    async def view(self, record_id: str, principal: Principal | None = None) -> RecordView:
        """The record now, without what `principal` may not read; a damaged one as far as it is
        sound, and marked `read_only`.

        Raises RecordNotFound, RecordUnreadable, NotAllowed.
        """

    async def create(self, author: Principal, wanted: NewRecord) -> RecordView:
        """Raises EditRefused, NotAllowed, RecordExists."""

    async def edit(
        self,
        author: Principal,
        record_id: str,
        fields: Mapping[str, Json],
        *,
        if_version: int,
        fences: Sequence[int] = (),
    ) -> RecordView:
        """All fields or none. Raises VersionMismatch, EditRefused, NotAllowed, RecordNotFound.

        A narrative takes its whole new text; the server writes the smallest change. fences: of
        locks that the author must still hold; LockLost otherwise.
        """

    async def add_entry(
        self,
        author: Principal,
        record_id: str,
        section: str,
        value: Mapping[str, Json],
        *,
        if_version: int | None = None,
    ) -> str:
        """The ULID of the new entry.

        Raises EditRefused, NotAllowed, RecordNotFound; VersionMismatch where a version is named.
        """

    def in_emergency(self, record_id: str, user_id: str) -> bool:
        """Whether somebody is on a loaded record by emergency access alone."""

    def disconnect(
        self, *, login_id: str | None = None, user_id: str | None = None, code: int, reason: str
    ) -> int:
        """Close the live sockets of a log-in or a person; returns how many."""
