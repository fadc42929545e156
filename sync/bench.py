"""The gate's bench: one update, what judging it keeps in mind, asks the policy, and writes of it.

Whatever is judged, a struct is kept, kept without its content (blank), or becomes a GC struct where
even its name may not travel (void); its clocks stay.
"""

from datetime import datetime, timedelta

from permissions.fields import Field
from permissions.model import Decision, Operation, Principal, Rule
from sync.fields import RangeSet
from sync.frame import Frame, WrittenTimes
from sync.judgement import Judgement, Touch
from sync.locks import Hold
from sync.place import VOID, Place
from sync.placed import Placement
from sync.record_view import RecordView
from sync.registers import Write
from sync.structs import Id, Kind, Struct

__all__ = [
    "BAD_HISTORY", "LIVE", "RECORD_FULL", "SERVER_OWNED", "WRONG_KIND", "Bench",
]  # fmt: skip

LIVE = timedelta(seconds=10)
"""An edit that took longer from hand to server was not live: its author may not have known of a
lock. As long as the grace that a lock has when its holder's network fails."""

SERVER_OWNED = Decision(False, Rule.SERVER_OWNED, "Only the server writes this.")
WRONG_KIND = Decision(False, Rule.TYPE, "This field cannot hold content of that kind.")
NOT_A_FIELD = Decision(False, Rule.UNKNOWN_FIELD, "The profile has no such field.")
NO_CONTAINER = Decision(False, Rule.TYPE, "Records hold no nested shared types.")
BAD_HISTORY = Decision(False, Rule.HISTORY, "The edit contradicts the history it continues.")
RECORD_FULL = Decision(False, Rule.SIZE, "The record has reached its largest size.")

_VOID_DECISIONS = {
    Rule.UNKNOWN_FIELD: NOT_A_FIELD,
    Rule.TYPE: NO_CONTAINER,
    Rule.HISTORY: BAD_HISTORY,
}


class Bench:
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

    def _decide(self, struct: Struct, operation: Operation, place: Place) -> Decision:
        """What the policy says of a struct, for who its author was when it was written."""
        times, clock = self.times, struct.end - 1
        denied = times.denied(struct.client, clock)
        if denied is not None:
            return denied
        author = times.author_of(struct.client, clock)
        return self._ask_policy(author, operation, place.field)

    def _may_delete(self, place: Place) -> Decision:
        field = place.field
        if self.frame.denied is not None:
            return self.frame.denied
        decision = self._ask_policy(self.frame.author, Operation.DELETE, field)
        if field is None or not decision.allowed:
            return decision
        return self._locked(self._held(field), field, self.frame.written_at) or decision

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

    # -- rewriting ---------------------------------------------------------------------------------

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


def _with_key_bit(struct: Struct, keyed: bool) -> Struct:
    """The struct with the wire's key bit as its place has it: a peer cannot smuggle a bit in it."""
    return Struct(
        struct.client, struct.clock, struct.length, struct.kind, struct.content,
        struct.origin, struct.right_origin, struct.parent, struct.key, keyed,
    )  # fmt: skip
