"""A room in memory with accounts beside it, a stepped clock, and tablets that deliver to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pycrdt

from permissions import Policy, parse_profile
from permissions.model import Principal
from server.accounts.hands import principal_of
from server.inbox import Arrived, SyncAsked
from server.live_room import LiveRoom
from server.logs import configure_logs
from server.metrics import Metrics
from server.ports import NewRecord
from server.rooms import RoomHost
from server.settings import Settings
from storage import Login, MemoryStore, User
from storage.ports import Ending
from sync.effects import AuditEntry, Refusal, UpdateRow
from sync.wire import JournalEntry
from tests.support.rooms import NOW, PROFILES, RecordingPeer, person, settled
from tests.support.shared_tablet import Sealed, SharedTablet

__all__ = ["WardTablet", "setting", "ward_tablet"]


def setting(section: str, key: str, value: object) -> Callable[["pycrdt.Doc[Any]"], None]:
    """A change that sets one field."""

    def change(doc: "pycrdt.Doc[Any]") -> None:
        doc.get(section, type=pycrdt.Map)[key] = value

    return change


class WardTablet:
    """One record, one tablet, and the people who use it."""

    def __init__(self, host: RoomHost, store: MemoryStore, room: LiveRoom) -> None:
        self.host = host
        self.store = store
        self.room = room
        self.now = NOW
        self.tablet = SharedTablet(room.record_id, lambda: self.now)
        self._logins = 0
        self._peers = 0

    def step(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    async def user(self, name: str, *roles: str) -> User:
        made = User(
            id=f"id-{name}", username=name, name=f"Test {name}", roles=frozenset(roles or {name}),
            password_hash="", disabled=False, created_at=self.now,
        )  # fmt: skip
        await self.store.directory.add_user(made)
        return made

    async def roles(self, user: User, *roles: str) -> User:
        """Give the account other roles, now."""
        changed = msgspec.structs.replace(user, roles=frozenset(roles))
        await self.store.directory.update_user(changed, self.now)
        return changed

    async def login(
        self, user: User, device: str = "tablet", skew: timedelta | None = None
    ) -> Login:
        """A log-in of now with a key of its own."""
        self._logins += 1
        number = self._logins
        made = Login(
            id=f"LOGIN{number}", user_id=user.id, token_hash=bytes([number]) * 32, device=device,
            address=f"192.0.2.{number}", created_at=self.now, last_used_at=self.now,
            expires_at=self.now + timedelta(days=30), seal_key=bytes([number]) * 32,
            skew_ms=None if skew is None else skew // timedelta(milliseconds=1),
        )  # fmt: skip
        await self.store.directory.add_login(made)
        return made

    async def end(self, login: Login, how: Ending = "signed_out") -> None:
        await self.store.directory.end_login(login.id, self.now, how)

    async def take_over(self, user: User) -> Login:
        """The person signs in on the tablet, whose clock the server then knows."""
        login = await self.login(user, skew=self.tablet.ahead)
        self.tablet.sign_in(login.id, login.seal_key)
        return login

    async def connect(self, user: User, login: Login) -> RecordingPeer:
        """A socket of this log-in that has sent its SyncStep1, from the tablet's document."""
        self._peers += 1
        who: Principal = principal_of(user, login)
        peer = RecordingPeer(who, extension=True, peer_id=f"peer{self._peers}")
        self.room.join(peer)
        await self.room.inbox.put(SyncAsked(peer, self.tablet.vector()))
        await settled()
        return peer

    async def send(
        self, peer: RecordingPeer, update: bytes, *entries: JournalEntry, answer: bool = False
    ) -> None:
        """One update with its journal, as the socket would hand it over."""
        peer.session.keep_journal(entries, peer.principal.login_id, self.now)
        sent = self.room.sent_version(peer)
        journal = peer.session.take_journal()
        await self.room.inbox.put(Arrived(peer, update, answer, self.now, sent, journal))
        await settled()

    async def deliver(self, peer: RecordingPeer, sealed: list[Sealed]) -> None:
        """The backlog, one by one."""
        for entry, update in sealed:
            await self.send(peer, update, entry)

    async def answer(self, peer: RecordingPeer, vector: bytes = b"\x00") -> None:
        """The SyncStep2 with everything the tablet has."""
        await self.send(peer, self.tablet.doc.get_update(vector), answer=True)

    async def rows(self) -> list[UpdateRow]:
        """What people's hands left in the log."""
        stored = await self.store.records.rows(self.room.record_id)
        return [row for row in stored if row.login_id.startswith("LOGIN")]

    async def refusals(self) -> list[Refusal]:
        return list(await self.store.records.refusals(self.room.record_id))

    async def audited(self, action: str) -> list[AuditEntry]:
        return [entry for _, entry in await self.store.audit(action=action)]

    def shows(self, section: str) -> dict[str, object]:
        return self.room.room.document.section(section)

    def text(self, name: str) -> str:
        return self.room.room.document.text(name)


@asynccontextmanager
async def ward_tablet(unsealed: str = "refuse") -> AsyncIterator[WardTablet]:
    """A fresh outpatient record, open; and the tablet that is in the ward."""
    text = (PROFILES / "outpatient.toml").read_text()
    text = text.replace("[options]\n", f'[options]\nunsealed = "{unsealed}"\n')
    profile = parse_profile(text, "outpatient.toml")
    store = MemoryStore()
    now: list[WardTablet] = []

    def clock() -> datetime:
        return now[0].now if now else NOW

    host = RoomHost(
        store, {profile.name: Policy(profile)}, Settings(), Metrics(),
        configure_logs("json", "error"), clock,
    )  # fmt: skip
    async with host.running():
        fields = {profile.summary.title[0]: "TESTCASE"}
        view = await host.create(
            person("receptionist"), NewRecord(profile=profile.name, fields=fields)
        )
        async with host.opened(view.id) as room:
            now.append(WardTablet(host, store, room))
            yield now[0]
