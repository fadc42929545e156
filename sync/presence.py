"""Who is on a record: the awareness states of its peers, with identity stamped by the server.

Pure. A peer speaks only for the client ids it announced itself; what it relays of others is
ignored, because stock clients do relay (gate.md, section 6). Nothing here is stored. SPEC IDENT-1,
IDENT-3.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from permissions.model import Principal
from sync.instants import instant
from sync.wire import AwarenessEntry

__all__ = ["MAX_CLIENTS_PER_PEER", "Presence"]

MAX_CLIENTS_PER_PEER = 16
"""Client ids one connection may ever announce: each is bound to its person for good."""

STAMPED = ("user", "last_activity", "server")
"""What only the server says; a peer's own words under these keys are dropped."""


class _Present(msgspec.Struct):
    """The newest state of one client id and the connection that speaks for it."""

    entry: AwarenessEntry
    peer: str
    user_id: str


class Presence:
    """The awareness of one room. peer: a connection's id."""

    def __init__(self, server_client: int) -> None:
        self._server_client = server_client
        self._clients: dict[int, _Present] = {}
        self._announced: dict[str, set[int]] = {}
        self._server: AwarenessEntry | None = None

    def announce(
        self,
        peer: str,
        principal: Principal,
        entries: tuple[AwarenessEntry, ...],
        owners: dict[int, str],
        now: datetime,
    ) -> list[AwarenessEntry]:
        """Take in what a peer announced; returns what everybody (the peer too) is to be told.

        owners: client id → user id of the record; an id that is announced first becomes the
        announcer's, so that nobody can take it over before the first edit.
        """
        told: list[AwarenessEntry] = []
        is_first = peer not in self._announced
        own = self._announced.setdefault(peer, set())
        for entry in entries:
            if not self._speaks_for(peer, principal, entry.client, owners, is_first):
                continue
            known = self._clients.get(entry.client)
            if known is not None and entry.clock < known.entry.clock:
                continue
            if entry.oversized or (known is None and entry.state is None):
                continue
            own.add(entry.client)
            if entry.state is None:
                stamped = AwarenessEntry(entry.client, entry.clock, None)
                self._clients.pop(entry.client, None)
            else:
                owners.setdefault(entry.client, principal.user_id)
                stamped = _stamp(entry, entry.state, principal, now)
                self._clients[entry.client] = _Present(stamped, peer, principal.user_id)
            told.append(stamped)
        return told

    def _speaks_for(
        self, peer: str, principal: Principal, client: int, owners: Mapping[int, str],
        is_first: bool,
    ) -> bool:  # fmt: skip
        owner = owners.get(client)
        if owner is not None and owner != principal.user_id:
            return False
        known = self._clients.get(client)
        if known is not None:
            # Another window of the same person relays this entry; only one that has just come back,
            # and whose old connection is not yet known to be gone, names itself first of all.
            return known.peer == peer or (is_first and known.user_id == principal.user_id)
        if client < 1024:
            return False
        own = self._announced[peer]
        return client in own or len(own) < MAX_CLIENTS_PER_PEER

    def leave(self, peer: str) -> list[AwarenessEntry]:
        """The peer is gone; returns the removals that everybody is to be told."""
        self._announced.pop(peer, None)
        gone = [client for client, present in self._clients.items() if present.peer == peer]
        return [
            AwarenessEntry(client, self._clients.pop(client).entry.clock + 1, None)
            for client in gone
        ]

    def show_server(self, state: Mapping[str, object]) -> AwarenessEntry:
        """Set and return the server's own entry: `{"server": {version, step, locks}}`."""
        # y-protocols takes an unknown client to stand at clock 0: an entry of clock 0 is old.
        clock = 1 if self._server is None else self._server.clock + 1
        text = msgspec.json.encode({"server": state}).decode()
        self._server = AwarenessEntry(self._server_client, clock, text)
        return self._server

    def everybody(self) -> list[AwarenessEntry]:
        """All entries, for a peer that has just joined."""
        present = [known.entry for known in self._clients.values()]
        return present if self._server is None else [self._server, *present]

    def people(self) -> set[str]:
        """The user ids that are present."""
        return {known.user_id for known in self._clients.values()}


def _stamp(
    entry: AwarenessEntry, state: Mapping[str, object], principal: Principal, now: datetime
) -> AwarenessEntry:
    stamped = {key: value for key, value in state.items() if key not in STAMPED}
    stamped["user"] = {
        "id": principal.user_id,
        "name": principal.name,
        "role": min(principal.roles, default=""),
    }
    stamped["last_activity"] = instant(now)
    return AwarenessEntry(entry.client, entry.clock, msgspec.json.encode(stamped).decode())
