"""The audit trail: one chain of hashes through the whole database.

hash = SHA-256(hash of the entry before ‖ JSON array of seq, instant in microseconds and the other
columns, UTF-8, no spaces), so that an auditor can check it with any tool. seq starts at 1, without
gaps. A changed, removed or reordered entry breaks the chain; entries cut off at the end do not: a
head that was kept elsewhere shows those.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import RowMapping, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import instant, micros
from storage.ports import AuditFilter
from storage.tables import audit, pruned, records
from storage.update_log import Break
from sync.effects import EMPTY_HASH, AuditEntry

__all__ = [
    "ATTEST",
    "COLUMNS",
    "FIRST",
    "Chain",
    "after",
    "entry_values",
    "first_break",
    "link",
    "matches",
    "missing_end",
    "read_audit",
    "read_hashes",
    "read_head",
]

COLUMNS = tuple(column.name for column in audit.c)
"""The columns of `audit` in the order of `link`; the hash is last."""

ATTEST = "attest"
"""The action of the entries that `storage/attesting.py` writes."""

_encode = msgspec.json.Encoder().encode
_sha256 = hashlib.sha256

Chain = tuple[int, bytes]
"""The seq and hash of the last entry."""

FIRST: Chain = (0, EMPTY_HASH)
"""The chain before the first entry."""


def entry_values(entry: AuditEntry) -> tuple[object, ...]:
    """The entry as columns, without seq and hash. Raises ValueError for an instant not in UTC."""
    return (
        micros(entry.at),
        entry.action,
        entry.outcome,
        entry.user_id,
        entry.login_id,
        entry.device,
        entry.address,
        entry.record_id,
        entry.version,
        entry.detail,
    )


def link(chain: Chain, values: tuple[object, ...]) -> tuple[object, ...]:
    """The row that follows `chain`: seq, the values, hash."""
    row = (chain[0] + 1, *values)
    return (*row, _sha256(chain[1] + _encode(row)).digest())


def after(row: tuple[object, ...]) -> Chain:
    """The chain that ends in `row`."""
    seq, hash_ = row[0], row[-1]
    assert isinstance(seq, int)
    assert isinstance(hash_, bytes)
    return seq, hash_


def first_break(
    chain: Chain, rows: Iterable[tuple[object, ...]], kept: Mapping[int, bytes] | None = None
) -> Break | None:
    """The first of `rows` (seq first, hash last) that does not continue `chain`.

    kept: heads (seq → hash) that were noted elsewhere; an entry must be the one that was noted.
    """
    seq, previous = chain
    for row in rows:
        seq += 1
        if row[0] != seq:
            return Break(position=seq, reason="an entry is missing")
        previous = _sha256(previous + _encode(row[:-1])).digest()
        if row[-1] != previous:
            return Break(position=seq, reason="an entry does not match its hash")
        if kept and kept.get(seq, previous) != previous:
            return Break(
                position=seq, reason="the trail up to here is not the one whose head was kept"
            )
    return None


def missing_end(chain: Chain, kept: Mapping[int, bytes]) -> Break | None:
    """Whether a trail that ends in `chain` lacks what a head kept elsewhere stands for."""
    if kept and max(kept) > chain[0]:
        return Break(
            position=chain[0] + 1,
            reason=f"the end is cut off: the head kept elsewhere is entry {max(kept)}",
        )
    return None


def _entry(row: RowMapping) -> tuple[int, AuditEntry]:
    values = dict(row)
    seq = values.pop("seq")
    values["at"] = instant(values["at"])
    return seq, AuditEntry(**values)


def matches(wanted: AuditFilter, seq: int, entry: AuditEntry) -> bool:
    """What `read_audit` filters in SQL but for profiles, for a store that has none."""
    return (
        (wanted.after == 0 or (seq < wanted.after if wanted.newest_first else seq > wanted.after))
        and wanted.record_id in (None, entry.record_id)
        and wanted.user_id in (None, entry.user_id)
        and wanted.action in (None, entry.action)
        and wanted.outcome in (None, entry.outcome)
        and (wanted.attests or wanted.action is not None or entry.action != ATTEST)
        and (wanted.since is None or entry.at >= wanted.since)
        and (wanted.until is None or entry.at < wanted.until)
    )


async def read_audit(
    connection: AsyncConnection, wanted: AuditFilter
) -> Sequence[tuple[int, AuditEntry]]:
    """One page of the entries that match everything given, by seq."""
    query = select(*(audit.c[name] for name in COLUMNS[:-1]))
    for column, value in (
        (audit.c.record_id, wanted.record_id),
        (audit.c.user_id, wanted.user_id),
        (audit.c.action, wanted.action),
        (audit.c.outcome, wanted.outcome),
    ):
        if value is not None:
            query = query.where(column == value)
    if not wanted.attests and wanted.action is None:
        query = query.where(audit.c.action != ATTEST)
    if wanted.record_id:  # said again so that SQLite may use the partial index
        query = query.where(audit.c.record_id != "")
    if wanted.since is not None:
        query = query.where(audit.c.at >= micros(wanted.since))
    if wanted.until is not None:
        query = query.where(audit.c.at < micros(wanted.until))
    if wanted.profiles is not None:
        of_profile = select(records.c.id).where(
            records.c.id == audit.c.record_id, records.c.profile.in_(sorted(wanted.profiles))
        )
        gone = select(pruned.c.record_id).where(
            pruned.c.record_id == audit.c.record_id, pruned.c.profile.in_(sorted(wanted.profiles))
        )
        query = query.where(or_(exists(of_profile), exists(gone)))
    if wanted.after:
        later = audit.c.seq < wanted.after if wanted.newest_first else audit.c.seq > wanted.after
        query = query.where(later)
    order = audit.c.seq.desc() if wanted.newest_first else audit.c.seq
    found = await connection.execute(query.order_by(order).limit(wanted.limit))
    return [_entry(row) for row in found.mappings()]


_HEAD = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)


async def read_head(connection: AsyncConnection) -> Chain:
    """The newest entry's seq and hash; FIRST before there is one."""
    found = (await connection.execute(_HEAD)).first()
    return FIRST if found is None else (found[0], found[1])


async def read_hashes(connection: AsyncConnection, seqs: Sequence[int]) -> dict[int, bytes]:
    """The hashes of these entries, by seq."""
    found = await connection.execute(select(audit.c.seq, audit.c.hash).where(audit.c.seq.in_(seqs)))
    return {seq: digest for seq, digest in found}
