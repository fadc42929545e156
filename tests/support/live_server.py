"""A real `fieldchart serve --demo` in a process of its own, on a free loopback port."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.support.patience import PATIENCE_S

__all__ = ["LiveServer", "run_fieldchart"]

READY_S = 2 * PATIENCE_S
STOP_S = PATIENCE_S

OTHER_BUNDLE = """
import pathlib, sys
import server.web_app
server.web_app.STATIC = pathlib.Path(sys.argv.pop(1))
from fieldchart.__main__ import main
main()
"""
"""`fieldchart` with the web app of another folder, which no setting offers: a wheel has one."""


def _environment() -> dict[str, str]:
    """Ours, without settings that are not the test's."""
    return {key: value for key, value in os.environ.items() if not key.startswith("FIELDCHART_")}


def run_fieldchart(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a `fieldchart` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "fieldchart", *arguments],
        input=stdin, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False,
        env=_environment(),
    )  # fmt: skip


class LiveServer:
    """Started at once; `kill` and `start` again keep the data and the port.

    bundle: the web app that the next start serves; None: the one of this checkout.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.port = 0
        self.bundle: Path | None = None
        self._log = folder / "server.log"
        self._environment = {
            **_environment(),
            "FIELDCHART_ARGON2_MEMORY_KIB": "8192",
            "FIELDCHART_ARGON2_TIME_COST": "1",
            **(environment or {}),
        }
        self._process: subprocess.Popen[str] | None = None
        self._tokens: dict[str, str] = {}
        self.start()

    # -- its process -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it says that it listens."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._program(), "serve", "--demo",
                 "--data", str(self.data), "--port", str(self.port)],
                stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment,
            )  # fmt: skip
        line = self._first_line(self._process)
        if not line.startswith("listening on http://127.0.0.1:"):
            self.kill()
            raise AssertionError(f"the server did not start: {line!r}\n{self.log()}")
        self.port = int(line.rsplit(":", 1)[1])

    def _program(self) -> Sequence[str]:
        if self.bundle is None:
            return ("-m", "fieldchart")
        return ("-c", OTHER_BUNDLE, str(self.bundle))

    def _first_line(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], READY_S)
        return process.stdout.readline().strip() if readable else ""

    def terminate(self) -> int:
        """SIGTERM, and the exit code once it has drained."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL: what a power cut does, as far as the process goes."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(STOP_S)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def verify(self) -> "subprocess.CompletedProcess[str]":
        """`fieldchart verify` on its data."""
        return run_fieldchart("verify", "--data", str(self.data))

    # -- its HTTP API ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, user: str, **arguments: Any) -> httpx.Response:
        """A call as `user`, unless its headers sign somebody in."""
        headers = dict(arguments.pop("headers", {}))
        if "authorization" not in headers:
            headers["authorization"] = f"Bearer {self.token(user)}"
        return httpx.request(
            method, self.url + path, headers=headers, timeout=PATIENCE_S, **arguments
        )

    def log_in(self, user: str, password: str = "demo") -> dict[str, Any]:
        """A fresh log-in: `{token, expires_at, user}`."""
        answer = httpx.post(
            f"{self.url}/api/login",
            json={"username": user, "password": password},
            timeout=PATIENCE_S,
        )
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def token(self, user: str) -> str:
        """A token of `user`, always the same."""
        if user not in self._tokens:
            self._tokens[user] = str(self.log_in(user)["token"])
        return self._tokens[user]

    def new_record(self) -> str:
        """The id of a new outpatient record."""
        body = {"profile": "outpatient", "fields": {"demographics.family_name": "Invented"}}
        answer = self.request("POST", "/api/records", "receptionist", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def record(self, record_id: str) -> dict[str, Any]:
        """The record as the supervisor reads it."""
        answer = self.request("GET", f"/api/records/{record_id}", "supervisor")
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def refusals(self, record_id: str) -> Sequence[dict[str, Any]]:
        """What was refused on the record."""
        answer = self.request("GET", f"/api/records/{record_id}/refusals", "supervisor")
        answer.raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
        return items
