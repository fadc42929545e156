"""The gate: judges every placed struct and every deleted range of an update, and rewrites them.

Pure: reads the field index and the registers, changes neither. What is refused keeps its clocks
(blank, or a GC struct where even its name may not travel), so that no later edit of the same client
hangs behind a hole. SPEC GATE-1 to GATE-18, LOCK-7.
"""

from collections.abc import Generator
from datetime import datetime, timedelta

from permissions.entries import is_amendment
from permissions.fields import Field
from permissions.model import Decision, Operation, Principal, Rule
from sync.anchors import Anchors, agrees
from sync.arbiter import cleared_tail
from sync.fields import VOID, Place, RangeSet
from sync.frame import Frame, WrittenTimes
from sync.judgement import Clear, Hit, Judgement, Restore, Touch
from sync.locks import Hold
from sync.placement import STEP, Placed, Placement
from sync.progress import Asked, read_intent
from sync.record_facts import FACTS
from sync.record_view import Limits, PairIndex, RecordView
from sync.registers import Write
from sync.structs import Id, Kind, Struct

__all__ = ["Limits", "judge"]

MAX_BRANCHES_PER_KEY = 64
"""Structs of one frame that do not continue the key's chain. An honest backlog has one per time the
key was seen changing; each one makes Yrs scan the chain."""

MAX_ORDERINGS = 24
"""Structs of one frame whose place only the document can tell; each costs a copy of it. An honest
backlog has one per place where its author typed between two people's concurrent words."""

LIVE = timedelta(seconds=10)
"""An edit that took longer from hand to server was not live: its author may not have known of a
lock. As long as the grace that a lock has when its holder's network fails."""

SERVER_OWNED = Decision(False, Rule.SERVER_OWNED, "Only the server writes this.")
WRONG_KIND = Decision(False, Rule.TYPE, "This field cannot hold content of that kind.")
NOT_A_FIELD = Decision(False, Rule.UNKNOWN_FIELD, "The profile has no such field.")
NO_CONTAINER = Decision(False, Rule.TYPE, "Records hold no nested shared types.")
BAD_HISTORY = Decision(False, Rule.HISTORY, "The edit contradicts the history it continues.")
NARRATIVE_FULL = Decision(False, Rule.SIZE, "The text has reached its largest size.")
RECORD_FULL = Decision(False, Rule.SIZE, "The record has reached its largest size.")

_VOID_DECISIONS = {
    Rule.UNKNOWN_FIELD: NOT_A_FIELD,
    Rule.TYPE: NO_CONTAINER,
    Rule.HISTORY: BAD_HISTORY,
}


def judge(
    record: RecordView, frame: Frame, placement: Placement, version: int
) -> Generator[None, None, Judgement]:
    """Judge a placed update; the judgement says what to apply, what to refuse and what to heal.

    version: the version the update gets if it is accepted.
    """
    bench = _Bench(record, frame, placement, version)
    for at, placed in enumerate(placement.placed, 1):
        bench.judge_struct(placed)
        if not at % STEP:
            yield
    for client, ranges in frame.update.deletes.items():
        for at, (clock, length) in enumerate(ranges, 1):
            bench.judge_delete(client, clock, clock + length)
            if not at % STEP:
                yield
    bench.judge_clears()
    return bench.judgement


class _Bench:
    """The state of one judgement."""

    def __init__(
        self, record: RecordView, frame: Frame, placement: Placement, version: int
    ) -> None:
        self.record = record
        self.frame = frame
        self.placement = placement
        self.version = version
        self.judgement = Judgement()
        self.times = WrittenTimes(frame)
        self.added_units: dict[str, int] = {}
        self.added_entries: set[Place] = set()
        self.branches: dict[Place, set[tuple[int, Id | None]]] = {}
        self.seen_text: set[tuple[Place, int, Id | None, Id | None]] = set()
        self.void_ranges: dict[int, RangeSet] = {}
        self.last: dict[Place, Id] = {}
        self.restored: dict[int, RangeSet] = {}
        self.splits: set[Id] = set()
        self.orderings = 0
        self.many = len(placement.placed) > 1

    def _ask_policy(self, author: Principal, operation: Operation, field: Field | None) -> Decision:
        policy, state, power = self.record.policy, self.record.state, self.frame.power
        if power is None:
            return policy.decide(author, operation, field, state)
        return policy.decide_with(author, operation, field, state, power)

    # -- structs ---------------------------------------------------------------------------------

    def judge_struct(self, placed: Placed) -> None:
        struct, place = placed.struct, placed.place
        if self.void_ranges and place is not VOID and self._hangs_on_void(struct):
            self._void(struct, Rule.UNKNOWN_FIELD, place.name)
        elif place.kind == "keyed":
            self._judge_keyed(struct, place)
        elif place.kind == "text":
            self._judge_text(struct, place)
        elif place.kind == "intent":
            self._judge_intent(struct, place)
        elif place.kind == "server":
            self._refuse_server_owned(struct, place)
        else:
            self._void(struct, placed.rule, placed.name)

    def _judge_keyed(self, struct: Struct, place: Place) -> None:
        field = place.field
        assert field is not None, "keyed places have a field"
        if self.many and not self._continues_chain(struct, place):
            self._void(struct, Rule.HISTORY, place.name)
            return
        self.last[place] = (struct.client, struct.end - 1)
        if struct.kind == Kind.DELETED:
            self._judge_overwritten(struct, place)
            return
        if field.kind == "entry":
            register = self.record.registers.get(place)
            stands = register is not None and register.standing is not None
            if stands or place in self.added_entries:
                operation = Operation.CHANGE
            else:
                operation = Operation.AMEND if _is_amendment(struct) else Operation.ADD
        else:
            operation = Operation.WRITE
        decision = self._decide(struct, operation, place)
        if decision.allowed:
            held = self._held(field)
            locked = self._locked(held, field, self.times.of(struct.client, struct.end - 1))
            refusal = locked or self._bad_value(struct, place)
            if refusal is None:
                self._accept_keyed(struct, place, decision.role, held)
                if self.record.state.status == "completed":
                    self.judgement.amendments += 1
                return
            decision = refusal
        if operation in (Operation.ADD, Operation.AMEND):
            # Nobody has seen this key: neither it nor what follows on it travels (SPEC GATE-6).
            self._void(struct, decision.rule, place.name, decision)
            return
        self._blank(struct, place, decision)

    def _bad_value(self, struct: Struct, place: Place) -> Decision | None:
        if struct.kind != Kind.ANY or struct.length != 1:
            return WRONG_KIND
        if self.record.size_bytes() > self.record.limits.max_record_bytes:
            return RECORD_FULL
        assert place.field is not None, "keyed places have a field"
        content = struct.content
        assert isinstance(content, tuple), "ANY holds a tuple"
        return place.field.violation(content[0], key=place.key, principal=self.frame.author)

    def _held(self, field: Field) -> Hold | None:
        """Somebody else's lock of the field."""
        hold = self.record.hold_of(field.name)
        if hold is None or hold.holder.user_id == self.frame.author.user_id:
            return None
        return None if hold.is_over(self.frame.received_at) else hold

    def _locked(self, hold: Hold | None, field: Field, written_at: datetime) -> Decision | None:
        """The refusal of a live edit; None for one that was written offline. SPEC LOCK-7."""
        if hold is None or not self.frame.live or written_at < hold.acquired_at:
            return None
        if self.frame.received_at - written_at > LIVE:
            return None
        return Decision(False, Rule.LOCKED, f"{hold.holder.name} is editing {field.title}.")

    def _accept_keyed(self, struct: Struct, place: Place, role: str, held: Hold | None) -> None:
        content = struct.content
        assert isinstance(content, tuple), "ANY holds a tuple"
        value = content[0]
        self._keep(struct, place)
        if place.field is not None and place.field.kind == "entry":
            self.added_entries.add(place)
        write = self._write(struct, role, value, value is None)
        self._touch(struct, place, write, live=True, held=held)
        self.judgement.changed[place.name] = None

    def _judge_overwritten(self, struct: Struct, place: Place) -> None:
        """A write whose content is gone: overwritten or removed before it was ever sent."""
        field = place.field
        assert field is not None, "keyed places have a field"
        entry = field.kind == "entry"
        decision = self._decide(struct, Operation.ADD if entry else Operation.WRITE, place)
        if entry and not decision.allowed and place not in self.record.registers:
            self._void(struct, None, place.name)  # its key says nothing either (SPEC GATE-6)
            return
        self._keep(struct, place)
        if entry:
            self._touch(struct, place, None)
            return
        held = self._held(field)
        write = self._write(struct, decision.role, None, True) if decision.allowed else None
        if write is not None and self._locked(held, field, write.written_at):
            write = None
        self._touch(struct, place, write, held=held)

    def _write(self, struct: Struct, role: str, value: object, cleared: bool) -> Write:
        frame, author = self.frame, self.frame.author
        clock = struct.end - 1
        at = self.times.of(struct.client, clock)
        return Write(
            (struct.client, clock), author.user_id, role, author.login_id, author.device,
            at, frame.received_at, self.version, value, cleared,
        )  # fmt: skip

    def _continues_chain(self, struct: Struct, place: Place) -> bool:
        """Whether an honest client can have written this: it never writes twice on one origin."""
        if place in self.last and struct.origin == self.last[place]:
            return True
        branches = self.branches.setdefault(place, set())
        if (struct.client, struct.origin) in branches or len(branches) >= MAX_BRANCHES_PER_KEY:
            return False
        branches.add((struct.client, struct.origin))
        return True

    def _judge_text(self, struct: Struct, place: Place) -> None:
        field = place.field
        assert field is not None, "text places have a field"
        if self.many:
            anchor = (place, struct.client, struct.origin, struct.right_origin)
            if anchor in self.seen_text:
                self._void(struct, Rule.HISTORY, place.name)
                return
            self.seen_text.add(anchor)
        if not self._anchors_agree(struct, place):
            self._void(struct, Rule.HISTORY, place.name)
            return
        splits = self._split_pairs(struct)
        drafted = [split for split in splits if self.placement.draft.place_of(split) is not None]
        for client, clock in drafted:
            # Both came in one update: no transaction of its own can delete the pair before.
            self.judgement.delete(client, clock, 2)
        if drafted or (struct.origin is not None and struct.origin == struct.right_origin):
            self._void(struct, Rule.HISTORY, place.name)
            return
        if struct.kind == Kind.DELETED:
            self._keep(struct, place)
            decision = None
        else:
            decision = self._decide(struct, Operation.WRITE, place)
            if decision.allowed:
                written_at = self.times.of(struct.client, struct.end - 1)
                locked = self._locked(self._held(field), field, written_at)
                decision = locked or self._bad_text(struct, place, decision)
            if decision.allowed:
                self.judgement.role = decision.role
                self.judgement.changed[place.name] = None
                self._keep(struct, place)
            else:
                self._blank(struct, place, decision)
        for split in splits:
            if self.record.is_cut(split) or split in self.splits:
                continue
            self.splits.add(split)
            self.judgement.splits.append(split)
            kept = decision is not None and decision.allowed and self._may_delete(place).allowed
            if not kept and not self.record.is_deleted(split):
                self._restore(place, split[0], split[1], split[1] + 2)

    def _anchors_agree(self, struct: Struct, place: Place) -> bool:
        """Whether somebody can have inserted the struct where it says. SPEC GATE-18."""

        def anchors_of(unit: Id) -> Anchors:
            known = self.record.anchors_of(unit) or self.placement.draft.anchors.of(unit)
            return known or (None, None)

        def in_order(units: list[Id]) -> bool:
            self.orderings += 1
            if self.orderings > MAX_ORDERINGS:
                return False
            return self.record.in_order(place.root, units, self.judgement.structs)

        return agrees(struct, anchors_of, in_order)

    def _bad_text(self, struct: Struct, place: Place, allowed: Decision) -> Decision:
        if struct.kind != Kind.STRING:
            return WRONG_KIND
        assert place.field is not None, "text places have a field"
        bad = place.field.violation(struct.content)
        if bad is not None:
            return bad
        units = self.added_units.get(place.root, 0) + struct.length
        most = min(self.record.limits.max_narrative_units, place.field.max_bytes)
        if self.record.text_units(place.root) + units > most:
            return NARRATIVE_FULL
        if self.record.size_bytes() > self.record.limits.max_record_bytes:
            return RECORD_FULL
        self.added_units[place.root] = units
        return allowed

    def _split_pairs(self, struct: Struct) -> list[Id]:
        """The surrogate pairs that this struct would be inserted into, by their first halves."""
        origin, right = struct.origin, struct.right_origin
        index, draft = self.record, self.placement.draft
        halves = {origin, None if right is None else (right[0], right[1] - 1)} - {None}
        return sorted(
            h for h in halves if h and (index.is_pair_start(*h) or draft.is_pair_start(*h))
        )

    def _judge_intent(self, struct: Struct, place: Place) -> None:
        """A step change that is asked for: it is read and taken out again. SPEC FLOW-9."""
        if self.many and not self._continues_chain(struct, place):
            self._void(struct, Rule.HISTORY, place.name)
            return
        self.last[place] = (struct.client, struct.end - 1)
        if struct.kind == Kind.DELETED:
            self._keep(struct, place)  # replaced or taken back before it was sent
            return
        self._empty(struct, place)
        decision = self._may_ask(struct, place)
        if not decision.allowed:
            self.judgement.refuse(place.name, decision, struct)
            return
        one_value = struct.kind == Kind.ANY and struct.length == 1
        intent = read_intent(struct.content[0]) if one_value else WRONG_KIND  # type: ignore[index]
        if isinstance(intent, Decision):
            self.judgement.refuse(place.name, intent, struct)
            return
        self.judgement.role = self.judgement.role or decision.role
        at = self.times.of(struct.client, struct.clock)
        self.judgement.intents.append(Asked(place, struct, intent, at))

    def _refuse_server_owned(self, struct: Struct, place: Place) -> None:
        if place.key not in FACTS:
            self._void(struct, Rule.SERVER_OWNED, place.name, SERVER_OWNED)
        else:
            self._blank(struct, place, SERVER_OWNED)

    # -- rewriting -------------------------------------------------------------------------------

    def _keep(self, struct: Struct, place: Place) -> None:
        keyed = place.key is not None
        if struct.keyed != keyed:
            struct = _with_key_bit(struct, keyed)
        judgement = self.judgement
        judgement.kept.append((struct, place))
        structs = judgement.structs.get(struct.client)
        if structs is None:
            judgement.structs[struct.client] = [struct]
        else:
            structs.append(struct)

    def _blank(self, struct: Struct, place: Place, decision: Decision) -> None:
        self._empty(struct, place)
        self.judgement.refuse(place.name, decision, struct)
        if place.kind != "text":
            self._touch(struct, place, None, live=True)

    def _empty(self, struct: Struct, place: Place) -> None:
        """Keep the struct without its content."""
        blank = Struct(
            struct.client, struct.clock, struct.length, Kind.DELETED, None,
            struct.origin, struct.right_origin, struct.parent, struct.key, place.key is not None,
        )  # fmt: skip
        self._keep(blank, place)
        self.judgement.delete(struct.client, struct.clock, struct.length)

    def _void(
        self, struct: Struct, rule: Rule | None, name: str, decision: Decision | None = None
    ) -> None:
        """Replace a struct that may not travel even by name. SPEC GATE-5."""
        self._keep(Struct(struct.client, struct.clock, struct.length, Kind.GC), VOID)
        self.void_ranges.setdefault(struct.client, RangeSet()).add(struct.clock, struct.end)
        if struct.kind == Kind.GC:
            return
        self.judgement.delete(struct.client, struct.clock, struct.length)
        if struct.kind == Kind.DELETED or rule is None:
            return
        self.judgement.refuse(name, decision or _VOID_DECISIONS[rule], struct)

    def _hangs_on_void(self, struct: Struct) -> bool:
        for neighbour in (struct.origin, struct.right_origin):
            if neighbour is not None:
                ranges = self.void_ranges.get(neighbour[0])
                if ranges is not None and neighbour[1] in ranges:
                    return True
        return False

    def _touch(
        self,
        struct: Struct,
        place: Place,
        write: Write | None,
        *,
        live: bool = False,
        held: Hold | None = None,
    ) -> None:
        if write is not None:
            self.judgement.role = write.role
        self.judgement.touches.setdefault(place, []).append(
            Touch((struct.client, struct.end - 1), struct.origin, write, live, held)
        )

    # -- deletions -------------------------------------------------------------------------------

    def judge_delete(self, client: int, start: int, end: int) -> None:
        for first, last, place in self.record.known_runs(client, start, end):
            if place.kind == "text":
                self._judge_text_delete(place, client, first, last)
            elif place.kind in ("keyed", "server"):
                self.judgement.hits.setdefault(place, []).append(Hit(client, first, last))
        for first, last, place in self.placement.draft.runs(client, start, end):
            if place.kind == "text":
                # Nobody else has seen it yet: taking one's own text back needs no permission.
                first, last = self._widened(self.placement.draft, client, first, last)
                self.judgement.delete(client, first, last - first)
            elif place.kind in ("keyed", "server"):
                self.judgement.hits.setdefault(place, []).append(Hit(client, first, last))

    def _decide(self, struct: Struct, operation: Operation, place: Place) -> Decision:
        """What the policy says of a struct, for who its author was when it was written."""
        times, clock = self.times, struct.end - 1
        denied = times.denied(struct.client, clock)
        if denied is not None:
            return denied
        author = times.author_of(struct.client, clock)
        return self._ask_policy(author, operation, place.field)

    def _may_ask(self, struct: Struct, place: Place) -> Decision:
        """What the policy says of an intent, for who its author was when it was written."""
        times, policy = self.times, self.record.policy
        author = times.author_of(struct.client, struct.clock)
        decision = policy.may_step(author, policy.profile.step(place.key or ""), self.record.state)
        return times.denied(struct.client, struct.clock) or decision

    def _may_delete(self, place: Place) -> Decision:
        field = place.field
        if self.frame.denied is not None:
            return self.frame.denied
        decision = self._ask_policy(self.frame.author, Operation.DELETE, field)
        if field is None or not decision.allowed:
            return decision
        return self._locked(self._held(field), field, self.frame.written_at) or decision

    def _judge_text_delete(self, place: Place, client: int, start: int, end: int) -> None:
        start, end = self._widened(self.record, client, start, end)
        decision = self._may_delete(place)
        parts = self.record.live_parts(client, start, end)
        if decision.allowed and parts != [(start, end)]:
            self.judgement.removed_originals.append(Hit(client, start, end))
        for first, last in parts:
            if decision.allowed:
                self.judgement.role = self.judgement.role or decision.role
                self.judgement.changed[place.name] = None
                self.judgement.delete(client, first, last - first)
            else:
                self.judgement.refuse(place.name, decision, None)
                self._restore(place, client, first, last)

    def _widened(self, pairs: PairIndex, client: int, start: int, end: int) -> tuple[int, int]:
        """The range with whole surrogate pairs: Yrs cannot cut one (F7). SPEC GATE-12."""
        first = start - 1 if pairs.is_pair_start(client, start - 1) else start
        last = end + 1 if pairs.is_pair_start(client, end - 1) else end
        if (first, last) != (start, end):
            self.judgement.widened = True
        return first, last

    def _restore(self, place: Place, client: int, start: int, end: int) -> None:
        """Have these clocks put back, each once."""
        ranges = self.restored.setdefault(client, RangeSet())
        for first, last in list(ranges.missing(start, end)):
            ranges.add(first, last)
            self.judgement.restores.append(Restore(place, client, first, last))

    def judge_clears(self) -> None:
        """Judge the deletions that clear a key; most are how Yjs encodes overwriting, or echoes."""
        judgement, author = self.judgement, self.frame.author
        for place, hits in judgement.hits.items():
            touches = judgement.touches.get(place, [])
            register = self.record.registers.get(place)
            if register is None or (touches and touches[0].origin == register.tail):
                continue  # the everyday overwriting
            tail = cleared_tail(register, hits, touches, self.frame.knowledge, author.user_id)
            if tail is None:
                continue
            decision = self._may_clear(place)
            if not decision.allowed and tail.live == author.user_id:
                continue  # they take back what was refused anyway
            held = None if place.field is None else self._held(place.field)
            judgement.clears[place] = Clear(tail, decision, held)
            if decision.allowed:
                judgement.role = judgement.role or decision.role
                judgement.changed[place.name] = None
            else:
                judgement.refuse(place.name, decision, None)

    def _may_clear(self, place: Place) -> Decision:
        if place.field is None:
            return SERVER_OWNED
        if place.field.kind != "entry" or self.frame.denied is not None:
            return self._may_delete(place)
        return self._ask_policy(self.frame.author, Operation.CHANGE, place.field)


def _is_amendment(struct: Struct) -> bool:
    content = struct.content
    return isinstance(content, tuple) and len(content) == 1 and is_amendment(content[0])


def _with_key_bit(struct: Struct, keyed: bool) -> Struct:
    """The struct with the wire's key bit as its place has it: a peer cannot smuggle a bit in it."""
    return Struct(
        struct.client, struct.clock, struct.length, struct.kind, struct.content,
        struct.origin, struct.right_origin, struct.parent, struct.key, keyed,
    )  # fmt: skip
