"""The machine that was measured on, and its cores: the server on the first, load on the last."""

import contextlib
import fcntl
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

PRIORITY = -15
BESIDE_OTHERS = "BENCHMARKS_BESIDE_OTHERS"
LOCK = Path(tempfile.gettempdir()) / "fieldchart-benchmarks.lock"

_USABLE = sorted(os.sched_getaffinity(0))  # before anything is pinned

__all__ = ["alone", "cores", "describe", "pin"]


@contextlib.contextmanager
def alone(*, tiny: bool = False) -> Iterator[None]:
    """Wait until no other benchmark runs on this machine: two at once would measure each other.

    tiny: nothing is measured, so that nobody waits, and no core is kept for it.
    """
    if tiny:
        os.environ[BESIDE_OTHERS] = "1"  # for the processes that it starts, too
        yield
        return
    with LOCK.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another benchmark to end", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def cores() -> tuple[int, int]:
    """(core of the server, core of the load); the same one where there is only one."""
    return _USABLE[0], _USABLE[-1]


def pin(core: int) -> None:
    """Keep this process (and what it starts later) on one core, before others if allowed.

    On a shared machine others would make batches larger than the load does, which flatters.
    In miniature nothing is measured: then others go on beside it.
    """
    if BESIDE_OTHERS in os.environ:
        return
    os.sched_setaffinity(0, {core})
    # Linux weighs whole sessions before the processes in them (sched(7), "The autogroup feature").
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(PRIORITY))
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


def describe() -> str:
    """One line: processor, cores, memory, kernel, versions, and how busy it was."""
    load = os.getloadavg()[0]
    parts = (
        f"{_processor()} × {os.cpu_count()}",
        f"{_memory_gib():.1f} GiB",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        *(f"{name} {version(name)}" for name in ("uvicorn", "uvloop", "websockets", "pycrdt")),
        f"load average {load:.1f}",
    )
    return ", ".join(parts)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            return int(line.split()[1]) / 2**20
    return 0.0
