"""How each peer is started, with the durable store it comes with."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.servers import Target

__all__ = ["HERE", "PEERS", "are_installed"]

HERE = Path(__file__).parent

Make = Callable[[Path, int], Target]


def are_installed() -> bool:
    """Whether `npm ci` was run here."""
    return (HERE / "node_modules" / "yjs").exists()


def _relay(data: Path, port: int) -> Target:
    return Target(
        name="relay",
        command=[sys.executable, "-m", "benchmarks.peers.relay", str(port)],
        port=port,
        ready="ready",
        path=lambda record: f"/{record}",
    )


def _pycrdt(data: Path, port: int) -> Target:
    file = str(data / "pycrdt.sqlite3")
    return Target(
        name="pycrdt-websocket",
        command=[sys.executable, "-m", "benchmarks.peers.pycrdt_server", str(port), file],
        port=port,
        ready="ready",
        path=lambda record: f"/{record}",
    )


def _y_websocket(data: Path, port: int) -> Target:
    return Target(
        name="y-websocket",
        command=["node", "y_websocket.mjs", str(port), str(data / "leveldb")],
        port=port,
        ready="running at",
        path=lambda record: f"/{record}",
        folder=HERE,
    )


def _hocuspocus(generation: str) -> Make:
    def make(data: Path, port: int) -> Target:
        file = str(data / f"hocuspocus{generation}.sqlite3")
        return Target(
            name=f"hocuspocus-{generation}",
            command=["node", "hocuspocus.mjs", generation, str(port), file],
            port=port,
            ready="ready",
            path=lambda record: f"/{record}",
            dialect="hocuspocus",
            folder=HERE,
        )

    return make


PEERS: Mapping[str, Make] = {
    "relay": _relay,
    "pycrdt-websocket": _pycrdt,
    "y-websocket": _y_websocket,
    "hocuspocus-3": _hocuspocus("3"),
    "hocuspocus-4": _hocuspocus("4"),
}
