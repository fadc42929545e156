"""Break-glass: emergency access to a record that somebody is not assigned to.

A reason is asked for, the time is limited, everybody on the record sees it, supervisors are told,
and the trail has its start, its end and a mark on whatever was done between. For its time the
person counts as assigned: the record's own fact `emergency` {user id: until} says so, also offline.
The rules know no clock; the server takes the fact away when its time is up, after a restart and for
records that nobody has open, too.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ulid import ULID

from permissions.model import Principal, Rule
from server.accounts.authentication import Clock
from server.audit.entries import entry_for
from server.consequences import SERVER
from server.errors import AlreadyAllowed, NotAllowed, PageNotFound, TooManyAttempts
from server.executor import Batch
from server.logs import Log, place_of
from server.metrics import Metrics
from server.ports import Rooms
from server.settings import Settings
from storage.errors import RecordNotFound
from storage.ports import Emergency, Store
from sync.instants import instant
from sync.place import RECORD_ROOT

if TYPE_CHECKING:
    from server.live_room import LiveRoom
    from server.sockets.connection import Peer

__all__ = ["EVENT", "BreakGlass"]

EVENT = "break_glass"

NOT_ALLOWED = 4403

MAX_PER_ROUND = 200
"""Accesses ended in one round; each loads its record."""

AGAIN = timedelta(minutes=1)
"""When an access whose record cannot be opened now is tried again."""

HOUR = timedelta(hours=1)


class BreakGlass:
    """Starts emergency accesses, and ends them: `end_due` is to be called again and again."""

    def __init__(
        self, store: Store, rooms: Rooms, settings: Settings, metrics: Metrics, log: Log,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._store = store
        self._rooms = rooms
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._not_before: dict[str, datetime] = {}

    async def start(self, who: Principal, record_id: str, reason: str) -> Emergency:
        """Let `who` open and write the record for a while, as their roles allow.

        Raises NotAllowed (no role that opens these records), AlreadyAllowed, TooManyAttempts,
        RecordNotFound, storage errors.
        """
        now = self._clock()
        await self._rooms.ask(record_id, _checked(who))
        started = await self._store.emergencies.count_since(who.user_id, now - HOUR)
        if started >= self._settings.break_glass_per_hour:
            raise TooManyAttempts(
                round(HOUR.total_seconds()), "Too many emergency accesses. Ask a supervisor."
            )
        emergency = Emergency(
            id=str(ULID()), record_id=record_id, user_id=who.user_id, login_id=who.login_id,
            reason=reason, started_at=now,
            until=now + timedelta(minutes=self._settings.break_glass_minutes),
        )  # fmt: skip
        # The row first: a fact without a row would have nobody who ends it.
        await self._store.emergencies.start(emergency)
        try:
            await self._rooms.ask(record_id, _begun(who, emergency))
        except Exception:
            await self._store.emergencies.end(emergency.id, now, SERVER.user_id)
            raise
        self._metrics.emergencies.inc()
        return emergency

    async def stop(self, record_id: str, user_id: str, by: Principal) -> None:
        """End the access of a person before its time. Raises PageNotFound where there is none."""
        for emergency in await self._store.emergencies.of_record(record_id):
            if emergency.user_id == user_id and emergency.ended_at is None:
                await self._end(emergency, by)
                return
        raise PageNotFound("There is no emergency access to end.")

    async def end_due(self) -> None:
        """End what is over. One that cannot be ended now is tried again in a minute."""
        now = self._clock()
        self._not_before = {id: at for id, at in self._not_before.items() if at > now}
        for emergency in await self._store.emergencies.due(now, MAX_PER_ROUND):
            if emergency.id in self._not_before:
                continue
            try:
                await self._end(emergency, SERVER)
            except Exception as error:  # one unreadable record must not keep the others open
                self._not_before[emergency.id] = now + AGAIN
                self._metrics.incidents.inc()
                self._log.error(
                    "emergency access not ended", record=emergency.record_id,
                    error=type(error).__name__, place=place_of(error),
                )  # fmt: skip

    async def _end(self, emergency: Emergency, by: Principal) -> None:
        at = self._clock()
        try:
            cut = await self._rooms.ask(emergency.record_id, _ended(emergency, by, at))
        except RecordNotFound:
            cut = []
        await self._store.emergencies.end(emergency.id, at, by.user_id)
        for peer in cut:
            peer.close(NOT_ALLOWED, "Your emergency access is over.")


def _running(live: "LiveRoom") -> dict[str, object]:
    facts = live.room.document.section(RECORD_ROOT).get("emergency")
    return dict(facts) if isinstance(facts, dict) else {}


def _require_need(live: "LiveRoom", who: Principal) -> None:
    """Only an assignment may be missing. Raises NotAllowed, AlreadyAllowed."""
    decision = live.room.policy.may_open(who, live.room.state)
    if decision.allowed:
        raise AlreadyAllowed("You may open this record already.")
    if decision.rule is not Rule.ASSIGNMENT:
        raise NotAllowed(decision.reason)


def _checked(who: Principal) -> "Callable[[LiveRoom, Batch], Awaitable[None]]":
    async def check(live: "LiveRoom", batch: Batch) -> None:
        _require_need(live, who)

    return check


def _begun(who: Principal, emergency: Emergency) -> "Callable[[LiveRoom, Batch], Awaitable[None]]":
    async def begin(live: "LiveRoom", batch: Batch) -> None:
        _require_need(live, who)
        at, until = emergency.started_at, instant(emergency.until)
        facts = {**_running(live), who.user_id: until}
        live.write_facts(batch, {"emergency": facts}, who, at)
        batch.emergency |= {who.user_id}
        batch.audit.append(
            entry_for(
                who, "break_glass", "success", at, emergency.record_id, batch.version,
                f"emergency={emergency.id}",
            )
        )  # fmt: skip
        overseers = [r.id for r in live.room.profile.roles.values() if "see_dashboard" in r.powers]
        batch.announce(EVENT, at, roles=overseers, payload={"user": who.user_id, "until": until})
        batch.notice(EVENT, user=_person(who), until=until)

    return begin


def _ended(
    emergency: Emergency, by: Principal, at: datetime
) -> "Callable[[LiveRoom, Batch], Awaitable[list[Peer]]]":
    async def end(live: "LiveRoom", batch: Batch) -> "list[Peer]":
        facts = _running(live)
        if facts.pop(emergency.user_id, None) is None:
            return []
        live.write_facts(batch, {"emergency": facts}, by, at)
        batch.audit.append(
            entry_for(
                by, "break_glass_end", "success", at, emergency.record_id, batch.version,
                f"emergency={emergency.id} user={emergency.user_id}",
            )
        )  # fmt: skip
        batch.notice("break_glass_ended", user={"id": emergency.user_id})
        policy, state = live.room.policy, live.room.state
        return [
            peer
            for peer in live.peers.values()
            if peer.principal.user_id == emergency.user_id
            and not policy.may_join(peer.principal, state).allowed
        ]

    return end


def _person(who: Principal) -> dict[str, str]:
    return {"id": who.user_id, "username": who.username, "name": who.name}
