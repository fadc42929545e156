"""A data directory with accounts, log-ins and records, made through the server's own parts.

Log-ins are stored, not signed in: the throttle and argon2 are not what is measured.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from ulid import ULID

from benchmarks.edits import ClientEdits
from permissions.model import Principal
from server.assembly import Assembly, assemble
from server.logs import configure_logs
from server.ports import NewRecord
from server.profiles import load_policies
from server.serving import open_store
from server.settings import Settings
from storage import Login, SqliteStore, User
from sync.bounds import Bounds
from sync.effects import Commit
from sync.frame import Frame, Knowledge
from sync.gate import Limits
from sync.proposal import Accepted
from sync.replay import new_room, replay, snapshot_of
from sync.room import Room
from sync.update import decode_update

__all__ = [
    "Prepared",
    "accepted_edits",
    "append_accepted",
    "long_record",
    "opened",
    "prepare",
    "principal_of",
    "sign_in",
]

ROLES = frozenset({"nurse", "receptionist"})
PROFILE = "outpatient"
ROWS_PER_COMMIT = 500


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data directory: ids of its records, a token for each log-in, and whose each log-in is."""

    data: Path
    records: Sequence[str]
    tokens: Sequence[str]


def prepare(data: Path, *, records: int, logins: int, users: int | None = None) -> Prepared:
    """Make accounts, log-ins and empty records."""
    data.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_prepare(data, records, logins, users or logins))


async def _prepare(data: Path, records: int, logins: int, users: int) -> Prepared:
    async with opened(data) as (assembly, store):
        people = [_user(n) for n in range(users)]
        await asyncio.gather(*(store.directory.add_user(user) for user in people))
        tokens = [f"benchmark-token-{n:08d}" for n in range(logins)]
        await asyncio.gather(
            *(
                store.directory.add_login(_login(token, people[n % users]))
                for n, token in enumerate(tokens)
            )
        )
        author = principal_of(people[0])
        made = await asyncio.gather(
            *(
                assembly.house.rooms.create(author, NewRecord(profile=PROFILE))
                for _ in range(records)
            )
        )
    return Prepared(data, [record.id for record in made], tokens)


async def sign_in(
    store: SqliteStore, token: str, username: str, roles: frozenset[str]
) -> Principal:
    """An account of these roles whose log-in has this token."""
    user = msgspec.structs.replace(_user(0), id=str(ULID()), username=username, roles=roles)
    await store.directory.add_user(user)
    await store.directory.add_login(_login(token, user))
    return principal_of(user)


@asynccontextmanager
async def opened(
    data: Path, profiles: Sequence[str] = (PROFILE,)
) -> AsyncIterator[tuple[Assembly, SqliteStore]]:
    """The server's parts on a data directory, without a socket."""
    settings = Settings(data=str(data), profiles=tuple(profiles))
    log = configure_logs("json", "error")
    async with open_store(settings) as store:
        yield assemble(settings, store, load_policies(settings.profiles), _now, log), store


def long_record(data: Path, record_id: str, edits: int, *, snapshot: bool) -> None:
    """Give a record a log of `edits` single edits by a few people, and a snapshot if wanted."""
    asyncio.run(_long_record(data, record_id, edits, snapshot))


async def _long_record(data: Path, record_id: str, edits: int, snapshot: bool) -> None:
    async with opened(data) as (assembly, store):
        stored = await store.records.load(record_id)
        policy = assembly.house.policies[PROFILE]
        room = new_room(record_id, 0, policy.profile, policy, Limits())
        for _ in replay(room, stored.snapshot, stored.rows):
            pass
        users = list(await store.directory.users())
        made = accepted_edits(room, [principal_of(user) for user in users[:5]], edits)
        await append_accepted(store, room, made, snapshot=snapshot)


async def append_accepted(
    store: SqliteStore, room: Room, made: Iterable[Accepted], *, snapshot: bool
) -> None:
    """Store edits as the room accepts them, and a snapshot afterwards if wanted."""
    base, rows = room.version, list[Accepted]()
    for accepted in made:
        rows.append(accepted)
        if len(rows) == ROWS_PER_COMMIT:
            await store.records.append(_commit(room.record_id, base, rows))
            base, rows = base + len(rows), []
    if rows:
        await store.records.append(_commit(room.record_id, base, rows))
    if snapshot:
        await store.records.save_snapshot(room.record_id, snapshot_of(room))


def accepted_edits(room: Room, people: Sequence[Principal], edits: int) -> Iterator[Accepted]:
    """Edits of a working day: people write in turn, so their runs interleave."""
    from benchmarks.edits import KEYED_FIELDS

    writers = [
        (ClientEdits(2_000_000 + n, KEYED_FIELDS[n]), person, Knowledge())
        for n, person in enumerate(people)
    ]
    bounds = Bounds()
    for number in range(edits):
        client, person, knowledge = writers[number // 7 % len(writers)]
        at = _now()
        frame = Frame(
            update=decode_update(client.next_update(number), bounds),
            author=person,
            knowledge=knowledge,
            received_at=at,
            written_at=at,
        )
        proposal = room.propose_now(frame)
        assert proposal.accepted is not None, "a nurse may write this"
        yield proposal.accepted


def _commit(record_id: str, base: int, made: Sequence[Accepted]) -> Commit:
    changes = {(c.version, c.ordinal): c for accepted in made for c in accepted.changes}
    return Commit(
        record_id=record_id, base_version=base, rows=tuple(accepted.row for accepted in made),
        changes=tuple(changes.values()),
    )  # fmt: skip


def principal_of(user: User) -> Principal:
    return Principal(
        user_id=user.id,
        username=user.username,
        name=user.name,
        roles=user.roles,
        login_id="benchmark",
        device="benchmark",
    )


def _user(number: int) -> User:
    return User(
        id=str(ULID()),
        username=f"nurse{number}",
        name=f"Benchmark Nurse {number}",
        roles=ROLES,
        password_hash="!",
        disabled=False,
        created_at=_now(),
    )


def _login(token: str, user: User) -> Login:
    now = _now()
    return Login(
        id=str(ULID()),
        user_id=user.id,
        token_hash=hashlib.sha256(token.encode()).digest(),
        device="benchmark",
        address="127.0.0.1",
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(days=1),
    )


def _now() -> datetime:
    return datetime.now(UTC)
