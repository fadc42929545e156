"""Ways around the gate that are closed: crafted updates that no honest client sends.

After each one the bystanders (a stock one among them), a fresh replica and the loaded room agree,
nothing is pending, and nothing that was refused is visible or was ever sent on.
"""

import pytest

from permissions.model import Rule
from sync.errors import ForeignClientId
from sync.frame import WrittenRange
from sync.replay import replay, snapshot_of
from sync.structs import Id, Kind, Struct, TypeContent
from sync.update import decode_update
from tests.support.clinic import BOUNDS, reloaded
from tests.support.crafting import gc, insertion, scene, update_of, writing
from tests.support.people import at, empty_room, person, ulid
from tests.support.replicas import PyReplica
from tests.support.work import lines_run

ATTACKER = 3001
NURSE = 3002


# -- gaps -----------------------------------------------------------------------------------------


@pytest.mark.rule("PLACE-3")
def test_update_that_starts_beyond_the_next_clock_is_a_gap_and_changes_nothing() -> None:
    here = scene("nurse")

    proposal = here.send(writing(ATTACKER, 1, 70))

    assert proposal.gap is not None
    assert proposal.gap.missing == (ATTACKER, 0)
    assert proposal.accepted is None
    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("PLACE-3")
def test_merged_update_with_a_skip_inside_is_a_gap() -> None:
    here = scene("nurse")
    skip = Struct(ATTACKER, 1, 1, Kind.SKIP)

    proposal = here.send(writing(ATTACKER, 0, 70), skip, writing(ATTACKER, 2, 71, key="systolic"))

    assert proposal.gap is not None
    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("PLACE-3")
@pytest.mark.parametrize("how", ["origin", "right_origin", "parent"])
def test_struct_that_hangs_on_something_unknown_is_a_gap(how: str) -> None:
    here = scene("nurse")
    unknown: Id = (9999, 5)
    struct = {
        "origin": insertion(ATTACKER, 0, "x", origin=unknown),
        "right_origin": insertion(ATTACKER, 0, "x", right_origin=unknown),
        "parent": Struct(ATTACKER, 0, 1, Kind.ANY, (1,), parent=unknown, key="k", keyed=True),
    }[how]

    proposal = here.send(struct)

    assert proposal.gap is not None
    assert proposal.gap.missing == unknown
    assert here.outcome().texts["assessment.notes"] == ""


@pytest.mark.rule("PLACE-4")
def test_structs_that_hang_on_each_other_in_a_circle_are_a_gap() -> None:
    here = scene("nurse")

    proposal = here.send(
        insertion(ATTACKER, 0, "x", origin=(4001, 0)), insertion(4001, 0, "y", origin=(ATTACKER, 0))
    )

    assert proposal.gap is not None
    assert here.outcome().texts["assessment.notes"] == ""


# -- deletions ------------------------------------------------------------------------------------


@pytest.mark.rule("GATE-11")
def test_deletion_of_clocks_that_do_not_exist_yet_spares_the_edit_that_takes_them() -> None:
    here = scene("nurse")

    proposal = here.send(deletes={NURSE: [(0, 1000)], 7777: [(0, 2**30)]})
    here.nurse.edit(("set", "vitals", "pulse", 70))

    assert proposal.accepted is None
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("ARB-8")
def test_delete_only_update_by_somebody_without_permission_leaves_the_value() -> None:
    here = scene()
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()

    proposal = here.send(deletes={NURSE: [(0, 1)]})

    assert [(r.field, r.rule) for r in proposal.refusals] == [("vitals.pulse", Rule.ROLE)]
    assert proposal.heal
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("GATE-3")
def test_forbidden_content_inserted_and_deleted_in_one_update_is_refused_and_never_sent() -> None:
    here = scene()

    proposal = here.send(
        insertion(ATTACKER, 0, "smuggled"), writing(ATTACKER, 8, "stolen"),
        deletes={ATTACKER: [(0, 9)]},
    )  # fmt: skip

    assert {r.field for r in proposal.refusals} == {"assessment.notes", "vitals.pulse"}
    assert b"smuggled" not in here.sent()
    assert b"stolen" not in here.sent()
    assert here.outcome().texts["assessment.notes"] == ""


@pytest.mark.rule("GATE-5")
def test_deletion_of_children_under_a_container_that_never_was_changes_nothing() -> None:
    here = scene("nurse")
    nested = Struct(
        ATTACKER, 0, 1, Kind.TYPE, TypeContent(1), parent="vitals", key="pulse", keyed=True
    )
    child = Struct(ATTACKER, 1, 1, Kind.ANY, (1,), parent=(ATTACKER, 0), key="k", keyed=True)
    here.send(nested, child)
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()

    here.send(deletes={ATTACKER: [(1, 1)]})

    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("HEAL-5")
def test_small_deletion_of_much_text_is_ignored_and_ends_the_connection() -> None:
    here = scene(max_restored_units=100)
    here.nurse.edit(("insert", "assessment.notes", 0, "x" * 5000))
    here.clinic.settle()

    proposal = here.send(deletes={NURSE: [(0, 5000)]})

    assert proposal.exhausted
    assert [(r.field, r.rule) for r in proposal.refusals] == [("assessment.notes", Rule.ROLE)]
    assert here.outcome().texts["assessment.notes"] == "x" * 5000
    assert len(here.clinic.rows[-1].update) < 100


# -- client ids -----------------------------------------------------------------------------------


@pytest.mark.rule("IDENT-1")
def test_struct_under_a_colleagues_client_id_is_never_applied() -> None:
    here = scene("nurse")
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()

    with pytest.raises(ForeignClientId) as caught:
        here.send(
            writing(ATTACKER, 0, 71, key="systolic"), writing(NURSE, 1, 72, origin=(NURSE, 0))
        )

    assert caught.value.client_id == NURSE
    here.nurse.edit(("set", "vitals", "pulse", 73))
    assert here.outcome().maps["vitals"] == {"pulse": 73}


@pytest.mark.rule("IDENT-1")
def test_client_id_that_somebody_claimed_first_is_nobody_elses() -> None:
    here = scene("nurse")
    here.send(writing(4444, 0, 71))

    with pytest.raises(ForeignClientId):
        here.clinic.take(here.nurse, update_of(writing(4444, 1, 72, origin=(4444, 0))))

    assert here.outcome().maps["vitals"] == {"pulse": 71}


@pytest.mark.rule("IDENT-1")
def test_owner_of_a_client_id_is_known_after_a_restart() -> None:
    here = scene("nurse")
    here.send(writing(4444, 0, 71))

    here.clinic.room = reloaded(here.clinic.rows)

    with pytest.raises(ForeignClientId):
        here.clinic.take(here.nurse, update_of(writing(4444, 1, 72, origin=(4444, 0))))


@pytest.mark.rule("IDENT-2")
@pytest.mark.parametrize("client", [0, 1, 2, 1023])
def test_client_ids_of_the_server_are_nobody_elses(client: int) -> None:
    here = scene("nurse")

    with pytest.raises(ForeignClientId):
        here.send(writing(client, 0, 70))


# -- places ---------------------------------------------------------------------------------------


@pytest.mark.rule("PLACE-6")
def test_struct_between_neighbours_of_different_fields_goes_out_as_gc() -> None:
    here = scene("nurse", "clinical_officer")
    here.send(insertion(ATTACKER, 0, "a"), insertion(ATTACKER, 1, "b", root="diagnosis.plan"))

    proposal = here.send(
        insertion(ATTACKER, 2, "torn", origin=(ATTACKER, 0), right_origin=(ATTACKER, 1))
    )

    assert [r.rule for r in proposal.refusals] == [Rule.HISTORY]
    assert b"torn" not in here.sent()
    assert here.outcome().texts == {"assessment.notes": "a", "diagnosis.plan": "b"}


@pytest.mark.rule("PLACE-6")
def test_right_origin_in_a_keyed_field_contradicts_history() -> None:
    here = scene("nurse")
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()

    proposal = here.send(writing(ATTACKER, 0, 71, right_origin=(NURSE, 0)))

    assert [r.rule for r in proposal.refusals] == [Rule.HISTORY]
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("PLACE-5")
@pytest.mark.parametrize(
    "struct",
    [
        insertion(ATTACKER, 0, "odd", root="vitals"),
        Struct(ATTACKER, 0, 3, Kind.STRING, "odd", parent="assessment.notes", key="k", keyed=True),
        writing(ATTACKER, 0, "odd", key=None),
        writing(ATTACKER, 0, "odd", root="record", key=None),
        writing(ATTACKER, 0, "odd", root="no_such_root"),
        writing(ATTACKER, 0, "odd", key="no_such_key"),
        writing(ATTACKER, 0, "odd", root="vitals.pulse", key=None),
        writing(ATTACKER, 0, "odd", root="vitals\x00", key="pulse"),
        writing(ATTACKER, 0, "odd", root="vitals", key="pulse\x00"),
        writing(ATTACKER, 0, "odd", root="vitals", key="pulse "),
        writing(ATTACKER, 0, "odd", root="VITALS", key="pulse"),
        writing(ATTACKER, 0, "odd", root="vіtals", key="pulse"),  # a Cyrillic letter
        writing(ATTACKER, 0, "odd", root="", key=""),
        writing(ATTACKER, 0, {"drug": "odd"}, root="prescriptions", key="no ULID"),
    ],
    ids=lambda s: f"{s.parent}.{s.key}",
)
def test_struct_in_a_place_that_the_profile_does_not_have_travels_without_its_name(
    struct: Struct,
) -> None:
    here = scene("nurse", "clinical_officer", "receptionist")

    proposal = here.send(struct)

    assert [r.rule for r in proposal.refusals] == [Rule.UNKNOWN_FIELD]
    assert b"odd" not in here.sent()
    assert proposal.accepted is not None
    assert [s.kind for s in proposal.accepted.structs[ATTACKER]] == [Kind.GC]
    shown = here.outcome()
    assert not any(shown.maps.values())
    assert not any(shown.texts.values())


@pytest.mark.rule("PLACE-5")
def test_child_of_a_struct_that_is_no_container_goes_out_as_gc() -> None:
    here = scene("nurse")
    here.send(insertion(ATTACKER, 0, "text"))
    child = Struct(ATTACKER, 4, 5, Kind.STRING, "child", parent=(ATTACKER, 0))

    proposal = here.send(child)

    assert [r.rule for r in proposal.refusals] == [Rule.TYPE]
    assert here.outcome().texts["assessment.notes"] == "text"


@pytest.mark.rule("GATE-5")
def test_chain_on_a_struct_without_a_place_goes_out_as_gc_in_the_same_and_in_later_updates() -> (
    None
):
    here = scene("nurse")

    here.send(
        writing(ATTACKER, 0, "one", root="hidden"),
        writing(ATTACKER, 1, "two", origin=(ATTACKER, 0)),
    )
    proposal = here.send(writing(ATTACKER, 2, "three", origin=(ATTACKER, 1)))

    assert len(proposal.refusals) == 1
    for word in (b"hidden", b"one", b"two", b"three"):
        assert word not in here.sent()
    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("GATE-6")
def test_refused_new_entry_travels_without_its_key_and_so_does_what_follows_on_it() -> None:
    here = scene()
    key = ulid(7)

    here.send(
        writing(ATTACKER, 0, {"drug": "x"}, root="prescriptions", key=key),
        writing(ATTACKER, 1, {"drug": "y"}, root="prescriptions", key=key, origin=(ATTACKER, 0)),
    )

    assert key.encode() not in here.sent()
    assert here.outcome().maps["prescriptions"] == {}


@pytest.mark.rule("GATE-6")
def test_refused_names_take_no_memory() -> None:
    here = scene()
    known = here.clinic.room.books.places._known

    for clock in range(50):
        here.send(writing(ATTACKER, clock, {"drug": "x"}, root="prescriptions", key=ulid(clock)))
    for clock in range(50, 100):
        here.send(writing(ATTACKER, clock, "x", root="record", key=f"made up {clock}"))
    here.clinic.room.books.places.forget_unused(here.clinic.room.registers)

    assert not [key for root, key in known if root in ("prescriptions", "record")]


@pytest.mark.rule("GATE-6")
def test_entry_refused_under_one_client_id_and_added_under_another_in_one_update_stands() -> None:
    here = scene("clinical_officer")
    key = ulid(7)

    here.send(
        writing(4002, 0, {"nonsense": 1}, root="prescriptions", key=key),
        writing(4001, 0, {"drug": "x"}, root="prescriptions", key=key),
    )
    here.officer.edit(("set", "prescriptions", key, {"drug": "changed"}))

    assert here.outcome().maps["prescriptions"] == {key: {"drug": "x"}}


# -- content --------------------------------------------------------------------------------------

ODD_CONTENT = [
    (Kind.JSON, ("1",), 1),
    (Kind.BINARY, b"odd", 1),
    (Kind.STRING, "odd", 3),
    (Kind.EMBED, '{"odd":1}', 1),
    (Kind.FORMAT, ("odd", "true"), 1),
    (Kind.TYPE, TypeContent(1), 1),
    (Kind.TYPE, TypeContent(3, "odd"), 1),
    (Kind.DOC, ("odd", {}), 1),
    (Kind.ANY, (70, "odd"), 2),
]


@pytest.mark.rule("GATE-8")
@pytest.mark.parametrize(("kind", "content", "length"), ODD_CONTENT)
def test_keyed_field_takes_no_content_but_one_json_value(
    kind: int, content: object, length: int
) -> None:
    here = scene("nurse")
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()
    struct = Struct(ATTACKER, 0, length, kind, content, (NURSE, 0), keyed=True)

    proposal = here.send(struct)

    assert [(r.field, r.rule) for r in proposal.refusals] == [("vitals.pulse", Rule.TYPE)]
    assert b"odd" not in here.sent()
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("GATE-9")
@pytest.mark.parametrize(
    ("kind", "content", "length"), [one for one in ODD_CONTENT if one[0] != Kind.STRING]
)
def test_narrative_takes_no_content_but_text(kind: int, content: object, length: int) -> None:
    here = scene("nurse")
    here.nurse.edit(("insert", "assessment.notes", 0, "ab"))
    here.clinic.settle()
    struct = Struct(ATTACKER, 0, length, kind, content, (NURSE, 0), (NURSE, 1))

    proposal = here.send(struct)

    assert [(r.field, r.rule) for r in proposal.refusals] == [("assessment.notes", Rule.TYPE)]
    assert b"odd" not in here.sent()
    assert here.outcome().texts["assessment.notes"] == "ab"


@pytest.mark.rule("GATE-8")
def test_deeply_nested_value_is_refused_by_its_type() -> None:
    here = scene("nurse")
    value: object = 1
    for _ in range(30):
        value = [value]

    proposal = here.send(writing(ATTACKER, 0, value))

    assert [r.rule for r in proposal.refusals] == [Rule.TYPE]
    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("GATE-10")
def test_server_facts_take_no_clients_write_or_deletion_known_or_new() -> None:
    here = scene("supervisor", "nurse")
    here.clinic.write_facts(person("server"), status="open")

    here.send(
        writing(ATTACKER, 0, "completed", origin=(1, 0)),
        writing(ATTACKER, 1, "x", root="record", key="made_up"),
    )
    proposal = here.send(deletes={1: [(0, 100)]})

    assert [r.rule for r in here.clinic.refusals] == [Rule.SERVER_OWNED] * 3
    assert proposal.heal
    assert here.outcome().maps["record"] == {"status": "open"}


# -- surrogate pairs ------------------------------------------------------------------------------


@pytest.mark.rule("GATE-12")
def test_deletion_of_half_a_pair_takes_the_pair_at_everybodys() -> None:
    here = scene("nurse")
    here.nurse.edit(("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()

    proposal = here.send(deletes={NURSE: [(2, 1)]})

    assert proposal.heal
    assert here.outcome().texts["assessment.notes"] == "ab"


@pytest.mark.rule("GATE-12")
def test_refused_deletion_of_half_a_pair_puts_the_pair_back() -> None:
    here = scene()
    here.nurse.edit(("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()

    here.send(deletes={NURSE: [(1, 1)]})

    assert here.outcome().texts["assessment.notes"] == "a😀b"


@pytest.mark.rule("GATE-12")
@pytest.mark.parametrize("right", [(NURSE, 2), None])
def test_insertion_into_a_pair_takes_its_place(right: tuple[int, int] | None) -> None:
    here = scene("nurse")
    here.nurse.edit(("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()

    here.send(insertion(ATTACKER, 0, "x", origin=(NURSE, 1), right_origin=right))

    shown = here.outcome().texts["assessment.notes"]
    assert sorted(shown) == ["a", "b", "x"]


@pytest.mark.rule("GATE-12")
def test_refused_insertion_into_a_pair_that_the_same_update_deletes_puts_it_back_once() -> None:
    here = scene()
    here.nurse.edit(("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()

    here.send(
        insertion(ATTACKER, 0, "x", origin=(NURSE, 1), right_origin=(NURSE, 2)),
        deletes={NURSE: [(0, 4)]},
    )

    assert here.outcome().texts["assessment.notes"] == "a😀b"


@pytest.mark.rule("GATE-12")
def test_pair_that_its_own_update_cuts_by_deletion_goes_as_a_whole() -> None:
    here = scene("nurse")

    proposal = here.send(insertion(ATTACKER, 0, "a😀b"), deletes={ATTACKER: [(1, 1)]})

    assert proposal.heal
    assert here.outcome().texts["assessment.notes"] == "ab"


@pytest.mark.rule("GATE-12")
def test_pair_that_its_own_update_cuts_by_insertion_goes_with_what_was_inserted() -> None:
    here = scene("nurse")

    here.send(
        insertion(ATTACKER, 0, "a😀b"),
        insertion(ATTACKER, 4, "x", origin=(ATTACKER, 1), right_origin=(ATTACKER, 2)),
    )

    assert here.outcome().texts["assessment.notes"] == "ab"


@pytest.mark.rule("GATE-12")
def test_replica_that_missed_the_cutting_of_a_pair_catches_up_without_tearing_it() -> None:
    here = scene("nurse")
    here.nurse.edit(("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()
    here.clinic.disconnect(here.officer)
    here.send(insertion(ATTACKER, 0, "x", origin=(NURSE, 1), right_origin=(NURSE, 2)))

    here.clinic.connect(here.officer)

    assert sorted(here.outcome().texts["assessment.notes"]) == ["a", "b", "x"]


# -- work -----------------------------------------------------------------------------------------


@pytest.mark.rule("GATE-14")
def test_same_key_written_many_times_without_origin_reaches_the_document_once() -> None:
    here = scene("nurse")

    proposal = here.send(*(writing(ATTACKER, clock, 60 + clock % 9) for clock in range(2000)))

    assert proposal.accepted is not None
    kinds = [s.kind for s in proposal.accepted.structs[ATTACKER]]
    assert kinds.count(Kind.ANY) == 1
    assert here.outcome().maps["vitals"] == {"pulse": 60}


@pytest.mark.rule("GATE-14")
def test_one_frame_brings_at_most_64_branches_of_a_key() -> None:
    here = scene("nurse")

    proposal = here.send(*(writing(4000 + n, 0, 60 + n) for n in range(100)))

    assert proposal.accepted is not None
    live = [s for of_client in proposal.accepted.structs.values() for s in of_client]
    assert sum(s.kind == Kind.ANY and s.client >= 4000 for s in live) == 64
    here.outcome()


@pytest.mark.rule("GATE-14")
def test_many_insertions_by_one_client_at_one_place_of_a_text_count_once() -> None:
    here = scene("nurse")

    proposal = here.send(*(insertion(ATTACKER, clock, "x") for clock in range(2000)))

    assert proposal.accepted is not None
    kinds = [s.kind for s in proposal.accepted.structs[ATTACKER]]
    assert kinds.count(Kind.STRING) == 1
    assert here.outcome().texts["assessment.notes"] == "x"


@pytest.mark.rule("GATE-14")
def test_first_words_in_two_empty_narratives_do_not_contradict_each_other() -> None:
    here = scene("nurse", "clinical_officer")

    proposal = here.send(
        insertion(ATTACKER, 0, "notes"), insertion(ATTACKER, 5, "plan", root="diagnosis.plan")
    )

    assert proposal.refusals == ()
    assert here.outcome().texts == {"assessment.notes": "notes", "diagnosis.plan": "plan"}


@pytest.mark.rule("PLACE-7")
def test_claimed_lengths_cost_nothing() -> None:
    short, long = scene("nurse"), scene("nurse")
    deleted = [Struct(ATTACKER, 0, n, Kind.DELETED, parent="assessment.notes") for n in (3, 2**29)]

    lines = [
        lines_run(lambda s=s, d=d: s.send(d, gc(ATTACKER, d.end, d.length)))  # type: ignore[misc]
        for s, d in zip((short, long), deleted, strict=True)
    ]

    assert abs(lines[1] - lines[0]) < 50
    long.outcome()


@pytest.mark.rule("PLACE-7")
@pytest.mark.parametrize("what", ["structs", "deletes", "journal", "branches"])
def test_work_grows_no_faster_than_the_update(what: str) -> None:
    def work(size: int) -> int:
        here = scene("nurse")
        here.send(*_chain(size))
        if what == "structs":
            structs = _chain(size, first=size)
            return lines_run(lambda: here.send(*structs))
        if what == "deletes":
            ranges = [(clock, 1) for clock in range(0, size, 2)]
            return lines_run(lambda: here.send(deletes={ATTACKER: ranges}))
        if what == "branches":
            many = [writing(ATTACKER, size + n, 60 + n % 9) for n in range(size)]
            return lines_run(lambda: here.send(*many))
        return _journal_work(size)

    assert work(2000) < 2.6 * work(1000)


def _chain(size: int, first: int = 0) -> list[Struct]:
    return [
        insertion(ATTACKER, clock, "x", origin=(ATTACKER, clock - 1) if clock else None)
        for clock in range(first, first + size)
    ]


def _journal_work(size: int) -> int:
    here = scene("nurse")
    journal = tuple(WrittenRange(ATTACKER, n, n + 1, at(n)) for n in range(size))
    structs = [
        writing(ATTACKER, n, 60 + n % 9, origin=(ATTACKER, n - 1) if n else None)
        for n in range(size)
    ]
    return lines_run(lambda: here.clinic.take(here.attacker, update_of(*structs), journal=journal))


# -- again and again ------------------------------------------------------------------------------


@pytest.mark.rule("ROOM-4")
@pytest.mark.parametrize("restart", [False, True])
def test_refused_update_that_comes_again_changes_nothing_and_refuses_nothing(restart: bool) -> None:
    here = scene()
    here.nurse.edit(("set", "vitals", "pulse", 70), ("insert", "assessment.notes", 0, "abc"))
    here.clinic.settle()
    structs = (writing(ATTACKER, 0, 99), insertion(ATTACKER, 1, "x", origin=(NURSE, 2)))
    deletes = {NURSE: [(0, 3)]}
    assert here.send(*structs, deletes=deletes).refusals
    if restart:
        here.clinic.room = reloaded(here.clinic.rows)

    again = here.send(*structs, deletes=deletes)

    assert again.refusals == ()
    assert again.accepted is None
    assert here.outcome().texts["assessment.notes"] == "abc"


@pytest.mark.rule("LOG-2")
def test_role_change_does_not_change_what_was_judged_before() -> None:
    here = scene("nurse")
    here.send(writing(ATTACKER, 0, 70))
    here.attacker.person = person("A", "receptionist")

    here.clinic.room = reloaded(here.clinic.rows)
    proposal = here.send(writing(ATTACKER, 0, 70), writing(ATTACKER, 1, 71, origin=(ATTACKER, 0)))

    assert [r.field for r in proposal.refusals] == ["vitals.pulse"]
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("GATE-16")
def test_whole_update_with_a_refused_write_is_not_applied_at_all() -> None:
    here = scene("nurse")
    update = update_of(writing(ATTACKER, 0, 70), writing(ATTACKER, 1, "x", root="triage", key="no"))

    proposal = here.clinic.take(here.attacker, update, whole=True)

    assert proposal.accepted is None
    assert len(proposal.refusals) == 1
    assert here.clinic.rows == []


@pytest.mark.rule("GATE-16")
def test_whole_update_with_a_refused_clearing_is_not_applied_at_all() -> None:
    here = scene()
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()
    rows = len(here.clinic.rows)
    update = update_of(
        writing(ATTACKER, 0, "Doe", root="demographics", key="family_name"),
        deletes={NURSE: [(0, 1)]},
    )

    proposal = here.clinic.take(here.attacker, update, whole=True)

    assert proposal.accepted is None
    assert [r.field for r in proposal.refusals] == ["vitals.pulse"]
    assert len(here.clinic.rows) == rows
    assert here.outcome().maps["demographics"] == {}


@pytest.mark.rule("LOG-3")
def test_snapshot_after_attacks_loads_to_the_same_room() -> None:
    here = scene()
    here.nurse.edit(("set", "vitals", "pulse", 70), ("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()
    here.send(writing(ATTACKER, 0, 1), deletes={NURSE: [(0, 4)]})

    snapshot = snapshot_of(here.clinic.room)
    room = empty_room()
    for _ in replay(room, snapshot, []):
        pass

    replica = PyReplica(9)
    replica.apply(room.document.encode())
    assert replica.show() == here.outcome()
    assert decode_update(snapshot.document, BOUNDS)


@pytest.mark.rule("GATE-18")
@pytest.mark.parametrize("role", ["supervisor", "nurse"])
@pytest.mark.parametrize(
    ("origin", "right"),
    [((NURSE, 3), (NURSE, 2)), ((NURSE, 4), (NURSE, 0)), (None, (NURSE, 3))],
)
def test_text_between_units_that_are_no_neighbours_moves_nobodys_words(
    role: str, origin: tuple[int, int] | None, right: tuple[int, int] | None
) -> None:
    here = scene(role)
    here.nurse.edit(("insert", "assessment.notes", 0, "abcde"))
    here.clinic.settle()

    proposal = here.send(insertion(ATTACKER, 0, "X", origin=origin, right_origin=right))
    here.nurse.edit(("insert", "assessment.notes", 3, "N"))
    here.clinic.settle()

    assert [r.rule for r in proposal.refusals] == [Rule.HISTORY]
    assert here.outcome().texts["assessment.notes"] == "abcNde"


@pytest.mark.rule("GATE-18")
def test_words_typed_between_two_peoples_concurrent_words_stay_where_they_were_typed() -> None:
    here = scene("nurse")
    here.nurse.edit(("insert", "assessment.notes", 0, "|"))
    here.clinic.settle()
    for tablet, word in ((here.nurse, "ab"), (here.attacker, "xy")):
        here.clinic.disconnect(tablet)
        tablet.edit(("insert", "assessment.notes", 1, word))
    here.clinic.reunite()
    before = here.outcome().texts["assessment.notes"]

    here.nurse.edit(("insert", "assessment.notes", 3, "-"))
    here.clinic.settle()

    assert here.outcome().texts["assessment.notes"] == before[:3] + "-" + before[3:]
    assert not here.clinic.refusals
