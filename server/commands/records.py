"""`fieldchart inspect, history, verify, compact, backup, restore`: the database by command."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.errors import CommandError
from server.commands.options import (
    Data,
    Profiles,
    audit_command,
    audit_reading,
    settings_for,
    with_store,
)

if TYPE_CHECKING:
    from server.settings import Settings
    from storage import SqliteStore

__all__ = ["backup", "compact", "history", "inspect", "restore", "verify"]

Record = Annotated[str, typer.Argument(help="Record id or number.")]
MaybeRecord = Annotated[str | None, typer.Argument(help="Record id or number; all without it.")]


def inspect(
    record: Record,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    structs: Annotated[
        bool, typer.Option("--structs", help="What is inside the document.")
    ] = False,
    version: Annotated[int | None, typer.Option(min=1, help="As it stood at this version.")] = None,
    at: Annotated[
        str | None,
        typer.Option(help="As it stood at this instant (ISO 8601, UTC without a zone)."),
    ] = None,
    profile: Profiles = None,
    data: Data = None,
) -> None:
    """Show a record as people read it, now or as it once stood."""
    from server.commands.inspection import print_chart, print_record, print_structs, read_room
    from server.commands.past import read_past

    if version is not None or at is not None:
        if structs or (version is not None and at is not None):
            raise CommandError("--version, --at and --structs do not go together")
        chart, of = with_store(
            data,
            lambda store, settings: read_past(store, settings, record, version, at),
            read_only=True,
            profiles=profile,
        )
        audit_reading(data, "inspect", of.id, chart.version)
        print_chart(chart, of, as_json=as_json)
        return

    room, head = with_store(
        data,
        lambda store, settings: read_room(store, settings, record),
        read_only=True,
        profiles=profile,
    )
    audit_reading(data, "inspect", head.id, room.version)
    if structs:
        print_structs(room, as_json=as_json)
    else:
        print_record(room, head, as_json=as_json)


def history(
    record: Record,
    field: Annotated[str | None, typer.Option(help="Only this field, section or entry.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    profile: Profiles = None,
    data: Data = None,
) -> None:
    """Show who changed what of a record, from what to what, when and from where; oldest first."""
    from server.commands.past import print_history, read_history

    whole, changes, users = with_store(
        data,
        lambda store, settings: read_history(store, settings, record, field),
        read_only=True,
        profiles=profile,
    )
    audit_reading(data, "history", whole.head.id, whole.head.version)
    print_history(whole, changes, users, as_json=as_json)


def verify(
    record: MaybeRecord = None,
    audit_head: Annotated[
        list[str] | None,
        typer.Option(help="A head of the audit trail that was kept, SEQ:HASH; repeatable."),
    ] = None,
    profile: Profiles = None,
    data: Data = None,
) -> None:
    """Replay logs against snapshots and check the audit chain; exit 1 where something breaks."""
    from server.commands.inspection import verify_all

    kept = dict(_head(text) for text in audit_head or ())
    breaks, count = with_store(
        data,
        lambda store, settings: verify_all(store, settings, record, kept),
        read_only=True,
        profiles=profile,
    )
    for line in breaks:
        typer.echo(line, err=True)
    if breaks:
        raise typer.Exit(1)
    with_audit = " and the audit chain" if kept or not record else ""
    typer.echo(f"ok: {count} records{with_audit}")


def _head(text: str) -> tuple[int, bytes]:
    """A kept head of the audit trail: what the log line and `/metrics` show as seq and hash."""
    seq, _, digest = text.partition(":")
    if not re.fullmatch("[1-9][0-9]{0,17}", seq) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise CommandError(f"--audit-head {text!r}: a head is SEQ:HASH, the hash 64 hex digits")
    return int(seq), bytes.fromhex(digest)


def compact(record: MaybeRecord = None, profile: Profiles = None, data: Data = None) -> None:
    """Store a fresh snapshot of each record, so that it opens without replaying its log."""
    from server.commands.inspection import compact_all

    async def run(store: "SqliteStore", settings: "Settings") -> int:
        count = await compact_all(store, settings, record)
        await audit_command(store, "compact", f"records={count}")
        return count

    count = with_store(data, run, profiles=profile)
    typer.echo(f"compacted {count} records")


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the backup.")], data: Data = None
) -> None:
    """Copy the database as it stands, beside a running server."""

    async def run(store: "SqliteStore", settings: "Settings") -> None:
        await store.backup(file)
        await audit_command(store, "backup")

    with_store(data, run)
    typer.echo(f"backed up to {file}")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")], data: Data = None
) -> None:
    """Put a backup in place of the database; the server must not be running."""
    from storage import restore as restore_database

    if not file.is_file():
        raise CommandError(f"{file}: there is no such backup")
    path = settings_for(data).database
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    restored = restore_database(file, path)
    with_store(
        data, lambda store, settings: audit_command(store, "restore", f"records={restored.records}")
    )
    typer.echo(f"restored {restored.records} records; clients start afresh and keep their edits")
    if not restored.carried and path.with_name(path.name + ".replaced").exists():
        typer.echo(
            "warning: the replaced database could not be read; numbers given out since the backup"
            " may repeat, and log-ins revoked since then are valid again",
            err=True,
        )
