"""Counts the lines of Python that a call runs: work without a clock."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import native


def lines_run(call: Callable[[], object]) -> int:
    """How many source lines `call` executes, exceptions included.

    Compiled code has none: then the test is skipped, and `tests/native` runs it on the sources.
    """
    if native.is_compiled():
        pytest.skip("counts lines of the sources")
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Exception:
        pass
    finally:
        sys.settrace(previous)
    return count
