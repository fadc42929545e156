"""The gate: judges every placed struct and every deleted range of an update, and rewrites them.

Pure: reads the field index and the registers, changes neither. What is refused keeps its clocks
(blank, or a GC struct where even its name may not travel), so that no later edit of the same client
hangs behind a hole. SPEC GATE-1 to GATE-18, LOCK-7.
"""

from collections.abc import Generator

from permissions.entries import is_amendment
from permissions.model import Decision, Operation, Rule
from sync.arbiter import cleared_tail
from sync.bench import RECORD_FULL, SERVER_OWNED, WRONG_KIND
from sync.frame import Frame
from sync.intents import Asked, read_intent
from sync.judgement import Clear, Hit, Judgement
from sync.locks import Hold
from sync.place import VOID, Place
from sync.placed import Placed, Placement
from sync.placement import STEP
from sync.record_facts import FACTS
from sync.record_view import Limits, RecordView
from sync.registers import Write
from sync.structs import Kind, Struct
from sync.text_judging import TextBench

__all__ = ["Limits", "judge"]

MAX_BRANCHES_PER_KEY = 64
"""Structs of one frame that do not continue the key's chain. An honest backlog has one per time the
key was seen changing; each one makes Yrs scan the chain."""


def judge(
    record: RecordView, frame: Frame, placement: Placement, version: int
) -> Generator[None, None, Judgement]:
    """Judge a placed update; the judgement says what to apply, what to refuse and what to heal.

    version: the version the update gets if it is accepted.
    """
    bench = _Gate(record, frame, placement, version)
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


class _Gate(TextBench):
    """Judges structs and deletions by the kind of their place."""

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

    def _may_ask(self, struct: Struct, place: Place) -> Decision:
        """What the policy says of an intent, for who its author was when it was written."""
        times, policy = self.times, self.record.policy
        author = times.author_of(struct.client, struct.clock)
        decision = policy.may_step(author, policy.profile.step(place.key or ""), self.record.state)
        return times.denied(struct.client, struct.clock) or decision

    def _refuse_server_owned(self, struct: Struct, place: Place) -> None:
        if place.key not in FACTS:
            self._void(struct, Rule.SERVER_OWNED, place.name, SERVER_OWNED)
        else:
            self._blank(struct, place, SERVER_OWNED)

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
