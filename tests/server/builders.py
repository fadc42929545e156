"""A house whose rooms are a double, with invented people, a stepped clock and HTTP in process."""

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from ulid import ULID

from permissions.model import Operation, Principal, RecordState, Rule
from permissions.policy import Policy
from server.accounts.authentication import Authenticator
from server.application import build_application
from server.audit.heads import AuditHeads
from server.background import Background
from server.emergencies import BreakGlass
from server.errors import ChangedField, EditRefused, FieldViolation, NotAllowed, VersionMismatch
from server.events import Hub
from server.house import House
from server.logs import configure_logs
from server.metrics import Metrics
from server.overseeing import Overseeing
from server.people import Person
from server.ports import Json, NewRecord, RecordView
from server.profiles import load_policies
from server.rooms import RoomHost
from server.settings import Settings
from storage import MemoryStore, RecordExists, RecordNotFound, User
from sync.effects import EMPTY_HASH, AuditEntry, Commit, RecordFacts, UpdateRow, chain_hash

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
BASE = "http://fieldchart.test"
POLICIES = load_policies(("outpatient", "eye_screening"))
PASSWORD = "correct horse"

CHANGE = ChangedField(
    field="vitals.pulse", author=Person(id="u", username="u", name="U", role="nurse"),
    at="2026-03-01T08:00:00.000Z", value=80,
)  # fmt: skip

FAST = Settings(
    argon2_memory_kib=8192, argon2_time_cost=1, login_delay_seconds=10.0, sync_answer_seconds=0.0
)


class SteppedClock:
    """Stands still until a test steps it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def step(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class DoubleRooms:
    """Keeps `server.ports.Rooms` with dictionaries, judged by the real policy."""

    def __init__(self, store: MemoryStore, policies: Mapping[str, Policy], host: RoomHost) -> None:
        self._store = store
        self._policies = policies
        self.ask = host.ask
        """What asks a room gets the real one of the stored record."""
        self.views: dict[str, RecordView] = {}
        self.disconnected: list[tuple[str | None, str | None, int]] = []
        self.failure: Exception | None = None

    async def view(self, record_id: str, principal: Principal | None = None) -> RecordView:
        if self.failure is not None:
            raise self.failure
        if record_id not in self.views:
            raise RecordNotFound
        view = self.views[record_id]
        if principal is not None:
            decision = self._policies[view.profile].may_open(principal, RecordState())
            if not decision.allowed:
                raise NotAllowed(decision.reason)
        return view

    async def create(self, author: Principal, wanted: NewRecord) -> RecordView:
        policy = self._policies[wanted.profile]
        decision = policy.may_create(author)
        if not decision.allowed:
            raise NotAllowed(decision.reason)
        self._check(author, policy, wanted.fields)
        record_id = wanted.id or str(ULID())
        if record_id in self.views:
            raise RecordExists
        number = await self._store.records.next_number(policy.profile.number_prefix)
        view = RecordView(
            id=record_id, number=number, profile=wanted.profile,
            patient_id=wanted.patient_id or str(ULID()), version=1, status="open",
            current_step=policy.profile.steps[0].id, fields=_nested(wanted.fields), texts={},
            disputed=[],
        )  # fmt: skip
        await self._store.records.create(record_id, commit_of(view))
        self.views[record_id] = view
        return view

    async def edit(
        self, author: Principal, record_id: str, fields: Mapping[str, Json], *, if_version: int,
        fences: Sequence[int] = (),
    ) -> RecordView:  # fmt: skip
        view = await self.view(record_id, author)
        if view.version != if_version:
            raise VersionMismatch(view.version, [CHANGE])
        self._check(author, self._policies[view.profile], fields)
        merged = {name: dict(section) for name, section in view.fields.items()}
        for section, values in _nested(fields).items():
            merged.setdefault(section, {}).update(values)
        view = msgspec.structs.replace(view, fields=merged, version=view.version + 1)
        self.views[record_id] = view
        return view

    async def add_entry(
        self, author: Principal, record_id: str, section: str, value: Mapping[str, Json],
        *, if_version: int | None = None,
    ) -> str:  # fmt: skip
        view = await self.view(record_id, author)
        if if_version not in (None, view.version):
            raise VersionMismatch(view.version, [])
        entry_id = str(ULID())
        policy = self._policies[view.profile]
        place = policy.profile.field_at(section, entry_id)
        decision = policy.decide(author, Operation.ADD, place, RecordState())
        if not decision.allowed:
            raise EditRefused([_violation(section, decision.rule, decision.reason)])
        self.views[record_id] = msgspec.structs.replace(view, version=view.version + 1)
        return entry_id

    def in_emergency(self, record_id: str, user_id: str) -> bool:
        return False

    def disconnect(
        self, *, login_id: str | None = None, user_id: str | None = None, code: int, reason: str
    ) -> int:
        self.disconnected.append((login_id, user_id, code))
        return 1

    def _check(self, author: Principal, policy: Policy, fields: Mapping[str, Json]) -> None:
        violations = []
        for name, value in fields.items():
            place = policy.profile.fields.get(name)
            decision = policy.decide(author, Operation.WRITE, place, RecordState())
            wrong = place.violation(value) if place and decision.allowed else None
            if not decision.allowed or wrong is not None:
                refusal = wrong or decision
                violations.append(_violation(name, refusal.rule, refusal.reason))
        if violations:
            raise EditRefused(violations)


def _violation(name: str, rule: Rule | None, reason: str) -> FieldViolation:
    assert rule is not None
    return FieldViolation(name, rule, reason)


def _nested(fields: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    nested: dict[str, dict[str, Json]] = {}
    for name, value in fields.items():
        section, _, key = name.partition(".")
        nested.setdefault(section, {})[key] = value
    return nested


def commit_of(view: RecordView) -> Commit:
    """A first commit as a store wants it; its update is empty."""
    row = UpdateRow(
        version=1, update=b"\x00\x00", annotations=b"", author="a", role="", login_id="",
        device="", address="", written_at=START, received_at=START, hash=b"",
    )  # fmt: skip
    row = msgspec.structs.replace(row, hash=chain_hash(EMPTY_HASH, row))
    facts = RecordFacts(
        number=view.number, profile=view.profile, patient_id=view.patient_id, status=view.status,
        current_step=view.current_step, step_status="ready", priority=0, waiting_since=START,
        title="Example, Amina", search_text="Demoville",
        disputed=(), assigned=(), created_at=START, updated_at=START,
    )  # fmt: skip
    return Commit(record_id=view.id, base_version=0, rows=(row,), facts=facts)


@dataclass(kw_only=True)
class Bench:
    """A house with everything a test looks at. rooms: doubles; host: real ones, of the same store.

    With `real` both are the real ones.
    """

    house: House
    rooms: DoubleRooms
    host: RoomHost
    store: MemoryStore
    clock: SteppedClock
    log: io.StringIO
    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    async def add_user(self, username: str, *roles: str, disabled: bool = False) -> User:
        user = User(
            id=str(ULID()), username=username, name=f"Demo {username}",
            roles=frozenset(roles or {username}),
            password_hash=self.house.authenticator.passwords.hash(PASSWORD),
            disabled=disabled, created_at=self.clock(),
        )  # fmt: skip
        await self.store.directory.add_user(user)
        return user

    async def bearer(self, username: str) -> dict[str, str]:
        """Headers that sign `username` in; the account is made where it is missing."""
        if username not in self.tokens:
            users = await self.store.directory.users()
            if username not in {user.username for user in users}:
                await self.add_user(username)
            token, _, _ = await self.house.authenticator.sign_in(
                username, PASSWORD, "tablet", "::1"
            )
            self.tokens[username] = token
        return {"authorization": f"Bearer {self.tokens[username]}"}

    async def principal(self, username: str) -> Principal:
        headers = await self.bearer(username)
        token = headers["authorization"].removeprefix("Bearer ")
        return await self.house.authenticator.principal_for_token(token, self.clock())

    async def record(self, profile: str = "outpatient") -> RecordView:
        """A record made by whoever may make one."""
        role = POLICIES[profile].profile.steps[0].role
        assert role is not None
        return await self.rooms.create(await self.principal(role), NewRecord(profile=profile))

    async def audited(self, action: str) -> list[AuditEntry]:
        return [entry for _, entry in await self.store.audit(action=action, limit=1000)]


@asynccontextmanager
async def open_bench(
    settings: Settings = FAST, *, real: bool = False, on: Any = None
) -> AsyncIterator[Bench]:
    """A bench in memory, or on a store that is given; closed at the end. real: its rooms are no
    doubles."""
    store, clock, out = on or MemoryStore(), SteppedClock(), io.StringIO()
    log = configure_logs("json", "info", out)
    metrics = Metrics()
    host = RoomHost(store, POLICIES, settings, metrics, log, clock)
    rooms: Any = host if real else DoubleRooms(store, POLICIES, host)
    authenticator = Authenticator(settings, store, clock, metrics, log)
    hub = Hub(store, POLICIES, settings, metrics, log, clock, authenticator)
    house = House(
        settings=settings, store=store, rooms=rooms, policies=POLICIES, clock=clock,
        authenticator=authenticator, metrics=metrics, log=log,
        heads=AuditHeads(store, metrics, log), background=Background((), metrics, log),
        break_glass=BreakGlass(store, rooms, settings, metrics, log, clock),
        events=hub, overseeing=Overseeing(store, host, hub, POLICIES, settings, clock),
    )  # fmt: skip
    authenticator.attach(rooms, hub, holders=host.lock_holders)
    transport = httpx.ASGITransport(build_application(house))
    async with host.running(), httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield Bench(
            house=house, rooms=rooms, host=host, store=store, clock=clock, log=out, http=http
        )
    await store.close()
