"""Queues: who waits next for a step, and calling them, so that two who call never get the same."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from permissions.model import Principal, RecordState
from permissions.policy import Policy
from server.executor import Batch
from server.people import Instant, instant
from server.ports import Rooms
from server.visits import call_in
from storage.errors import RecordNotFound
from storage.ports import RecordHead, Records
from sync.wire import encode_notice

if TYPE_CHECKING:
    from server.live_room import LiveRoom

__all__ = ["Waiting", "call_next", "may_call", "next_waiting", "tell_next"]

MOST_LOOKED_AT = 200
"""Records of a queue that are looked at for one who may be called: those assigned to colleagues
stand before them. A longer row of those means that nobody is free to be called."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits for a step. priority: 0 is the most urgent."""

    id: str
    number: str
    step: str
    priority: int
    waiting_since: Instant


def waiting(head: RecordHead) -> Waiting:
    """The head of a record as one who waits."""
    facts = head.facts
    return Waiting(
        id=head.id, number=facts.number, step=facts.current_step, priority=facts.priority,
        waiting_since=instant(facts.waiting_since),
    )  # fmt: skip


async def next_waiting(
    records: Records, policy: Policy, who: Principal, step_id: str, besides: str
) -> Waiting | None:
    """Who comes up next for `who` at this step, other than the record `besides`."""
    for head in await records.queue(policy.profile.name, step_id, MOST_LOOKED_AT):
        if head.id != besides and may_call(policy, who, step_id, head):
            return waiting(head)
    return None


async def call_next(
    rooms: Rooms,
    records: Records,
    policy: Policy,
    who: Principal,
    step_id: str,
    clock: Callable[[], datetime],
) -> Waiting | None:
    """Start the step for the next who waits, in their room's turn; None where nobody does."""

    def claim() -> "Callable[[LiveRoom, Batch], Awaitable[bool]]":
        async def work(live: "LiveRoom", batch: Batch) -> bool:
            return call_in(live, batch, who, step_id, clock()) is not None

        return work

    for head in await records.queue(policy.profile.name, step_id, MOST_LOOKED_AT):
        if not may_call(policy, who, step_id, head):
            continue
        try:
            if await rooms.ask(head.id, claim()):
                return waiting(head)
        except RecordNotFound:
            continue
    return None


async def tell_next(live: "LiveRoom", batch: Batch, records: Records) -> None:
    """Tell who left a step on this record, by a notice, who comes up next for them."""
    for change in batch.steps:
        peers = [
            peer
            for peer in live.peers.values()
            if peer.principal.user_id == change.by and peer.speaks_extension
        ]
        if change.action == "start" or not peers:
            continue
        who = peers[0].principal
        following = await next_waiting(records, live.room.policy, who, change.step, live.record_id)
        if following is not None:
            notice = encode_notice({"event": "next_patient", **msgspec.structs.asdict(following)})
            for peer in peers:
                peer.send(notice)


def may_call(policy: Policy, who: Principal, step_id: str, head: RecordHead) -> bool:
    """Whether the record is free for this person, as far as its head tells."""
    state = RecordState(current_step=head.facts.current_step, assigned=frozenset({who.user_id}))
    return policy.may_step(who, policy.profile.step(step_id), state).allowed
