"""`python -m benchmarks.web [name …] [--quick]`: the web app in Chromium, before a real server."""

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import alone, describe
from benchmarks.results import FULL, QUICK, TINY, table
from benchmarks.servers import Running, fieldchart, free_port
from benchmarks.web.browser import CHROMIUM, chromium
from benchmarks.web.clinic import furnish
from benchmarks.web.measures import MEASURES, Stand

__all__ = ["main"]

EDITS = 5000
PATIENTS = 500
BUNDLE = Path(__file__).parents[2] / "server" / "static" / "index.html"


def main() -> None:
    """Run the named measures, or all, each on a server of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(MEASURES), metavar="name")
    parser.add_argument("--quick", action="store_true", help="shorter: a look, no figure")
    parser.add_argument("--tiny", action="store_true", help="in miniature, to see that it runs")
    chosen = parser.parse_args()
    for name in chosen.names:
        if name not in MEASURES:
            parser.error(f"there is no measure {name!r}; there are {', '.join(MEASURES)}")
    if not Path(CHROMIUM).exists() or not BUNDLE.is_file():
        parser.error(f"this needs {CHROMIUM} and the built web app (`make web`)")
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {describe()}", flush=True)
    scale = TINY if chosen.tiny else QUICK if chosen.quick else FULL
    with (
        alone(tiny=chosen.tiny),
        tempfile.TemporaryDirectory(prefix="fieldchart-benchmark-") as folder,
    ):
        for name in chosen.names or MEASURES:
            clinic = furnish(
                Path(folder, name), edits=scale.of(EDITS, 50), patients=scale.of(PATIENTS, 120)
            )
            target = fieldchart(
                clinic.data, [clinic.token], free_port(), profiles=",".join(clinic.profiles)
            )
            with Running(target) as running, chromium() as browser:
                measured = MEASURES[name](Stand(browser, running, clinic, scale))
            print(table(measured), flush=True)


if __name__ == "__main__":
    main()
