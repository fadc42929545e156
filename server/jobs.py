"""The table of everything that the server does by itself: how often, and how long it may take.

Rooms also take snapshots by their number of updates and when they are unloaded, and estimates are
made anew when a step changes. Records are never removed here (`fieldchart prune`).
"""

from server.accounts.authentication import Authenticator
from server.alerting import Alerting
from server.audit.heads import AuditHeads
from server.background import Job
from server.emergencies import BreakGlass
from server.events import Hub
from server.measuring import Measuring
from server.rooms import RoomHost
from server.settings import Settings

__all__ = ["server_jobs"]


def server_jobs(
    settings: Settings,
    *,
    rooms: RoomHost,
    events: Hub,
    accounts: Authenticator,
    heads: AuditHeads,
    break_glass: BreakGlass,
    measuring: Measuring,
    alerting: Alerting,
) -> tuple[Job, ...]:
    """The jobs of one process."""
    return (
        Job(
            name="accounts", run=accounts.look_for_changes, at_once=True,
            every_seconds=settings.account_poll_seconds, at_most_seconds=10.0,
        ),
        # What is over no longer counts, noticed or not: this is how late people hear of it.
        Job(
            name="locks_and_presence", run=rooms.end_what_is_over,
            every_seconds=0.5, at_most_seconds=10.0,
        ),
        Job(
            name="presence_heartbeat", run=rooms.renew_presence,
            every_seconds=settings.presence_heartbeat_seconds, at_most_seconds=5.0,
        ),
        Job(name="idle_rooms", run=rooms.sweep, every_seconds=1.0, at_most_seconds=60.0),
        # Ours are told at once; this is how late we hear what another process announced.
        Job(
            name="events", run=events.deliver_new, wake=events.news,
            every_seconds=1.0, gap_seconds=0.05, at_most_seconds=10.0,
        ),
        # This is how late the end of an access may come.
        Job(
            name="emergency_access", run=break_glass.end_due, at_once=True,
            every_seconds=1.0, at_most_seconds=30.0,
        ),
        Job(
            name="alerts", run=alerting.round, at_once=True,
            every_seconds=10.0, at_most_seconds=30.0,
        ),
        Job(
            name="measures", run=measuring.round, at_once=True, is_vital=False,
            every_seconds=1.0, at_most_seconds=60.0,
        ),
        Job(
            name="snapshots", run=rooms.take_old_snapshots, is_vital=False,
            every_seconds=30.0, at_most_seconds=30.0,
        ),
        Job(
            name="estimates", run=rooms.load_paces, is_vital=False,
            every_seconds=300.0, at_most_seconds=30.0,
        ),
        Job(
            name="old_events", run=events.forget_old, at_once=True, is_vital=False,
            every_seconds=3600.0, at_most_seconds=300.0,
        ),
        Job(
            name="audit_head", run=heads.tell, is_vital=False,
            every_seconds=settings.audit_head_seconds, at_most_seconds=30.0,
        ),
    )  # fmt: skip
