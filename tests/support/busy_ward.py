"""A ward on a busy day: people hold fields, ask for steps, repeat what was refused; clocks jump."""

from collections.abc import Iterator

from permissions.model import Rule
from sync.effects import Refusal
from sync.errors import NotRepeatable
from sync.structs import Kind
from sync.update import decode_update
from tests.support.clinic import BOUNDS, shows_registers
from tests.support.people import at, person
from tests.support.replicas import Step
from tests.support.ward import FIELDS, TEXTS, WRITERS, Ward

__all__ = ["BusyWard"]

HELD = (*(name for name, exact in FIELDS.items() if exact), *TEXTS)
"""Fields that are held. What a cleared field shows the model knows only roughly."""

STEPS = ("registration", "triage")
"""Steps that are asked for; nothing that follows on them closes the record."""

DESK_CLIENT = 2**31 + 99
SUPERVISOR = person("S", "supervisor")


class BusyWard(Ward):
    """The same tablets and people."""

    def hold(self, who: int, which: int, seconds: float) -> None:
        """Let somebody who may write a field hold it, unless a colleague does."""
        name = HELD[which % len(HELD)]
        holder, held = self.clinic.tablets[who].person, self.clinic.holds.get(name)
        root = name if name in TEXTS else name.partition(".")[0]
        if not holder.roles & WRITERS[root]:
            return
        if held is None or held.is_over(at(self.clinic.now_s)):
            self.clinic.lock(name, holder, seconds)

    def let_go(self, which: int) -> None:
        self.clinic.holds.pop(HELD[which % len(HELD)], None)

    def ask_for_step(self, who: int, which: int, action: int) -> None:
        """Ask the workflow for something, sensible or not."""
        step = STEPS[which % len(STEPS)]
        self.model.offences.add((self.clinic.tablets[who].person.user_id, f"progress.{step}"))
        intent = {"action": ("start", "complete", "return", "dance")[action % 4], "reason": "asked"}
        edit: Step = ("del", "progress", step) if action == 4 else ("set", "progress", step, intent)
        self._transact(who, [lambda shown: edit])

    def jump(self, seconds: float) -> None:
        """Set the server's clock to another time."""
        self.clinic.now_s += seconds
        for field in self.model.fields.values():
            field.timeless = field.timeless or seconds < 0

    def apply(self, which: int) -> None:
        """Let a supervisor write what was refused, once the tablet that tried shows it no more."""
        if not self.clinic.refusals:
            return
        at_index = which % len(self.clinic.refusals)
        refusal = self.clinic.refusals[at_index]
        if refusal.status != "open" or refusal.field not in (*FIELDS, *TEXTS):
            return
        tried = list(_tried(refusal))
        if self._is_about(refusal.field, tried):
            return
        name, before = refusal.field, self._narrative(refusal.field)
        root, _, key = name.partition(".")
        shown = self.clinic.fresh().show().maps.get(root, {}).get(key)
        try:
            proposal = self.clinic.apply(refusal, SUPERVISOR, DESK_CLIENT)
        except NotRepeatable:
            return
        if proposal is not None and proposal.accepted is None:
            assert {r.rule for r in proposal.refusals} <= {Rule.LOCKED, Rule.RANGE, Rule.SIZE}
            return
        if name in TEXTS:
            self._note_words(name, tried, before)
        else:
            (value,) = tried
            now = at(self.clinic.now_s)
            lock = self._locks_of_others("S", now, now, True).get(name)
            self.model.note_applied(name, value, "S", shown, now, lock)
        del self.clinic.refusals[at_index]
        self.refused_values = [value for value in self.refused_values if value not in tried]
        wrong = shows_registers(self.clinic.room)
        assert not wrong, f"the document does not show the applied value of {wrong}"

    def rest(self) -> None:
        super().rest()
        shown = self.clinic.tablets[0].replica.show()
        assert not shown.maps["progress"], "an intent was not taken out"

    # -- inside ----------------------------------------------------------------------------------

    def _is_about(self, name: str, tried: list[object]) -> bool:
        """Whether what was refused is still seen somewhere, or of no use for the model."""
        if name in FIELDS:
            if len(tried) != 1:
                return True
            root, _, key = name.partition(".")
            return any(self._show(who).maps[root].get(key) == tried[0] for who in range(6))
        if any(cut & set(tried) for *_, cut in self.pending_cuts):
            return True
        return any(set(self._show(who).texts[name]) & set(tried) for who in range(6))

    def _narrative(self, name: str) -> str:
        return self.clinic.room.document.text(name) if name in TEXTS else ""

    def _note_words(self, name: str, tried: list[object], before: str) -> None:
        text, after = self.model.texts[name], self._narrative(name)
        for character in map(str, tried):
            if character in text.authors:
                assert character in after, f"{character} was not put back"
                text.authors[character] = -1, True
                text.deleted.discard(character)
        gone = set(before) - set(after) - {"\ufffd"}
        assert gone <= text.attacked, f"{gone - text.attacked} went with what was applied"
        text.deleted |= gone


def _tried(refusal: Refusal) -> Iterator[object]:
    """The values and characters that were refused."""
    for structs in decode_update(refusal.original, BOUNDS).structs.values():
        for struct in structs:
            if struct.kind == Kind.STRING:
                yield from str(struct.content)
            elif struct.kind == Kind.ANY and isinstance(struct.content, tuple):
                yield struct.content[0]
