"""What becomes of a peer after its frame was judged: who leaves too much behind is sent away.

A connection has its budgets (sync/session.py); a person has the same ones in each room over all
their connections, so that coming back is no way around them.
"""

import time

from server.sockets.connection import Peer
from sync.proposal import Proposal
from sync.session import TokenBucket

__all__ = ["PersonBudgets", "follow_up"]

START_AFRESH = 4409
TOO_MANY_REFUSALS = 4429

BYTES_PER_UNIT = 16 * 1024
"""Bytes that count as one refused field: refused ones, which are kept, and those of corrections. A
struct of ten bytes can have the server write a value of 64 kB again, and send it to everybody."""

HOLLOW_PER_UNIT = 64
"""Structs without content that count as one refused field: they stay in the document for ever. An
honest backlog has one for each stretch of text or value that was taken back before it was sent."""


class PersonBudgets:
    """Refused fields that each person may still cause in one room."""

    def __init__(self, refused_per_minute: int) -> None:
        self._per_minute = refused_per_minute
        self._buckets: dict[str, TokenBucket] = {}

    def spend(self, peer: Peer, units: float) -> bool:
        """Take the units from the peer's budget and its person's; whether both had them."""
        if not units:
            return True
        now_s = time.monotonic()
        bucket = self._buckets.get(peer.principal.user_id)
        if bucket is None:
            bucket = TokenBucket(self._per_minute / 60, self._per_minute, now_s)
            self._buckets[peer.principal.user_id] = bucket
        waits = peer.session.refused.take(units, now_s), bucket.take(units, now_s)
        return not any(waits)

    def spend_whole(self, peer: Peer, size: int) -> None:
        """`spend` for a frame of so many bytes that is kept whole."""
        self.spend(peer, 1 + size // BYTES_PER_UNIT)

    def turn_away(self, peer: Peer) -> bool:
        """Close a peer whose person has nothing left: what they send waits with them."""
        bucket = self._buckets.get(peer.principal.user_id)
        if bucket is None or not bucket.take(0, time.monotonic()):
            return False
        peer.close(TOO_MANY_REFUSALS, "Too many refused edits.")
        return True


def follow_up(peer: Peer, proposal: Proposal, answer: bool, budgets: PersonBudgets) -> None:
    """Note what the frame used up of the peer's budgets; close the peer where they are spent."""
    session = peer.session
    if proposal.gap is not None:
        # Stock clients send live edits before they have answered: only an answer that still
        # hangs on something unknown says that the peer cannot help itself.
        if answer and not session.note_gap():
            peer.close(START_AFRESH, "Your copy hangs on edits nobody has. Start afresh.")
        return
    session.gaps = 0
    if proposal.exhausted or not session.may_restore(proposal.restored_units):
        peer.close(START_AFRESH, "You deleted more than you may. Start afresh.")
    if not budgets.spend(peer, _units(proposal)):
        peer.close(TOO_MANY_REFUSALS, "Too many refused edits.")


def _units(proposal: Proposal) -> float:
    size = sum(len(refusal.original) for refusal in proposal.refusals)
    return max(
        len(proposal.refusals),
        (size + proposal.rewritten_bytes) / BYTES_PER_UNIT,
        proposal.hollow / HOLLOW_PER_UNIT,
    )
