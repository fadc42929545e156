"""The messages of a connection as values: y-protocols' and Fieldchart's own (100 to 104)."""

from typing import Literal, TypeAlias

import msgspec

from sync.errors import MalformedFrame
from sync.journal_entries import JournalEntry
from sync.json_text import JsonValue, parse_json

__all__ = [
    "MAX_STATE_NESTING",
    "AwarenessEntry",
    "AwarenessMessage",
    "Journal",
    "LockRequest",
    "Message",
    "Notice",
    "PermissionDenied",
    "QueryAwareness",
    "Refused",
    "Saved",
    "SyncStep1",
    "SyncStep2",
    "UpdateMessage",
]

MAX_STATE_NESTING = 8
"""Levels of an awareness state: the deepest is the server's, with the holders of locks."""


class SyncStep1(msgspec.Struct, frozen=True):
    """The peer knows `state_vector` and asks for the rest."""

    state_vector: dict[int, int]


class SyncStep2(msgspec.Struct, frozen=True):
    """The answer to a SyncStep1: a Yjs update, v1, not yet decoded."""

    update: bytes


class UpdateMessage(msgspec.Struct, frozen=True):
    """A live change: a Yjs update, v1, not yet decoded."""

    update: bytes


class AwarenessEntry(msgspec.Struct, frozen=True):
    """What one client shows of itself. state_json: the JSON text as sent; None: it is gone.

    The text is not parsed on arrival: stock clients relay everybody's entries, and only what a peer
    says of itself is ever looked at.
    """

    client: int
    clock: int
    state_json: str | None

    @property
    def state(self) -> dict[str, JsonValue] | None:
        """The parsed state; None when gone. Raises MalformedFrame: it is no JSON object."""
        if self.state_json is None:
            return None
        value = parse_json(self.state_json, MAX_STATE_NESTING, [len(self.state_json)])
        if not isinstance(value, dict):
            raise MalformedFrame("An awareness state is no JSON object.")
        return value


class AwarenessMessage(msgspec.Struct, frozen=True):
    """Entries of distinct clients, in the order of the wire."""

    entries: tuple[AwarenessEntry, ...]


class PermissionDenied(msgspec.Struct, frozen=True):
    """The server's refusal of the connection, for people to read."""

    reason: str


class QueryAwareness(msgspec.Struct, frozen=True):
    """The peer asks for every known awareness entry."""


class Saved(msgspec.Struct, frozen=True):
    """The first `count` update-carrying messages are durable; the record stands at `version`."""

    count: int
    version: int


class Refused(msgspec.Struct, frozen=True):
    """`{refusal, version, fields: [{field, rule, reason, value}]}`."""

    body: dict[str, JsonValue]


class Journal(msgspec.Struct, frozen=True):
    """Describes the update that follows it."""

    entries: tuple[JournalEntry, ...]


class Notice(msgspec.Struct, frozen=True):
    """`{event, …}`: session events, locks, conflicts."""

    body: dict[str, JsonValue]


class LockRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client wants of a field's lock; answered by a Notice `{event: "lock", …}`.

    fence: of exactly the lock that is meant. take_over: from another window of the same person.
    """

    action: Literal["acquire", "renew", "release"]
    field: str
    fence: int | None = None
    take_over: bool = False


Message: TypeAlias = (
    SyncStep1
    | SyncStep2
    | UpdateMessage
    | AwarenessMessage
    | PermissionDenied
    | QueryAwareness
    | Saved
    | Refused
    | Journal
    | Notice
    | LockRequest
)
