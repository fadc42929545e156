"""What `fieldchart history` and `inspect --version` show: who changed what, and how it stood."""

from datetime import UTC, datetime

import msgspec
from rich.table import Table

from permissions.policy import Policy
from server.commands.errors import CommandError
from server.commands.inspection import (
    cell,
    console,
    escaped,
    policy_for,
    read_whole,
    resolve,
    write_line,
)
from server.past import charts_at
from server.people import instant
from server.profiles import load_policies
from server.settings import Settings
from storage import RecordHead, SqliteStore, User
from storage.changes import newest_of_each
from storage.loading import WholeRecord
from sync.effects import Change, UpdateRow
from sync.place import RECORD_ROOT
from sync.replay import changes_in
from sync.view import Chart

__all__ = ["print_history", "read_history", "read_past"]


async def read_history(
    store: SqliteStore, settings: Settings, address: str, field: str | None
) -> tuple[WholeRecord, list[Change], dict[str, User]]:
    """The record, its changes (of one field or section), oldest first, and the people.

    Where they were not derived from the log yet, they are now, in memory.
    Raises CommandError, CorruptLog.
    """
    whole = await read_whole(store, address)
    changes = whole.changes
    if whole.history_due:
        policy = policy_for(whole.head, load_policies(settings.profiles))
        changes = newest_of_each(changes_in(whole.head.id, whole.head.epoch, policy, whole.rows))
    if field is not None:
        changes = [change for change in changes if field in (change.name, change.field)]
        if not changes:
            _require_field(policy_for(whole.head, load_policies(settings.profiles)), field)
    users = {user.id: user for user in await store.directory.users()}
    return whole, changes, users


def _require_field(policy: Policy, name: str) -> None:
    """Raises CommandError for what no change can be of."""
    root, _, key = name.partition(".")
    known = policy.profile.fields
    if name not in known and not (key and (root in known or root == RECORD_ROOT)):
        raise CommandError(f"its profile has no field {name!r}")


async def read_past(
    store: SqliteStore, settings: Settings, address: str, version: int | None, at: str | None
) -> tuple[Chart, RecordHead]:
    """What the record showed at a version, or at an instant (UTC). Raises CommandError."""
    record_id = await resolve(store, address)
    if version is None:
        version = await store.records.version_at(record_id, _instant(at or ""))
    stored = await store.records.past(record_id, version)
    if not 1 <= version <= stored.head.version:
        raise CommandError(f"the record had no such version; it stands at {stored.head.version}")
    policy = policy_for(stored.head, load_policies(settings.profiles))
    (chart,) = await charts_at(store.records, policy, record_id, [version], None)
    return chart, stored.head


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(f"{text!r} is not an instant in ISO 8601") from None


def print_history(
    whole: WholeRecord, changes: list[Change], users: dict[str, User], *, as_json: bool
) -> None:
    """Print the changes, oldest first: as the JSON that the API gives, or as a table."""
    rows = {row.version: row for row in whole.rows}
    if as_json:
        shown = [_as_json(change, rows.get(change.version), users) for change in changes]
        write_line(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
        return
    table = Table("version", "at", "who", "address", "field", "from", "to", "", show_lines=False)
    for change in changes:
        user = users.get(change.author)
        who = user.username if user else change.author
        row = rows.get(change.version)
        role = f" ({change.role})" if change.role else ""
        table.add_row(
            _versions(change), instant(change.at), escaped(who + role),
            escaped(row.address if row else ""),
            escaped(change.name), escaped(_value(change.old)), escaped(_value(change.new)),
            escaped(f"{change.kind}: {change.reason}" if change.reason else change.kind),
        )  # fmt: skip
    console().print(table)


def _versions(change: Change) -> str:
    grown = change.last_version != change.version
    return f"{change.version}-{change.last_version}" if grown else str(change.version)


def _value(text: str) -> str:
    value = msgspec.json.decode(text)
    return "" if value is None else cell(value)


def _as_json(change: Change, row: UpdateRow | None, users: dict[str, User]) -> dict[str, object]:
    user = users.get(change.author)
    return {
        "id": f"{change.version}.{change.ordinal}",
        "version": change.version,
        "last_version": change.last_version,
        "at": change.at,
        "written_at": change.written_at,
        "author": {
            "id": change.author, "username": user.username if user else "",
            "name": user.name if user else "", "role": change.role,
        },
        "role": change.role,
        "device": row.device if row else "",
        "address": row.address if row else "",
        "field": change.name,
        "kind": change.kind,
        "old": msgspec.Raw(change.old.encode()),
        "new": msgspec.Raw(change.new.encode()),
        "offset": change.offset if change.kind == "text" else None,
        "reason": change.reason,
    }  # fmt: skip
