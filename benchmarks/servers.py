"""A server process under measurement: on a core of its own, CPU and memory read from /proc."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import cores, pin

__all__ = ["Running", "ServerFailed", "Target", "fieldchart", "free_port"]

READY_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class ServerFailed(Exception):
    """The server did not start, or died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How to start a server and how to speak with it.

    command: prints a line that holds `ready` when it can be reached; `{port}` was filled in.
    path: record id → path of its WebSocket. dialect: `y-websocket` or `hocuspocus`.
    token: for connection n; empty where the server asks for none.
    """

    name: str
    command: Sequence[str]
    port: int
    ready: str
    path: Callable[[str], str]
    dialect: str = "y-websocket"
    token: Callable[[int], str] = lambda n: ""
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def url(self, record: str) -> str:
        return f"ws://127.0.0.1:{self.port}{self.path(record)}"


class Running:
    """A started Target. Use as a context manager."""

    def __init__(self, target: Target) -> None:
        self.target = target
        server_core, _ = cores()
        self._process = subprocess.Popen(
            target.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=target.folder,
            env={**os.environ, **target.environment},
            start_new_session=True,
            preexec_fn=lambda: pin(server_core),
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._wait_until_ready()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let it end; once is enough."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._listener.join()

    def cpu_s(self) -> float:
        """User and system time of the process with all its threads."""
        values = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / _TICKS

    def starved_s(self) -> float:
        """How long its threads were ready and had no core, because others had it."""
        waited = 0
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            try:
                waited += int((task / "schedstat").read_text().split()[1])
            except OSError:  # the thread has ended
                continue
        return waited / 1e9

    def rss_kib(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0

    def descriptors(self) -> int:
        """Open files and sockets."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def tasks(self) -> int:
        """asyncio tasks of a server started by `benchmarks.counted_server`."""
        while not self._lines.empty():
            self._lines.get_nowait()
        self._process.send_signal(signal.SIGUSR1)
        while True:
            line = self._lines.get(timeout=READY_SECONDS)
            if line.startswith("tasks "):
                return int(line.split()[1])
            if not line:
                raise ServerFailed("The server has ended.")

    @property
    def pid(self) -> int:
        return self._process.pid

    def last_lines(self) -> str:
        return "\n".join(self._said[-20:])

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said = [*self._said[-200:], line.rstrip()]
            self._lines.put(line)
        self._process.stdout.close()
        self._lines.put("")

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                line = ""
            if self.target.ready in line and line:
                return
            if not line:
                self._process.kill()
                raise ServerFailed(f"{self.target.name} did not start:\n{self.last_lines()}")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fieldchart(data: Path, tokens: Sequence[str], port: int, **settings: float | str) -> Target:
    """Fieldchart as it is shipped, on a data directory made by `benchmarks.records`."""
    launcher = os.environ.get("BENCHMARKS_LAUNCHER")  # a profiler, or a variant under trial
    command = [sys.executable, *([launcher] if launcher else ["-m", "benchmarks.counted_server"])]
    return Target(
        name="fieldchart",
        command=[*command, "serve", "--data", str(data), "--port", str(port)],
        port=port,
        ready="listening on",
        path=lambda record: f"/sync/{record}",
        token=lambda n: tokens[n % len(tokens)],
        environment={
            "FIELDCHART_LOG_LEVEL": "warning",
            "FIELDCHART_PROFILES": "outpatient",
            **{f"FIELDCHART_{name.upper()}": str(value) for name, value in settings.items()},
        },
    )
