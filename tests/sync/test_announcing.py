"""What a record's herald tells of, when, and to whom: stepped time, no server."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permissions.profile import load_profile, parse_profile, shipped_profiles
from sync.announcing import Herald, Plan, Tell, facts_from, person_of
from tests.support.people import person

OUTPATIENT = Plan(load_profile(shipped_profiles()["outpatient"]))
EYE = Plan(load_profile(shipped_profiles()["eye_screening"]))
WINDOW = 1.0
NURSE = person_of(person("N1", "nurse"), OUTPATIENT.profile)
DOCTOR = person_of(person("D1", "doctor"), EYE.profile)
TECHNICIAN = person_of(person("T1", "vision_technician"), EYE.profile)


def herald(plan: Plan, **facts: object) -> Herald:
    return Herald(plan, "R1", facts_from({"number": "X-000001", **facts}), WINDOW)


def told(tells: list[Tell], event: str) -> list[dict[str, object]]:
    return [dict(tell.payload) for tell in tells if tell.event == event]


def steps(**statuses: str) -> dict[str, object]:
    by = {"completed": "completed", "in_progress": "started", "returned": "returned"}
    return {
        step: {"status": status, f"{by.get(status, 'x')}_at": "2026-03-01T08:00:00.000Z",
               f"{by.get(status, 'x')}_by": "N1"}
        for step, status in statuses.items()
    }  # fmt: skip


@pytest.mark.rule("TELL-2")
@pytest.mark.parametrize(
    ("field", "event", "roles"),
    [
        ("vitals.pulse", "vital_signs_updated", ("clinical_officer",)),
        ("diagnosis", "diagnosis_added", ("lab_tech",)),
        ("prescriptions", "prescription_ready", ("pharmacist",)),
    ],
)
def test_a_change_of_a_section_or_list_tells_the_roles_that_the_profile_names(field, event, roles):
    one = herald(OUTPATIENT)

    entry = ".01ARZ3NDEKTSV4RRFFQ69G5FAV"
    one.note_edit(NURSE, [field if "." in field else field + entry])

    (tell,) = one.due(0.0)
    assert (tell.event, tell.roles, tell.session) == (event, roles, False)
    assert tell.payload == {
        "session_id": "R1", "number": "X-000001", "fields": [field], "updated_by": NURSE,
    }  # fmt: skip


def test_a_narrative_of_a_section_is_not_an_entry_of_it():
    one = herald(OUTPATIENT)

    one.note_edit(NURSE, ["diagnosis.plan"])

    assert one.due(0.0) == []


@pytest.mark.rule("TELL-2")
@pytest.mark.parametrize(
    ("step", "event", "roles"),
    [
        ("registration", "patient_registered", ("nurse",)),
        ("laboratory", "lab_results_ready", ("pharmacist", "clinical_officer")),
        ("pharmacy", "medication_dispensed", ("cashier",)),
        ("payment", "payment_processed", ("clinical_officer",)),
    ],
)
def test_a_step_that_became_completed_tells_the_roles_that_the_profile_names(step, event, roles):
    one = herald(OUTPATIENT, steps=steps(**{step: "in_progress"}), current_step=step)

    one.note_facts(
        facts_from({"steps": steps(**{step: "completed"}), "current_step": "next"}), {"N1": NURSE}
    )

    (tell,) = one.due(0.0)
    assert (tell.event, tell.roles) == (event, roles)
    assert (tell.payload["step"], tell.payload["completed_by"]) == (step, NURSE)
    assert tell.payload["next_step"] == "next"


def test_a_step_that_stays_completed_is_told_of_once_and_again_when_it_is_done_again():
    one = herald(OUTPATIENT)
    done = facts_from({"steps": steps(registration="completed")})
    one.note_facts(done, {})
    assert len(one.due(0.0)) == 1

    one.note_facts(done, {})
    one.note_facts(facts_from({"steps": steps(registration="returned")}), {})
    assert one.due(9.0) == []

    one.note_facts(done, {})
    assert len(one.due(9.0)) == 1


def test_a_completed_visit_tells_everybody_assigned():
    assigned = {"nurse": "N1", "cashier": "C1", "lab_tech": "N1"}
    one = herald(OUTPATIENT, current_step="payment", assigned=assigned)

    one.note_facts(
        facts_from({"status": "completed", "current_step": "discharge", "assigned": assigned}), {}
    )

    (tell,) = one.due(0.0)
    assert (tell.event, tell.roles, tell.users) == ("visit_completed", (), ("C1", "N1"))


@pytest.mark.rule("TELL-3")
def test_edits_within_the_window_become_one_event_with_every_name_in_it():
    one = herald(EYE)
    one.note_edit(TECHNICIAN, ["visual_acuity.right_unaided"])
    first = one.due(0.0)

    for n, name in enumerate(("right_pinhole", "left_pinhole", "right_pinhole")):
        one.note_edit(TECHNICIAN, [f"visual_acuity.{name}"])
        assert told(one.due(0.1 * n), "hospital_mobile_session_update") == []
    one.note_edit(DOCTOR, ["findings.lids"])
    assert told(one.due(0.4), "hospital_mobile_session_update") == []
    assert one.next_due_s() == WINDOW
    second = one.due(WINDOW)

    (update,) = told(first, "hospital_mobile_session_update")
    assert (update["update_type"], update["updated_by"]) == ("visual_acuity", TECHNICIAN)
    (update,) = told(second, "hospital_mobile_session_update")
    assert update["updated_data"] == [
        "visual_acuity.right_pinhole", "visual_acuity.left_pinhole", "findings.lids",
    ]  # fmt: skip
    assert update["update_type"] == "record"
    assert (update["updated_by"], update["also_by"]) == (DOCTOR, [TECHNICIAN])


NAMES = sorted(EYE.profile.fields)[:12]


@pytest.mark.rule("TELL-3")
@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.7), st.sampled_from(NAMES), st.sampled_from("NTD")), max_size=40
    )
)
def test_whatever_the_rhythm_no_name_is_lost_and_no_two_updates_are_closer_than_the_window(edits):
    one = herald(EYE)
    now_s, at, named = 0.0, [], set()

    def listen():
        for update in told(one.due(now_s), "hospital_mobile_session_update"):
            at.append(now_s)
            named.update(update["updated_data"])

    for pause, name, who in edits:
        now_s += pause
        one.note_edit({"id": who}, [name])
        listen()
    while (due := one.next_due_s()) is not None:
        now_s = max(now_s, due)
        listen()

    assert named == {name for _, name, _ in edits}
    assert all(later - sooner >= WINDOW - 1e-9 for sooner, later in itertools.pairwise(at))


def test_the_last_turn_of_a_room_tells_what_would_have_waited():
    one = herald(EYE)
    one.note_edit(DOCTOR, ["findings.lids"])
    one.due(0.0)
    one.note_edit(DOCTOR, ["findings.lens"])

    (update,) = told(one.due(0.1, last=True), "hospital_mobile_session_update")

    assert update["updated_data"] == ["findings.lens"]


@pytest.mark.rule("TELL-5")
def test_the_activity_feed_says_who_did_what():
    one = herald(EYE, steps=steps(check_in="ready"))
    one.note_edit(TECHNICIAN, ["visual_acuity.right_unaided"])
    one.note_edit(DOCTOR, ["findings.lids"])
    one.note_facts(facts_from({"steps": steps(check_in="completed")}), {"N1": NURSE})
    one.note_presence(DOCTOR, "left")

    feed = told(one.due(0.0), "session_activity_logged")

    assert [(each["user"]["id"], each["activity"]) for each in feed] == [
        ("N1", {"what": "step_completed", "step": "check_in"}),
        ("D1", {"what": "left"}),
        ("T1", {"what": "edited", "fields": ["visual_acuity.right_unaided"]}),
        ("D1", {"what": "edited", "fields": ["findings.lids"]}),
    ]


def test_a_profile_without_such_events_costs_nothing():
    one = herald(OUTPATIENT)

    one.note_edit(NURSE, ["assessment.notes", "triage.complaint"])
    one.note_presence(NURSE, "joined")

    assert one.next_due_s() is None
    assert one.due(0.0) == []


@pytest.mark.rule("TELL-6")
def test_a_role_that_may_read_none_of_the_fields_is_not_told():
    path = shipped_profiles()["outpatient"]
    text = path.read_text().replace(
        "[sections.vitals]\ntitle", '[sections.vitals]\nreaders = ["nurse"]\ntitle'
    )
    one = herald(Plan(parse_profile(text, path.name)))

    one.note_edit(NURSE, ["vitals.pulse"])

    assert one.due(0.0) == []


@pytest.mark.rule("TELL-6")
def test_where_assignment_is_asked_the_assigned_are_told_instead_of_their_role():
    path = shipped_profiles()["outpatient"]
    text = path.read_text().replace("assignment_required = false", "assignment_required = true")
    plan = Plan(parse_profile(text, path.name))
    one, nobody = herald(plan, assigned={"clinical_officer": "C1", "nurse": "N1"}), herald(plan)

    one.note_edit(NURSE, ["vitals.pulse"])
    nobody.note_edit(NURSE, ["vitals.pulse"])

    (tell,) = one.due(0.0)
    assert (tell.roles, tell.users) == ((), ("C1",))
    assert nobody.due(0.0) == []


@pytest.mark.rule("TELL-6")
@pytest.mark.parametrize(
    ("assigned", "roles", "users"),
    [({}, ("nurse",), ()), ({"nurse": "N2"}, (), ("N2",)), ({"cashier": "C1"}, ("nurse",), ())],
)
def test_a_role_in_which_nobody_is_assigned_yet_hears_that_its_step_is_due(assigned, roles, users):
    path = shipped_profiles()["outpatient"]
    text = path.read_text().replace("assignment_required = false", "assignment_required = true")
    facts = {"steps": steps(registration="in_progress"), "assigned": assigned}
    one = herald(Plan(parse_profile(text, path.name)), current_step="registration", **facts)

    done = {**facts, "steps": steps(registration="completed"), "current_step": "triage"}
    one.note_facts(facts_from(done), {"N1": NURSE})

    (tell,) = one.due(0.0)
    assert (tell.event, tell.roles, tell.users) == ("patient_registered", roles, users)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(("steps", "assigned", "status", "number")), json_values))
def test_facts_of_any_shape_are_read_without_harm(facts):
    one = herald(EYE)

    one.note_facts(facts_from(facts), {})

    msgspec.json.encode([tell.payload for tell in one.due(0.0)])
