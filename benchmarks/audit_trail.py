"""How long walking the audit trail takes: `python -m benchmarks.audit_trail [ENTRIES]`.

Fills a database with entries as edits leave them, then times `verify_audit` and both exports.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from server.audit.export import export_lines
from storage import SqliteStore
from storage.ports import AuditFilter
from sync.effects import AuditEntry

__all__ = ["main"]

GROUP = 1000


def entries(start: int, count: int) -> list[AuditEntry]:
    """Entries of twenty people on two hundred records."""
    at = datetime.now(UTC)
    return [
        AuditEntry(
            at=at, action="update", outcome="success", device="tablet", address="192.0.2.7",
            user_id=f"01ARZ3NDEKTSV4RRFFQ69G5F{n % 20:02}",
            login_id=f"01ARZ3NDEKTSV4RRFFQ69G6F{n % 20:02}",
            record_id=f"01ARZ3NDEKTSV4RRFFQ69G7{n % 200:03}", version=n // 200 + 1,
            detail="role=nurse",
        )
        for n in range(start, start + count)
    ]  # fmt: skip


async def measure(path: Path, count: int) -> None:
    """Print seconds of each walk."""
    store = await SqliteStore.open(path)
    begun = time.perf_counter()
    for start in range(0, count, GROUP):
        await store.append_audit(entries(start, GROUP))
    report("written", count, begun)
    begun = time.perf_counter()
    assert await store.verify_audit() is None
    report("verified", count, begun)
    for form in ("jsonl", "fhir"):
        begun = time.perf_counter()
        size = 0
        async for lines in export_lines(store, AuditFilter(), form, "fieldchart"):
            size += len(lines)
        report(f"exported as {form} ({size / 1e6:.0f} MB)", count, begun)
    await store.close()


def report(what: str, count: int, begun: float) -> None:
    took = time.perf_counter() - begun
    sys.stdout.write(
        f"{what}: {count} entries in {took:.2f} s, a million in {took / count * 1e6:.0f} s\n"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "audit.sqlite3", count))


if __name__ == "__main__":
    main()
