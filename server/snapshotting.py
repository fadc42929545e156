"""When a live room's snapshots are due, and storing them: a cache, for the log is complete."""

import time

from server.logs import Log
from server.metrics import Metrics
from server.settings import Settings
from storage.errors import StorageError
from storage.ports import Records
from sync.effects import Snapshot
from sync.replay import snapshot_of
from sync.room import Room

__all__ = ["Snapshots"]

SNAPSHOT_SHARE = 4
"""A room is snapshotted at the latest when updates of this share of the largest record came."""


class Snapshots:
    """The snapshots of one live room; they are taken between two turns."""

    def __init__(
        self, room: Room, records: Records, settings: Settings, metrics: Metrics, log: Log
    ) -> None:
        self._room = room
        self._records = records
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._version = room.version
        self._bytes = room.bytes
        self._taken_s = time.monotonic()
        self._is_asked = False
        self._is_saving = False

    def is_behind(self) -> bool:
        """Whether the room has moved on since the last snapshot."""
        return self._room.version != self._version

    def is_due(self) -> bool:
        """Whether one is to be taken now: so many updates came, or so much, or it was asked for."""
        room, settings = self._room, self._settings
        due = room.version - self._version >= settings.snapshot_every_updates
        grown = room.bytes - self._bytes >= settings.max_record_bytes // SNAPSHOT_SHARE
        return (due or grown or self._is_asked) and not self._is_saving

    def ask_if_older(self, now_s: float, seconds: float) -> bool:
        """Have one be due where rows have come since one so old; whether that is so."""
        if not self.is_behind() or now_s - self._taken_s < seconds:
            return False
        self._is_asked = True
        return True

    def take(self) -> Snapshot:
        """A snapshot, and with it the record's size: until then also what is gone again counts."""
        snapshot = snapshot_of(self._room)
        self._version = self._room.version
        self._bytes = len(snapshot.document)
        self._taken_s = time.monotonic()
        self._is_asked = False
        self._room.note_size(self._bytes)
        return snapshot

    async def store(self, snapshot: Snapshot) -> None:
        """A failure is counted; the log grows safely on, and the next snapshot tries again."""
        self._is_saving = True
        try:
            await self._records.save_snapshot(self._room.record_id, snapshot)
        except StorageError as error:
            self._metrics.storage_failures.inc()
            self._log.warning(
                "snapshot not saved", record=self._room.record_id, error=type(error).__name__
            )
        finally:
            self._is_saving = False
