"""What the gate lets through, what goes out instead, and what is kept of a refusal."""

import struct

import msgspec
import pytest

from permissions.model import RecordState, Rule
from sync.structs import Kind, Struct
from sync.update import decode_update
from tests.support.clinic import BOUNDS
from tests.support.crafting import Scene, insertion, scene, writing
from tests.support.people import person, ulid

ME = 3001


def sent(here: Scene) -> list[Struct]:
    """What went out of the attacker's last update, under their client id."""
    return decode_update(here.clinic.rows[-1].update, BOUNDS).structs[ME]


@pytest.mark.rule("GATE-1")
@pytest.mark.parametrize(
    ("role", "allowed"), [("nurse", True), ("clinical_officer", False), ("nobody", False)]
)
def test_write_is_judged_by_the_authors_role(role: str, allowed: bool) -> None:
    here = scene(role)

    proposal = here.send(writing(ME, 0, 70))

    assert (proposal.refusals == ()) is allowed
    assert all(refusal.reason for refusal in proposal.refusals)
    assert here.outcome().maps["vitals"] == ({"pulse": 70} if allowed else {})


@pytest.mark.rule("GATE-1")
def test_completed_record_takes_no_edits() -> None:
    here = scene("nurse")
    here.clinic.room.state = RecordState(status="completed")

    proposal = here.send(writing(ME, 0, 70), insertion(ME, 1, "x"))

    assert {refusal.rule for refusal in proposal.refusals} == {Rule.COMPLETED}


@pytest.mark.rule("GATE-2")
def test_allowed_structs_go_out_as_they_came() -> None:
    here = scene("nurse")
    structs = [
        writing(ME, 0, 70), insertion(ME, 1, "ab"), writing(ME, 3, 71, origin=(ME, 0)),
        insertion(ME, 4, "c", origin=(ME, 1), right_origin=(ME, 2)),
    ]  # fmt: skip

    here.send(*structs)

    assert sent(here) == structs


@pytest.mark.rule("GATE-3")
def test_refused_struct_keeps_id_length_and_neighbours_and_loses_its_content() -> None:
    here = scene("clinical_officer")
    here.nurse.edit(("insert", "assessment.notes", 0, "ab"))
    here.clinic.settle()

    here.send(insertion(ME, 0, "xyz", origin=(3002, 0), right_origin=(3002, 1)))

    assert sent(here) == [Struct(ME, 0, 3, Kind.DELETED, None, (3002, 0), (3002, 1))]


@pytest.mark.rule("GATE-4")
def test_refused_parts_cost_no_allowed_part_of_the_same_update() -> None:
    here = scene("nurse")

    proposal = here.send(
        writing(ME, 0, 70), writing(ME, 1, 7000, key="systolic"), writing(ME, 2, "x", key="no"),
        insertion(ME, 3, "plan", root="diagnosis.plan"), insertion(ME, 7, "notes"),
    )  # fmt: skip

    assert [r.rule for r in proposal.refusals] == [Rule.RANGE, Rule.UNKNOWN_FIELD, Rule.ROLE]
    assert proposal.fields == ("vitals.pulse", "assessment.notes")
    shown = here.outcome()
    assert shown.maps["vitals"] == {"pulse": 70}
    assert shown.texts == {"assessment.notes": "notes", "diagnosis.plan": ""}


@pytest.mark.rule("GATE-7")
def test_author_of_a_refused_edit_is_healed_by_the_update_that_goes_out() -> None:
    here = scene()
    here.attacker.edit(
        ("set", "vitals", "pulse", 70), ("set", "vitals", "no_such", 1), ("set", "hidden", "k", 1),
        ("insert", "assessment.notes", 0, "x"), ("set", "comments", "no ulid", {"text": "x"}),
    )  # fmt: skip

    here.clinic.settle()

    assert here.attacker.replica.show() == here.outcome()


@pytest.mark.rule("GATE-8")
@pytest.mark.parametrize("value", ["text", 1000, True, [70], {"pulse": 70}, b"70"])
def test_value_of_the_wrong_type_or_out_of_range_is_refused(value: object) -> None:
    here = scene("nurse")

    proposal = here.send(writing(ME, 0, value))

    assert proposal.refusals[0].rule in (Rule.TYPE, Rule.RANGE)
    assert here.outcome().maps["vitals"] == {}


@pytest.mark.rule("GATE-8")
@pytest.mark.parametrize("how", ["overwritten", "deleted"])
def test_entry_stays_as_it_was_added(how: str) -> None:
    here = scene("clinical_officer")
    key = ulid(1)
    here.officer.edit(("set", "prescriptions", key, {"drug": "x"}))
    here.clinic.settle()

    step = ("set", "prescriptions", key, {"drug": "y"}) if how == "overwritten" else (
        "del", "prescriptions", key,
    )  # fmt: skip
    here.attacker.edit(step)
    here.clinic.settle()

    assert [r.rule for r in here.clinic.refusals] == [Rule.APPEND_ONLY]
    assert here.outcome().maps["prescriptions"] == {key: {"drug": "x"}}
    assert here.attacker.replica.show() == here.outcome()


@pytest.mark.rule("GATE-9")
def test_narrative_takes_no_more_text_than_its_limit() -> None:
    here = scene("nurse", max_narrative_units=10)
    here.send(insertion(ME, 0, "12345"))

    proposal = here.send(insertion(ME, 5, "6789", origin=(ME, 4)), insertion(ME, 9, "012"))

    assert [r.rule for r in proposal.refusals] == [Rule.SIZE]
    assert here.outcome().texts["assessment.notes"] == "123456789"


@pytest.mark.rule("GATE-9")
@pytest.mark.parametrize("text", ["nul\0", "escape\x1b[2J", "bell\a"])
def test_narrative_takes_no_control_characters(text: str) -> None:
    here = scene("nurse")

    proposal = here.send(insertion(ME, 0, text))

    assert [r.rule for r in proposal.refusals] == [Rule.TYPE]
    assert here.outcome().texts["assessment.notes"] == ""


@pytest.mark.rule("GATE-13")
def test_refusal_names_field_rule_reason_value_and_author_and_keeps_the_structs() -> None:
    here = scene("nurse")
    tried = writing(ME, 0, 7000)

    refusal = here.send(tried, writing(ME, 1, 80, key="systolic")).refusals[0]

    assert (refusal.field, refusal.rule) == ("vitals.pulse", Rule.RANGE)
    assert "between" in refusal.reason
    assert msgspec.json.decode(refusal.value) == 7000
    assert (refusal.author, refusal.device) == ("A", "device-A")
    assert decode_update(refusal.original, BOUNDS).structs == {ME: [tried]}


@pytest.mark.rule("GATE-15")
def test_write_whose_content_is_gone_goes_out_as_it_came() -> None:
    here = scene("nurse")
    gone = Struct(ME, 0, 3, Kind.DELETED, None, parent="vitals", key="pulse", keyed=True)

    proposal = here.send(gone, writing(ME, 3, 70, origin=(ME, 2)), deletes={ME: [(0, 3)]})

    assert proposal.refusals == ()
    assert sent(here)[0] == gone
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("GATE-15")
def test_write_whose_content_is_gone_changes_nothing_where_its_author_may_not_write() -> None:
    here = scene()
    here.nurse.edit(("set", "vitals", "pulse", 70))
    here.clinic.settle()

    proposal = here.send(
        Struct(ME, 0, 2, Kind.DELETED, None, (3002, 0), keyed=True), deletes={3002: [(0, 1)]}
    )

    assert proposal.refusals == ()
    assert here.outcome().maps["vitals"] == {"pulse": 70}


@pytest.mark.rule("GATE-12")
def test_stock_client_whose_half_deletion_was_widened_shows_what_everybody_shows() -> None:
    here = scene("nurse")
    here.nurse.edit(("insert", "assessment.notes", 0, "a😀b"))
    here.clinic.settle()

    here.nurse.edit(("cut", "assessment.notes", 2, 1))

    assert here.outcome().texts["assessment.notes"] == "ab"


@pytest.mark.rule("GATE-10")
def test_facts_of_the_server_are_written_back_when_a_client_overwrites_them() -> None:
    here = scene("supervisor")
    here.clinic.write_facts(person("server"), status="open")
    here.clinic.settle()

    here.attacker.edit(("set", "record", "status", "completed"))

    assert here.outcome().maps["record"] == {"status": "open"}
    assert here.attacker.replica.show() == here.outcome()


@pytest.mark.rule("GATE-17")
def test_text_that_is_deleted_in_the_update_that_brings_it_is_gone_whoever_may_delete() -> None:
    here = scene("nurse")

    proposal = here.send(insertion(ME, 0, "abc"), deletes={ME: [(1, 1)]})

    assert proposal.refusals == ()
    assert here.outcome().texts["assessment.notes"] == "ac"


@pytest.mark.rule("WIRE-6")
def test_what_goes_out_was_written_here_not_copied_from_the_peer() -> None:
    here = scene("nurse")
    value = struct.pack(">d", 71.5)  # a double, although a float would do
    own = bytes([0xB9, 0x17])  # varint of ME
    sent_bytes = (
        b"\x01\x01" + own + b"\x00\x28\x01\x06vitals\x05pulse\x01\x7b" + value + b"\x00"
    )  # fmt: skip

    here.clinic.take(here.attacker, sent_bytes)

    row = here.clinic.rows[-1].update
    assert row != sent_bytes
    assert decode_update(row, BOUNDS) == decode_update(sent_bytes, BOUNDS)
