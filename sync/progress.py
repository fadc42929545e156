"""Intents: what people ask of the workflow by writing into the `progress` map, also offline.

An intent is a message to the server, not a value: it is read, taken out of the document again, and
answered by the server's own facts, or by a refusal. So it never conflicts, nobody else sees it, and
a key that is still there has not been answered yet. SPEC FLOW-9 to FLOW-12.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from permissions.model import Decision, Rule
from permissions.profile import Profile
from sync.flow import Flow, Impossible, StepChange
from sync.frame import Frame
from sync.intents import Asked
from sync.record_facts import flow_of
from sync.view import Chart
from sync.workflow import advance

__all__ = ["reason_of", "take_intents"]

_START = datetime.min.replace(tzinfo=UTC)


def take_intents(
    profile: Profile, facts: Mapping[str, object], chart: Chart, asked: Sequence[Asked],
    frame: Frame,
) -> tuple[Flow | None, list[StepChange], list[tuple[Asked, Decision]]]:  # fmt: skip
    """What a frame's intents lead to, now that everything else of the frame stands.

    facts: the server's own, as the document has them. chart: what the record shows.
    Returns the new flow (None: unchanged), what happened, and what is refused.
    """
    flow = before = flow_of(profile, facts)
    changes: list[StepChange] = []
    refused: list[tuple[Asked, Decision]] = []
    for one in _in_order(_not_withdrawn(asked, frame)):
        intent = one.intent
        outcome = advance(
            profile, flow, chart, step_id=one.place.key or "", action=intent.action,
            by=frame.author.user_id, at=min(one.written_at, frame.received_at),
            reason=intent.reason, to=intent.to,
        )  # fmt: skip
        if isinstance(outcome, Impossible):
            refused.append((one, Decision(False, Rule.TRANSITION, reason_of(outcome))))
            continue
        flow = outcome.flow
        if outcome.change is not None:
            changes.append(outcome.change)
    return None if flow is before else flow, changes, refused


def reason_of(impossible: Impossible) -> str:
    """The whole reason in one text: what is impossible, then what is missing."""
    return " ".join((impossible.reason, *(unmet.reason for unmet in impossible.unmet)))


def _not_withdrawn(asked: Sequence[Asked], frame: Frame) -> list[Asked]:
    """Without an intent that its author removed in the same frame and replaced by no other."""
    last = {one.place: one for one in asked}
    deletes = frame.update.deletes
    return [
        one
        for one in asked
        if last[one.place] is not one
        or not any(
            clock <= one.struct.clock < clock + length
            for clock, length in deletes.get(one.struct.client, ())
        )
    ]


def _in_order(asked: list[Asked]) -> list[Asked]:
    """In the order in which they were written: each client's as it counted, clients by time."""
    latest: dict[int, tuple[datetime, datetime]] = {}
    keyed: list[tuple[tuple[datetime, datetime], Asked]] = []
    for one in sorted(asked, key=_clock):
        client = one.struct.client
        key = (one.written_at, one.intent.at or _START)
        latest[client] = max(key, latest.get(client, key))
        keyed.append((latest[client], one))
    keyed.sort(key=_time)
    return [one for _, one in keyed]


def _clock(one: Asked) -> int:
    return one.struct.clock


def _time(keyed: tuple[tuple[datetime, datetime], Asked]) -> tuple[datetime, datetime]:
    return keyed[0]
