"""Judges text in narratives: where it may have been inserted, and what of it may be deleted.

Yrs cannot cut a surrogate pair: who inserts into one or deletes half of it deletes it whole.
SPEC GATE-12, GATE-18.
"""

from permissions.model import Decision, Operation, Rule
from sync.anchors import Anchors, agrees
from sync.bench import RECORD_FULL, WRONG_KIND, Bench
from sync.fields import RangeSet
from sync.judgement import Hit, Restore
from sync.place import Place
from sync.record_view import PairIndex
from sync.structs import Id, Kind, Struct

__all__ = ["TextBench"]

MAX_ORDERINGS = 24
"""Structs of one frame whose place only the document can tell; each costs a copy of it. An honest
backlog has one per place where its author typed between two people's concurrent words."""

NARRATIVE_FULL = Decision(False, Rule.SIZE, "The text has reached its largest size.")


class TextBench(Bench):
    """Judges what a frame does to narratives."""

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
