"""How the whole suite shares a machine: several workers, files in memory, the slow ones first.

`make test` starts the workers (`pytest -n auto`); with ARGS, or by plain `pytest`, one process runs
everything in turn. Nothing here decides what is tested.
"""

import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
IN_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4 * 2**30
"""Of free memory for temporary files: a whole run has needed less than one GiB at a time."""
SLOWEST_FIRST = ("benchmarks", "web", "interop", "examples")
"""Folders whose files take minutes and mostly wait; what only computes fills the gaps after."""


# A busy machine is no failure; work is bounded by counting it.
settings.register_profile("fieldchart", deadline=None)
settings.load_profile("fieldchart")


def pytest_configure(config: pytest.Config) -> None:
    """What processes that tests start find: compiled modules, and room for files in memory."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Each of them would compile all that it imports: that takes four seconds, not one.
        sys.dont_write_bytecode = False
        sys.pycache_prefix = str(Path(tempfile.gettempdir(), "fieldchart-test-pycache"))
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    # No test cuts the power: a disk that syncs only holds everything up.
    if "TMPDIR" not in os.environ and os.access(IN_MEMORY, os.W_OK):
        if shutil.disk_usage(IN_MEMORY).free >= ENOUGH_BYTES:
            os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: somebody always waits for a socket or a timer."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For several workers: files that take minutes first, small ones last. One runs as listed."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    sizes = Counter(item.path for item in items)
    ranks = {HERE / name: rank for rank, name in enumerate(SLOWEST_FIRST)}
    items.sort(
        key=lambda item: (ranks.get(item.path.parent, len(ranks)), -sizes[item.path], item.path)
    )


class ByFile(LoadScopeScheduling):
    """Hands out whole files, whose tests share servers and browsers, in the order of the items."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    config.option.loadscopereorder = False
    return ByFile(config, log)
