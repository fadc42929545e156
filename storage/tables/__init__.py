"""The tables, as SQLAlchemy Core; the schema after all migrations equals this module (tested).

Integers are 64 bit, instants microseconds (`storage/columns.py`), lists JSON text. On SQLite every
table is STRICT, so a value of the wrong type is refused instead of converted. `updates` and `audit`
are append-only: triggers abort UPDATE and DELETE, but for the log of a record that `pruned` names;
their order is the sequence, never a clock.
"""

from storage.tables.keeping import APPEND_ONLY, append_only_ddl
from storage.tables.numbers import handed_numbers, numbers, pruned
from storage.tables.people import emergency_access, logins, role_changes, users
from storage.tables.records import (
    changes,
    conflicts,
    history_due,
    records,
    refusals,
    snapshots,
    updates,
)
from storage.tables.schema import metadata
from storage.tables.told import alerts, event_acks, event_audience, events, step_timings
from storage.tables.trail import attesting_key, audit

__all__ = [
    "APPEND_ONLY",
    "alerts",
    "append_only_ddl",
    "attesting_key",
    "audit",
    "changes",
    "conflicts",
    "emergency_access",
    "event_acks",
    "event_audience",
    "events",
    "handed_numbers",
    "history_due",
    "logins",
    "metadata",
    "numbers",
    "pruned",
    "records",
    "refusals",
    "role_changes",
    "snapshots",
    "step_timings",
    "updates",
    "users",
]
