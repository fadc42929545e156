"""The order of effects, in one place: persist and audit, then acknowledge, then broadcast.

A `Batch` gathers what one turn of a room's task proposes; `commit` stores it in one transaction,
and only then does anybody hear of it. If storing fails nobody hears anything and the room is
dropped.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from ulid import ULID

from permissions.model import Principal
from server.audit.digests import digest_of
from server.audit.entries import entry_for
from server.metrics import Metrics
from server.sockets.connection import Peer
from server.sockets.framing import binary_frame
from storage.ports import Records
from sync.effects import (
    Announcement,
    AuditAction,
    AuditEntry,
    AuditOutcome,
    Change,
    Commit,
    Conflict,
    Loss,
    RecordFacts,
    Refusal,
    StepTiming,
    UpdateRow,
)
from sync.flow import StepChange
from sync.proposal import Accepted, Proposal
from sync.structs import Deletes, StructsByClient
from sync.update import encode_update, merge_deletes
from sync.wire import (
    encode_notice,
    encode_permission_denied,
    encode_refused,
    encode_saved,
    encode_update_message,
)

__all__ = ["Batch", "commit"]


class Batch:
    """What one turn has proposed, in order.

    steps: those that were started, completed or returned, by an intent or over REST.
    """

    def __init__(self, record_id: str, version: int, profile: str = "") -> None:
        self.record_id = record_id
        self.profile = profile
        self.base_version = version
        self.rows: list[UpdateRow] = []
        self.accepted: list[tuple[Accepted, Peer | None, bool]] = []
        self.changes: dict[tuple[int, int], Change] = {}
        self.refusals: list[Refusal] = []
        self.conflicts: list[Conflict] = []
        self.losses: list[Loss] = []
        self.decided: dict[str, Refusal] = {}
        self.audit: list[AuditEntry] = []
        self.emergency: frozenset[str] = frozenset()
        """Who has emergency access: what they do is marked in the trail."""
        self.judged: list[tuple[Peer, Proposal, int, bool]] = []
        self.facts: RecordFacts | None = None
        self.has_facts = False
        self.fields: set[str] = set()
        self.steps: list[StepChange] = []
        self.edits: list[tuple[Principal, tuple[str, ...]]] = []
        self.announcements: list[Announcement] = []
        self.notices: list[Mapping[str, object]] = []
        self.told: list[tuple[str, Mapping[str, object]]] = []
        self.locks_changed = False

    @property
    def version(self) -> int:
        """The version that the record stands at after what was taken in so far."""
        return self.base_version + len(self.rows)

    @property
    def timings(self) -> tuple[StepTiming, ...]:
        """How long the steps took that were completed and had been started."""
        return tuple(
            StepTiming(
                profile=self.profile, step=one.step, ready_at=one.ready_at,
                started_at=one.started_at, completed_at=one.at,
            )
            for one in self.steps
            if one.action == "complete" and one.ready_at is not None and one.started_at is not None
        )  # fmt: skip

    def announce(
        self,
        event: str,
        at: datetime,
        *,
        roles: Iterable[str] = (),
        users: Iterable[str] = (),
        session: bool = False,
        payload: Mapping[str, object] | None = None,
    ) -> None:
        """Let people be told of an event, once it is on disk with everything else of the batch."""
        self.announcements.append(
            Announcement(
                id=str(ULID.from_datetime(at)), at=at, event=event, record_id=self.record_id,
                version=self.version, profile=self.profile, roles=tuple(roles),
                users=tuple(users), session=session, payload=payload or {},
            )
        )  # fmt: skip

    def notice(self, event: str, **told: object) -> None:
        """Send a notice (message 103) to everybody on the record, after the broadcast."""
        self.notices.append({"event": event, **told})

    def tell(self, whom: str, event: str, **told: object) -> None:
        """Send a notice to the sockets on the record of one person or one peer, by its id."""
        self.told.append((whom, {"event": event, **told}))

    def add(
        self,
        proposal: Proposal,
        peer: Peer | None,
        author: Principal,
        at: datetime,
        *,
        answer: bool = False,
    ) -> None:
        """Take in what became of one frame of `author`.

        peer: where it came from. answer: it came as a SyncStep2.
        """
        version = self.base_version + len(self.rows)
        if proposal.accepted is not None:
            self._add_row(proposal.accepted, peer, proposal.heal, author, at)
            self.fields.update(proposal.fields)
            self.edits.append((author, proposal.fields))
            version = proposal.accepted.row.version
        for change in proposal.steps:
            self.add_step(change, author, at)
        if proposal.amendments:
            detail = f"entries={proposal.amendments}"
            self.audit.append(
                entry_for(author, "amend", "success", at, self.record_id, version, detail)
            )
        if proposal.refusals:
            self.refusals.extend(proposal.refusals)
            detail = f"fields={len(proposal.refusals)}"
            if proposal.accepted is not None:
                digest = digest_of(proposal.accepted.row.hash, proposal.refusals)
                detail += f" digest={digest}"
            self._note(author, "refuse", "denied", at, version, detail)
        if proposal.conflicts:
            self.conflicts.extend(proposal.conflicts)
            self.losses.extend(proposal.losses)
            detail = f"fields={len(proposal.conflicts)}"
            self._note(author, "conflict", "success", at, version, detail)
        if peer is not None:
            self.judged.append((peer, proposal, version, answer))

    def add_facts(self, accepted: Accepted, author: Principal, at: datetime) -> None:
        """Take in a change of the server's own facts."""
        self.has_facts = True
        self.edits.append((author, ()))
        self._add_row(accepted, None, True, author, at)

    def add_resolution(
        self, accepted: Accepted, conflict: Conflict, resolver: Principal, at: datetime
    ) -> None:
        """Take in a conflict that somebody has decided, and the value that stands by it."""
        self._add_row(accepted, None, True, resolver, at)
        self.fields.add(conflict.field)
        self.conflicts.append(conflict)
        version, digest = accepted.row.version, digest_of(accepted.row.hash, [conflict])
        detail = f"conflict={conflict.id} digest={digest}"
        self.audit.append(
            entry_for(resolver, "resolve", "success", at, self.record_id, version, detail)
        )

    def add_step(self, change: StepChange, author: Principal, at: datetime) -> None:
        """Take in a step change; its facts are taken in with their row."""
        self.has_facts = True
        self.steps.append(change)
        detail = f"{change.action} {change.step}"
        self.audit.append(
            entry_for(author, "step", "success", at, self.record_id, self.version, detail)
        )

    def add_decision(self, refusal: Refusal, who: Principal, at: datetime) -> None:
        """Take in that somebody has applied or dismissed a refusal; its author is told."""
        self.decided[refusal.id] = refusal
        action: AuditAction = "apply" if refusal.status == "applied" else "dismiss"
        digest = digest_of(refusal.original, [refusal])
        detail = f"refusal={refusal.id} for={refusal.author} digest={digest}"
        self.audit.append(
            entry_for(who, action, "success", at, self.record_id, self.version, detail)
        )
        payload = {"refusal": refusal.id, "field": refusal.field, "by": who.user_id}
        self.announce(f"refusal_{refusal.status}", at, users=(refusal.author,), payload=payload)

    def _add_row(
        self, accepted: Accepted, peer: Peer | None, heal: bool, author: Principal, at: datetime
    ) -> None:
        self.rows.append(accepted.row)
        for change in accepted.changes:
            self.changes[change.version, change.ordinal] = change
        self.accepted.append((accepted, peer, heal))
        row = accepted.row
        action: AuditAction = "update" if row.version > 1 else "create"
        detail = f"role={row.role}" if row.role else ""
        self._note(author, action, "success", at, row.version, detail)

    def _note(
        self, author: Principal, action: AuditAction, outcome: AuditOutcome, at: datetime,
        version: int, detail: str,
    ) -> None:  # fmt: skip
        entry = entry_for(author, action, outcome, at, self.record_id, version, detail)
        self.audit.append(entry)

    def _marked(self, entry: AuditEntry) -> AuditEntry:
        """The entry, marked where it is of somebody under emergency access. SPEC GLASS-3."""
        if entry.user_id not in self.emergency or entry.action in (
            "break_glass",
            "break_glass_end",
        ):
            return entry
        return msgspec.structs.replace(entry, detail=f"{entry.detail} emergency".lstrip())

    def is_empty(self) -> bool:
        """Whether there is nothing to store."""
        return self.facts is None and not (
            self.rows or self.refusals or self.decided or self.audit or self.announcements
        )

    def as_commit(self) -> Commit:
        conflicts = {conflict.id: conflict for conflict in self.conflicts}
        return Commit(
            record_id=self.record_id, base_version=self.base_version, rows=tuple(self.rows),
            changes=tuple(self.changes.values()),
            refusals=(*self.refusals, *self.decided.values()), conflicts=tuple(conflicts.values()),
            audit=tuple(map(self._marked, self.audit)), announcements=tuple(self.announcements),
            timings=self.timings, facts=self.facts,
        )  # fmt: skip


async def commit(batch: Batch, records: Records, peers: Sequence[Peer], metrics: Metrics) -> None:
    """Make the batch durable, then tell its senders and everybody else.

    peers: those who have synced and are to be kept up to date. Raises storage errors; nobody was
    told anything then.
    """
    if not batch.is_empty():
        begun = time.perf_counter()
        await records.append(batch.as_commit())
        metrics.commit_seconds.observe(time.perf_counter() - begun)
        metrics.updates_accepted.inc(len(batch.rows))
        for refusal in batch.refusals:
            metrics.fields_refused.labels(refusal.rule).inc()
    _acknowledge(batch)
    _broadcast(batch, peers)
    for notice in batch.notices:
        message = encode_notice(notice)
        for peer in peers:
            if peer.speaks_extension:
                peer.send(message)
    for whom, told in batch.told:
        message = encode_notice(told)
        for peer in peers:
            if peer.speaks_extension and whom in (peer.id, peer.principal.user_id):
                peer.send(message)


def _acknowledge(batch: Batch) -> None:
    version = batch.base_version + len(batch.rows)
    told: dict[str, Peer] = {}
    for peer, proposal, at, answer in batch.judged:
        covered = peer.session.note_judged(gap=proposal.gap is not None, answer=answer)
        if proposal.refusals:
            _tell_refusals(peer, proposal.refusals, at)
        if covered and peer.speaks_extension:
            told[peer.id] = peer
    for peer in told.values():
        peer.send(encode_saved(peer.session.saved, version))


def _tell_refusals(peer: Peer, refusals: Sequence[Refusal], version: int) -> None:
    if not peer.speaks_extension:
        peer.send(encode_permission_denied("; ".join(_sentence(r) for r in refusals[:5])))
        return
    fields = [
        {
            "field": r.field,
            "rule": r.rule,
            "reason": r.reason,
            "value": msgspec.Raw(r.value.encode()),
        }
        for r in refusals[:50]
    ]
    peer.send(encode_refused({"refusal": refusals[0].id, "version": version, "fields": fields}))


def _sentence(refusal: Refusal) -> str:
    return f"{refusal.field}: {refusal.reason}"


def _broadcast(batch: Batch, peers: Iterable[Peer]) -> None:
    if not batch.accepted:
        return
    merged = _messages([accepted for accepted, _, _ in batch.accepted])
    messages = [(message, binary_frame(message)) for message in merged]
    healed = {peer.id for _, peer, heal in batch.accepted if peer is not None and heal}
    authors = {None if peer is None else peer.id for _, peer, _ in batch.accepted}
    only = next(iter(authors)) if len(authors) == 1 else None
    skipped = only if only is not None and only not in healed else None
    for peer in peers:
        if peer.id == skipped:
            continue
        for message, frame in messages:
            peer.send(message, frame)


def _messages(accepted: Sequence[Accepted]) -> list[bytes]:
    """The batch as few update messages: one, unless a pair must be deleted before an insertion."""
    if len(accepted) == 1 and not accepted[0].first:
        return [encode_update_message(accepted[0].row.update)]
    frames: list[bytes] = []
    structs: StructsByClient = {}
    deletes: Deletes = {}
    for one in accepted:
        if one.first:
            if structs or deletes:
                frames.append(encode_update_message(encode_update(structs, deletes)))
                structs, deletes = {}, {}
            frames.append(encode_update_message(encode_update({}, one.first)))
        for client, added in one.structs.items():
            structs.setdefault(client, []).extend(added)
        deletes = merge_deletes(deletes, one.deletes)
    frames.append(encode_update_message(encode_update(structs, deletes)))
    return frames
