"""A real server process on loopback: start, sockets that are cut, and leaving without loss."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import websockets

WITHIN_S = 2.0
"""The contract: a revoked or demoted person's sockets are cut within two seconds."""


class Served:
    """A running `fieldchart serve --demo`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, data: Path) -> None:
        self.process, self.url, self.data = process, url, data

    def sign_in(self, username: str) -> str:
        answer = httpx.post(
            f"{self.url}/api/login", json={"username": username, "password": "demo"}
        )
        token: str = answer.json()["token"]
        return token

    def record(self, token: str) -> str:
        headers = {"authorization": f"Bearer {token}"}
        items = httpx.get(f"{self.url}/api/records", headers=headers).json()["items"]
        record_id: str = items[0]["id"]
        return record_id

    def command(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "fieldchart", *arguments, "--data", str(self.data)],
            check=True, capture_output=True,
        )  # fmt: skip


@contextmanager
def served(data: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "fieldchart", "serve", "--demo", "--port", "0", *options]
    with subprocess.Popen(
        [*command, "--data", str(data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), line
            yield Served(process, line.removeprefix("listening on ").strip(), data)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data")) as running:
        yield running


async def close_code_after(server: Served, username: str, *command: str) -> tuple[int, float]:
    """The close code of a live socket after a command by another process, and after how long."""
    token = server.sign_in(username)
    address = f"{server.url.replace('http', 'ws')}/sync/{server.record(token)}"
    async with websockets.connect(address, subprotocols=["yjs", f"bearer.{token}"]) as socket:  # type: ignore[list-item]
        await socket.recv()
        await asyncio.to_thread(server.command, *command)
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(10):
            await socket.wait_closed()
        assert socket.close_code is not None
        return socket.close_code, asyncio.get_running_loop().time() - started


async def test_a_disabled_account_loses_its_live_socket_within_two_seconds(server: Served) -> None:
    code, after_s = await close_code_after(server, "pharmacist", "user", "disable", "pharmacist")

    assert code == 4401
    assert after_s < WITHIN_S


async def test_a_demoted_person_loses_the_live_socket_within_two_seconds(server: Served) -> None:
    code, after_s = await close_code_after(
        server, "lab_tech", "user", "roles", "lab_tech", "--role", "cashier"
    )

    assert code == 4403
    assert after_s < WITHIN_S


async def test_a_new_password_ends_what_the_old_one_opened(server: Served) -> None:
    token = server.sign_in("cashier")

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fieldchart", "user", "password", "cashier", "--password-stdin",
        "--data", str(server.data), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    await process.communicate(b"another long password\n")

    headers = {"authorization": f"Bearer {token}"}
    async with asyncio.timeout(WITHIN_S), httpx.AsyncClient(base_url=server.url) as http:
        while (await http.get("/api/me", headers=headers)).status_code != 401:
            pass


async def test_a_socket_that_logs_out_over_http_is_closed_at_once(server: Served) -> None:
    token = server.sign_in("nurse")
    address = f"{server.url.replace('http', 'ws')}/sync/{server.record(token)}"
    async with websockets.connect(address, subprotocols=["yjs", f"bearer.{token}"]) as socket:  # type: ignore[list-item]
        await socket.recv()

        await asyncio.to_thread(
            httpx.post, f"{server.url}/api/logout", headers={"authorization": f"Bearer {token}"}
        )

        async with asyncio.timeout(1):
            await socket.wait_closed()
        assert socket.close_code == 4401


def test_every_role_of_both_profiles_has_an_account_and_records_stand_on_the_board(
    server: Served,
) -> None:
    for username in ("receptionist", "nurse", "doctor", "vision_technician", "supervisor", "admin"):
        assert server.sign_in(username)
    headers = {"authorization": f"Bearer {server.sign_in('supervisor')}"}

    items = httpx.get(f"{server.url}/api/records", headers=headers).json()["items"]

    assert {item["profile"] for item in items} == {"outpatient", "eye_screening"}


def test_a_second_server_on_the_same_port_is_one_clear_line(server: Served) -> None:
    port = server.url.rpartition(":")[2]

    second = subprocess.run(
        [sys.executable, "-m", "fieldchart", "serve", "--port", port, "--data", str(server.data)],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "Address already in use" in second.stderr


def test_a_server_leaves_well_on_sigterm_and_starts_again_on_its_data(tmp_path: Path) -> None:
    for _ in range(2):
        with served(tmp_path / "data") as running:
            token = running.sign_in("nurse")
            assert running.record(token)
            running.process.send_signal(signal.SIGTERM)
            _, errors = running.process.communicate(timeout=30)
            assert running.process.returncode == 0, errors
            assert "Traceback" not in errors
    inspected = subprocess.run(
        [sys.executable, "-m", "fieldchart", "inspect", "OPD-000001", "--json",
         "--data", str(tmp_path / "data")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(inspected.stdout)["fields"]["demographics"]["family_name"] == "Example"
