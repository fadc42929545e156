"""What the audit trail attests of rows that no log covers: accounts, log-ins, emergencies, events.

Whatever writes such a row also adds an entry `attest` to the trail, in the same transaction, with a
digest of the row as it stands now; `altered_rows` holds every row against its last one. A digest is
keyed with bytes that never leave the database, so that nobody can guess a name or a reason by it.
Who can write the file can write a digest as well, but only into a trail whose head is then another.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from storage import audit as audit_trail
from storage.errors import StoreCorrupt

__all__ = [
    "GONE",
    "KEYS",
    "AlteredRow",
    "altered_rows",
    "attest",
    "attest_all",
    "attest_changed",
    "attest_until",
    "attested_values",
    "collected",
    "digest_of",
    "digests",
    "read_key",
    "standing_values",
]

KEYS: Mapping[str, str] = {
    "users": "id",
    "logins": "id",
    "role_changes": "sequence",
    "emergency_access": "id",
    "events": "sequence",
}
"""The attested tables, and the column by which the trail names their rows."""

LEFT_OUT = frozenset({"last_used_at"})
"""A log-in is used every minute: the trail would consist of that, and nobody's edit hangs on it."""

GONE = "-"
"""In place of a digest: there is no such row any more."""

_UNTIL = ".."
_MOST_NAMED = 100
"""Removed rows that one entry names."""

_DIGEST_BYTES = 16
_HINT_BYTES = 2
"""A digest of 128 bits tells that a row was altered; one of 16 bits for each column tells where."""

_encode = msgspec.json.Encoder().encode

Row = Mapping[str, object]
Values = tuple[object, ...]
Touched = tuple[str, str]
"""Table and key of a row that was written or removed."""


class AlteredRow(NamedTuple):
    """A row that is not as the trail attests. key: what the trail calls it."""

    table: str
    key: str
    reason: str


# -- what is attested ------------------------------------------------------------------------------


def digest_of(secret: bytes, row: Row) -> str:
    """The digest of a row with its attested columns, and a hint for each: hexadecimal."""
    cells = [_encode((name, row[name])) for name in _attested_columns(row)]
    whole = hashlib.blake2b(b"\n".join(cells), key=secret, digest_size=_DIGEST_BYTES).hexdigest()
    hints = (
        hashlib.blake2b(cell, key=secret, digest_size=_HINT_BYTES).hexdigest() for cell in cells
    )
    return f"{whole} {''.join(hints)}"


def _attested_columns(row: Row) -> list[str]:
    return sorted(row.keys() - LEFT_OUT)


def attested_values(at: int, table: str, keys: str, digest: str) -> Values:
    """The entry as columns (`storage.audit.entry_values`)."""
    return (at, audit_trail.ATTEST, "success", "", "", "", "", "", 0, f"{table} {keys} {digest}")


_COLLECTED = "attested"


def attest(on: Connection, table: str, keys: Iterable[object], at: int) -> None:
    """Have rows attested that this operation has written or removed; see `collected`.

    at: when that was, in microseconds.
    """
    touched: dict[Touched, int] = on.info.setdefault(_COLLECTED, {})
    touched.update(((table, str(key)), at) for key in keys)


def attest_until(on: Connection, table: str, key: int, at: int) -> None:
    """Have it attested that every row up to this key has gone."""
    attest(on, table, [f"{_UNTIL}{key}"], at)


def collected(on: Connection) -> dict[Touched, int]:
    """What was to be attested since the last time, with its instant; it is asked once."""
    touched: dict[Touched, int] = on.info.pop(_COLLECTED, {})
    return touched


def standing_values(
    driver: sqlite3.Connection, secret: bytes, touched: Mapping[Touched, int]
) -> list[Values]:
    """The entries that attest the rows as they stand now; of those removed, many in one."""
    found: list[Values] = []
    gone: dict[tuple[str, int], list[str]] = {}
    for (table, key), at in touched.items():
        row = None if key.startswith(_UNTIL) else _read_row(driver, table, key)
        if row is None:
            gone.setdefault((table, at), []).append(key)
        else:
            found.append(attested_values(at, table, key, digest_of(secret, row)))
    for (table, at), keys in gone.items():
        for start in range(0, len(keys), _MOST_NAMED):
            named = ",".join(keys[start : start + _MOST_NAMED])
            found.append(attested_values(at, table, named, GONE))
    return found


def _read_row(driver: sqlite3.Connection, table: str, key: str) -> Row | None:
    return next(_rows(driver, table, key), None)


def read_key(driver: sqlite3.Connection) -> bytes:
    """The bytes that digests are keyed with. Raises StoreCorrupt where they are missing."""
    found = driver.execute("SELECT key FROM attesting_key").fetchall()
    if len(found) != 1 or not isinstance(found[0][0], bytes):
        raise StoreCorrupt("the key of the attested rows is missing")
    secret: bytes = found[0][0]
    return secret


# -- holding rows against it -----------------------------------------------------------------------


def digests(driver: sqlite3.Connection, secret: bytes) -> dict[Touched, str]:
    """The digest of every attested row as it stands."""
    return dict(_digests(driver, secret))


def _digests(driver: sqlite3.Connection, secret: bytes) -> Iterator[tuple[Touched, str]]:
    for table, key in KEYS.items():
        for row in _rows(driver, table):
            yield (table, str(row[key])), digest_of(secret, row)


def attest_all(driver: sqlite3.Connection, secret: bytes, at: int) -> None:
    """Attest every row as it stands: of a database from before, or with other columns now."""
    attest_changed(driver, secret, {}, at)


def attest_changed(
    driver: sqlite3.Connection, secret: bytes, before: Mapping[Touched, str], at: int
) -> None:
    """Attest the rows whose digest is not what it was before."""
    now = digests(driver, secret)
    entries = [
        attested_values(at, table, key, digest)
        for (table, key), digest in now.items()
        if before.get((table, key)) != digest
    ]
    chain = driver.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    chain = chain or audit_trail.FIRST
    marks = ", ".join("?" * len(audit_trail.COLUMNS))
    for values in entries:
        row = audit_trail.link(chain, values)
        chain = audit_trail.after(row)
        driver.execute(
            f"INSERT INTO audit ({', '.join(audit_trail.COLUMNS)}) VALUES ({marks})", row
        )


def altered_rows(driver: sqlite3.Connection) -> Iterator[AlteredRow]:
    """The rows that are not as the trail last attested them, or that only one of the two has."""
    secret = read_key(driver)
    attested = _attested(driver)
    for (table, key), digest in _digests(driver, secret):
        told = attested.pop((table, key), None)
        if told is None:
            yield AlteredRow(table, key, "the trail knows of no such row")
        elif told[1] != digest:
            yield AlteredRow(table, key, _difference(driver, table, key, told, digest))
    for (table, key), (seq, _) in attested.items():
        yield AlteredRow(table, key, f"it is missing; entry {seq} of the trail tells of it")


def _difference(
    driver: sqlite3.Connection, table: str, key: str, told: tuple[int, str], digest: str
) -> str:
    row = _read_row(driver, table, key) or {}
    size = 2 * _HINT_BYTES
    before, after = told[1].partition(" ")[2], digest.partition(" ")[2]
    names = [
        name
        for place, name in enumerate(_attested_columns(row))
        if before[place * size :][:size] != after[place * size :][:size]
    ]
    what = ", ".join(names) if names and len(before) == len(after) else "it"
    return f"{what} is not as entry {told[0]} of the trail attests"


def _attested(driver: sqlite3.Connection) -> dict[Touched, tuple[int, str]]:
    """What the trail says last of each row that it knows of: seq of the entry, digest."""
    known: dict[Touched, tuple[int, str]] = {}
    until: dict[str, int] = {}
    found = driver.execute(
        "SELECT seq, detail FROM audit WHERE action = ? ORDER BY seq", (audit_trail.ATTEST,)
    )
    for seq, detail in found:
        table, _, rest = detail.partition(" ")
        keys, _, digest = rest.partition(" ")
        if keys.startswith(_UNTIL):
            last = keys.removeprefix(_UNTIL)
            until[table] = max(until.get(table, 0), int(last) if last.isdecimal() else 0)
            continue
        for key in keys.split(","):
            if digest == GONE:
                known.pop((table, key), None)
            else:
                known[table, key] = (seq, digest)
    return {
        (table, key): told
        for (table, key), told in known.items()
        if table not in until or not key.isdecimal() or int(key) > until[table]
    }


def _rows(driver: sqlite3.Connection, table: str, key: str | None = None) -> Iterator[Row]:
    """Rows of an attested table with all their columns; an event with its audience."""
    where, given = ("", ()) if key is None else (f" WHERE {KEYS[table]} = ?", (key,))
    cursor = driver.execute(f"SELECT * FROM {table}{where}", given)
    names = [described[0] for described in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        if table == "events":
            told = driver.execute(_AUDIENCE, (row["sequence"],)).fetchall()
            row["audience"] = told
        yield row


_AUDIENCE = "SELECT kind, name FROM event_audience WHERE sequence = ? ORDER BY kind, name"
