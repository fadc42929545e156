"""`fieldchart audit`: the audit trail from the command line."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.errors import CommandError
from server.commands.options import Data, audit_command, with_store

if TYPE_CHECKING:
    from server.settings import Settings
    from storage import SqliteStore
    from storage.ports import AuditFilter

__all__ = ["audit"]


def audit(
    record: Annotated[str | None, typer.Option(help="Of this record, by id or number.")] = None,
    user: Annotated[str | None, typer.Option(help="Of this person, by id or user name.")] = None,
    action: Annotated[str | None, typer.Option(help="Of this action.")] = None,
    outcome: Annotated[str | None, typer.Option(help="success, denied or failure.")] = None,
    since: Annotated[str | None, typer.Option(help="From this instant on, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant, ISO 8601.")] = None,
    format: Annotated[str, typer.Option(help="jsonl, or fhir: AuditEvent, R4.")] = "jsonl",
    data: Data = None,
) -> None:
    """Export the audit trail to standard output, a line per entry; the export is audited."""
    from server.audit.export import FORMATS, described, export_lines

    if format not in FORMATS:
        raise CommandError(f"--format {format!r}: there are {' and '.join(FORMATS)}")
    asked = {
        "record": record, "user": user, "action": action, "outcome": outcome, "since": since,
        "until": until,
    }  # fmt: skip

    async def run(store: "SqliteStore", settings: "Settings") -> None:
        wanted = await _filter(store, asked)
        await audit_command(
            store, "audit_export", described(wanted, format), wanted.record_id or ""
        )
        out = typer.get_binary_stream("stdout")
        async for lines in export_lines(store, wanted, format, settings.audit_source):
            out.write(lines)

    with_store(data, run)


async def _filter(store: "SqliteStore", asked: Mapping[str, str | None]) -> "AuditFilter":
    """What the options ask for. Raises CommandError that names the option."""
    import msgspec

    from server.audit.selection import AuditSelection, filter_of
    from server.errors import InvalidRequest
    from server.problems import violation_of_decoding

    given = {name: value for name, value in asked.items() if value is not None}
    try:
        return await filter_of(store, msgspec.convert(given, AuditSelection, strict=False), None)
    except InvalidRequest as error:
        violation = error.violations[0]
    except msgspec.ValidationError as error:
        violation = violation_of_decoding(error)
    raise CommandError(f"--{violation.field}: {violation.reason}")
