"""A colleague's editor at another desk: a Yjs document behind a WebSocket."""

from typing import Any

import pycrdt
from pycrdt import create_sync_message, create_update_message, handle_sync_message
from websockets.sync.client import connect

from benchmarks.web.clinic import NARRATIVE, Clinic

__all__ = ["Colleague"]


class Colleague:
    """Writes single edits into a record. Use as a context manager."""

    def __init__(self, clinic: Clinic, server: str) -> None:
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._text = self._doc.get(NARRATIVE, type=pycrdt.Text)
        url = f"{server}/sync/{clinic.long_record}"
        headers = {"Authorization": f"Bearer {clinic.token}"}
        self._socket = connect(url, additional_headers=headers, max_size=None)
        self._socket.send(create_sync_message(self._doc))
        while not len(self._text):
            message = self._socket.recv()
            assert isinstance(message, bytes)
            if message[0] == 0 and (answer := handle_sync_message(message[1:], self._doc)):
                self._socket.send(answer)
        self._listening = self._doc.observe(self._send)

    def __enter__(self) -> "Colleague":
        return self

    def __exit__(self, *_: object) -> None:
        self._doc.unobserve(self._listening)
        self._socket.close()

    def _send(self, event: pycrdt.TransactionEvent) -> None:
        self._socket.send(create_update_message(event.update))

    def write(self, field: str, value: int) -> None:
        section, key = field.split(".")
        self._doc.get(section, type=pycrdt.Map)[key] = value

    def type(self, words: str) -> None:
        """At the end of the narrative."""
        self._text.insert(len(self._text), words)
