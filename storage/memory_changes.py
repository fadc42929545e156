"""A record's history for the store in memory: filtered and paged like the one on disk."""

from collections.abc import Iterable, Sequence

from storage.ports import ChangeFilter, StoredChange
from sync.effects import Change, UpdateRow

__all__ = ["page_of"]


def page_of(
    told: Iterable[Change], rows: Sequence[UpdateRow], wanted: ChangeFilter
) -> list[StoredChange]:
    """One page of the changes, each with what its row says of device and address."""
    found = sorted(
        (change for change in told if _is_wanted(change, wanted)),
        key=_key,
        reverse=wanted.newest_first,
    )
    return [_stored(change, rows[change.version - 1]) for change in found[: wanted.limit]]


def _key(change: Change) -> tuple[int, int]:
    return change.version, change.ordinal


def _is_wanted(change: Change, wanted: ChangeFilter) -> bool:
    after = wanted.after
    return (
        wanted.field in (None, change.field)
        and wanted.entry in (None, change.entry)
        and wanted.author in (None, change.author)
        and wanted.role in (None, change.role)
        and change.field not in wanted.hidden
        and (wanted.since is None or change.last_at >= wanted.since)
        and (wanted.until is None or change.at <= wanted.until)
        and (
            after is None or (_key(change) < after if wanted.newest_first else _key(change) > after)
        )
    )


def _stored(change: Change, row: UpdateRow) -> StoredChange:
    return StoredChange(
        change=change, login_id=row.login_id, device=row.device, address=row.address
    )
