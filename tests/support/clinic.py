"""An in-memory server with its links: what the room's shell does, without sockets, storage or
tasks.

The session is that of y-websocket: SyncStep1 from both sides, a SyncStep2 with the full delete set
in answer, live edits as updates. Messages of a link arrive in order; a link can be cut at any time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from permissions.model import Principal
from sync.bounds import Bounds
from sync.document import ABSENT, Absent
from sync.effects import Change, Conflict, Loss, Refusal, Snapshot, UpdateRow
from sync.frame import Frame, Knowledge, WrittenRange
from sync.gate import Limits
from sync.locks import Hold
from sync.proposal import Accepted, Proposal
from sync.repeating import repeat_text, tried_value
from sync.replay import new_room, replay, snapshot_of
from sync.resolving import disputed_place, resolve
from sync.room import Room
from sync.update import (
    Update,
    decode_state_vector,
    decode_update,
    encode_state_vector,
    encode_update,
)
from tests.support.people import at, empty_room, outpatient, policy
from tests.support.replicas import PyReplica, Replica, Step

__all__ = ["BOUNDS", "Clinic", "Link", "Message", "Tablet", "reloaded", "shows_registers"]

BOUNDS = Bounds()


class Message(msgspec.Struct, frozen=True):
    """One message of the sync protocol. edits: how many its sender had made by then."""

    kind: Literal["step1", "step2", "update"]
    payload: bytes
    written_at: datetime | None = None
    edits: int = 0


class Link:
    """One session between a tablet and the server: two queues and what the server knows."""

    def __init__(self) -> None:
        self.up: deque[Message] = deque()
        self.down: deque[Message] = deque()
        self.knowledge = Knowledge()
        self.asked: deque[int] = deque()
        self.synced = False


class Tablet:
    """A replica in the hands of a person."""

    def __init__(self, replica: Replica, person: Principal) -> None:
        self.replica = replica
        self.person = person
        self.link: Link | None = None
        self.edits = 0

    def edit(self, *steps: Step, written_at: datetime | None = None) -> list[bytes]:
        """Edit in one transaction; what it emitted is on its way if the tablet is online."""
        updates = self.replica.edit(steps)
        self.edits += 1
        if self.link is not None:
            self.link.up.extend(Message("update", update, written_at) for update in updates)
        return updates


class Clinic:
    """The server of one record and everything it has stored and said."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.room: Room = empty_room(self.limits)
        self.holds: dict[str, Hold] = {}
        self.room.hold_of = self.holds.get
        self.tablets: list[Tablet] = []
        self.rows: list[UpdateRow] = []
        self.changes: list[Change] = []
        self.snapshot: Snapshot | None = None
        self.refusals: list[Refusal] = []
        self.conflicts: dict[str, Conflict] = {}
        self.losses: list[Loss] = []
        self.corrections = 0
        self.frames = 0
        self.now_s = 0.0

    def lock(self, field: str, person: Principal, seconds: float = 300.0) -> None:
        """Let somebody hold a field from now on."""
        self.holds[field] = Hold(
            field=field, fence=len(self.holds) + 1, holder=person, role=min(person.roles),
            connection="", acquired_at=at(self.now_s), until=at(self.now_s + seconds),
        )  # fmt: skip

    # -- people and links ------------------------------------------------------------------------

    def join(self, replica: Replica, person: Principal, *, online: bool = True) -> Tablet:
        tablet = Tablet(replica, person)
        self.tablets.append(tablet)
        if online:
            self.connect(tablet)
            self.settle()
        return tablet

    def connect(self, tablet: Tablet) -> None:
        """Open a session; both sides say what they have first."""
        assert tablet.link is None
        link = tablet.link = Link()
        link.up.append(Message("step1", tablet.replica.vector()))
        self._ask(link)

    def disconnect(self, tablet: Tablet) -> None:
        """Cut the link; what was under way is lost."""
        tablet.link = None

    def _ask(self, link: Link) -> None:
        vector = self.room.books.index.state_vector()
        link.asked.append(self.room.version if link.synced else 0)
        link.down.append(Message("step1", encode_state_vector(vector)))

    # -- moving messages -------------------------------------------------------------------------

    def step_up(self, tablet: Tablet) -> Proposal | None:
        """Let the server take the tablet's next message."""
        link = tablet.link
        if link is None or not link.up:
            return None
        message = link.up.popleft()
        if message.kind == "step1":
            vector = decode_state_vector(message.payload, BOUNDS)
            link.knowledge.learn(vector)
            *before, answer = self.room.catch_up(vector)
            link.down.extend(Message("update", update) for update in before)
            link.down.append(Message("step2", answer))
            link.synced = True
            return None
        if message.kind == "step2":
            link.knowledge.version = max(link.knowledge.version, link.asked.popleft())
        update = decode_update(message.payload, BOUNDS)
        return self.take(tablet, update, message.written_at, live=message.kind == "update")

    def step_down(self, tablet: Tablet) -> bool:
        """Let the tablet take the server's next message."""
        link = tablet.link
        if link is None or not link.down:
            return False
        message = link.down.popleft()
        if message.kind == "step1":
            diff = tablet.replica.diff(message.payload)
            link.up.append(Message("step2", diff, edits=tablet.edits))
        else:
            tablet.replica.apply(message.payload)
        return True

    def settle(self) -> None:
        """Move messages until none is under way."""
        moved = True
        while moved:
            moved = False
            for tablet in self.tablets:
                link = tablet.link
                while link is not None and (link.up or link.down):
                    moved = True
                    self.step_up(tablet)
                    self.step_down(tablet)

    def reunite(self) -> None:
        """Bring everybody online afresh, twice, and settle."""
        for _ in range(2):
            for tablet in self.tablets:
                self.disconnect(tablet)
                self.connect(tablet)
            self.settle()

    # -- the server ------------------------------------------------------------------------------

    def take(
        self,
        tablet: Tablet,
        update: Update | bytes,
        written_at: datetime | None = None,
        *,
        whole: bool = False,
        journal: tuple[WrittenRange, ...] = (),
        live: bool = True,
    ) -> Proposal:
        """Propose an update in the tablet's name, as if it had just arrived."""
        link = tablet.link
        if isinstance(update, bytes):
            update = decode_update(update, BOUNDS)
        self.now_s += 1
        self.frames += 1
        received_at = at(self.now_s)
        frame = Frame(
            update=update, author=tablet.person,
            knowledge=link.knowledge if link is not None else Knowledge(),
            received_at=received_at, written_at=written_at or received_at, whole=whole,
            journal=journal, live=live,
        )  # fmt: skip
        proposal = self.room.propose_now(frame)
        if proposal.gap is not None and link is not None:
            self._ask(link)
        self.refusals.extend(proposal.refusals)
        self.conflicts.update((conflict.id, conflict) for conflict in proposal.conflicts)
        self.losses.extend(proposal.losses)
        self.corrections += proposal.corrections
        if proposal.accepted is not None:
            self.store(proposal.accepted, skip=None if proposal.heal else tablet)
        return proposal

    def write_facts(self, author: Principal, **facts: object) -> Accepted | None:
        self.now_s += 1
        accepted = self.room.write_facts(facts, author, at(self.now_s))
        if accepted is not None:
            self.store(accepted, skip=None)
        return accepted

    def resolve(
        self, conflict_id: str, value: object | Absent, resolver: Principal, role: str = ""
    ) -> Conflict:
        """Let `resolver` decide an open conflict, without judging whether they may."""
        place = disputed_place(self.room, conflict_id)
        assert place is not None
        self.now_s += 1
        accepted, conflict = resolve(
            self.room, place, value, role, resolver, "as measured again", at(self.now_s)
        )
        self.conflicts[conflict.id] = conflict
        self.store(accepted, skip=None)
        return conflict

    def apply(self, refusal: Refusal, applier: Principal, client: int) -> Proposal | None:
        """Let `applier` propose again what was refused, by the power to; None: nothing is left.

        Raises NotRepeatable. Where anything stands against it nothing is applied.
        """
        room, name = self.room, refusal.field
        root, _, key = name.partition(".")
        if room.profile.roots.get(name) == "text":
            update = repeat_text(room, room.books.places.at(name, None), refusal, client)
        else:
            value = tried_value(refusal)
            edit = room.document.draft(client, lambda draft: draft.set(root, key, value))
            update = decode_update(edit, BOUNDS)
        if not (update.structs or update.deletes):
            return None
        self.now_s += 1
        proposal = room.propose_now(
            Frame(
                update=update, author=applier, received_at=at(self.now_s),
                knowledge=Knowledge(room.books.index.state_vector(), room.version),
                written_at=at(self.now_s), whole=True, power="apply_refusals",
            )
        )  # fmt: skip
        if proposal.accepted is not None:
            self.conflicts.update((conflict.id, conflict) for conflict in proposal.conflicts)
            self.store(proposal.accepted, skip=None)
        return proposal

    def store(self, accepted: Accepted, *, skip: Tablet | None) -> None:
        """Keep the row and tell everybody but `skip`."""
        self.rows.append(accepted.row)
        self.changes.extend(accepted.changes)
        for tablet in self.tablets:
            if tablet is skip or tablet.link is None or not tablet.link.synced:
                continue
            tablet.link.down.extend(broadcast_of(accepted))

    def save_snapshot(self) -> None:
        self.snapshot = snapshot_of(self.room)

    def crash(self, *, from_snapshot: bool = True) -> None:
        """Lose the room and all links, and load the room again from what was stored."""
        for tablet in self.tablets:
            self.disconnect(tablet)
        self.room = self.loaded(from_snapshot=from_snapshot)
        self.room.hold_of = self.holds.get

    def loaded(self, *, from_snapshot: bool) -> Room:
        return reloaded(self.rows, self.snapshot if from_snapshot else None, self.limits)

    def fresh(self, replica: Replica | None = None) -> Replica:
        """A new replica that has just received the record."""
        replica = replica or PyReplica(2**31 + 7)
        replica.apply(self.room.document.encode())
        return replica


def broadcast_of(accepted: Accepted) -> Iterable[Message]:
    """What peers are told of an accepted update, in order."""
    if accepted.first:
        yield Message("update", encode_update({}, accepted.first))
    yield Message("update", accepted.row.update)


def reloaded(
    rows: Sequence[UpdateRow], snapshot: Snapshot | None = None, limits: Limits | None = None
) -> Room:
    """The room that storage holds."""
    room = new_room("R", 0, outpatient(), policy(), limits or Limits())
    after = rows if snapshot is None else rows[snapshot.version :]
    for _ in replay(room, snapshot, after):
        pass
    return room


def shows_registers(room: Room) -> list[str]:
    """The keys of which the document shows something else than their register's standing value."""
    wrong: list[str] = []
    for place, register in room.registers.items():
        assert place.key is not None
        standing = register.standing
        wanted = None if standing is None or standing.cleared else standing.value
        shown = room.document.value(place.root, place.key)
        if wanted != (None if shown is ABSENT else shown):
            wrong.append(place.name)
    return wrong
