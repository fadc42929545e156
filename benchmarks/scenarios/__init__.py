"""The scenarios by name. Each takes a Scale and a scratch folder and gives Results."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.results import Result, Scale, table
from benchmarks.scenarios import (
    cold_open,
    core,
    events,
    history,
    idle,
    live,
    presence,
    returning,
    saturation,
)

__all__ = ["SCENARIOS", "print_figures"]

SCENARIOS: Mapping[str, Callable[[Scale, Path], Sequence[Result]]] = {
    "core": core.measure,
    "live": live.measure,
    "saturation": saturation.measure,
    "cold_open": cold_open.measure,
    "history": history.measure,
    "returning": returning.measure,
    "idle": idle.measure,
    "presence": presence.measure,
    "events": events.measure,
}


def print_figures(name: str, scale: Scale) -> None:
    """Run one scenario in a scratch folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="fieldchart-benchmark-") as folder:
        print(table(SCENARIOS[name](scale, Path(folder))), flush=True)
