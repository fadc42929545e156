"""The `fieldchart` command. Heavy imports happen inside the commands, so that `--help` is quick."""

from pathlib import Path
from typing import Annotated, Any

import typer

from server.commands.errors import CommandError, OneLineGroup
from server.commands.options import Data, settings_for
from server.commands.records import backup, compact, history, inspect, restore, verify
from server.commands.retention import prune
from server.commands.trail import audit
from server.commands.users import users

__all__ = ["app"]

app = typer.Typer(
    name="fieldchart",
    cls=OneLineGroup,
    help="An offline-first sync server for patient records.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(users, name="user")
profiles = typer.Typer(help="Profiles: what a kind of record is.", no_args_is_help=True)
app.add_typer(profiles, name="profile")
for command in (inspect, history, verify, audit, prune, compact, backup, restore):
    app.command()(command)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    data: Data = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make demo accounts and records; loopback only.")
    ] = False,
    profile: Annotated[
        list[str] | None, typer.Option(help="Profile to serve, by name or file; repeatable.")
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Private key, PEM.")] = None,
) -> None:
    """Run the server; prints `listening on URL` when it is ready."""
    from server.serving import serve_forever

    settings = settings_for(
        data,
        host=host,
        port=port,
        profiles=tuple(profile) if profile else None,
        tls_cert=tls_cert,
        tls_key=tls_key,
    )
    serve_forever(settings, demo=demo)


@app.command()
def settings(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False, data: Data = None
) -> None:
    """Every setting with its meaning, unit, default and current value."""
    import json

    from rich.console import Console
    from rich.table import Table

    from server.settings_sources import describe

    rows = describe(settings_for(data))
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=2))
        return
    table = Table("variable", "value", "default", "unit", "meaning", show_lines=False)
    for row in rows:
        changed = "bold" if row.value != row.default else ""
        table.add_row(
            row.variable,
            _shown(row.value),
            _shown(row.default),
            row.unit,
            row.meaning,
            style=changed,
        )
    _plain_width(Console()).print(table)


@app.command()
def openapi() -> None:
    """Print the OpenAPI description of the HTTP calls."""
    import msgspec

    from server.application import api_endpoints
    from server.rest.openapi import describe_endpoints

    document = msgspec.json.encode(describe_endpoints(api_endpoints()))
    typer.echo(msgspec.json.format(document, indent=2).decode())


@profiles.command("check")
def check_profile(
    file: Annotated[Path, typer.Argument(help="A profile's TOML file, or a shipped name.")],
) -> None:
    """Check a profile and its catalogues; every mistake is printed with its line.

    Words that a catalogue lacks are named, and said in the profile's own language meanwhile.
    """
    from permissions.errors import ProfileError
    from permissions.profile import catalogues_of, load_profile, shipped_profiles

    path = shipped_profiles().get(str(file), file)
    try:
        profile = load_profile(path)
    except ProfileError as error:
        for line, reason in error.problems:
            typer.echo(f"{path.parent / error.file}:{line}: {reason}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    files = catalogues_of(path)
    for language, words in profile.words.items():
        for name in words.missing:
            typer.echo(f"{files[language]}: missing: {name}", err=True)
    typer.echo(
        f"{path}: ok: {profile.name}, {len(profile.roles)} roles, {len(profile.sections)} sections,"
        f" {len(profile.fields)} fields, {len(profile.steps)} steps,"
        f" languages {', '.join([profile.language, *profile.words])}"
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)


def _plain_width(console: Any) -> Any:
    """A pipe has no width; do not fold names that scripts look for."""
    if not console.is_terminal:
        console.width = 200
    return console
