"""Every setting with its meaning, unit, default and bounds.

One struct is the only list: loading, checking (`settings_sources`), `fieldchart settings` and the
documentation read it.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec

from sync.bounds import Bounds
from sync.locks import Terms

__all__ = ["Settings"]


def _meta(unit: str, meaning: str, **bounds: Any) -> msgspec.Meta:
    return msgspec.Meta(description=meaning, extra={"unit": unit}, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one server process."""

    # Where it runs
    host: Annotated[str, _meta("address", "Address to listen on.", min_length=1)] = "127.0.0.1"
    port: Annotated[
        int, _meta("port", "Port to listen on; 0 takes a free one.", ge=0, le=65535)
    ] = 8420
    data: Annotated[str, _meta("directory", "Where the database lives.", min_length=1)] = (
        "./fieldchart-data"
    )
    profiles: Annotated[
        tuple[str, ...], _meta("names or files", "Profiles to serve.", min_length=1)
    ] = ("outpatient", "eye_screening")
    tls_cert: Annotated[
        str, _meta("file", "Certificate chain (PEM); with tls_key turns TLS on.")
    ] = ""
    tls_key: Annotated[str, _meta("file", "Private key of tls_cert (PEM).")] = ""
    allowed_origins: Annotated[
        tuple[str, ...],
        _meta(
            "origins", "Origins besides our own that may use the cookie, e.g. https://app.example."
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        _meta(
            "addresses", "Proxies whose X-Forwarded-For and -Proto are believed; none by default."
        ),
    ] = ()
    drain_seconds: Annotated[
        float, _meta("s", "How long a stopping server waits for open requests and rooms.", ge=0)
    ] = 10.0
    log_format: Annotated[
        str, _meta("json | console", "How log lines look.", pattern="^(json|console)$")
    ] = "json"
    log_level: Annotated[
        str, _meta("level", "Least severe lines to log.", pattern="^(debug|info|warning|error)$")
    ] = "info"

    # Auditing
    audit_head_seconds: Annotated[
        float, _meta("s", "How often the head of the audit trail is logged, if it moved.", ge=1)
    ] = 300.0
    audit_source: Annotated[
        str, _meta("name", "What this server is called in FHIR audit events.", min_length=1)
    ] = "fieldchart"

    # Emergency access
    break_glass_minutes: Annotated[
        int, _meta("min", "How long emergency access to a record lasts.", ge=1, le=1440)
    ] = 60
    break_glass_per_hour: Annotated[
        int, _meta("accesses", "Emergency accesses one person may start in an hour.", ge=1)
    ] = 6

    # Retention
    retention_days: Annotated[
        int, _meta("d", "`fieldchart prune` removes no younger records; 0: nothing ever.", ge=0)
    ] = 0

    # Signing in
    argon2_memory_kib: Annotated[
        int, _meta("KiB", "Memory of one password hash (OWASP: 19 MiB).", ge=8192)
    ] = 19 * 1024
    argon2_time_cost: Annotated[
        int, _meta("passes", "Passes of one password hash.", ge=1, le=32)
    ] = 2
    argon2_parallelism: Annotated[
        int, _meta("lanes", "Lanes of one password hash.", ge=1, le=16)
    ] = 1
    hash_threads: Annotated[
        int, _meta("threads", "Password hashes computed at the same time.", ge=1, le=32)
    ] = 2
    hash_queue: Annotated[
        int, _meta("log-ins", "Log-ins that may wait for a hash; more are told to come back.", ge=1)
    ] = 64
    login_idle_seconds: Annotated[
        int, _meta("s", "A log-in unused for so long is over (12 h).", ge=1)
    ] = 43_200
    login_max_seconds: Annotated[
        int, _meta("s", "A log-in is over after so long, used or not (30 d).", ge=1)
    ] = 2_592_000
    offline_unlock_days: Annotated[
        int,
        _meta(
            "days",
            "How long a device lets its people in by password without reaching the server.",
            ge=1,
            le=90,
        ),
    ] = 14
    login_touch_seconds: Annotated[
        int, _meta("s", "The last use of a log-in is stored at most so often.", ge=1)
    ] = 60
    login_cache_entries: Annotated[
        int, _meta("log-ins", "Signed-in devices kept in memory.", ge=1)
    ] = 4096
    account_poll_seconds: Annotated[
        float,
        _meta("s", "How often accounts changed by other processes are looked for.", gt=0, le=2),
    ] = 1.0
    login_failures: Annotated[
        int, _meta("attempts", "Failed log-ins per user name and per address before a delay.", ge=1)
    ] = 5
    login_delay_seconds: Annotated[
        float, _meta("s", "The first delay; it doubles with each further failure.", gt=0)
    ] = 1.0
    login_delay_max_seconds: Annotated[float, _meta("s", "The longest delay.", gt=0)] = 900.0
    login_throttle_entries: Annotated[
        int, _meta("names and addresses", "Size of the table of failed log-ins.", ge=16)
    ] = 10_000

    # HTTP
    max_request_bytes: Annotated[
        int, _meta("bytes", "One request body; larger ones are answered 413.", ge=1024)
    ] = 8 * 1024 * 1024
    request_body_seconds: Annotated[
        float, _meta("s", "A request body must have arrived by then.", gt=0)
    ] = 30.0

    # What a client may send (contract, section 4)
    max_frame_bytes: Annotated[
        int, _meta("bytes", "One WebSocket message; larger ones close with 4413.", ge=1024)
    ] = 4 * 1024 * 1024
    ws_max_size_bytes: Annotated[
        int,
        _meta(
            "bytes",
            "Where the WebSocket layer itself gives up (1009, which clients retry for ever):"
            " must exceed max_frame_bytes.",
            ge=2048,
        ),
    ] = 8 * 1024 * 1024
    max_structs: Annotated[int, _meta("structs", "Structs in one frame.", ge=1)] = 20_000
    max_nesting: Annotated[int, _meta("levels", "Nesting of one value.", ge=1, le=256)] = 32
    max_value_bytes: Annotated[int, _meta("bytes", "One value of a field.", ge=1)] = 64 * 1024
    max_narrative_bytes: Annotated[int, _meta("bytes", "One narrative.", ge=1)] = 1024 * 1024
    max_record_bytes: Annotated[int, _meta("bytes", "One record's document.", ge=1)] = (
        16 * 1024 * 1024
    )
    update_frames_per_second: Annotated[
        int, _meta("frames/s", "Update frames of one connection, averaged over the window.", ge=1)
    ] = 200
    update_window_seconds: Annotated[
        int, _meta("s", "The window of update_frames_per_second; past it 4503.", ge=1)
    ] = 10
    refused_fields_per_minute: Annotated[
        int, _meta("fields/min", "Refused fields of one connection; past it 4429.", ge=1)
    ] = 600
    max_awareness_bytes: Annotated[int, _meta("bytes", "One awareness state.", ge=64)] = 4096
    awareness_per_second: Annotated[
        int, _meta("states/s", "Awareness states of one connection.", ge=1)
    ] = 10
    presence_heartbeat_seconds: Annotated[
        float,
        _meta("s", "How often the server renews its presence; clients give up after 30 s.", gt=0),
    ] = 12.0
    presence_tick_ms: Annotated[
        float,
        _meta("ms", "Presence is gathered for so long, so typing does not drown edits.", ge=0),
    ] = 50.0

    # Field locks
    lock_seconds: Annotated[
        float, _meta("s", "A field lock ends after so long without renewal.", gt=0, le=86_400)
    ] = 300.0
    lock_grace_seconds: Annotated[
        float,
        _meta("s", "How long a lock outlives its holder's connection.", ge=0, le=3600),
    ] = 10.0
    locks_per_record: Annotated[
        int, _meta("locks", "Fields of one record held at a time.", ge=1, le=1000)
    ] = 100
    locks_per_person: Annotated[
        int, _meta("locks", "Fields that one person holds at a time.", ge=1, le=1000)
    ] = 20
    # Events
    session_event_ms: Annotated[
        float,
        _meta("ms", "Edits of a record are told of at most so often; names are merged.", ge=0),
    ] = 1000.0
    event_retention_days: Annotated[
        float, _meta("days", "Events and notifications are kept for so long.", gt=0)
    ] = 30.0
    event_queue: Annotated[
        int, _meta("events", "Events a slow stream may leave waiting; then it is cut.", ge=8)
    ] = 512
    event_heartbeat_seconds: Annotated[
        float, _meta("s", "A silent stream gets a comment so often, for proxies.", gt=0)
    ] = 15.0
    event_streams_per_person: Annotated[
        int, _meta("streams", "Streams of events one person may have open; more get 429.", ge=1)
    ] = 16

    # Alerts to those who oversee; other thresholds are the profile's
    alert_clock_seconds: Annotated[
        float, _meta("s", "A device whose clock is off by more is an alert.", gt=0)
    ] = 300.0
    alert_disk_percent: Annotated[
        float, _meta("%", "A disk that is as full is an alert.", gt=0, le=100)
    ] = 90.0

    # Rooms
    room_memory_bytes: Annotated[
        int, _meta("bytes", "Estimated memory of all loaded rooms; idle ones leave first.", ge=1024)
    ] = 512 * 1024 * 1024
    room_idle_seconds: Annotated[
        float, _meta("s", "A room without connections is unloaded after so long.", ge=0)
    ] = 60.0
    room_inbox_frames: Annotated[
        int, _meta("frames", "Frames that may wait in one room; then senders wait.", ge=1)
    ] = 4096
    room_inbox_bytes: Annotated[
        int, _meta("bytes", "Bytes that may wait in one room; then senders wait.", ge=1024)
    ] = 32 * 1024 * 1024
    send_queue_messages: Annotated[
        int, _meta("messages", "Messages one slow reader may leave waiting; then 4508.", ge=1)
    ] = 1024
    send_queue_bytes: Annotated[
        int, _meta("bytes", "Bytes one slow reader may leave waiting; then 4508.", ge=1024)
    ] = 16 * 1024 * 1024
    close_seconds: Annotated[
        float, _meta("s", "How long a closing socket may take to send what is queued.", ge=0)
    ] = 5.0
    collab_documents: Annotated[
        int, _meta("records", "Records open on one socket of /collab; more are denied.", ge=1)
    ] = 64
    collab_sign_in_seconds: Annotated[
        float,
        _meta("s", "A socket of /collab without an open record is closed after so long.", gt=0),
    ] = 60.0
    sync_answer_seconds: Annotated[
        float,
        _meta(
            "s",
            "How long who connects is waited for to say what they have, before they get what we"
            " have.",
            ge=0,
            le=60,
        ),
    ] = 5.0
    commit_window_ms: Annotated[
        float,
        _meta(
            "ms",
            "How long what arrives waits for company: ten edits together cost less than ten alone.",
            ge=0,
            le=100,
        ),
    ] = 8.0
    commit_queue: Annotated[
        int, _meta("commits", "Commits that may wait for the writer; past it 4503.", ge=1)
    ] = 10_000
    pace_samples: Annotated[
        int,
        _meta(
            "steps",
            "How many of a step's most recent runs its usual length is the median of.",
            ge=3,
            le=10_000,
        ),
    ] = 50
    snapshot_every_updates: Annotated[
        int, _meta("updates", "A room is snapshotted after so many new updates.", ge=1)
    ] = 500
    snapshot_minutes: Annotated[
        float,
        _meta("min", "A room with newer rows is snapshotted when its last one is so old.", gt=0),
    ] = 10
    snapshot_ladder_updates: Annotated[
        int,
        _meta("updates", "An older snapshot is kept for so many updates, to look back from.", ge=1),
    ] = 5000

    def __post_init__(self) -> None:
        """Check what concerns two settings at once."""
        if self.ws_max_size_bytes <= self.max_frame_bytes:
            raise ValueError("ws_max_size_bytes must exceed max_frame_bytes")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key belong together; one of them is missing")

    @property
    def database(self) -> Path:
        """The database file inside the data directory."""
        return Path(self.data) / "fieldchart.sqlite3"

    def lock_terms(self) -> Terms:
        """How long field locks last, and how many there may be."""
        return Terms(
            seconds=self.lock_seconds,
            grace_seconds=self.lock_grace_seconds,
            per_record=self.locks_per_record,
            per_person=self.locks_per_person,
        )

    def bounds(self) -> Bounds:
        """The limits that the frame and update codecs enforce."""
        return Bounds(
            max_frame_bytes=self.max_frame_bytes,
            max_structs=self.max_structs,
            max_nesting=self.max_nesting,
            max_value_bytes=self.max_value_bytes,
            max_narrative_bytes=self.max_narrative_bytes,
            max_awareness_bytes=self.max_awareness_bytes,
        )
