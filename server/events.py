"""The hub: takes what was announced from storage, in its order, to whoever listens.

One job reads what is new, once for all; a subscriber that resumes reads from storage up to where
the hub stood when it subscribed, and gets everything after that from its queue: no gap, nothing
twice. Nothing is told before it is stored, because it is told from storage. Changes of the board
are not stored: a board that reconnects asks for the board (`ready`). SPEC TELL-1, TELL-7 to TELL-9.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from typing import Protocol

from ulid import ULID

from permissions.model import Principal, RecordState
from permissions.policy import Policy
from server.accounts.authentication import Authenticator, Clock
from server.errors import Overloaded, TooManyStreams
from server.executor import Batch
from server.logs import Log, place_of
from server.metrics import Metrics
from server.settings import Settings
from server.telling import encode, hearer_of, may_hear_session, shown
from storage.announcements import audience_of, keys_of
from storage.ports import Store, StoredAnnouncement
from sync.effects import Announcement, RecordFacts

__all__ = ["Hub", "Subscription"]

PAGE = 200
"""Announcements read at a time, by the hub and by who resumes."""

TRIM_PAGE = 1000
"""Old announcements are forgotten a thousand in one transaction."""

COMMENT = b": still here\n\n"


class _Rooms(Protocol):
    def tell(self, stored: StoredAnnouncement) -> None:
        """Send a notice to those on the record whose audience it is."""


class Subscription:
    """One open stream of one person. Iterating gives frames of `text/event-stream`.

    after: the last sequence that the person has, None to begin now. until: where the hub stood.
    """

    def __init__(
        self, hub: "Hub", principal: Principal, records: tuple[str, ...], after: int | None
    ) -> None:
        self.id = str(ULID())
        self.principal = principal
        self.hearer = hearer_of(principal, hub.policies, records)
        self.keys = keys_of(self.hearer)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._hub = hub
        self._after = after
        self._until = hub.position
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._is_whole = True

    def put(self, frame: bytes) -> None:
        """Queue a frame; a reader that leaves too much waiting is cut, and resumes."""
        if self.ended.done():
            return
        if len(self._queue) >= self._hub.settings.event_queue:
            self.end("slow")
            return
        self._queue.append(frame)
        self._wake.set()

    def end(self, why: str) -> None:
        """End the stream. why: slow, signed_out, stopping, left."""
        if not self.ended.done():
            self.ended.set_result(why)
            self._hub.forget(self, why)
            self._wake.set()

    async def frames(self) -> AsyncIterator[bytes]:
        """What was missed, `ready`, then what happens, with a comment when nothing does."""
        yield b"retry: 1000\n\n"
        async for frame in self._missed():
            yield frame
        yield self._ready()
        while not self.ended.done():
            while self._queue:
                yield self._queue.popleft()
            self._wake.clear()
            try:
                async with asyncio.timeout(self._hub.settings.event_heartbeat_seconds):
                    await self._wake.wait()
            except TimeoutError:
                yield COMMENT

    async def _missed(self) -> AsyncIterator[bytes]:
        if self._after is None:
            return
        oldest, _ = await self._hub.store.announcements.span()
        self._is_whole = oldest <= self._after + 1 and self._after <= self._until
        after = self._after
        while after < self._until:
            page = await self._hub.store.announcements.heard(
                self.hearer, after=after, until=self._until, limit=PAGE
            )
            for stored in page:
                frame = self._hub.frame_for(stored, self)
                if frame is not None:
                    yield frame
            if len(page) < PAGE:
                return
            after = page[-1].sequence

    def _ready(self) -> bytes:
        """Says where the stream stands; `complete` is false where something was forgotten."""
        told = {"complete": self._is_whole, "board": self._hub.board_tag()}
        return b"id: %d\nevent: ready\ndata: %s\n\n" % (self._until, encode(told))


class Hub:
    """Who listens, and what they are told. Start with `running()`."""

    def __init__(
        self,
        store: Store,
        policies: Mapping[str, Policy],
        settings: Settings,
        metrics: Metrics,
        log: Log,
        clock: Clock,
        authenticator: Authenticator,
    ) -> None:
        self.store = store
        self.policies = policies
        self.settings = settings
        self.position = 0
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._authenticator = authenticator
        self._rooms: _Rooms | None = None
        self._by_key: dict[tuple[str, str], dict[str, Subscription]] = {}
        self._open: dict[str, Subscription] = {}
        self._watches: dict[str, ExitStack] = {}
        self.news = asyncio.Event()
        self._is_stopping = False
        self._boot = str(ULID())
        self._revision = 0

    def attach(self, rooms: _Rooms) -> None:
        """From now on people on a record are told by `rooms`."""
        self._rooms = rooms

    # -- life --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it runs `deliver_new` tells of what is announced; at the end every stream ends."""
        _, self.position = await self.store.announcements.span()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """End every stream; no new one begins. Whoever listened comes back and resumes."""
        self._is_stopping = True
        for subscription in list(self._open.values()):
            subscription.end("stopping")

    async def deliver_new(self) -> None:
        """Tell of a page of what is new; `news` is set while there is more."""
        page = await self.store.announcements.after(self.position, PAGE)
        for stored in page:
            self._deliver_safely(stored)
        if len(page) == PAGE:
            self.news.set()

    async def forget_old(self) -> None:
        """Trim what is older than it is kept."""
        now = self._clock()
        before = now - timedelta(days=self.settings.event_retention_days)
        while await self.store.announcements.trim(before, TRIM_PAGE, now) == TRIM_PAGE:
            pass

    # -- what is told ------------------------------------------------------------------------------

    def stored(self, batch: Batch) -> None:
        """A batch is on disk: look for what it announced, and tell boards what it changed."""
        if batch.announcements:
            self.news.set()
        if batch.facts is not None:
            self._revision += 1
            self._tell_boards(batch.record_id, batch.facts)

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Store announcements that belong to no record's batch, and deliver them."""
        await self.store.announcements.append(announcements)
        self.news.set()

    def board_tag(self) -> str:
        """What changes whenever a row of any board does."""
        return f"{self._boot}.{self._revision}"

    def _deliver_safely(self, stored: StoredAnnouncement) -> None:
        """One announcement that we cannot tell of must not keep all later ones from people."""
        self.position = stored.sequence
        try:
            self._deliver(stored)
        except Exception as error:
            self._metrics.incidents.inc()
            self._log.error("event not told", error=type(error).__name__, place=place_of(error))

    def _deliver(self, stored: StoredAnnouncement) -> None:
        announcement = stored.announcement
        told: dict[str, Subscription] = {}
        for key in audience_of(announcement):
            told.update(self._by_key.get(key, {}))
        frames: dict[frozenset[str], bytes | None] = {}
        for subscription in told.values():
            if not self._hears(subscription, announcement):
                continue
            roles = subscription.principal.roles
            if roles not in frames:
                frames[roles] = self._frame(stored, subscription.principal)
            frame = frames[roles]
            if frame is not None:
                subscription.put(frame)
                self._metrics.events_sent.inc()
        self._metrics.event_seconds.observe(
            max(0.0, (self._clock() - announcement.at).total_seconds())
        )
        if self._rooms is not None:
            self._rooms.tell(stored)

    def frame_for(self, stored: StoredAnnouncement, subscription: Subscription) -> bytes | None:
        """A replayed announcement as this subscriber gets it."""
        return self._frame(stored, subscription.principal)

    def _hears(self, subscription: Subscription, announcement: Announcement) -> bool:
        """Following a record is not enough where its profile asks for assignment."""
        keys = [key for key in audience_of(announcement) if key[0] != "record"]
        return not set(keys).isdisjoint(subscription.keys) or may_hear_session(
            subscription.principal, announcement, self.policies
        )

    def _frame(self, stored: StoredAnnouncement, principal: Principal) -> bytes | None:
        told = shown(stored, principal, self.policies)
        if told is None:
            return None
        name = stored.announcement.event.encode()
        return b"id: %d\nevent: %s\ndata: %s\n\n" % (stored.sequence, name, encode(told))

    def _tell_boards(self, record_id: str, facts: RecordFacts) -> None:
        policy = self.policies.get(facts.profile)
        if policy is None or not self._open:
            return
        state = RecordState(assigned=frozenset(facts.assigned))
        told = {
            "record": record_id, "number": facts.number, "profile": facts.profile,
            "step": facts.current_step, "step_status": facts.step_status,
            "status": facts.status, "board": self.board_tag(),
        }  # fmt: skip
        frame = b"event: board\ndata: %s\n\n" % encode(told)
        for subscription in list(self._open.values()):
            if policy.may_open(subscription.principal, state).allowed:
                subscription.put(frame)

    def tell_overseers(self, profile: str, frame: bytes) -> int:
        """Put a frame on the streams of those who may see the dashboard; to how many."""
        policy = self.policies[profile]
        listening = [
            each
            for each in self._open.values()
            if policy.may(each.principal, "see_dashboard").allowed
        ]
        for each in listening:
            each.put(frame)
        return len(listening)

    # -- who listens -------------------------------------------------------------------------------

    def subscribe(
        self, principal: Principal, records: tuple[str, ...], after: int | None
    ) -> Subscription:
        """Open a stream. Raises TooManyStreams, NotSignedIn, Overloaded while it stops."""
        if self._is_stopping:
            raise Overloaded("The server is stopping.")
        own = [s for s in self._open.values() if s.principal.user_id == principal.user_id]
        if len(own) >= self.settings.event_streams_per_person:
            raise TooManyStreams(self.settings.event_streams_per_person)
        watch = ExitStack()
        watch.enter_context(self._authenticator.connected(principal))
        subscription = Subscription(self, principal, records, after)
        self._watches[subscription.id] = watch
        self._open[subscription.id] = subscription
        for key in subscription.keys:
            self._by_key.setdefault(key, {})[subscription.id] = subscription
        self._metrics.event_streams.set(len(self._open))
        return subscription

    def forget(self, subscription: Subscription, why: str) -> None:
        """The subscription has ended."""
        if self._open.pop(subscription.id, None) is None:
            return
        for key in subscription.keys:
            listening = self._by_key[key]
            listening.pop(subscription.id, None)
            if not listening:
                del self._by_key[key]
        self._watches.pop(subscription.id).close()
        self._metrics.event_streams.set(len(self._open))
        self._metrics.event_streams_ended.labels(why).inc()

    def disconnect(
        self, *, login_id: str | None = None, user_id: str | None = None, code: int, reason: str
    ) -> int:
        """End the streams of a log-in or a person; how many."""
        ended = [
            subscription
            for subscription in self._open.values()
            if subscription.principal.login_id == login_id
            or subscription.principal.user_id == user_id
        ]
        for subscription in ended:
            subscription.end("signed_out")
        return len(ended)
