"""Structured log lines with identifiers and counts, and nothing else.

Only keys of a closed list leave the process; a key that could carry content is dropped, and so are
the arguments and tracebacks of other libraries' log records. Lines go to stderr.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

__all__ = ["ALLOWED_KEYS", "Log", "configure_logs", "keep_known_keys", "place_of"]

Log = structlog.typing.FilteringBoundLogger

ALLOWED_KEYS = frozenset(
    {
        "address", "attempts", "bytes", "client_id", "close_code", "code", "connection_id",
        "connections", "count", "duration_ms", "entries", "error", "event", "hash", "incident",
        "job", "kind", "level", "login_id", "logger", "method", "place", "port", "profile",
        "record", "records", "rooms", "route", "rule", "seq", "setting", "status", "timestamp",
        "url", "user_id", "version",
    }
)  # fmt: skip
"""What a log line may carry: ids, counts, codes and names from our own closed lists."""

MAX_VALUE_CHARACTERS = 200


def keep_known_keys(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor: drop keys outside ALLOWED_KEYS and count them, shorten long values."""
    kept: dict[str, Any] = {}
    for key, value in line.items():
        if key in ALLOWED_KEYS:
            is_plain = isinstance(value, int | float | bool) or value is None
            kept[key] = value if is_plain else str(value)[:MAX_VALUE_CHARACTERS]
    if len(kept) < len(line):
        kept["dropped_keys"] = len(line) - len(kept)
    return kept


def place_of(error: BaseException) -> str:
    """`module.py:line` of the innermost frame: where it happened, without what was there."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "?"
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}"


def configure_logs(log_format: str, level: str, stream: TextIO | None = None) -> Log:
    """Set up structlog, catch what libraries log through `logging`; the process's log."""
    out = stream or sys.stderr
    renderer = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_known_keys,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    log: Log = structlog.get_logger()
    logging.basicConfig(handlers=[_Forward(log)], level=logging.WARNING, force=True)
    return log


class _Forward(logging.Handler):
    """Passes library records on as their template and the error's kind, never their arguments.

    A message without arguments is no template: whatever it tells is already in it.
    """

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        report = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        report(
            str(record.msg) if record.args else "library message",
            logger=record.name,
            error=type(error).__name__ if error else None,
            place=place_of(error) if error else f"{record.filename}:{record.lineno}",
        )
