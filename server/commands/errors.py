"""Turns whatever ends a command into one clear line on stderr and an exit code; no traceback."""

from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["CommandError", "OneLineGroup"]


class CommandError(Exception):
    """A command cannot do what was asked; the message is the line to print."""


class OneLineGroup(TyperGroup):
    """The top-level command. Exit codes: 1 it could not be done, 70 a mistake of ours."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; print one line for an error and exit."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            raise typer.Exit(1) from None
        except Exception as error:
            if type(error).__module__.startswith(("click", "typer")):
                raise
            line, code = _line_of(error)
            typer.echo(f"fieldchart: {line}", err=True)
            raise typer.Exit(code) from None


def _line_of(error: Exception) -> tuple[str, int]:
    from permissions.errors import ProfileError
    from server.logs import place_of
    from server.profiles import ProfileUnusable
    from server.settings_sources import SettingsError
    from storage.errors import StorageError
    from sync.errors import CorruptLog

    match error:
        case ProfileError():
            more = len(error.problems) - 1
            rest = f" (and {more} more; see `fieldchart profile check`)" if more else ""
            return f"{error.file}:{error.line}: {error.reason}{rest}", 1
        case CommandError() | SettingsError() | ProfileUnusable() | StorageError() | CorruptLog():
            return " ".join(str(error).split()), 1
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or type(error).__name__}", 1
        case _:
            return f"unexpected {type(error).__name__} at {place_of(error)}; please report it", 70
