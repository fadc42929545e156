"""Tells the head of the audit trail, so that it can be kept where this machine cannot change it.

The head stands for everything before it: who has kept one sees later whether the trail was cut off
or written anew (`fieldchart verify --audit-head`). It is told in a log line at the start, at the
end and once in `audit_head_seconds` while there is something new, and by `/metrics` whenever that
is read. Nothing is done per edit.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.logs import Log, place_of
from server.metrics import Metrics
from storage.ports import Store

__all__ = ["AuditHeads"]


class AuditHeads:
    """Publishes the head of one store's trail."""

    def __init__(self, store: Store, metrics: Metrics, log: Log) -> None:
        self._store = store
        self._metrics = metrics
        self._log = log
        self._told = 0

    async def measure(self) -> tuple[int, bytes]:
        """The head now, also in the metrics. Raises storage errors."""
        seq, digest = await self._store.audit_head()
        self._metrics.audit_head.set(seq)
        self._metrics.audit_head_info.clear()
        self._metrics.audit_head_info.labels(digest.hex()).set(seq)
        return seq, digest

    async def tell(self) -> None:
        """Log the head, unless this one was logged before."""
        seq, digest = await self.measure()
        if seq != self._told:
            self._told = seq
            self._log.info("audit head", seq=seq, hash=digest.hex())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell the head at the start and at the end; a failure is logged and holds nothing up."""
        await self._try()
        try:
            yield
        finally:
            await self._try()

    async def _try(self) -> None:
        try:
            await self.tell()
        except Exception as error:  # else a bad reading would keep the server from starting
            self._metrics.incidents.inc()
            self._log.error(
                "audit head not read", error=type(error).__name__, place=place_of(error)
            )
