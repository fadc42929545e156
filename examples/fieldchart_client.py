"""What the Python examples share: signing in, REST, and a record that is synced live.

Needs httpx, websockets and pycrdt (`pip install fieldchart[client]`, or this project's `.venv`).
The wire is y-protocols' own (https://github.com/yjs/y-protocols) plus messages 100 to 103 of
`fieldchart.v1`: saved, refused, journal, notice.
"""

import argparse
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pycrdt
from websockets.asyncio.client import ClientConnection, connect

SYNC, AWARENESS, AUTH = 0, 1, 2
SAVED, REFUSED, JOURNAL = 100, 101, 102


def arguments(description: str, **defaults: str) -> argparse.ArgumentParser:
    """The options every example takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", default="http://127.0.0.1:8420", help="where Fieldchart serves")
    parser.add_argument("--user", default=defaults.get("user", "nurse"))
    parser.add_argument("--password", default="demo")
    parser.add_argument("--record", help="id or number; default: the first one that is open")
    return parser


class Client:
    """A signed-in person. seal_key: seals what they write offline; wipe it at signing out."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._connect(url)
        body = {
            "username": user, "password": password, "device_time": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        answer = self._http.post("/api/login", json=body)
        answer.raise_for_status()
        self.token: str = answer.json()["token"]
        self.seal_key: str = answer.json()["seal_key"]
        self._http.headers["authorization"] = f"Bearer {self.token}"
        self.login_id: str = self.get("/api/me")["login_id"]

    @classmethod
    def resumed(cls, url: str, token: str, login_id: str, seal_key: str) -> "Client":
        """A person who signed in before."""
        client = cls.__new__(cls)
        client._connect(url)
        client.token, client.login_id, client.seal_key = token, login_id, seal_key
        client._http.headers["authorization"] = f"Bearer {token}"
        return client

    def _connect(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        self.websocket_url = url.replace("http", "ws", 1)

    def sign_out(self) -> None:
        """End the log-in; what was sealed on it stays good."""
        self._http.post("/api/logout").raise_for_status()

    def close(self) -> None:
        """Let go of the connection; the log-in stays."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer of a GET."""
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def pick_record(self, wanted: str | None) -> str:
        """The id of the wanted record, or of the first open outpatient one."""
        if wanted:
            return str(self.get(f"/api/records/{wanted}")["id"])
        listed = self.get("/api/records", profile="outpatient", status="open", limit=1)
        return str(listed["items"][0]["id"])

    @asynccontextmanager
    async def open(self, record: str, protocol: str) -> AsyncIterator[ClientConnection]:
        """A socket on the record; protocol: `yjs` or `fieldchart.v1`."""
        headers = {"authorization": f"Bearer {self.token}"}
        async with connect(
            f"{self.websocket_url}/sync/{record}", subprotocols=[protocol],  # type: ignore[list-item]
            additional_headers=headers, max_size=None,
        ) as socket:  # fmt: skip
            yield socket


def read_saved(frame: bytes) -> tuple[int, int]:
    """Count and version of a message 100."""
    decoder = pycrdt.Decoder(frame[1:])
    return decoder.read_var_uint(), decoder.read_var_uint()


def read_refused(frame: bytes) -> dict[str, Any]:
    """`{refusal, version, fields: [{field, rule, reason, value}]}` of a message 101."""
    body: dict[str, Any] = json.loads(pycrdt.Decoder(frame[1:]).read_var_string())
    return body


def journal_frame(rows: list[list[Any]]) -> bytes:
    """Message 102: `[[client, from_clock, to_clock, written_at, login_id, seal], …]`."""
    text = json.dumps(rows).encode()
    return bytes([JOURNAL]) + pycrdt.write_var_uint(len(text)) + text


def sealed_row(
    key: str, record: str, client: int, clocks: tuple[int, int], login_id: str, update: bytes
) -> list[Any]:
    """A row of the journal for an update that was written just now (docs/protocol.md, Journal).

    clocks: the client's before and after; equal where the update only deletes.
    """
    written_at = time.time_ns() // 1_000_000
    digest = hashlib.sha256(update).hexdigest()
    lines = ("fieldchart-seal-1", record, client, *clocks, written_at, login_id, digest)
    text = "".join(f"{line}\n" for line in lines).encode()
    seal = hmac.digest(base64.b64decode(key), text, "sha256")
    return [client, *clocks, written_at, login_id, base64.b64encode(seal).decode()]


def update_frame(update: bytes) -> bytes:
    """A message with one update, byte for byte as it was written."""
    return bytes([SYNC, 2]) + pycrdt.write_var_uint(len(update)) + update


def clocks(doc: "pycrdt.Doc[Any]") -> dict[int, int]:
    """Client id → the clock after its last known edit."""
    decoder = pycrdt.Decoder(doc.get_state())
    return {
        decoder.read_var_uint(): decoder.read_var_uint() for _ in range(decoder.read_var_uint())
    }


def plain(value: Any) -> Any:
    """The value as JavaScript shows it: there 71.0 and 71 are one number, and pycrdt says 71.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
