"""A tablet that several people use one after the other, offline; it seals what each of them writes.

What an editor that speaks `fieldchart.v1` does, with a pycrdt document and a clock that may be
wrong. Nothing here reads the server's code for seals: it is what docs/protocol.md says.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pycrdt

from sync.bounds import Bounds
from sync.update import decode_state_vector
from sync.wire import JournalEntry

__all__ = ["Sealed", "SharedTablet"]

Sealed = tuple[JournalEntry, bytes]
"""An entry and the update it seals, as they are sent."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SharedTablet:
    """One record on one tablet. now: the true time; ahead: how wrong the tablet's clock is."""

    def __init__(self, record_id: str, now: Callable[[], datetime]) -> None:
        self.record_id = record_id
        self.ahead = timedelta(0)
        self.sealed: list[Sealed] = []
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._now = now
        self._login_id = ""
        self._key: bytes | None = None

    def time(self) -> datetime:
        """What the tablet's clock shows."""
        shown = self._now() + self.ahead
        return shown.replace(microsecond=shown.microsecond // 1000 * 1000)

    def sign_in(self, login_id: str, key: bytes) -> None:
        """Somebody takes the tablet: the same record under a new client id."""
        before, self.doc = self.doc, pycrdt.Doc()
        self.doc.apply_update(before.get_update())
        self._login_id, self._key = login_id, key

    def sign_out(self) -> None:
        """Wipe the key."""
        self._key = None

    def write(self, change: Callable[["pycrdt.Doc[Any]"], None]) -> Sealed:
        """Change the record in one transaction, and seal the update it made."""
        assert self._key is not None, "somebody is signed in"
        client = self.doc.client_id
        start = self._clock(client)
        updates: list[bytes] = []
        watching = self.doc.observe(lambda event: updates.append(event.update))
        with self.doc.transaction():
            change(self.doc)
        self.doc.unobserve(watching)
        (update,) = updates
        entry = self.entry(client, start, self._clock(client), update)
        self.sealed.append((entry, update))
        return entry, update

    def entry(self, client: int, start: int, end: int, update: bytes) -> JournalEntry:
        """A sealed entry as of now, by the tablet's clock."""
        assert self._key is not None, "somebody is signed in"
        written_at = self.time()
        milliseconds = (written_at - _EPOCH) // timedelta(milliseconds=1)
        digest = hashlib.sha256(update).hexdigest()
        lines = (
            "fieldchart-seal-1", self.record_id, client, start, end, milliseconds,
            self._login_id, digest,
        )  # fmt: skip
        text = "".join(f"{line}\n" for line in lines).encode()
        seal = base64.b64encode(hmac.digest(self._key, text, "sha256")).decode()
        return JournalEntry(client, start, end, written_at, self._login_id, seal)

    def reading(self) -> JournalEntry:
        """What time it is on the tablet."""
        return JournalEntry(0, 0, 0, self.time(), self._login_id, "")

    def vector(self) -> dict[int, int]:
        return decode_state_vector(self.doc.get_state(), Bounds())

    def _clock(self, client: int) -> int:
        return self.vector().get(client, 0)
