"""Who is on a record: the awareness states of its peers, with identity stamped by the server.

Pure. A peer speaks only for the client ids it announced itself. What it relays of others is
ignored, because stock clients do relay (gate.md, section 6); what it makes up about others counts
against it. Presence ends with its connection or after a silence; typing ends sooner. Nothing here
is stored. SPEC IDENT-1, IDENT-3, PRES-1 to PRES-6.

Clocks: the server may have to say something of a client that the client did not (that it types no
more). It then speaks under a later clock than the client's; the client takes that over and goes on
from there, so that both always count upwards.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from permissions.model import Principal
from sync.awareness_state import Dropped, shown_parts
from sync.errors import MalformedFrame
from sync.instants import instant
from sync.json_text import JsonValue
from sync.messages import AwarenessEntry

__all__ = ["MAX_CLIENTS_PER_PEER", "SILENCE", "TYPING", "Announced", "Presence"]

MAX_CLIENTS_PER_PEER = 16
"""Client ids one connection may ever announce: each is bound to its person for good."""

MAX_GONE = 4096
"""Clients of whom it is remembered under which clock they left. Forgetting one can only hide them
for a while when they come back."""

MAX_ECHOES = 32
"""States of one client that may be on their way to it and back. Both of one that echoes an older
one would count up for a while, at most as often as states may be told."""

SILENCE = timedelta(seconds=30)
"""Who has not renewed their state for so long is gone; y-protocols renews every 15 s and gives
others up after 30 s too."""

TYPING = timedelta(seconds=5)
"""Who has not said for so long that they type, does not."""

RENEWAL = timedelta(seconds=10)
"""A state that says nothing new after so long is y-protocols' own renewal, no sign of life."""

_LATER = timedelta(days=36500)


class Announced(msgspec.Struct):
    """What became of one message. told: what everybody, the peer too, is to be told."""

    told: list[AwarenessEntry] = []
    dropped: list[Dropped] = []


class _Present(msgspec.Struct):
    """One client id and the connection that speaks for it.

    entry: as told. shown: its state. sent: the last few that were told, by their clocks. said: the
    client's own clock. said_json: its own words. typing: what it said last, shown or not.
    """

    entry: AwarenessEntry
    shown: dict[str, object]
    said: int
    said_json: str | None
    peer: str
    principal: Principal
    heard_at: datetime
    active_at: datetime
    sent: dict[int, dict[str, object]] = {}
    typing: object = None
    typing_until: datetime | None = None


class Presence:
    """The awareness of one room. peer: a connection's id.

    is_field, is_root: whether the profile has a field, or a root of the document, of that name.
    role_of: in which of their roles somebody is shown.
    """

    def __init__(
        self,
        server_client: int,
        is_field: Callable[[str], bool],
        is_root: Callable[[str], bool],
        role_of: Callable[[frozenset[str]], str],
        *,
        max_bytes: int = 4096,
    ) -> None:
        self._server_client = server_client
        self._is_field = is_field
        self._is_root = is_root
        self._role_of = role_of
        self._max_bytes = max_bytes
        self._clients: dict[int, _Present] = {}
        self._gone: OrderedDict[int, int] = OrderedDict()
        self._announced: dict[str, set[int]] = {}
        self._acted: dict[str, datetime] = {}
        self._server: AwarenessEntry | None = None
        self._due: datetime | None = None

    # -- what peers say ----------------------------------------------------------------------------

    def announce(
        self,
        peer: str,
        principal: Principal,
        entries: tuple[AwarenessEntry, ...],
        owners: dict[int, str],
        now: datetime,
        may_tell: Callable[[], bool] = lambda: True,
    ) -> Announced:
        """Take in what a peer announced.

        owners: client id → user id of the record; an id that is announced first becomes the
        announcer's, so that nobody can take it over before the first edit. may_tell: asked once for
        each state that everybody would be told; False drops it.
        """
        outcome = Announced()
        is_first = peer not in self._announced
        own = self._announced.setdefault(peer, set())
        for entry in entries:
            known = self._clients.get(entry.client)
            if not self._speaks_for(peer, principal, entry, owners, is_first):
                self._note_foreign(entry, known, principal, owners, outcome)
            elif entry.state_json is None:
                if known is not None and entry.clock >= known.said:
                    outcome.told.append(self._remove(entry.client, known, entry.clock))
            elif known is not None and self._is_old(known, peer, entry):
                continue
            elif (state := self._read(entry, outcome)) is None:
                continue
            elif known is not None and _is_echo(known, entry, state):
                known.said, known.peer, known.heard_at = entry.clock, peer, now
            elif not may_tell():
                outcome.dropped.append("rate")
                if known is not None:
                    known.heard_at = now
            else:
                own.add(entry.client)
                owners.setdefault(entry.client, principal.user_id)
                parts, dropped = shown_parts(state, self._is_field, self._is_root)
                outcome.dropped += dropped
                outcome.told.append(self._renew(peer, principal, entry, state, parts, known, now))
        return outcome

    def acted(self, peer: str, now: datetime) -> None:
        """The peer edited; shown as its last activity when it is next told of."""
        self._acted[peer] = now

    def leave(self, peer: str) -> list[AwarenessEntry]:
        """The peer is gone; returns the removals that everybody is to be told."""
        self._announced.pop(peer, None)
        self._acted.pop(peer, None)
        gone = [client for client, present in self._clients.items() if present.peer == peer]
        return [self._remove(client, self._clients[client]) for client in gone]

    def expire(self, now: datetime) -> list[AwarenessEntry]:
        """What everybody is to be told of those who fell silent or stopped typing. SPEC PRES-3."""
        if self._due is None or now < self._due <= now + SILENCE:
            return []
        if self._due > now + SILENCE:
            self._set_back(now)
        told: list[AwarenessEntry] = []
        for client, present in list(self._clients.items()):
            if now - present.heard_at >= SILENCE:
                told.append(self._remove(client, present))
            elif present.typing_until is not None and now >= present.typing_until:
                present.typing_until = None
                told.append(self._tell(client, present, {**present.shown, "typing": None}))
        self._due = min((_due_at(present) for present in self._clients.values()), default=None)
        return told

    def _set_back(self, now: datetime) -> None:
        """The server's clock was set back: nobody was heard in the future."""
        for present in self._clients.values():
            present.heard_at = min(present.heard_at, now)
            if present.typing_until is not None:
                present.typing_until = min(present.typing_until, now + TYPING)

    # -- what everybody is told --------------------------------------------------------------------

    def show_server(self, state: Mapping[str, object]) -> AwarenessEntry:
        """Set and return the server's own entry: `{"server": {version, step, locks}}`."""
        # From 1, for the same reason as in `_renew`.
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
        return {known.principal.user_id for known in self._clients.values()}

    # -- inside ------------------------------------------------------------------------------------

    def _speaks_for(
        self, peer: str, principal: Principal, entry: AwarenessEntry, owners: Mapping[int, str],
        is_first: bool,
    ) -> bool:  # fmt: skip
        client = entry.client
        owner = owners.get(client)
        if owner is not None and owner != principal.user_id:
            return False
        known = self._clients.get(client)
        if known is not None:
            # Another window of the same person relays this entry; only one that has just come back,
            # and whose old connection is not yet known to be gone, names itself first of all.
            is_theirs = known.principal.user_id == principal.user_id
            return known.peer == peer or (is_first and is_theirs)
        if client < 1024:
            return False
        own = self._announced[peer]
        if client in own:
            return True
        # Another window may still relay somebody who has left.
        is_news = is_first or entry.clock > self._gone.get(client, -1)
        return is_news and len(own) < MAX_CLIENTS_PER_PEER

    def _note_foreign(
        self,
        entry: AwarenessEntry,
        known: _Present | None,
        principal: Principal,
        owners: Mapping[int, str],
        outcome: Announced,
    ) -> None:
        """Tell what is made up about others from what stock clients relay of them."""
        if known is not None:
            made_up = entry.clock > known.entry.clock
            if made_up and known.principal.user_id != principal.user_id:
                outcome.dropped.append("foreign")
        elif entry.state_json is None:
            return  # given up after a silence, as y-protocols does
        elif entry.client == self._server_client:
            if self._server is None or entry.clock > self._server.clock:
                outcome.dropped.append("foreign")
        elif entry.clock > self._gone.get(entry.client, -1):
            owner = owners.get(entry.client, principal.user_id)
            is_others = entry.client < 1024 or owner != principal.user_id
            outcome.dropped.append("foreign" if is_others else "ids")

    def _is_old(self, known: _Present, peer: str, entry: AwarenessEntry) -> bool:
        return entry.clock < known.said or (entry.clock == known.said and known.peer == peer)

    def _read(self, entry: AwarenessEntry, outcome: Announced) -> dict[str, JsonValue] | None:
        text = entry.state_json or ""
        if len(text.encode()) > self._max_bytes:
            outcome.dropped.append("size")
            return None
        try:
            return entry.state
        except MalformedFrame:
            outcome.dropped.append("json")
            return None

    def _renew(
        self,
        peer: str,
        principal: Principal,
        entry: AwarenessEntry,
        state: dict[str, JsonValue],
        parts: dict[str, object],
        known: _Present | None,
        now: datetime,
    ) -> AwarenessEntry:
        """Take over a client's own words; what everybody is told of them."""
        typing = parts.get("typing")
        present = known or _Present(entry, {}, 0, "", peer, principal, now, now)
        silence = now - present.heard_at
        says_the_same = entry.state_json == present.said_json or state == present.shown
        if silence < RENEWAL or not says_the_same:
            present.active_at = now
        if typing is None:
            present.typing_until = None
        elif typing == present.typing and silence > TYPING:
            # Renewed by y-protocols after a silence: nobody typed.
            present.typing_until, parts["typing"] = None, None
        else:
            present.typing_until = now + TYPING
        present.said, present.said_json = entry.clock, entry.state_json
        present.typing = typing
        present.peer, present.principal, present.heard_at = peer, principal, now
        self._clients[entry.client] = present
        due = _due_at(present)
        self._due = due if self._due is None else min(self._due, due)
        # y-protocols takes an unknown client to stand at clock 0: an entry of clock 0 is old.
        told_at = known.entry.clock if known is not None else self._gone.get(entry.client, 0)
        return self._tell(entry.client, present, parts, max(entry.clock, told_at + 1))

    def _tell(
        self, client: int, present: _Present, parts: dict[str, object], clock: int | None = None
    ) -> AwarenessEntry:
        who = present.principal
        active_at = max(present.active_at, self._acted.get(present.peer, present.active_at))
        present.shown = {
            **parts,
            "user": {"id": who.user_id, "name": who.name, "role": self._role_of(who.roles)},
            "last_activity": instant(active_at),
            "device": who.device[:100],
        }
        text = msgspec.json.encode(present.shown).decode()
        clock = present.entry.clock + 1 if clock is None else clock
        present.entry = AwarenessEntry(client, clock, text)
        present.sent[clock] = present.shown
        if len(present.sent) > MAX_ECHOES:
            del present.sent[next(iter(present.sent))]
        return present.entry

    def _remove(self, client: int, present: _Present, clock: int = 0) -> AwarenessEntry:
        del self._clients[client]
        told = max(clock, present.entry.clock + 1)
        self._gone[client] = told
        self._gone.move_to_end(client)
        if len(self._gone) > MAX_GONE:
            self._gone.popitem(last=False)
        return AwarenessEntry(client, told, None)


def _is_echo(known: _Present, entry: AwarenessEntry, state: Mapping[str, object]) -> bool:
    """Whether a client took over what the server said of it, and relays that."""
    return known.sent.get(entry.clock) == state


def _due_at(present: _Present) -> datetime:
    """When something ends if nothing more is heard."""
    return min(present.heard_at + SILENCE, present.typing_until or present.heard_at + _LATER)
