"""What REST, demo data and the CLI ask of the live rooms: the one implementation of `ports.Rooms`.

Each call is work in the turn of a room, opened for it. A damaged record is shown as far as it is
sound. SPEC PAST-4.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from ulid import ULID

from permissions.model import Principal, Rule
from server.errors import EditRefused, FieldViolation, NotAllowed, Overloaded, RecordDamaged
from server.executor import Batch
from server.field_locks import check_fences
from server.inbox import Later
from server.live_room import LiveRoom, RoomClosed
from server.numbering import number_for
from server.past import sound_view
from server.ports import Json, NewRecord, RecordView
from server.preconditions import check_current, check_open
from server.record_edits import add_entry, edit_fields, new_record_rows, view_of
from server.room_keeping import RoomKeeper
from sync.effects import Commit
from sync.errors import DocumentSuspect
from sync.replay import new_room

__all__ = ["RoomHost"]

T = TypeVar("T")

TRIES = 3
"""How often a call that met a closing room opens it again."""


class RoomHost(RoomKeeper):
    """Keeps `ports.Rooms`. Start with `running()`."""

    async def view(self, record_id: str, principal: Principal | None = None) -> RecordView:
        """See ports.Rooms.view."""

        async def read(room: LiveRoom, batch: Batch) -> RecordView:
            if principal is not None:
                self.check_open(room, principal)
            return view_of(room.room, principal)

        try:
            return await self.ask(record_id, read)
        except RecordDamaged as damage:
            sound = await self._store.records.sound(record_id)
            policy = self._policy(sound.head.facts.profile)
            return await sound_view(sound, policy, principal, damage)

    async def edit(
        self,
        author: Principal,
        record_id: str,
        fields: Mapping[str, Json],
        *,
        if_version: int,
        fences: Sequence[int] = (),
    ) -> RecordView:
        """See ports.Rooms.edit."""

        async def edit(room: LiveRoom, batch: Batch) -> Later[RecordView]:
            check_open(room, author)
            check_fences(room, author, fences, self._clock())
            await check_current(room, if_version, author, self._store)
            edit_fields(room, batch, author, fields, self._clock())
            return Later(lambda: view_of(room.room, author))

        return await self.ask(record_id, edit)

    async def add_entry(
        self,
        author: Principal,
        record_id: str,
        section: str,
        value: Mapping[str, Json],
        *,
        if_version: int | None = None,
    ) -> str:
        """See ports.Rooms.add_entry."""

        async def add(room: LiveRoom, batch: Batch) -> str:
            check_open(room, author)
            await check_current(room, if_version, author, self._store)
            return add_entry(room, batch, author, section, value, self._clock())

        return await self.ask(record_id, add)

    async def create(self, author: Principal, wanted: NewRecord) -> RecordView:
        """See ports.Rooms.create."""
        policy = self._policies.get(wanted.profile)
        if policy is None:
            raise EditRefused(
                [FieldViolation("profile", Rule.UNKNOWN_FIELD, "There is no such profile.")]
            )
        decision = policy.may_create(author)
        if not decision.allowed:
            raise NotAllowed(decision.reason)
        record_id = wanted.id or str(ULID())
        number = await number_for(self._store.records, policy, author, wanted.number)
        at = self._clock()
        room = new_room(record_id, 0, policy.profile, policy, self._limits)
        batch = Batch(record_id, 0, policy.profile.name)
        new_record_rows(room, batch, author, wanted, number, at)
        await self._store.records.create(record_id, self._first_commit(batch))
        self._stored(batch)
        return view_of(room, author)

    def _first_commit(self, batch: Batch) -> Commit:
        assert batch.facts is not None, "a new record has facts"
        return batch.as_commit()

    def in_emergency(self, record_id: str, user_id: str) -> bool:
        """See ports.Rooms.in_emergency."""
        live = self._rooms.get(record_id)
        return live is not None and user_id in live.room.state.emergency

    def disconnect(
        self, *, login_id: str | None = None, user_id: str | None = None, code: int, reason: str
    ) -> int:
        """See ports.Rooms.disconnect."""
        closed = 0
        for room in self._rooms.values():
            for peer in list(room.peers.values()):
                who = peer.principal
                if who.login_id == login_id or who.user_id == user_id:
                    peer.close(code, reason)
                    closed += 1
        for ended in self._locks.sign_out(login_id=login_id, user_id=user_id):
            room_left = self._rooms.get(ended.record_id)
            if room_left is not None:
                room_left.show_locks()
        return closed

    def check_join(self, room: LiveRoom, principal: Principal) -> None:
        """Raises NotAllowed unless the principal may sync the whole record."""
        decision = room.room.policy.may_join(principal, room.room.state)
        if not decision.allowed:
            raise NotAllowed(decision.reason)

    def check_open(self, room: LiveRoom, principal: Principal) -> None:
        """Raises NotAllowed unless the principal may open the record."""
        room.check_open(principal)

    async def ask(
        self, record_id: str, work: Callable[[LiveRoom, Batch], Awaitable[T | Later[T]]]
    ) -> T:
        """See ports.Rooms.ask."""
        for _ in range(TRIES):
            try:
                async with self.opened(record_id) as room:
                    return await room.ask(partial(work, room))
            except (RoomClosed, DocumentSuspect):
                continue
        raise Overloaded("The record is being loaded again. Come back in a moment.")
