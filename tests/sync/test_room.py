"""A room as a whole: what it accepts, stores and tells."""

import random

import pytest

from sync.frame import Frame
from sync.placement import STEP
from sync.structs import Kind
from sync.update import decode_update
from tests.support.clinic import BOUNDS
from tests.support.crafting import insertion, scene, update_of, writing
from tests.support.people import at, person
from tests.support.replicas import YjsProcess
from tests.support.ward import Ward

ME = 3001
needs_yjs = pytest.mark.skipif(bool(YjsProcess.missing()), reason=YjsProcess.missing() or "it runs")


@pytest.mark.rule("ROOM-1")
def test_refused_author_a_fresh_client_and_the_loaded_room_show_the_same_record() -> None:
    here = scene()
    here.attacker.edit(("set", "vitals", "pulse", 70), ("set", "demographics", "sex", "female"))

    here.clinic.settle()

    assert here.attacker.replica.show() == here.outcome()
    assert here.outcome().maps["demographics"] == {"sex": "female"}


@pytest.mark.rule("ROOM-2")
def test_no_stored_or_told_update_ever_carries_a_refused_value() -> None:
    here = scene()
    here.attacker.edit(("set", "vitals", "not_done_reason", "forged reason"))
    here.attacker.edit(("insert", "diagnosis.plan", 0, "forged plan"))

    here.clinic.settle()

    assert b"forged" not in here.sent()
    assert len(here.clinic.refusals) == 2


@pytest.mark.rule("ROOM-3")
def test_edits_that_hang_on_refused_ones_survive() -> None:
    here = scene()

    for value in (1, 2, 3):
        here.attacker.edit(("set", "vitals", "pulse", 60 + value))
        here.attacker.edit(("set", "demographics", "family_name", f"name {value}"))
    here.clinic.settle()

    assert here.outcome().maps["demographics"] == {"family_name": "name 3"}


@pytest.mark.rule("ROOM-4")
def test_update_that_comes_twice_leaves_one_row() -> None:
    here = scene("nurse")
    structs = [writing(ME, 0, 70), insertion(ME, 1, "x")]

    here.send(*structs)
    again = here.send(*structs)

    assert again.accepted is None
    assert len(here.clinic.rows) == 1


@pytest.mark.rule("ROOM-5")
def test_update_that_changes_nothing_and_is_refused_nothing_leaves_no_row() -> None:
    here = scene("nurse")
    here.send(writing(ME, 0, 70))

    for deletes in ({}, {ME: [(5, 9)]}, {9999: [(0, 9)]}):
        assert here.send(deletes=deletes).accepted is None

    assert len(here.clinic.rows) == 1


@pytest.mark.rule("ROOM-6")
def test_large_update_changes_the_document_only_once_it_is_judged_and_the_version_at_the_end() -> (
    None
):
    here = scene("nurse")
    structs = [insertion(ME, n, "x", origin=(ME, n - 1) if n else None) for n in range(3000)]
    room = here.clinic.room
    link = here.attacker.link
    assert link is not None
    frame = Frame(
        update=update_of(*structs), author=here.attacker.person, knowledge=link.knowledge,
        received_at=at(1), written_at=at(1),
    )  # fmt: skip

    steps = [
        (room.version, len(room.document.text("assessment.notes"))) for _ in room.propose(frame)
    ]

    judging = 3000 // STEP * 2
    assert len(steps) > judging
    assert set(steps[:judging]) == {(0, 0)}
    assert {version for version, _ in steps} == {0}
    assert (room.version, len(room.document.text("assessment.notes"))) == (1, 3000)


@pytest.mark.rule("ROOM-7")
def test_facts_of_the_server_are_stored_in_the_name_of_who_caused_them() -> None:
    here = scene()

    accepted = here.clinic.write_facts(person("S", login_id="SL"), status="open", disputed=[])

    assert accepted is not None
    assert (accepted.row.author, accepted.row.login_id) == ("S", "SL")
    assert [s.kind for s in decode_update(accepted.row.update, BOUNDS).structs[1]] == [Kind.ANY] * 2
    assert here.clinic.write_facts(person("S"), status="open") is None
    assert here.outcome().maps["record"] == {"status": "open", "disputed": []}


@pytest.mark.rule("ROOM-1")
def test_two_narratives_begun_offline_both_arrive() -> None:
    ward = Ward([5887, 4203, 7386, 6334, 7459, 4865], None)

    ward.insert(3, 0, 35, 0)
    ward.insert(3, 1, 34, 0)

    ward.rest()


EXAMPLES = {
    "a clearing made after the answer was on its way counts when it arrives": (
        [3902196496, 2960516946, 1824113071, 2299840123, 3615683969, 2542832779],
        [
            ("write", 2, 1, 1), ("add_entry", 2, 0, 0), ("lose", 2), ("deliver", 2, 2),
            ("write", 1, 4, 1), ("write", 2, 4, 2), ("write", 2, 2, 4, 3), ("clear", 2, 1),
            ("deliver", 2, 3),
        ],
    ),
    "a late duplicate of what its author has written over is refused nothing": (
        [3122947111, 4054345160, 2910111521, 4202615724, 244146825, 1317925339],
        [
            ("go_offline", 4), ("insert", 4, 1, 0, 3), ("go_online", 4), ("write", 4, 4, 0, 3),
            ("write", 4, 4, 5, 3), ("deliver", 4, 1), ("duplicate", 4), ("deliver", 4, 5),
        ],
    ),
    "a clearing that lost is stored": (
        [7827, 9970, 6432, 4695, 4097, 3955],
        [("write", 1, 4, 2), ("rest",), ("clear", 2, 1), ("clear", 1, 1)],
    ),
    "a refused value after an unsent one does not clear the field": (
        [8499, 6700, 8733, 2660, 5973, 8244],
        [("write", 2, 1, 6), ("write", 2, 1, 6), ("write", 2, 1, 0, 10), ("deliver", 2, 1)],
    ),
    "a write that lost by client id is no clearing when it is echoed": (
        [8917, 5155, 8209, 9292, 5445, 2331],
        [("write", 0, 1, 2), ("write_several", 2, [4, 4, 1], 4), ("deliver", 0, 4),
         ("deliver", 2, 1)],
    ),
    "an own refused value hides what it replaced": (
        [5900, 3022, 7162, 7021, 5309, 6392],
        [("write", 3, 0, 1), ("deliver", 3, 4), ("write", 1, 3, 2), ("deliver", 1, 2),
         ("deliver", 0, 1), ("write", 0, 2, 4, 3), ("write_several", 0, [1, 3, 0], 7),
         ("deliver", 0, 1)],
    ),
    "a value removed where there was none clears nothing": (
        [9754, 5871, 4018, 2895, 9691, 2919],
        [("write", 2, 3, 5, 10), ("lose", 2), ("clear", 2, 0), ("deliver", 2, 3),
         ("write", 1, 3, 7)],
    ),
    "a long chain of colleagues' edits makes nobody's echo a clearing": (
        [7537, 7486, 3528, 3556, 7618, 2814],
        [("write", 3, 0, 2), ("write", 2, 0, 4, 10), ("write", 2, 0, 3, 50), ("deliver", 2, 3),
         ("write_several", 5, [0, 0, 4], 1), ("write_several", 5, [0, 1, 4], 1), ("deliver", 5, 5),
         ("write", 2, 0, 2, 10), ("write_several", 1, [3, 0, 0], 0, 3), ("deliver", 3, 2),
         ("deliver", 1, 5)],
    ),
}  # fmt: skip
"""Counter-examples that the machine found, each the history that broke the rule in its name."""

TORN = {
    "an insertion into a pair is kept": (
        [7547, 2354, 8429, 9335, 6263, 2988],
        [("insert", 4, 1, 23, 3), ("rest",), ("insert", 4, 1, 1, 1)],
    ),
    "a replica that was away does not tear a pair that was cut": (
        [2348, 5012, 6830, 6958, 2158, 3842],
        [("insert", 3, 1, 27, 3), ("rest",), ("insert", 0, 1, 4, 3)],
    ),
    "nor one that was deleted before it was cut": (
        [7984, 5007, 3080, 7367, 7647, 6932],
        [("insert", 2, 0, 45, 2), ("rest",), ("insert", 2, 0, 47, 0), ("cut", 4, 0, 16, 1),
         ("deliver", 4, 2)],
    ),
    "a pair cut before it was sent is no forged history": (
        [6760, 8939, 3595, 9441, 9907, 6417],
        [("insert", 4, 0, 18, 3), ("insert", 4, 1, 12, 3), ("cut", 4, 1, 7, 4)],
    ),
}  # fmt: skip


def live_through(ward: Ward, deeds: list[tuple[object, ...]]) -> None:
    for name, *numbers in deeds:
        getattr(ward, str(name))(*numbers)
    ward.rest()


@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("ROOM-3")
@pytest.mark.rule("ARB-9")
@pytest.mark.parametrize("name", EXAMPLES)
def test_history_that_once_went_wrong_ends_well(name: str) -> None:
    client_ids, deeds = EXAMPLES[name]

    live_through(Ward(client_ids, None), deeds)


@needs_yjs
@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("GATE-12")
@pytest.mark.parametrize("name", TORN)
def test_history_with_pairs_that_once_went_wrong_ends_well(name: str) -> None:
    client_ids, deeds = TORN[name]

    live_through(Ward(client_ids, YjsProcess.shared()), deeds)


@pytest.mark.rule("ROOM-4")
def test_reconnecting_again_and_again_refuses_nothing_again() -> None:
    choose = random.Random(1)
    ward = Ward(choose.sample(range(1024, 2**32), 6), None)
    for who in range(6):
        ward.go_offline(who)
        for which in range(5):
            ward.write(who, which, which)
        ward.clear_exact(who, 0)
    ward.rest()
    refusals, rows = len(ward.clinic.refusals), len(ward.clinic.rows)

    ward.rest()

    assert (len(ward.clinic.refusals), len(ward.clinic.rows)) == (refusals, rows)
