"""`python -m benchmarks [name …] [--quick]`: run scenarios and print their figures."""

import argparse
import multiprocessing
from datetime import UTC, datetime

from benchmarks.machine import alone, describe
from benchmarks.results import FULL, QUICK, TINY, Scale
from benchmarks.scenarios import SCENARIOS, print_figures

__all__ = ["main"]


def main() -> None:
    """Run the named scenarios, or all; each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(SCENARIOS), metavar="name")
    parser.add_argument("--quick", action="store_true", help="one short round: a look, no figure")
    parser.add_argument("--tiny", action="store_true", help="in miniature, to see that it runs")
    chosen = parser.parse_args()
    for name in chosen.names:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {describe()}", flush=True)
    scale = TINY if chosen.tiny else QUICK if chosen.quick else FULL
    with alone(tiny=chosen.tiny):
        failed = [name for name in chosen.names or SCENARIOS if not _succeeds(name, scale)]
    raise SystemExit(f"failed: {', '.join(failed)}" if failed else 0)


def _succeeds(name: str, scale: Scale) -> bool:
    """Run one scenario in a process of its own, because it moves itself to one core."""
    process = multiprocessing.get_context("spawn").Process(target=print_figures, args=(name, scale))
    process.start()
    process.join()
    return process.exitcode == 0


if __name__ == "__main__":
    main()
