"""What several commands share: `--data`, and opening the store that it names."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from server.commands.errors import CommandError

if TYPE_CHECKING:
    from server.settings import Settings
    from storage import SqliteStore
    from sync.effects import AuditAction, AuditEntry

__all__ = [
    "Data",
    "Profiles",
    "audit_command",
    "audit_reading",
    "command_entry",
    "now",
    "settings_for",
    "with_store",
]

T = TypeVar("T")

Data = Annotated[
    str | None, typer.Option(help="Data directory; FIELDCHART_DATA, or ./fieldchart-data.")
]

Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", help="Profile of the records, by name or file; repeatable."),
]
"""As for `serve`: whoever served a file by its option reads the records with the same one."""


def now() -> datetime:
    """The instant, aware UTC."""
    return datetime.now(UTC)


def settings_for(data: str | None = None, **overrides: Any) -> "Settings":
    """The settings of this command. Raises SettingsError."""
    import os

    from server.settings_sources import load_settings

    return load_settings(os.environ, overrides={"data": data, **overrides})


def with_store(
    data: str | None,
    run: Callable[["SqliteStore", "Settings"], Awaitable[T]],
    *,
    create: bool = False,
    read_only: bool = False,
    alone: bool = False,
    profiles: list[str] | None = None,
) -> T:
    """Run `run` with the store of the data directory open, beside a running server if there is one.

    create: make the database if there is none. alone: no server may be running. profiles: instead
    of those of the settings.
    Raises CommandError, storage.StorageError.
    """
    from storage import SqliteStore

    settings = settings_for(data, profiles=tuple(profiles) if profiles else None)
    path = settings.database
    if not create and not path.exists():
        raise CommandError(f"{path}: there is no database here (see --data)")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def opened() -> T:
        store = await SqliteStore.open(path, read_only=read_only, alone=alone)
        try:
            return await run(store, settings)
        finally:
            await store.close()

    return asyncio.run(opened())


def audit_reading(data: str | None, detail: str, record_id: str, version: int) -> None:
    """Audit that an operator reads a record, before it is shown. Raises storage.StorageError."""
    entry = command_entry("read", detail, record_id, version)
    with_store(data, lambda store, settings: store.append_audit([entry]))


async def audit_command(
    store: "SqliteStore", action: "AuditAction", detail: str = "", record_id: str = ""
) -> None:
    """Audit what an operator did from the command line, by ids."""
    await store.append_audit([command_entry(action, detail, record_id)])


def command_entry(
    action: "AuditAction", detail: str = "", record_id: str = "", version: int = 0
) -> "AuditEntry":
    """What an operator did: the log-in is the number of their account on this machine."""
    import os

    from sync.effects import AuditEntry

    return AuditEntry(
        at=now(), action=action, outcome="success", user_id="", login_id=f"uid:{os.getuid()}",
        device="command", address="", record_id=record_id, version=version, detail=detail,
    )  # fmt: skip
