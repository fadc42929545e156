"""A tablet without a screen: a Yjs document that was offline and delivers what was written."""

from typing import Any

import pycrdt
from websockets.sync.client import connect

from tests.support.live_server import LiveServer

__all__ = ["Tablet"]

SYNC, STEP1, STEP2, UPDATE = 0, 0, 1, 2
SAVED = 100
PATIENCE_S = 10.0


def _counted(payload: bytes) -> bytes:
    """The bytes behind their length, a varUint."""
    length, head = len(payload), bytearray()
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head) + payload


def _payload(message: bytes) -> bytes:
    at = 2
    while message[at] & 128:
        at += 1
    return message[at + 1 :]


class Tablet:
    """One person's replica of one record. It has seen what stood there when it was made."""

    def __init__(
        self, server: LiveServer, record: str, user: str, *, token: str | None = None
    ) -> None:
        """token: of another log-in of the user than the one that the server's helper has."""
        self._server, self._record = server, record
        self._token = server.token(user) if token is None else token
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._exchange()

    def write(self, field: str, value: object) -> None:
        """Offline: nothing of it leaves."""
        section, _, key = field.partition(".")
        self._doc.get(section, type=pycrdt.Map)[key] = value

    def deliver(self) -> None:
        """Connect, and leave when the server has everything."""
        self._exchange()

    def _exchange(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        with connect(
            f"{self._server.websocket_url}/sync/{self._record}",
            subprotocols=["fieldchart.v1"],  # type: ignore[list-item]
            additional_headers=headers,
        ) as socket:
            # Before anything is taken in: what is ours is what we have now.
            mine = self._doc.get_update()
            socket.send(bytes([SYNC, STEP1]) + _counted(self._doc.get_state()))
            is_told = is_saved = False
            while not (is_told and is_saved):
                message = socket.recv(PATIENCE_S)
                assert isinstance(message, bytes)
                if message[0] == SYNC and message[1] == STEP1:
                    socket.send(bytes([SYNC, STEP2]) + _counted(mine))
                elif message[0] == SYNC:
                    self._doc.apply_update(_payload(message))
                    is_told = is_told or message[1] == STEP2
                is_saved = is_saved or message[0] == SAVED
