"""The history: what each row changed, told alike live and by replay, and as the record shows it."""

import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from sync.document import ABSENT, Document
from sync.effects import Change
from sync.history import MAX_ENCLOSED_CHARACTERS, enclosing_splice, splices_of
from sync.replay import replay, snapshot_of
from sync.resolving import disputed_place, resolve
from tests.support.clinic import Clinic, reloaded
from tests.support.crafting import Scene, insertion, scene, update_of, writing
from tests.support.history_model import check_history
from tests.support.people import at, empty_room, person, ulid
from tests.support.ward import Ward
from tests.sync.test_convergence_machine import random_deed


def ward_of(seed: int, deeds: int = 150) -> Ward:
    choose = random.Random(seed)
    ward = Ward(choose.sample(range(1024, 2**32), 6), None)
    for _ in range(deeds):
        random_deed(ward, choose)
    return ward


def told(clinic: Clinic) -> list[tuple[object, ...]]:
    """(kind, name, old, new) of every change."""
    return [
        (c.kind, c.name, msgspec.json.decode(c.old), msgspec.json.decode(c.new))
        for c in clinic.changes
    ]


@pytest.mark.rule("HIST-1")
@pytest.mark.rule("HIST-2")
@pytest.mark.parametrize("seed", range(12))
def test_history_replayed_field_by_field_shows_the_record_at_every_version(seed: int) -> None:
    check_history(ward_of(seed).clinic)


@pytest.mark.rule("HIST-2")
@pytest.mark.parametrize("seed", range(6))
def test_history_is_the_same_live_replayed_and_from_a_snapshot(seed: int) -> None:
    clinic = ward_of(100 + seed).clinic
    replayed: list[Change] = []
    for _ in replay(empty_room(clinic.limits), None, clinic.rows, replayed):
        pass

    half = len(clinic.rows) // 2
    after: list[Change] = []
    snapshot = snapshot_of(reloaded(clinic.rows[:half]))
    for _ in replay(empty_room(clinic.limits), snapshot, clinic.rows[half:], after):
        pass

    assert replayed == clinic.changes
    assert after == [change for change in replayed if change.last_version > half]


@pytest.mark.rule("HIST-1")
def test_writing_overwriting_and_clearing_a_field_are_told_with_both_values() -> None:
    here = scene("nurse")

    here.send(writing(3001, 0, 70.0))
    here.send(writing(3001, 1, 71.0, origin=(3001, 0)))
    here.clinic.settle()
    here.nurse.edit(("del", "vitals", "pulse"))
    here.clinic.settle()

    assert told(here.clinic) == [
        ("set", "vitals.pulse", None, 70),
        ("set", "vitals.pulse", 70, 71),
        ("clear", "vitals.pulse", 71, None),
    ]
    assert [change.author for change in here.clinic.changes] == ["A", "A", "N"]
    assert [change.role for change in here.clinic.changes] == ["nurse"] * 3


@pytest.mark.rule("HIST-1")
def test_every_value_of_a_chain_in_one_frame_is_told() -> None:
    here = scene("nurse")

    here.send(writing(3001, 0, 70), writing(3001, 1, 71, origin=(3001, 0)))

    assert told(here.clinic) == [
        ("set", "vitals.pulse", None, 70),
        ("set", "vitals.pulse", 70, 71),
    ]


@pytest.mark.rule("HIST-1")
def test_a_refused_write_leaves_no_change() -> None:
    here = scene("receptionist")

    here.send(writing(3001, 0, 70))

    assert len(here.clinic.refusals) == 1
    assert here.clinic.changes == []


@pytest.mark.rule("HIST-3")
def test_a_write_that_lost_is_told_with_what_stands_instead() -> None:
    here = scene("nurse")
    here.send(writing(3001, 0, 70.0))
    here.clinic.settle()
    here.clinic.disconnect(here.nurse)
    here.nurse.edit(("set", "vitals", "pulse", 99.0))

    here.clinic.now_s = 1000
    here.send(writing(3001, 1, 71.0, origin=(3001, 0)))
    late = here.nurse.replica.diff(b"\x00")
    here.clinic.take(here.nurse, late, at(500))

    assert told(here.clinic)[-1] == ("overruled", "vitals.pulse", 71, 99)
    assert here.clinic.changes[-1].author == "N"
    assert here.clinic.room.document.value("vitals", "pulse") == 71


@pytest.mark.rule("HIST-3")
def test_a_clearing_that_lost_is_told_too() -> None:
    here = scene("nurse")
    here.send(writing(3001, 0, 70.0))
    here.clinic.settle()
    here.clinic.disconnect(here.nurse)
    here.nurse.edit(("del", "vitals", "pulse"))
    cleared = here.nurse.replica.diff(b"\x00")

    here.clinic.now_s = 1000
    here.send(writing(3001, 1, 71.0, origin=(3001, 0)))
    here.clinic.connect(here.nurse)
    here.nurse.link.up.clear()
    here.clinic.take(here.nurse, cleared, at(500))

    assert ("overruled", "vitals.pulse", 71, None) in told(here.clinic)


@pytest.mark.rule("HIST-4")
def test_entries_corrections_and_amendments_are_told_apart() -> None:
    here = scene("nurse")
    first, second = ulid(1), ulid(2)

    def entry(number: int, **more: object) -> dict[str, object]:
        return {"id": ulid(number), "at": "2026-01-01T00:00:00.000Z", "by": "A",
                "substance": "latex", "reaction": "rash", "severity": "mild", **more}  # fmt: skip

    here.send(writing(3001, 0, entry(1), root="safety", key=first))
    here.send(writing(3001, 1, entry(2, replaces=first), root="safety", key=second))

    assert [(c.kind, c.field, c.entry) for c in here.clinic.changes] == [
        ("entry", "safety", first),
        ("correction", "safety", second),
    ]
    assert here.clinic.changes[0].old == "null"


@pytest.mark.rule("HIST-1")
def test_facts_of_the_server_are_told_in_the_name_of_who_caused_them() -> None:
    here = scene()

    here.clinic.write_facts(person("R", "receptionist"), status="open", current_step="triage")

    assert told(here.clinic) == [
        ("set", "record.current_step", None, "triage"),
        ("set", "record.status", None, "open"),
    ]
    assert {change.author for change in here.clinic.changes} == {"R"}


# -- narratives ----------------------------------------------------------------------------------


def typed(here: Scene, text: str, *, start: int = 0, seconds: float = 1) -> None:
    """One character a frame, each right of the one before."""
    for clock, letter in enumerate(text, start):
        here.clinic.now_s += seconds
        origin = (3001, clock - 1) if clock else None
        here.send(insertion(3001, clock, letter, origin=origin))


def newest(clinic: Clinic) -> dict[tuple[int, int], Change]:
    return {(change.version, change.ordinal): change for change in clinic.changes}


@pytest.mark.rule("HIST-5")
def test_words_removed_and_inserted_are_told_with_their_place() -> None:
    here = scene("nurse")
    here.send(insertion(3001, 0, "Walks with a stick."))
    here.clinic.settle()

    here.nurse.edit(("cut", "assessment.notes", 13, 5), ("insert", "assessment.notes", 13, "frame"))
    here.clinic.settle()

    assert told(here.clinic)[-1] == ("text", "assessment.notes", "stick", "frame")
    assert here.clinic.changes[-1].offset == 13


@pytest.mark.rule("HIST-6")
def test_typing_in_one_sitting_is_one_change() -> None:
    here = scene("nurse")

    typed(here, "Walks well")

    (change,) = newest(here.clinic).values()
    assert (change.version, change.last_version) == (1, 10)
    assert (change.old, change.new) == ('""', '"Walks well"')
    assert change.written_at < change.last_written_at


@pytest.mark.rule("HIST-6")
def test_a_pause_starts_a_new_sitting() -> None:
    here = scene("nurse")
    typed(here, "Walks")
    here.clinic.now_s += 301

    typed(here, " well", start=5)

    assert [c.new for c in newest(here.clinic).values()] == ['"Walks"', '" well"']


@pytest.mark.rule("HIST-6")
def test_what_a_colleague_writes_before_a_sitting_shifts_it_and_inside_ends_it() -> None:
    here = scene("nurse")
    typed(here, "Walks")
    here.clinic.settle()
    here.nurse.edit(("insert", "assessment.notes", 0, "Today: "))
    here.clinic.settle()
    typed(here, " well", start=5)
    here.clinic.settle()

    assert newest(here.clinic)[1, 1].new == '"Walks well"'
    assert newest(here.clinic)[1, 1].offset == 7

    here.nurse.edit(("insert", "assessment.notes", 9, "..."))
    here.clinic.settle()
    typed(here, "!", start=10)

    assert [c.new for c in newest(here.clinic).values()][-1] == '"!"'


@pytest.mark.rule("HIST-6")
def test_taking_back_what_stood_before_a_sitting_joins_it() -> None:
    here = scene("nurse")
    here.send(insertion(3001, 0, "Walks with a stick"))
    here.clinic.now_s += 400
    here.send(insertion(3001, 18, "s", origin=(3001, 17)))
    here.send(deletes={3001: [(13, 6)]})
    here.send(insertion(3001, 19, "frame", origin=(3001, 12), right_origin=(3001, 13)))

    last = list(newest(here.clinic).values())[-1]
    assert (last.old, last.new) == ('"stick"', '"frame"')


@pytest.mark.rule("HIST-6")
def test_sittings_survive_a_reload_from_a_snapshot() -> None:
    here = scene("nurse")
    typed(here, "Walks")
    here.clinic.save_snapshot()
    here.clinic.crash()

    typed(here, " well", start=5)

    assert list(newest(here.clinic)) == [(1, 1)]
    assert newest(here.clinic)[1, 1].new == '"Walks well"'


texts = st.text("ab é漢😀", max_size=30)


@given(texts, texts)
def test_enclosing_splice_turns_one_text_into_the_other(before: str, after: str) -> None:
    splice = enclosing_splice(before, after)

    assert before[splice.offset :].startswith(splice.removed)
    end = splice.offset + len(splice.removed)
    assert before[: splice.offset] + splice.inserted + before[end:] == after


edits = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6), texts), min_size=1, max_size=5)


@pytest.mark.rule("HIST-5")
@given(texts, edits)
def test_splices_of_a_watched_text_turn_it_into_what_it_shows(
    before: str, made: Sequence[tuple[int, int, str]]
) -> None:
    source: Doc[Text] = Doc(client_id=5000)
    text = source.get("t", type=Text)
    text.insert(0, before)
    document = Document(1, source.get_update())
    document.watch("t")
    vector = source.get_state()
    with source.transaction():
        for where, length, inserted in made:
            start = len(str(text)[:where].encode())
            stop = len(str(text)[: where + length].encode())
            if stop > start:
                del text[start:stop]
            if inserted:
                text.insert(start, inserted)

    document.apply(source.get_update(vector))
    splices, after = splices_of(before, document.watched("t"))

    assert after == str(text)
    rebuilt = before
    for offset, removed, inserted in splices:
        assert rebuilt[offset:].startswith(removed)
        rebuilt = rebuilt[:offset] + inserted + rebuilt[offset + len(removed) :]
    assert rebuilt == after


@pytest.mark.rule("HIST-5")
def test_separate_places_of_a_long_narrative_are_told_apart() -> None:
    here = scene("nurse")
    here.send(insertion(3001, 0, "x" * (MAX_ENCLOSED_CHARACTERS + 1)))
    here.clinic.settle()

    end = ("insert", "assessment.notes", MAX_ENCLOSED_CHARACTERS + 1, "end")
    here.nurse.edit(end, ("insert", "assessment.notes", 0, "start"))
    here.clinic.settle()

    assert [c.new for c in here.clinic.changes[1:]] == ['"start"', '"end"']
    replayed: list[Change] = []
    for _ in replay(empty_room(), None, here.clinic.rows, replayed):
        pass
    assert replayed == here.clinic.changes


@pytest.mark.rule("HIST-3")
def test_what_was_written_offline_into_a_held_empty_field_is_told_as_overruled() -> None:
    here = scene("nurse")
    here.clinic.now_s = 1000
    here.clinic.lock("vitals.pulse", here.nurse.person)

    here.clinic.take(here.attacker, update_of(writing(3001, 0, 70.0)), at(500))

    assert told(here.clinic) == [("overruled", "vitals.pulse", None, 70)]
    check_history(here.clinic)


@pytest.mark.rule("HIST-7")
@pytest.mark.parametrize("value", [72.0, 70.0, ABSENT])
def test_deciding_a_conflict_is_told_as_such_with_who_and_why(value: object) -> None:
    here = scene("nurse")
    here.send(writing(3001, 0, 70.0))
    here.clinic.take(here.nurse, update_of(writing(3050, 0, 72.0)), at(0))
    (conflict,) = here.clinic.conflicts.values()
    place = disputed_place(here.clinic.room, conflict.id)
    assert place is not None

    accepted, _ = resolve(
        here.clinic.room, place, value, "nurse", here.nurse.person, "Measured again.", at(2000)
    )
    here.clinic.store(accepted, skip=None)

    new = None if value is ABSENT else value
    assert told(here.clinic)[-1] == ("resolution", "vitals.pulse", 70, new)
    assert (here.clinic.changes[-1].author, here.clinic.changes[-1].reason) == (
        "N", "Measured again.",
    )  # fmt: skip
    assert [change.reason for change in here.clinic.changes[:-1]] == [""] * (
        len(here.clinic.changes) - 1
    )
    check_history(here.clinic)
