"""The counters, gauges and histograms of one process, in a registry of their own.

Labels are closed sets (routes, kinds, close codes), and the one hash of the audit trail's head;
none carries a name, an id or a value. Label
children that the hot path needs are bound once, here.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

import native
from sync.awareness_state import DROPPED

__all__ = ["MALFORMED_KINDS", "Metrics"]

MALFORMED_KINDS = ("frame", "update", "awareness", "journal", "too_large", "unknown_kind")
LOGIN_OUTCOMES = ("success", "failure", "throttled")

_COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
_JOB_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
_BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """Everything `/metrics` shows. Use the attributes; do not look up labels in loops."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"fieldchart_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"fieldchart_{name}", meaning, labels, registry=registry)

        self.requests = counter(
            "http_requests", "HTTP requests answered.", "method", "route", "status"
        )
        self.request_seconds = Histogram(
            "fieldchart_http_request_seconds", "Time to answer.", ("route",), registry=registry
        )
        self.incidents = counter("incidents", "Unexpected errors, each logged with an id.")

        logins = counter("logins", "Attempts to sign in.", "outcome")
        self.logins = {outcome: logins.labels(outcome) for outcome in LOGIN_OUTCOMES}
        self.disconnected = counter(
            "disconnected", "Sockets cut because a log-in ended or a role changed.", "code"
        )

        self.updates_accepted = counter("updates_accepted", "Updates stored and acknowledged.")
        self.fields_refused = counter("fields_refused", "Fields refused, by rule.", "rule")
        self.corrections = counter("corrections", "Structs the server wrote to heal a peer.")
        self.conflicts = counter("conflicts", "Conflicts found.")
        self.commit_seconds = Histogram(
            "fieldchart_commit_seconds", "Time of one storage commit.",
            buckets=_COMMIT_SECONDS, registry=registry,
        )  # fmt: skip
        self.batch_size = Histogram(
            "fieldchart_batch_updates", "Updates in one room's batch.",
            buckets=_BATCH_SIZES, registry=registry,
        )  # fmt: skip
        self.core_compiled = gauge("core_compiled", "1 where the core runs compiled, else 0.")
        self.core_compiled.set(native.is_compiled())
        self.storage_failures = counter("storage_failures", "Commits the store refused.")
        self.rooms_loaded = gauge("rooms_loaded", "Records in memory.")
        self.room_memory_bytes = gauge("room_memory_bytes", "Estimated memory of loaded records.")
        self.connections = gauge("connections", "Open sockets on records.")
        malformed = counter("frames_malformed", "Frames that ended their connection.", "kind")
        self.frames_malformed = {kind: malformed.labels(kind) for kind in MALFORMED_KINDS}
        self.inbox_overflows = counter("inbox_overflows", "Times a full inbox made a sender wait.")
        self.slow_readers = counter("slow_readers_cut", "Connections closed with 4508.")
        self.closed = counter("connections_closed", "Connections we ended, by close code.", "code")
        dropped = counter("presence_dropped", "Awareness states or parts left out.", "reason")
        self.presence_dropped = {reason: dropped.labels(reason) for reason in DROPPED}
        self.locks_held = gauge("locks_held", "Fields that somebody holds.")
        self.locks_ended = counter("locks_ended", "Field locks nobody released, by cause.", "cause")
        self.emergencies = counter("emergencies", "Emergency accesses that were started.")
        self.event_streams = gauge("event_streams", "Open streams of events.")
        self.event_streams_ended = counter(
            "event_streams_ended", "Streams of events that ended, by reason.", "reason"
        )
        self.events_sent = counter("events_sent", "Events put on streams.")
        self.event_seconds = Histogram(
            "fieldchart_event_seconds", "From what happened to its event being on the streams.",
            buckets=_COMMIT_SECONDS, registry=registry,
        )  # fmt: skip
        self.job_runs = counter("job_runs", "Rounds that a background job began.", "job")
        self.job_failures = counter("job_failures", "Rounds that failed or were cut off.", "job")
        self.job_last_success = gauge(
            "job_last_success", "When a background job last succeeded, in Unix time.", "job"
        )
        self.job_seconds = Histogram(
            "fieldchart_job_seconds", "Time of one round of a background job.", ("job",),
            buckets=_JOB_SECONDS, registry=registry,
        )  # fmt: skip
        self.audit_head = gauge("audit_head", "Sequence of the newest audit entry.")
        self.audit_head_info = gauge(
            "audit_head_info", "The newest audit entry: its hash, and its sequence.", "hash"
        )

    def render(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)
