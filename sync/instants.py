"""Instants as the contract writes them (section 4)."""

from datetime import datetime

__all__ = ["instant"]


def instant(at: datetime) -> str:
    """`at`, which is aware UTC, as 2026-01-31T07:00:00.000Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
