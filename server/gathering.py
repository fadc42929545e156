"""The people at a room: who is connected, what each has been sent, and what they see of each other.

Nothing of it is on disk. Peers join before they have the record; who has synced hears everything.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

from permissions.model import Principal
from server.accounts.authentication import Clock
from server.attendance import Attendance
from server.field_locks import locks_shown
from server.inbox import Item, SyncAsked
from server.settings import Settings
from server.sockets.connection import Peer
from server.sockets.framing import binary_frame
from storage.locks import Locks
from sync.messages import AwarenessEntry
from sync.presence import Presence
from sync.room import Room
from sync.wire import (
    encode_awareness,
    encode_notice,
    encode_sync_step1,
    encode_sync_step2,
    encode_update_message,
)

__all__ = ["COME_BACK", "Gathering"]

PRESENCE_MS_PER_PEER = 2
"""The more people, the longer presence is gathered: with 100 it goes out five times a second."""

COME_BACK = 1012


class Gathering(ABC):
    """The people at one room, and the server's own presence among them."""

    def __init__(self, room: Room, settings: Settings, clock: Clock, locks: Locks) -> None:
        self.room = room
        self.record_id = room.record_id
        self.locks = locks
        room.hold_of = partial(locks.hold_of, room.record_id)
        self.presence = Presence(
            room.document.server_client,
            room.profile.fields.__contains__,
            room.profile.roots.__contains__,
            room.profile.role_shown,
            max_bytes=settings.max_awareness_bytes,
        )
        self.attendance = Attendance()
        self.peers: dict[str, Peer] = {}
        self.idle_since = time.monotonic()
        self.failed = False
        self.stored_version = room.version
        self._leaving = False
        self._synced: dict[str, Peer] = {}
        self._waiting: dict[str, SyncAsked] = {}
        self._overdue: dict[str, asyncio.TimerHandle] = {}
        self._dirty_presence: dict[int, AwarenessEntry] = {}
        self._settings = settings
        self._clock = clock

    def join(self, peer: Peer) -> None:
        """Connect a peer: SyncStep1 goes out before any data (SPEC KNOW-2)."""
        if self.failed or self._leaving:  # it ended since the peer opened it: nobody would answer
            peer.close(COME_BACK, "The record is loaded again. Come back.")
            return
        self.peers[peer.id] = peer
        peer.session.asked(0)
        peer.send(encode_sync_step1(self.room.books.index.state_vector()))
        if self.locks.returned(self.record_id, peer.principal.login_id, self._clock()):
            self.show_locks()

    def leave(self, peer: Peer) -> None:
        """Disconnect a peer; the others see it go."""
        if self.peers.pop(peer.id, None) is None:
            return
        self._synced.pop(peer.id, None)
        self._wait_no_more(peer.id)
        self.tell_presence(self.presence.leave(peer.id))
        self.idle_since = time.monotonic()
        login_id = peer.principal.login_id
        last = all(other.principal.login_id != login_id for other in self.peers.values())
        if self.locks.left(self.record_id, peer.id, login_id, self._clock(), is_last=last):
            self.show_locks()

    def sent_version(self, peer: Peer) -> int:
        """The version up to which everything has been sent to the peer; 0 before it has synced."""
        return self.stored_version if peer.id in self._synced else 0

    def tell_presence(self, entries: list[AwarenessEntry]) -> None:
        """Tell everybody, gathered over one tick so that typing does not drown edits."""
        if not entries:
            return
        if not self._dirty_presence:
            # Each flush is a message to everybody, and stock clients send each back once.
            tick_ms = max(self._settings.presence_tick_ms, PRESENCE_MS_PER_PEER * len(self._synced))
            asyncio.get_running_loop().call_later(tick_ms / 1000, self._flush_presence)
        for entry in entries:
            self._dirty_presence[entry.client] = entry

    def _flush_presence(self) -> None:
        entries, self._dirty_presence = list(self._dirty_presence.values()), {}
        if entries and self._synced:
            message = encode_awareness(entries)
            frame = binary_frame(message)
            for peer in self._synced.values():
                peer.send(message, frame)

    def heartbeat(self) -> None:
        """Renew the server's own presence: stock clients close when they hear nothing for 30 s."""
        if self._synced:
            self.tell_presence([self._show_server()])

    show_locks = heartbeat
    """The server's state holds the locks: tell everybody when they changed."""

    def present(self) -> list[Principal]:
        """Who is connected and has the record; one for each socket."""
        return [peer.principal for peer in self._synced.values()]

    def notify(self, notice: Mapping[str, object], whom: str = "") -> None:
        """Send a notice to the sockets of everybody, or of one person, at once: nothing of it is
        on disk. What belongs to a batch goes through Batch.notice."""
        message = encode_notice(notice)
        for peer in self._synced.values():
            if peer.speaks_extension and whom in ("", peer.principal.user_id):
                peer.send(message)

    def _show_server(self) -> AwarenessEntry:
        step = self.room.state.current_step
        locks = locks_shown(self.locks.holds(self.record_id))
        state: dict[str, object] = {"version": self.stored_version, "step": step, "locks": locks}
        return self.presence.show_server(state)

    def tell(self, hears: Callable[[Principal], bytes | None]) -> None:
        """Send a notice to who is here and hears it. hears: the message, None for who does not."""
        for peer in self._synced.values():
            if peer.speaks_extension and (message := hears(peer.principal)) is not None:
                peer.send(message)

    def _welcome(self, items: list[Item]) -> None:
        """Answer what was asked, now that everything the document shows is on disk.

        Who was asked what they have, and has not said it yet, waits: they are to say it as it was
        before they take in what we have (SPEC KNOW-6).
        """
        patience_s = self._settings.sync_answer_seconds
        # One answer a turn for each: it can be thousands of times as large as the question.
        for item in items:
            if isinstance(item, SyncAsked):
                self._waiting[item.peer.id] = item
        for peer_id, item in list(self._waiting.items()):
            peer = item.peer
            if peer.closing or peer_id not in self.peers:
                self._wait_no_more(peer_id)
            elif peer.session.has_answered or peer.session.is_overdue or not patience_s:
                self._wait_no_more(peer_id)
                self._catch_up(item)
            elif peer_id not in self._overdue:
                wait = asyncio.get_running_loop().call_later
                self._overdue[peer_id] = wait(patience_s, self._lose_patience, peer)

    def _catch_up(self, item: SyncAsked) -> None:
        peer = item.peer
        *before, answer = self.room.catch_up(item.state_vector)
        for update in before:
            peer.send(encode_update_message(update))
        peer.send(encode_sync_step2(answer))
        if peer.id not in self._synced:
            self._synced[peer.id] = peer
            self._show_server()
            peer.send(encode_awareness(self.presence.everybody()))

    def _wait_no_more(self, peer_id: str) -> None:
        self._waiting.pop(peer_id, None)
        timer = self._overdue.pop(peer_id, None)
        if timer is not None:
            timer.cancel()

    def _lose_patience(self, peer: Peer) -> None:
        peer.session.is_overdue = True
        self._look()

    @abstractmethod
    def _look(self) -> None:
        """Take a turn though nobody asked for anything."""
