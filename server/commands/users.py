"""`fieldchart user`: accounts, beside a running server or without one."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.errors import CommandError
from server.commands.options import Data, audit_command, now, with_store

if TYPE_CHECKING:
    from server.settings import Settings
    from storage import SqliteStore, User

__all__ = ["users"]

SHORT_PASSWORD_CHARACTERS = 8
MAX_NAME_CHARACTERS = 64

users = typer.Typer(help="Accounts and their roles.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user name.")]
Roles = Annotated[list[str], typer.Option("--role", help="A role; repeatable.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@users.command("add")
def add_user(
    name: Name,
    role: Roles,
    full_name: Annotated[str, typer.Option("--full-name", help="As colleagues see it.")] = "",
    password_stdin: FromStdin = False,
    data: Data = None,
) -> None:
    """Make an account."""
    password = _password(password_stdin)

    async def run(store: "SqliteStore", settings: "Settings") -> str:
        from ulid import ULID

        from server.accounts.passwords import Passwords
        from storage import User

        _check_name(name)
        _check_roles(role, settings)
        user = User(
            id=str(ULID()),
            username=name,
            name=full_name or name,
            roles=frozenset(role),
            password_hash=Passwords(settings).hash(password),
            disabled=False,
            created_at=now(),
        )
        await store.directory.add_user(user)
        await audit_command(store, "user_added", f"user={user.id} roles={','.join(sorted(role))}")
        return user.id

    user_id = with_store(data, run, create=True)
    typer.echo(f"added {name} ({user_id}) with {', '.join(sorted(role))}")


@users.command("list")
def list_users(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False, data: Data = None
) -> None:
    """List the accounts."""
    import json

    from rich.console import Console
    from rich.table import Table

    async def run(store: "SqliteStore", settings: "Settings") -> "list[User]":
        return sorted(await store.directory.users(), key=lambda user: user.username)

    found = with_store(data, run, read_only=True)
    if as_json:
        rows = [
            {
                "id": user.id,
                "username": user.username,
                "name": user.name,
                "roles": sorted(user.roles),
                "disabled": user.disabled,
                "created_at": user.created_at.isoformat(),
            }
            for user in found
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table("user name", "name", "roles", "state", "id")
    for user in found:
        state = "disabled" if user.disabled else "active"
        table.add_row(user.username, user.name, ", ".join(sorted(user.roles)), state, user.id)
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table)


@users.command("disable")
def disable_user(name: Name, data: Data = None) -> None:
    """Close an account and sign out all its devices, within two seconds on a running server."""

    async def run(store: "SqliteStore", settings: "Settings") -> None:
        import msgspec

        user = await _user(store, name)
        await store.directory.update_user(msgspec.structs.replace(user, disabled=True), now())
        await _sign_out_everywhere(store, user)
        await audit_command(store, "user_disabled", f"user={user.id}")

    with_store(data, run)
    typer.echo(f"disabled {name}")


@users.command("roles")
def change_roles(name: Name, role: Roles, data: Data = None) -> None:
    """Give an account exactly these roles; its live connections are cut and come back with them."""

    async def run(store: "SqliteStore", settings: "Settings") -> None:
        import msgspec

        _check_roles(role, settings)
        user = await _user(store, name)
        await store.directory.update_user(
            msgspec.structs.replace(user, roles=frozenset(role)), now()
        )
        await audit_command(
            store, "roles_changed", f"user={user.id} roles={','.join(sorted(role))}"
        )

    with_store(data, run)
    typer.echo(f"{name} has {', '.join(sorted(role))}")


@users.command("password")
def change_password(name: Name, password_stdin: FromStdin = False, data: Data = None) -> None:
    """Set a new password and sign out all devices of the account."""
    password = _password(password_stdin)

    async def run(store: "SqliteStore", settings: "Settings") -> None:
        import msgspec

        from server.accounts.passwords import Passwords

        user = await _user(store, name)
        hashed = Passwords(settings).hash(password)
        await store.directory.update_user(
            msgspec.structs.replace(user, password_hash=hashed), now()
        )
        await _sign_out_everywhere(store, user)
        await audit_command(store, "password_changed", f"user={user.id}")

    with_store(data, run)
    typer.echo(f"changed the password of {name}")


async def _user(store: "SqliteStore", name: str) -> "User":
    from storage import UserNotFound

    try:
        return await store.directory.user_by_username(name)
    except UserNotFound:
        raise CommandError(f"there is no user {name!r}") from None


async def _sign_out_everywhere(store: "SqliteStore", user: "User") -> None:
    for login in await store.directory.logins(user.id):
        if login.ending != "revoked":
            await store.directory.end_login(login.id, now(), "revoked")


def _password(from_stdin: bool) -> str:
    from server.accounts.passwords import MAX_PASSWORD_CHARACTERS

    if from_stdin:
        password = sys.stdin.read(MAX_PASSWORD_CHARACTERS + 2).rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not password:
        raise CommandError("the password is empty")
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise CommandError(f"the password is longer than {MAX_PASSWORD_CHARACTERS} characters")
    if len(password) < SHORT_PASSWORD_CHARACTERS:
        typer.echo(
            f"warning: shorter than {SHORT_PASSWORD_CHARACTERS} characters; choose a longer one"
            " before patients depend on it",
            err=True,
        )
    return password


def _check_name(name: str) -> None:
    printable = name.isprintable() and not any(letter.isspace() for letter in name)
    if not name or len(name) > MAX_NAME_CHARACTERS or not printable:
        raise CommandError(
            f"a user name is 1 to {MAX_NAME_CHARACTERS} printable characters without spaces"
        )


def _check_roles(roles: list[str], settings: "Settings") -> None:
    from server.profiles import load_policies

    policies = load_policies(settings.profiles)
    known = {"admin", *(role for policy in policies.values() for role in policy.profile.roles)}
    for role in roles:
        if role not in known:
            raise CommandError(
                f"no profile has a role {role!r}; there are {', '.join(sorted(known))}"
            )
