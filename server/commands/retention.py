"""`fieldchart prune`: removes records whose retention is over. Nothing else ever removes any."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.errors import CommandError
from server.commands.options import Data, command_entry, now, with_store

if TYPE_CHECKING:
    from server.settings import Settings
    from storage import SqliteStore

__all__ = ["prune"]


def prune(
    older_than: Annotated[
        int | None,
        typer.Option(help="Days since the last update; `retention_days` without it.", min=1),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    data: Data = None,
) -> None:
    """Remove completed and cancelled records that are past their age, for good.

    Records with open refusals or conflicts stay. The audit trail stays, and so do ids and numbers.
    The server must not be running: it holds records in memory.
    """

    async def run(store: "SqliteStore", settings: "Settings") -> None:
        days = _days(older_than, settings.retention_days)
        found = await store.prunable(now() - timedelta(days=days))
        for record in found:
            last = record.last_at.date().isoformat()
            if not dry_run:
                detail = f"days={days} head={record.hash.hex()}"
                entry = command_entry("prune", detail, record.id, record.version)
                await store.prune(record, entry, entry.login_id)
            verb = "would remove" if dry_run else "removed"
            typer.echo(f"{verb} {record.number or record.id} ({record.id}), last update {last}")
        typer.echo(f"{'would remove' if dry_run else 'removed'} {len(found)} records")

    with_store(data, run, read_only=dry_run, alone=not dry_run)


def _days(older_than: int | None, kept_days: int) -> int:
    """The age to prune at. Raises CommandError unless somebody has named one."""
    if older_than is None and not kept_days:
        raise CommandError("nothing is removed: name an age with --older-than DAYS")
    if older_than is not None and older_than < kept_days:
        raise CommandError(f"records are kept for {kept_days} days (retention_days)")
    return older_than or kept_days
