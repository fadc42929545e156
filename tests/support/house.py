"""A whole house in memory: the real rooms, accounts and HTTP calls, with a stepped clock."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from ulid import ULID

from permissions.policy import Policy
from server.assembly import assemble
from server.house import House
from server.logs import configure_logs
from server.profiles import load_policies
from server.rooms import RoomHost
from server.settings import Settings
from storage import MemoryStore, SqliteStore, User, UserExists
from sync.effects import AuditEntry

__all__ = ["Household", "living"]

PASSWORD = "correct horse"
BASE = "http://fieldchart.test"


class Household:
    """A served house, its people and what a test looks at."""

    def __init__(
        self, house: House, store: Any, http: httpx.AsyncClient, log: io.StringIO, now: datetime
    ) -> None:
        assert isinstance(house.rooms, RoomHost)
        self.house = house
        self.rooms = house.rooms
        self.store = store
        self.http = http
        self.log = log
        self.now = now
        self.users: dict[str, User] = {}
        self._tokens: dict[str, str] = {}

    def step(self, **amount: float) -> None:
        """Step the clock of everything."""
        self.now += timedelta(**amount)

    async def user(self, username: str, *roles: str) -> User:
        """The account of this name; made with these roles (else the one of its name)."""
        if username not in self.users:
            user = User(
                id=str(ULID()), username=username, name=f"Demo {username}",
                roles=frozenset(roles or {username}),
                password_hash=self.house.authenticator.passwords.hash(PASSWORD),
                disabled=False, created_at=self.now,
            )  # fmt: skip
            with suppress(UserExists):  # the store was there before
                await self.store.directory.add_user(user)
            self.users[username] = await self.store.directory.user_by_username(username)
        return self.users[username]

    async def token(self, username: str) -> str:
        """A token of the account, the same each time."""
        if username not in self._tokens:
            await self.user(username)
            token, _, _ = await self.house.authenticator.sign_in(
                username, PASSWORD, "tablet", "192.0.2.7"
            )
            self._tokens[username] = token
        return self._tokens[username]

    async def ask(
        self, username: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """Make a call as this person."""
        signed = {"authorization": f"Bearer {await self.token(username)}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else json.dumps(body)
        return await self.http.request(method, path, content=content, headers={**signed, **named})

    async def record(self, profile: str = "outpatient", **fields: Any) -> str:
        """The id of a new record, made by who makes those."""
        first = self.house.policies[profile].profile.steps[0].role
        assert first is not None
        body = {"profile": profile, "fields": fields}
        answer = await self.ask(first, "POST", "/api/records", body)
        assert answer.status_code == 201, answer.text
        record_id: str = answer.json()["id"]
        return record_id

    async def entries(self, username: str | None = None, **wanted: Any) -> list[AuditEntry]:
        """The audit trail, oldest first."""
        user_id = None if username is None else (await self.user(username)).id
        found = await self.store.audit(user_id=user_id, limit=100_000, **wanted)
        return [entry for _, entry in found]


@asynccontextmanager
async def living(
    store: MemoryStore | SqliteStore | None = None,
    policies: Mapping[str, Policy] | None = None,
    now: datetime = datetime(2026, 3, 1, 8, tzinfo=UTC),
    **settings: Any,
) -> AsyncIterator[Household]:
    """A household with everything running, closed at the end. A store that is given stays open."""
    own = MemoryStore() if store is None else store
    out = io.StringIO()
    fast: dict[str, Any] = {"argon2_memory_kib": 8192, "argon2_time_cost": 1}
    fast["sync_answer_seconds"] = 0.0  # peers of tests do not say what they have
    fast.update(settings)
    made: list[Household] = []
    assembly = assemble(
        Settings(**fast), own, policies or load_policies(("outpatient", "eye_screening")),
        lambda: made[0].now if made else now, configure_logs("json", "info", out),
    )  # fmt: skip
    transport = httpx.ASGITransport(assembly.application)
    async with (
        assembly.house.events.running(),
        assembly.house.rooms.running(),  # type: ignore[attr-defined] # the real ones
        assembly.house.background.running(("events", "locks_and_presence", "idle_rooms")),
        httpx.AsyncClient(transport=transport, base_url=BASE) as http,
    ):
        made.append(Household(assembly.house, own, http, out, now))
        yield made[0]
    if store is None:
        await own.close()
