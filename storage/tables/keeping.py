"""Triggers that keep what is only ever added to, whoever writes to the file."""

from sqlalchemy import DDL, event

from storage.tables.numbers import pruned
from storage.tables.records import records, updates
from storage.tables.schema import metadata
from storage.tables.trail import audit

__all__ = ["APPEND_ONLY", "append_only_ddl"]

APPEND_ONLY = (updates.name, audit.name, pruned.name)
"""The tables whose rows are never changed, and never removed but with a pruned record."""

_UNLESS_PRUNED = "WHEN OLD.{} NOT IN (SELECT record_id FROM pruned) "


def append_only_ddl(table: str) -> tuple[str, str]:
    """The SQLite statements that make `table` append-only."""
    condition = _UNLESS_PRUNED.format("record_id") if table == "updates" else ""
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    )


_RECORDS_STAY = (
    "CREATE TRIGGER records_no_delete BEFORE DELETE ON records "
    + _UNLESS_PRUNED.format("id")
    + "BEGIN SELECT RAISE(ABORT, 'only pruned records are removed'); END",
    "CREATE TRIGGER records_not_again BEFORE INSERT ON records "
    "WHEN NEW.id IN (SELECT record_id FROM pruned) "
    "OR NEW.number IN (SELECT number FROM pruned WHERE number <> '') "
    "BEGIN SELECT RAISE(ABORT, 'records.number of a pruned record'); END",
)

_TRIGGERS = [(_name, _each) for _name in APPEND_ONLY for _each in append_only_ddl(_name)]
for _name, _statement in [*_TRIGGERS, *((records.name, each) for each in _RECORDS_STAY)]:
    _trigger = DDL(_statement).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    event.listen(metadata.tables[_name], "after_create", _trigger)
