"""What ends by itself when nobody renews it: field locks and, in loaded rooms, presence.

A background job for the whole process. A round looks at what is held and who is there, and nothing
else; what it could not audit is taken up by the next.
"""

from collections.abc import Mapping
from datetime import datetime

from server.field_locks import audit_of
from server.live_room import LiveRoom
from server.metrics import Metrics
from storage.locks import Locks
from storage.ports import Store
from sync.instants import instant
from sync.locks import Ended

__all__ = ["Expiry"]

MAX_PER_ROUND = 1000
"""Ended locks told and audited in one round; the rest waits for the next."""


class Expiry:
    """Ends what is over. rooms: the loaded ones by record."""

    def __init__(
        self,
        rooms: Mapping[str, LiveRoom],
        locks: Locks,
        store: Store,
        metrics: Metrics,
    ) -> None:
        self._rooms = rooms
        self._locks = locks
        self._store = store
        self._metrics = metrics
        self._ended: list[Ended] = []

    async def round(self, now: datetime) -> None:
        """End, audit and tell what is over at `now`."""
        for loaded in list(self._rooms.values()):
            loaded.look_around(now)
        done = self._locks.expire(now)
        self._ended += done.ended
        self._metrics.locks_held.set(done.held)
        for record_id, hold in done.expiring:
            room = self._rooms.get(record_id)
            if room is not None:
                expires_at = instant(hold.expires_at)
                notice = {"field": hold.field, "fence": hold.fence, "expires_at": expires_at}
                room.notify({"event": "lock_expiring", **notice}, hold.holder.user_id)
        ended = self._ended[:MAX_PER_ROUND]
        if ended:
            await self._store.append_audit([audit_of(one, now) for one in ended])
            del self._ended[: len(ended)]
            self._tell(ended)

    def _tell(self, ended: list[Ended]) -> None:
        changed: dict[str, LiveRoom] = {}
        for one in ended:
            self._metrics.locks_ended.labels(one.cause).inc()
            room = self._rooms.get(one.record_id)
            if room is not None:
                changed[one.record_id] = room
                room.notify({"event": "lock_released", "field": one.hold.field, "cause": one.cause})
        for room in changed.values():
            room.show_locks()
