"""Refused words and deletions, proposed again: where they were, at everybody's, and once."""

import random

import msgspec
import pytest

from permissions.model import Rule
from sync.document import ABSENT
from sync.effects import Refusal
from sync.errors import NotRepeatable
from sync.frame import Frame, Knowledge
from sync.proposal import Proposal
from sync.repeating import repeat_text, require_repeatable, tried_value
from tests.support.clinic import Clinic, Tablet
from tests.support.people import at, person
from tests.support.replicas import PyReplica

PLAN = "diagnosis.plan"
SUPERVISOR = person("boss", "supervisor")
DESK = 5000


class Desk:
    """A clinic with an officer who may write the plan, a nurse who may not, and a supervisor."""

    def __init__(self) -> None:
        self.clinic = Clinic()
        self.officer = self.clinic.join(PyReplica(4000), person("cleo", "clinical_officer"))
        self.nurse = self.clinic.join(PyReplica(3000), person("ann", "nurse"))

    def edit(self, tablet: Tablet, *steps: tuple[object, ...]) -> None:
        tablet.edit(*steps)  # type: ignore[arg-type] # steps of a text
        self.clinic.settle()

    def apply(self, refusal: Refusal) -> Proposal:
        room = self.clinic.room
        update = repeat_text(room, room.books.places.at(PLAN, None), refusal, DESK)
        self.clinic.now_s += 1
        now = at(self.clinic.now_s)
        knowledge = Knowledge(room.books.index.state_vector(), room.version)
        proposal = room.propose_now(
            Frame(
                update=update, author=SUPERVISOR, knowledge=knowledge, received_at=now,
                written_at=now, whole=True, power="apply_refusals",
            )
        )  # fmt: skip
        assert not proposal.refusals
        if proposal.accepted is not None:
            self.clinic.store(proposal.accepted, skip=None)
        self.clinic.settle()
        return proposal

    def everybody(self) -> str:
        """The one text that all show, and who loads the record too."""
        self.clinic.reunite()
        shown = {tablet.replica.show().texts[PLAN] for tablet in self.clinic.tablets}
        shown.add(self.clinic.fresh().show().texts[PLAN])
        assert len(shown) == 1, shown
        loaded = self.clinic.loaded(from_snapshot=False)
        assert loaded.books.encode() == self.clinic.room.books.encode()
        return shown.pop()


@pytest.mark.rule("APPLY-3")
@pytest.mark.parametrize("seed", range(15))
def test_any_refused_words_come_back_once_each_behind_what_they_were_typed_behind(
    seed: int,
) -> None:
    choose, desk = random.Random(seed), Desk()
    desk.edit(desk.officer, ("insert", PLAN, 0, "abcdefgh"))
    behind: dict[str, str] = {}
    for number in range(8):
        word = chr(0x4E00 + number) + "😀" * (number % 2)
        shown = desk.nurse.replica.show().texts[PLAN]
        units = [index for index, c in enumerate(shown) if c != "😀"]
        position = choose.choice(units)
        offset = len(shown[:position].encode("utf-16-le")) // 2
        behind[word] = shown[position - 1] if position else ""
        desk.edit(desk.nurse, ("insert", PLAN, offset, word))
        if choose.random() < 0.5:
            desk.edit(desk.officer, ("insert", PLAN, 0, chr(0x1000 + number)))
        if choose.random() < 0.5:
            desk.apply(desk.clinic.refusals.pop())
            now = desk.everybody()
            assert now.count(word) == 1
            if behind[word]:
                assert now.index(behind[word]) < now.index(word)
    for refusal in desk.clinic.refusals:
        desk.apply(refusal)

    shown = desk.everybody()

    assert [word for word in behind if shown.count(word) != 1] == []
    assert "".join(c for c in shown if c in "abcdefgh") == "abcdefgh"


@pytest.mark.rule("APPLY-4")
def test_text_that_was_put_back_twice_is_deleted_with_either_refusal() -> None:
    desk = Desk()
    desk.edit(desk.officer, ("insert", PLAN, 0, "a😀b kept"))
    desk.edit(desk.nurse, ("cut", PLAN, 0, 4))
    desk.edit(desk.nurse, ("cut", PLAN, 1, 3))
    first, second = desk.clinic.refusals

    desk.apply(second)
    assert desk.everybody() == "a kept"
    desk.apply(first)

    assert desk.everybody() == " kept"
    assert desk.apply(first).accepted is None


@pytest.mark.rule("APPLY-4")
def test_a_deletion_of_which_nothing_is_known_is_not_guessed() -> None:
    desk = Desk()
    desk.edit(desk.officer, ("insert", PLAN, 0, "keep"))
    desk.edit(desk.nurse, ("cut", PLAN, 0, 4))
    (refusal,) = desk.clinic.refusals
    room = desk.clinic.room
    room.books.copies.clear()

    with pytest.raises(NotRepeatable):
        repeat_text(room, room.books.places.at(PLAN, None), refusal, DESK)


@pytest.mark.rule("APPLY-1")
def test_what_was_tried_is_read_from_the_bytes_and_not_from_the_words_for_people() -> None:
    desk = Desk()
    desk.edit(desk.nurse, ("set", "prescriptions", "no ulid", 1), ("set", "contact", "phone", "1"))
    desk.edit(desk.officer, ("insert", PLAN, 0, "keep"))

    tried = {refusal.field: tried_value(refusal) for refusal in desk.clinic.refusals}

    assert tried["contact.phone"] == "1"
    (of_nothing,) = [r for r in _refused_clear(desk) if r.field == "vitals.pulse"]
    assert tried_value(of_nothing) is ABSENT


def _refused_clear(desk: Desk) -> list[Refusal]:
    desk.edit(desk.nurse, ("set", "vitals", "pulse", 70))
    desk.edit(desk.officer, ("del", "vitals", "pulse"))
    return desk.clinic.refusals


@pytest.mark.rule("APPLY-1")
def test_a_frame_refused_as_a_whole_is_not_repeated() -> None:
    desk = Desk()
    desk.edit(desk.nurse, ("insert", PLAN, 0, "x"))
    (refusal,) = desk.clinic.refusals

    for changed in ({"field": "?"}, {"rule": Rule.IDENTITY.value}):
        with pytest.raises(NotRepeatable):
            require_repeatable(msgspec.structs.replace(refusal, **changed))
    require_repeatable(refusal)
