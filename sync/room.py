"""A room: one record's live document with its gate, arbiter and log position. Pure.

`propose` is the only way in for people's edits, `write_facts` the only one for the server's own.
Both change the live document at once and return what must be stored before anybody is told; if
storing fails the room is to be thrown away and loaded again. SPEC ROOM-1 to ROOM-7.
"""

from collections.abc import Callable, Generator, Mapping
from datetime import datetime

import msgspec

from permissions.model import Principal, RecordState, Rule
from permissions.policy import Policy
from permissions.profile import Profile
from sync.anchors import Anchors
from sync.annotations import Annotations, Copy, encode_annotations
from sync.books import Books
from sync.deciding import decide_keys
from sync.document import Document
from sync.effects import Change, Refusal, UpdateRow, chain_hash
from sync.fact_writing import write_own
from sync.flow import StepChange
from sync.frame import Frame
from sync.gate import Limits, judge
from sync.healing import restored_copies, succeeding_copies
from sync.history import History, Tells
from sync.judgement import Judgement
from sync.locks import Hold
from sync.place import RECORD_ROOT, Place
from sync.placed import Gap, Placement
from sync.placement import RESERVED_CLIENT_IDS, STEP, check_owners, place_structs
from sync.progress import take_intents
from sync.proposal import Accepted, Proposal
from sync.ranges import normalised
from sync.record_facts import flow_facts, state_in
from sync.refusing import refusals_of
from sync.registers import Register
from sync.structs import Deletes, Id, Struct, StructsByClient
from sync.update import encode_update
from sync.view import chart_of

__all__ = ["Room"]


class Room:
    """One record, live. Not for concurrent use: one task owns it."""

    def __init__(
        self,
        record_id: str,
        profile: Profile,
        policy: Policy,
        document: Document,
        books: Books,
        *,
        version: int,
        hash: bytes,
        limits: Limits,
        state: RecordState,
    ) -> None:
        self.record_id = record_id
        self.profile = profile
        self.policy = policy
        self.document = document
        self.books = books
        self.version = version
        self.hash = hash
        self.limits = limits
        self.state = state
        self.bytes = 0
        self._idle_bytes = 0
        self._counted_at = -1
        self.registers = books.registers
        self.hold_of: Callable[[str], Hold | None] = _nobody_holds
        self.history: Tells = History(document, books)

    # -- what the gate reads ---------------------------------------------------------------------

    def text_units(self, root: str) -> int:
        return self.books.text_units.get(root, 0)

    def size_bytes(self) -> int:
        """What the record's content takes, at most.

        What was refused, deleted or overwritten stays in the document, but fills nobody's record:
        it is counted off once a version as soon as it seems to.
        """
        size = self.bytes - self._idle_bytes
        if size > self.limits.max_record_bytes and self._counted_at != self.version:
            self._counted_at = self.version
            size = self.books.content_bytes()
            self._idle_bytes = self.bytes - size
        return size

    def note_size(self, size: int) -> None:
        """The document takes so many bytes, as a snapshot of it shows."""
        self.bytes, self._idle_bytes, self._counted_at = size, 0, -1

    def place_of(self, struct_id: Id) -> Place | None:
        return self.books.index.place_of(struct_id)

    def is_pair_start(self, client: int, clock: int) -> bool:
        return self.books.index.is_pair_start(client, clock)

    def is_deleted(self, struct_id: Id) -> bool:
        return self.books.index.is_deleted(struct_id)

    def is_cut(self, struct_id: Id) -> bool:
        return struct_id in self.books.cut_pairs

    def anchors_of(self, unit: Id) -> Anchors | None:
        """The anchors of a text unit that the record has; None for one that is only arriving."""
        index = self.books.index
        return index.anchors.of(unit) if unit[1] < index.next_clock(unit[0]) else None

    def in_order(self, name: str, units: list[Id], arriving: StructsByClient) -> bool:
        """Whether these units of a narrative stand in this order."""
        return self.document.in_order(name, units, encode_update(arriving, {}))

    def live_parts(self, client: int, start: int, end: int) -> list[tuple[int, int]]:
        return self.books.index.live_parts(client, start, end)

    def known_runs(self, client: int, start: int, end: int) -> list[tuple[int, int, Place]]:
        return list(self.books.index.runs(client, start, end))

    # -- what peers get --------------------------------------------------------------------------

    def catch_up(self, state_vector: Mapping[int, int]) -> tuple[bytes, ...]:
        """The updates that bring a peer with this state vector up to date, to be applied in order.

        The last is the answer to its SyncStep1. One before it deletes surrogate pairs that the peer
        may still show whole: Yrs must not meet an insertion into a live pair. SPEC GATE-12.
        """
        pairs: dict[int, list[tuple[int, int]]] = {}
        for client, clock in self.books.cut_pairs:
            if clock < state_vector.get(client, 0):
                pairs.setdefault(client, []).append((clock, 2))
        answer = self.document.encode(state_vector)
        if not pairs:
            return (answer,)
        deletes = {client: normalised(ranges) for client, ranges in pairs.items()}
        return encode_update({}, deletes), answer

    def is_behind(self, state_vector: Mapping[int, int]) -> bool:
        """Whether a peer has structs of the server's that this room does not know. SPEC KNOW-4.

        Nothing is sent before it is on disk: it can only be so after a restore of an older copy.
        """
        next_clock = self.books.index.next_clock
        return any(
            client < RESERVED_CLIENT_IDS and clock > next_clock(client)
            for client, clock in state_vector.items()
        )

    # -- proposing -------------------------------------------------------------------------------

    def propose(self, frame: Frame) -> Generator[None, None, Proposal]:
        """Judge an update and apply what is allowed of it. Yields now and then on a large one.

        Raises ForeignClientId (nothing was applied), DocumentSuspect (throw the room away).
        SPEC ROOM-1 to ROOM-6.
        """
        books = self.books
        author = frame.author
        books.places.forget_unused(books.registers)
        fresh = check_owners(frame.update, books.index, books.owners, author.user_id)
        for client, structs in frame.update.structs.items():
            # What it carries of the record, its author has; also when judging its deletions.
            carried = min(structs[-1].end, books.index.next_clock(client)) if structs else 0
            frame.knowledge.learn({client: carried})
        placement = yield from place_structs(frame.update, books.index, books.places)
        if isinstance(placement, Gap):
            return Proposal(gap=placement)
        version = self.version + 1
        judgement = yield from judge(self, frame, placement, version)
        if frame.whole and judgement.refused:
            return Proposal(refusals=refusals_of(judgement, frame, version))
        for client in fresh:
            books.owners[client] = author.user_id
        books.note_written({struct.client for struct, _ in judgement.kept}, frame.written_at)
        proposal = yield from self._apply(frame, placement, judgement, version)
        for client, structs in frame.update.structs.items():
            if structs:
                frame.knowledge.learn({client: structs[-1].end})
        return proposal

    def propose_now(self, frame: Frame) -> Proposal:
        """`propose` in one go."""
        steps = self.propose(frame)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                proposal: Proposal = done.value
                return proposal

    def _apply(
        self, frame: Frame, placement: Placement, judgement: Judgement, version: int
    ) -> Generator[None, None, Proposal]:
        books, document = self.books, self.document
        units = sum(r.end - r.start for r in judgement.restores)
        exhausted = units > self.limits.max_restored_units
        if exhausted:
            kept = set(judgement.splits)
            judgement.restores = [r for r in judgement.restores if (r.client, r.start) in kept]
        server = document.server_client
        copies: list[Copy] = []
        structs = judgement.structs
        if judgement.restores:
            copied, copies = restored_copies(
                document, books.index, judgement.restores, version,
                frame.author.user_id, set(judgement.splits),
            )  # fmt: skip
            structs[server] = copied
            for restore in judgement.restores:
                judgement.delete(restore.client, restore.start, restore.end - restore.start)
        if judgement.removed_originals:
            for copy in succeeding_copies(
                books, judgement.removed_originals, frame.knowledge, frame.author.user_id
            ):
                judgement.delete(copy.server, copy.copy_clock, copy.length)
                judgement.widened = True
        first = books.cut(judgement.splits)
        if first:
            document.apply(encode_update({}, first))
        for at, (struct, place) in enumerate(judgement.kept, 1):
            books.absorb(struct, place)
            if not at % STEP:
                yield
        if copies:
            for copy, struct in zip(copies, structs[server], strict=True):
                of_unit = books.index.place_of((copy.client, copy.clock))
                assert of_unit is not None, "a copied unit has a place"
                books.absorb(struct, of_unit)
                books.add_copy(copy)
        self._collect_clears(judgement)
        deletes = {c: normalised(ranges) for c, ranges in judgement.deletes.items()}
        update = b""
        if structs or deletes:
            update = encode_update(structs, deletes)
            if len(judgement.kept) > STEP:
                yield
                yield from self._apply_in_parts(judgement, structs, deletes)
            else:
                document.apply(update)
            books.absorb_deletes(deletes)
        decided = yield from decide_keys(document, books, frame, judgement, version)
        corrections = decided.corrections
        facts, of_facts, steps = self._take_steps(frame, judgement, version)
        before = len(update)
        if corrections or facts:
            structs[server] = [*structs.get(server, ()), *corrections, *facts]
            update = encode_update(structs, deletes)
        registers = [*decided.registers.values(), *of_facts]
        if not (update or first or judgement.refused or registers):
            return Proposal(exhausted=exhausted)
        row, changes = self.next_row(
            update or encode_update({}, {}), Annotations(judgement.splits, copies, registers),
            frame.author, judgement.role, frame.written_at, frame.received_at,
        )  # fmt: skip
        return Proposal(
            accepted=Accepted(row, structs, deletes, first, changes),
            heal=bool(
                judgement.refused or judgement.intents or judgement.widened
                or corrections or copies or first
            ),
            exhausted=exhausted,
            restored_units=units,
            hollow=judgement.hollow(),
            rewritten_bytes=len(update) - before if corrections else 0,
            refusals=refusals_of(judgement, frame, version),
            conflicts=tuple(decided.conflicts),
            losses=tuple(decided.losses),
            fields=tuple(judgement.changed),
            corrections=len(corrections) + len(copies),
            steps=tuple(steps),
            amendments=judgement.amendments,
        )  # fmt: skip

    def _apply_in_parts(
        self, judgement: Judgement, structs: StructsByClient, deletes: Deletes
    ) -> Generator[None, None, None]:
        """Integrate a large update a part at a time, in the order in which parts need each other.

        The whole takes Yrs tens of milliseconds, in which no other room would run.
        """
        kept = [struct for struct, _ in judgement.kept]
        for start in range(0, len(kept), STEP):
            part: StructsByClient = {}
            for struct in kept[start : start + STEP]:
                part.setdefault(struct.client, []).append(struct)
            self.document.apply(encode_update(part, {}))
            yield
        server = self.document.server_client
        copied = {server: structs[server]} if server in structs else {}
        self.document.apply(encode_update(copied, deletes))
        yield

    def _collect_clears(self, judgement: Judgement) -> None:
        """Delete the author's own written-and-removed structs in the document itself."""
        for place, touches in judgement.touches.items():
            last = touches[-1]
            if last.write is not None and not last.write.cleared:
                client, clock = last.last
                for hit in judgement.hits.get(place, ()):
                    if hit.client == client and hit.start <= clock < hit.end:
                        judgement.delete(client, clock, 1)

    # -- the server's own facts ------------------------------------------------------------------

    def write_facts(
        self, facts: Mapping[str, object], author: Principal, at: datetime
    ) -> Accepted | None:
        """Write keys of the `record` map that differ from what it holds, in `author`'s name.

        Returns None where nothing differs. SPEC ROOM-7.
        """
        version = self.version + 1
        structs, registers = self._write_own(facts, author, at, version)
        if not structs:
            return None
        by_client = {self.document.server_client: structs}
        row, changes = self.next_row(
            encode_update(by_client, {}), Annotations([], [], registers), author, "", at, at
        )
        return Accepted(row, by_client, {}, {}, changes)

    def _write_own(
        self, facts: Mapping[str, object], author: Principal, at: datetime, version: int
    ) -> tuple[list[Struct], list[Register]]:
        written = write_own(self.document, self.books, facts, author, at, version)
        if written[0]:
            self.state = state_in(self.document.section(RECORD_ROOT))
        return written

    def _take_steps(
        self, frame: Frame, judgement: Judgement, version: int
    ) -> tuple[list[Struct], list[Register], list[StepChange]]:
        """Let the workflow judge what was asked for in the frame. SPEC FLOW-10."""
        if not judgement.intents:
            return [], [], []
        flow, steps, refused = take_intents(
            self.profile, self.document.section(RECORD_ROOT), chart_of(self), judgement.intents,
            frame,
        )  # fmt: skip
        for asked, decision in refused:
            judgement.refuse(asked.place.name, decision, asked.struct)
        if flow is None:
            return [], [], steps
        at = frame.received_at
        return *self._write_own(flow_facts(flow), frame.author, at, version), steps

    def refuse_whole(self, frame: Frame, original: bytes, reason: str) -> Proposal:
        """Keep a frame that may not be applied at all, so that nothing of it is lost (IDENT-1).

        It gets a row of its own that changes nothing, which gives its refusal an id.
        """
        row, _ = self.next_row(
            encode_update({}, {}), Annotations(), frame.author, "", frame.written_at,
            frame.received_at,
        )  # fmt: skip
        author = frame.author
        refusal = Refusal(
            id=f"{row.version}.1", field="?", rule=Rule.IDENTITY.value, reason=reason,
            value="null", author=author.user_id, role="", login_id=author.login_id,
            device=author.device, address=author.address, at=frame.received_at,
            written_at=frame.written_at, original=original,
        )  # fmt: skip
        return Proposal(accepted=Accepted(row, {}, {}, {}), refusals=(refusal,))

    def next_row(
        self, update: bytes, annotations: Annotations, author: Principal, role: str,
        written_at: datetime, received_at: datetime,
    ) -> tuple[UpdateRow, tuple[Change, ...]]:  # fmt: skip
        """The row of what document and books now show, and its changes; the room stands at it."""
        row = UpdateRow(
            version=self.version + 1, update=update, annotations=encode_annotations(annotations),
            author=author.user_id, role=role, login_id=author.login_id, device=author.device,
            address=author.address, written_at=written_at, received_at=received_at, hash=b"",
        )  # fmt: skip
        row = msgspec.structs.replace(row, hash=chain_hash(self.hash, row))
        self.version = row.version
        self.hash = row.hash
        self.bytes += len(update)
        return row, self.history.changes_of(row, annotations)


def _nobody_holds(field: str) -> Hold | None:
    """The locks of a room that nobody shares: none."""
    return None
