"""A tablet that works offline from a local file and syncs when it can; several people may share it.

    python examples/offline_tablet.py --user nurse fetch --record OPD-000002
    python examples/offline_tablet.py write vitals.pulse 88       # no server needed from here on
    python examples/offline_tablet.py show
    python examples/offline_tablet.py signout                     # the next one takes the tablet
    python examples/offline_tablet.py --user pharmacist signin
    python examples/offline_tablet.py write pharmacy_notes.notes "After meals."
    python examples/offline_tablet.py sync

Each command is a process of its own: everything between them is in `--file` (default tablet.json).
It speaks `fieldchart.v1`. Each edit is sealed with a key of the log-in that wrote it, so whoever
syncs delivers everybody's work in everybody's own name: judged by the roles they had, at the time
they wrote it, and nobody can change it on the way. The server says what is saved and what refused.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import pycrdt
from fieldchart_client import (
    REFUSED,
    SAVED,
    SYNC,
    Client,
    arguments,
    clocks,
    journal_frame,
    plain,
    read_refused,
    read_saved,
    sealed_row,
    update_frame,
)

STEP1, STEP2 = 0, 1
NARRATIVES = ("assessment.notes", "diagnosis.plan", "pharmacy_notes.notes")


class Tablet:
    """The record's document, who is signed in, and what the server has not yet confirmed.

    A process is a new Y.Doc with a client id of its own, as it must be for each person.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.record = ""
        self.login: dict[str, str] | None = None
        self.sealed: list[tuple[list[Any], str]] = []
        if file.exists():
            stored = json.loads(file.read_text())
            self.record, self.login, self.sealed = (
                stored["record"], stored["login"], stored["sealed"],
            )  # fmt: skip
            self.doc.apply_update(base64.b64decode(stored["update"]))

    def save(self) -> None:
        """Write the file anew, whole or not at all."""
        stored = {
            "record": self.record, "login": self.login, "sealed": self.sealed,
            "update": base64.b64encode(self.doc.get_update()).decode(),
        }  # fmt: skip
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(stored))
        fresh.chmod(0o600)  # it holds the key
        fresh.replace(self._file)

    def sign_in(self, client: Client) -> None:
        """Keep who is working, and the key that seals what they write."""
        self.login = {
            "token": client.token, "login_id": client.login_id, "seal_key": client.seal_key,
        }  # fmt: skip
        self.save()

    def client(self, options: argparse.Namespace) -> Client:
        """Whoever is signed in; else `--user` signs in now."""
        if self.login is not None:
            return Client.resumed(options.url, **self.login)
        client = Client(options.url, options.user, options.password)
        self.sign_in(client)
        return client

    def write(self, field: str, value: Any) -> None:
        """Set one field, or add to a narrative; seal the update and keep it as it is."""
        if self.login is None:
            sys.exit("nobody is signed in on this tablet")
        client = self.doc.client_id
        before = clocks(self.doc).get(client, 0)
        updates: list[bytes] = []
        watching = self.doc.observe(lambda event: updates.append(event.update))
        if field in NARRATIVES:
            text = self.doc.get(field, type=pycrdt.Text)
            text.insert(len(text), str(value))
        else:
            section, key = field.split(".", 1)
            self.doc.get(section, type=pycrdt.Map)[key] = value
        self.doc.unobserve(watching)
        (update,) = updates
        row = sealed_row(
            self.login["seal_key"], self.record, client, (before, clocks(self.doc)[client]),
            self.login["login_id"], update,
        )  # fmt: skip
        self.sealed.append((row, base64.b64encode(update).decode()))
        self.save()

    async def sync(self, client: Client) -> None:
        """Deliver what is unsaved, take in what others did, and print what became of it."""
        saved = None
        waiting = len(self.sealed)
        async with client.open(self.record, "fieldchart.v1") as socket:
            # First what the tablet has seen, and what time it is here.
            await socket.send(pycrdt.create_sync_message(self.doc))
            now = time.time_ns() // 1_000_000
            await socket.send(journal_frame([[0, 0, 0, now, client.login_id, ""]]))
            async for frame in socket:
                if frame[:2] == bytes([SYNC, STEP1]):
                    # Each edit as it was written, and only then everything else.
                    for row, update in self.sealed:
                        await socket.send(journal_frame([row]))
                        await socket.send(update_frame(base64.b64decode(update)))
                    await socket.send(pycrdt.handle_sync_message(frame[1:], self.doc) or b"")
                elif frame[0] == SYNC:
                    pycrdt.handle_sync_message(frame[1:], self.doc)
                    if saved is not None and frame[1] == STEP2:
                        break
                elif frame[0] == REFUSED:
                    for refused in read_refused(frame)["fields"]:
                        print(f"refused {refused['field']} = {refused['value']!r}:"
                              f" {refused['reason']}")  # fmt: skip
                elif frame[0] == SAVED and saved is None and read_saved(frame)[0] > waiting:
                    # Everything is on disk and judged. What was refused of it is healed by what
                    # follows, so ask once more; until that has come the edits stay on the tablet.
                    saved = read_saved(frame)
                    await socket.send(pycrdt.create_sync_message(self.doc))
        assert saved is not None, "the connection was lost; everything is still on the tablet"
        print(f"saved: {waiting} edits; the record stands at version {saved[1]}")
        self.sealed = []
        self.save()


def parser() -> argparse.ArgumentParser:
    options = arguments(__doc__.splitlines()[0])
    options.add_argument("--file", type=Path, default=Path("tablet.json"))
    commands = options.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="sign in and get a record onto the tablet")
    commands.add_parser("signin", help="take the tablet over, with what waits on it")
    commands.add_parser("signout", help="leave it to somebody else; wipes the key")
    commands.add_parser("sync", help="deliver and fetch")
    commands.add_parser("show", help="what the tablet holds")
    write = commands.add_parser("write", help="write a field, offline")
    write.add_argument("field")
    write.add_argument("value", help="JSON, or plain text")
    return options


def as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    options = parser().parse_args()
    tablet = Tablet(options.file)
    if options.command == "write":
        tablet.write(options.field, as_json(options.value))
        print(f"written on the tablet: {options.field}; {len(tablet.sealed)} edits wait")
    elif options.command == "show":
        for section in ("vitals", "triage", "diagnosis"):
            for key, value in dict(tablet.doc.get(section, type=pycrdt.Map)).items():
                print(f"{section}.{key} = {plain(value)!r}")
        for name in NARRATIVES:
            if written := str(tablet.doc.get(name, type=pycrdt.Text)):
                print(f"{name}: {written}")
    elif options.command == "signout":
        tablet.client(options).sign_out()
        tablet.login = None
        tablet.save()
    elif options.command == "signin":
        tablet.sign_in(Client(options.url, options.user, options.password))
    else:
        client = tablet.client(options)
        if options.command == "fetch":
            tablet.record = client.pick_record(options.record)
        asyncio.run(tablet.sync(client))


main()
