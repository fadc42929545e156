"""Both shipped profiles hold everything of record.md, and a third needs no code."""

import pytest

from permissions import Profile, load_profile, shipped_profiles
from tests.permissions.builders import ANTENATAL, shipped

OUTPATIENT = {
    "demographics": (
        "fields",
        "family_name! given_name! other_names birth_date! age_estimated sex! national_id language",
    ),
    "contact": (
        "fields",
        "phone address village next_of_kin_name next_of_kin_phone next_of_kin_relation",
    ),
    "payment": ("fields", "method payer scheme_number amount_due waiver_reason"),
    "vitals": (
        "fields",
        "systolic! diastolic! pulse! respiratory_rate! temperature! spo2! weight height muac"
        " glucose pain not_done_reason",
    ),
    "triage": ("fields", "category! complaint red_flags pregnancy"),
    "assessment": ("text", "notes"),
    "safety": ("entries", "substance reaction severity"),
    "diagnosis": ("entries!", "code text certainty rank history examination plan"),
    "prescriptions": (
        "entries!",
        "drug form strength dose route frequency duration quantity instructions",
    ),
    "lab_orders": ("entries!", "test priority specimen reason"),
    "lab_results": (
        "entries!",
        "order value unit reference_range interpretation method status",
    ),
    "lab_status": ("fields", "state collected_at rejected_reason"),
    "lab_reports": ("text", "report"),
    "dispensing": (
        "entries!",
        "prescription product batch expiry quantity substitution counselled",
    ),
    "dispensing_status": ("fields", "state reason"),
    "pharmacy_notes": ("text", "notes"),
    "payment_status": ("fields", "state! balance"),
    "receipts": ("entries!", "amount currency method reference number"),
    "comments": ("entries", "text section"),
}
LENSES = "sphere cylinder axis add"
EYES = ("right", "left")
EYE_SCREENING = {
    "demographics": OUTPATIENT["demographics"],
    "contact": (
        "fields",
        OUTPATIENT["contact"][1]
        + " emergency_contact_name emergency_contact_phone emergency_contact_relation",
    ),
    "history": (
        "fields",
        "complaint duration glasses surgery diabetes hypertension family_glaucoma drops notes",
    ),
    "visual_acuity": (
        "fields",
        " ".join(
            f"{eye}_{how}!"
            for how in ("unaided", "with_glasses", "pinhole", "best_corrected", "near")
            for eye in EYES
        )
        + " chart! distance!",
    ),
    "refraction": (
        "fields",
        " ".join(
            f"{eye}_{how}_{part}!"
            for how in ("auto", "subjective")
            for eye in EYES
            for part in LENSES.split()
        )
        + " pupillary_distance!",
    ),
    "pressure": ("entries!", "eye value method time"),
    "readings": ("entries", "equipment eye value unit"),
    "findings": (
        "fields",
        "lids conjunctiva cornea anterior_chamber iris lens media disc cup_disc_ratio macula notes",
    ),
    "diagnosis": ("entries!", "code text eye certainty"),
    "treatment": ("entries!", "recommendation medicine notes"),
    "spectacles": (
        "fields",
        " ".join(f"{eye}_{part}!" for eye in EYES for part in LENSES.split())
        + " lens_type! valid_until!",
    ),
    "follow_up": ("fields", "date referral_to urgency reason screening_result"),
    "quality": ("fields", "repeat_within_one_line images_gradable checked"),
    "approval": ("fields", "decision! reason!"),
    "comments": ("entries", "text section"),
}


def as_listed(profile: Profile) -> dict[str, tuple[str, set[str]]]:
    """Section → (kind, names with ! where critical) in the form of record.md."""
    listed = {}
    for section in profile.sections.values():
        names: set[str] = set()
        kind: str = section.kind
        for field in section.fields:
            if field.kind == "entry":
                names |= set(field.entry_fields)
                kind += "!" if field.critical else ""
            else:
                names.add(f"{field.key}{'!' if field.critical else ''}")
        listed[section.name] = (kind, names)
    return listed


@pytest.mark.parametrize(
    ("name", "expected"), [("outpatient", OUTPATIENT), ("eye_screening", EYE_SCREENING)]
)
def test_a_shipped_profile_holds_every_section_and_field_of_the_design(name, expected):
    profile = shipped(name)

    assert as_listed(profile) == {
        section: (kind, set(names.split())) for section, (kind, names) in expected.items()
    }


def test_the_shipped_profiles_are_the_two_workflows_that_were_asked_for():
    assert sorted(shipped_profiles()) == ["eye_screening", "outpatient"]
    assert shipped("outpatient").number_prefix == "OPD"
    assert shipped("eye_screening").number_prefix == "HMS"


def test_the_outpatient_steps_hand_off_in_the_order_of_the_design():
    steps = [(step.id, step.role) for step in shipped("outpatient").steps]

    assert steps == [
        ("registration", "receptionist"),
        ("triage", "nurse"),
        ("consultation", "clinical_officer"),
        ("laboratory", "lab_tech"),
        ("pharmacy", "pharmacist"),
        ("payment", "cashier"),
        ("discharge", "clinical_officer"),
    ]


def test_the_eye_screening_ends_by_itself_after_the_supervisor():
    steps = [(step.id, step.role) for step in shipped("eye_screening").steps]

    assert steps == [
        ("check_in", "registration_staff"),
        ("visual_assessment", "vision_technician"),
        ("doctor_diagnosis", "doctor"),
        ("supervisor_approval", "supervisor"),
        ("completed", None),
    ]


def test_the_outpatient_events_notify_whom_the_design_names():
    events = {
        name: (event.trigger, event.subject, event.notify or event.audience)
        for name, event in shipped("outpatient").events.items()
    }

    assert events == {
        "patient_registered": ("step_completed", "registration", ("nurse",)),
        "vital_signs_updated": ("section_changed", "vitals", ("clinical_officer",)),
        "diagnosis_added": ("entry_added", "diagnosis", ("lab_tech",)),
        "lab_results_ready": ("step_completed", "laboratory", ("pharmacist", "clinical_officer")),
        "prescription_ready": ("entry_added", "prescriptions", ("pharmacist",)),
        "medication_dispensed": ("step_completed", "pharmacy", ("cashier",)),
        "payment_processed": ("step_completed", "payment", ("clinical_officer",)),
        "visit_completed": ("step_completed", "discharge", "assigned"),
    }


def test_the_events_of_an_eye_session_go_to_everybody_in_it():
    events = shipped("eye_screening").events

    assert list(events) == [
        "hospital_mobile_session_update",
        "session_step_completed",
        "session_user_joined",
        "session_activity_logged",
    ]
    assert {event.audience for event in events.values()} == {"session"}
    assert events["hospital_mobile_session_update"].carries == (
        "session_id",
        "update_type",
        "updated_data",
        "updated_by",
    )


@pytest.mark.parametrize(
    ("field", "code", "readings"),
    [
        ("systolic", "8480-6", {140: "high", 139: "normal", 91: "normal", 90: "critical"}),
        ("diastolic", "8462-4", {90: "high", 89: "normal"}),
        ("pulse", "8867-4", {40: "critical", 41: "normal", 130: "normal", 131: "critical"}),
        ("respiratory_rate", "9279-1", {8: "critical", 9: "normal", 24: "normal", 25: "critical"}),
        ("temperature", "8310-5", {35.0: "critical", 35.1: "normal", 37.9: "normal", 38: "high"}),
        ("spo2", "59408-5", {91: "critical", 92: "low", 93: "low", 94: "normal"}),
        ("weight", "29463-7", {70: "not assessed"}),
        ("height", "8302-2", {170: "not assessed"}),
        ("muac", "", {11: "not assessed"}),
        ("glucose", "", {5: "not assessed"}),
    ],
)
def test_vital_signs_are_coded_and_interpreted_by_the_ranges_of_the_design(field, code, readings):
    vital = shipped("outpatient").fields[f"vitals.{field}"]

    assert vital.code == code
    assert {value: vital.interpretation(value) for value in readings} == readings


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("systolic", 40, 300),
        ("diastolic", 20, 200),
        ("pulse", 20, 300),
        ("respiratory_rate", 4, 120),
        ("temperature", 25, 45),
        ("spo2", 30, 100),
        ("weight", 0.3, 350),
        ("height", 25, 250),
        ("muac", 5, 60),
    ],
)
def test_the_hard_limits_of_vital_signs_belong_to_the_range_and_beyond_is_refused(field, low, high):
    violation = shipped("outpatient").fields[f"vitals.{field}"].violation

    assert violation(low) is None
    assert violation(high) is None
    assert violation(low - 0.1).rule == "range"
    assert violation(high + 0.1).rule == "range"


def test_eye_pressure_is_flagged_and_coded_for_each_eye():
    pressure = shipped("eye_screening").fields["pressure"]
    readings = {21: "normal", 21.5: "high", 30: "critical"}

    assert {
        value: pressure.interpretation({"eye": "left", "value": value}) for value in readings
    } == readings
    assert pressure.entry_fields["value"].codes == {"eye": {"right": "79892-6", "left": "79893-4"}}


def test_uncorrected_acuity_carries_the_codes_of_each_eye():
    fields = shipped("eye_screening").fields

    assert fields["visual_acuity.right_unaided"].code == "98499-7"
    assert fields["visual_acuity.left_unaided"].code == "98498-9"


def test_triage_asks_for_each_critical_vital_sign_or_the_reason_why_not():
    profile = shipped("outpatient")
    triage = profile.step("triage")
    critical = {one.name for one in profile.sections["vitals"].fields if one.critical}

    asked = {requirement.any_of for requirement in triage.required}

    assert asked == {("triage.category",)} | {(name, "vitals.not_done_reason") for name in critical}
    reasoned = {"triage": {"category": "routine"}, "vitals": {"not_done_reason": "Refused"}}
    assert profile.missing(triage, reasoned, {}) == ()
    assert len(profile.missing(triage, {}, {})) == 1 + len(critical)


def test_an_order_is_open_until_a_result_names_it():
    profile = shipped("outpatient")
    laboratory = profile.step("laboratory").condition
    ordered = {"lab_orders": {"A": {"test": "718-7"}}}
    answered = {**ordered, "lab_results": {"R": {"order": "A", "value": 12}}}

    assert profile.open_entries(laboratory, {}) == []
    assert profile.open_entries(laboratory, ordered) == ["A"]
    assert profile.open_entries(laboratory, answered) == []


def test_a_replaced_order_is_not_open_but_its_replacement_is():
    profile = shipped("outpatient")
    laboratory = profile.step("laboratory").condition
    fields = {"lab_orders": {"A": {"test": "x"}, "B": {"test": "y", "replaces": "A"}}}

    assert profile.open_entries(laboratory, fields) == ["B"]

    fields["lab_results"] = {"R": {"order": "B", "value": 1}}
    assert profile.open_entries(laboratory, fields) == []


def test_a_third_profile_needs_its_file_only():
    profile = load_profile(ANTENATAL)

    assert profile.name == "antenatal"
    assert profile.step_restricts_writing
    assert profile.fields["examination.haemoglobin"].interpretation("10.9") == "low"
    assert profile.fields["examination.haemoglobin"].interpretation("6.9") == "critical"
    assert profile.field_at("examination.notes", None).writers == {"midwife", "doctor"}
    assert profile.step("examination").next == ("doctor", "completed")
