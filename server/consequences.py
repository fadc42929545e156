"""What follows from a batch before it is stored: the server's own facts, and what the board lists.

Runs in the room's turn, after everything was judged; what it writes is stored in the same
transaction. The one place where judging leads to something else, in the order written here.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from permissions.model import Principal
from server.conflicts import tell_of_conflicts
from server.executor import Batch
from server.facts import facts_of, listed_fields
from server.visits import time_left
from sync.instants import instant
from sync.place import RECORD_ROOT
from sync.record_facts import flow_facts, flow_of
from sync.view import chart_of, disputed_fields
from sync.workflow import settle

if TYPE_CHECKING:
    from server.live_room import LiveRoom

__all__ = ["SERVER", "draw_consequences"]

SERVER = Principal(
    user_id="server", username="server", name="Fieldchart", roles=frozenset(), login_id="server",
)  # fmt: skip
"""The author of what the server writes by itself."""


def draw_consequences(live: "LiveRoom", batch: Batch, at: datetime) -> None:
    """Write the facts that follow from what the batch has changed."""
    _note_disputes(live, batch, at)
    tell_of_conflicts(batch, at)
    _settle_queue(live, batch, at)
    _estimate(live, batch, at)
    changed = batch.fields | {name.partition(".")[0] for name in batch.fields}  # of an entry
    if batch.has_facts or not listed_fields(live.room.profile).isdisjoint(changed):
        batch.facts = facts_of(live.room, live.created_at, at)
    live.announcer.collect(batch, live.present(), at)


def _settle_queue(live: "LiveRoom", batch: Batch, at: datetime) -> None:
    """Let an order that was placed late take the record out of a later queue (SPEC FLOW-4)."""
    profile = live.room.profile
    waited_for = {step.condition.section for step in profile.steps if step.condition}
    changed = {name.partition(".")[0] for name in batch.fields}
    if not waited_for.isdisjoint(changed):
        flow = flow_of(profile, live.room.document.section(RECORD_ROOT))
        settled = settle(profile, flow, chart_of(live.room).fields, at)
        if settled is not flow:
            live.write_facts(batch, flow_facts(settled), SERVER, at)


def _estimate(live: "LiveRoom", batch: Batch, at: datetime) -> None:
    """Keep when the visit will probably be over, as of its last step change."""
    if batch.steps:
        ends = at + time_left(live, at)
        live.write_facts(batch, {"estimate": instant(ends)}, SERVER, at)


def _note_disputes(live: "LiveRoom", batch: Batch, at: datetime) -> None:
    """Keep the record's own list of disputed fields."""
    if batch.conflicts:
        live.write_facts(batch, {"disputed": disputed_fields(live.room)}, SERVER, at)
