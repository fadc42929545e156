"""Password hashing with argon2id, off the event loop and behind a bounded queue.

OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, two passes, one lane; 27 ms of CPU here.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from server.errors import Overloaded
from server.settings import Settings

__all__ = ["MAX_PASSWORD_CHARACTERS", "Passwords"]

MAX_PASSWORD_CHARACTERS = 1024


class Passwords:
    """Hashes and checks passwords; every check costs the same, known user or not."""

    def __init__(self, settings: Settings) -> None:
        hasher = Argon2Hasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._hasher = PasswordHash((hasher,))
        self._threads = asyncio.Semaphore(settings.hash_threads)
        self._queue = settings.hash_queue
        self._waiting = 0
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self.checks = 0
        """How many checks were computed; the same for a known and an unknown name."""

    def hash(self, password: str) -> str:
        """The PHC string to store. Blocks for one hash: for commands, not for requests."""
        return self._hasher.hash(password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether `password` has the hash `stored`; None (no such user) costs the same, then False.

        Raises Overloaded where `hash_queue` checks wait already.
        """
        async with self._turn():
            self.checks += 1
            good = await asyncio.to_thread(self._hasher.verify, password, stored or self._nobody)
        return good and stored is not None

    async def hashed(self, password: str) -> str:
        """The PHC string to store, in the same queue as checks. Raises Overloaded."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= self._queue:
            raise Overloaded("Too many log-ins at once. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._threads:
                yield
        finally:
            self._waiting -= 1
