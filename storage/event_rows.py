"""Rows of what people are told of: events with their audience, and the entries that attest them."""

import sqlite3
from collections.abc import Sequence

from sqlalchemy import Connection, insert
from sqlalchemy.dialects import sqlite

from storage.announcements import AUDIENCE_COLUMNS, EVENT_COLUMNS
from storage.attesting import attest, attested_values, digest_of
from storage.statements import Bulk, compiled
from storage.tables import event_audience, events

__all__ = ["Announced", "announce", "attested_event", "store_announced"]

Values = tuple[object, ...]
Announced = tuple[Values, Sequence[tuple[str, str]]]
"""An event's columns and its audience."""

_EVENT = compiled(sqlite.insert(events).on_conflict_do_nothing(), EVENT_COLUMNS)
_AUDIENCE = Bulk(insert(event_audience), AUDIENCE_COLUMNS)
_EVENT_NAMES = tuple(f"{name}" for name in EVENT_COLUMNS)  # plain strings, not quoted names


def announce(
    cursor: sqlite3.Cursor, announced: Sequence[Announced]
) -> Sequence[tuple[int, Announced]]:
    """Store events with their audience; one that is known by its id is left as it is.

    Returns those that are new, with their sequence.
    """
    audience: list[Values] = []
    stored: list[tuple[int, Announced]] = []
    for each in announced:
        values, keys = each
        cursor.execute(_EVENT, values)
        if cursor.rowcount == 1:
            sequence = cursor.lastrowid
            assert sequence is not None
            audience.extend((kind, name, sequence) for kind, name in keys)
            stored.append((sequence, each))
    _AUDIENCE.run(cursor, audience)
    return stored


def attested_event(key: bytes, sequence: int, announced: Announced) -> Values:
    """The entry that attests an event: what `attesting` would read of it."""
    values, audience = announced
    row: dict[str, object] = dict(zip(_EVENT_NAMES, values, strict=True))
    at = row["at"]
    assert isinstance(at, int)
    row |= {"sequence": sequence, "audience": sorted(audience)}
    return attested_values(at, "events", str(sequence), digest_of(key, row))


def store_announced(on: Connection, announced: Sequence[Announced]) -> None:
    """Store events with their audience in the transaction of a `Call`."""
    driver = on.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    cursor = driver.cursor()
    try:
        for sequence, (values, _) in announce(cursor, announced):
            at = values[_EVENT_NAMES.index("at")]
            assert isinstance(at, int)
            attest(on, "events", [sequence], at)
    finally:
        cursor.close()
