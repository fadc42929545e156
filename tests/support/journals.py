"""Hands, updates and sealed entries for tests of the journal. All invented."""

from datetime import datetime, timedelta

import msgspec

from permissions.model import RoleChange
from sync.journal import Hand, seal_of
from sync.structs import Struct
from sync.update import encode_update
from sync.wire import JournalEntry
from tests.support.people import at, person

__all__ = ["RECORD", "SIGNED_IN", "SIGNED_OUT", "entry_for", "hand", "payload_of"]

RECORD = "R"
SIGNED_IN, SIGNED_OUT = at(1_000), at(2_000)


def hand(
    user_id: str, *roles: str, key: bytes = b"", ended_at: datetime | None = None,
    skews: tuple[timedelta, ...] = (), trusted: bool = True,
    changes: tuple[tuple[datetime, set[str]], ...] = (), login_id: str = "",
) -> Hand:  # fmt: skip
    """A log-in from SIGNED_IN on; its key is its user's name over and over."""
    return Hand(
        principal=person(user_id, *roles, login_id=login_id),
        created_at=SIGNED_IN,
        ended_at=ended_at or SIGNED_OUT,
        trusted=trusted,
        seal_key=key or (user_id * 32)[:32].encode(),
        skews=skews,
        roles=tuple(RoleChange(since, frozenset(had)) for since, had in changes),
    )


def payload_of(*structs: Struct, deletes: dict[int, list[tuple[int, int]]] | None = None) -> bytes:
    """The bytes of an update of one client, as they are sealed and sent."""
    by_client: dict[int, list[Struct]] = {}
    for struct in structs:
        by_client.setdefault(struct.client, []).append(struct)
    return encode_update(by_client, deletes or {})


def entry_for(
    signer: Hand, payload: bytes, client: int, start: int, end: int, written_at: datetime,
    *, record_id: str = RECORD, key: bytes | None = None,
) -> JournalEntry:  # fmt: skip
    """The entry that the log-in would seal for this update."""
    bare = JournalEntry(client, start, end, written_at, signer.principal.login_id, "")
    seal = seal_of(signer.seal_key if key is None else key, record_id, bare, payload)
    return msgspec.structs.replace(bare, seal=seal)
