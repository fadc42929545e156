"""Single values and entries: what may stand, what is refused and by which rule."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from permissions import Decision, Rule, load_profile, parse_profile
from tests.permissions.builders import (
    ANTENATAL,
    OTHER_ULID,
    SMALL,
    ULID,
    person,
    shipped,
    small,
)

OUTPATIENT = shipped("outpatient")
EYES = shipped("eye_screening")
PROFILES = (OUTPATIENT, EYES, load_profile(ANTENATAL))
ALL_FIELDS = [field for profile in PROFILES for field in profile.fields.values()]


class Sentinel:
    """What a decoder might hand on for a value that JSON has no word for."""


HOSTILE = [
    {},
    [],
    {"a": {"b": {}}},
    [[[1]]],
    b"bytes",
    Sentinel(),
    object,
    math.nan,
    math.inf,
    -math.inf,
    2**70,
    {1: 2},
    (1,),
]


def rule_of(field: str, value: object, profile=OUTPATIENT) -> str | None:
    answer = profile.fields[field].violation(value)
    return None if answer is None else answer.rule.value


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("vitals.temperature", 37.2, None),
        ("vitals.temperature", 37, None),
        ("vitals.temperature", 370, "range"),
        ("vitals.temperature", "37.2", "type"),
        ("vitals.temperature", True, "type"),
        ("vitals.temperature", math.nan, "type"),
        ("vitals.temperature", math.inf, "range"),
        ("vitals.pain", 7.0, None),
        ("vitals.pain", 7.5, "type"),
        ("vitals.pain", 11, "range"),
        ("vitals.pain", False, "type"),
        ("payment.amount_due", 120000.0, None),
        ("payment.amount_due", -1, "range"),
        ("payment.amount_due", 2**60, "range"),
        ("triage.category", "urgent", None),
        ("triage.category", "Urgent", "range"),
        ("triage.category", "urgent\x00", "range"),
        ("triage.category", "", "range"),
        ("triage.category", 1, "type"),
        ("triage.category", ["urgent"], "type"),
        ("demographics.age_estimated", True, None),
        ("demographics.age_estimated", 1, "type"),
        ("demographics.birth_date", "1992-07-14", None),
        ("demographics.birth_date", "2024-02-29", None),
        ("demographics.birth_date", "2023-02-29", "type"),
        ("demographics.birth_date", "19920714", "type"),
        ("demographics.birth_date", "1992-07-14T00:00:00Z", "type"),
        ("demographics.birth_date", "٢٠٢٤-٠١-٠١", "type"),
        ("demographics.birth_date", "0000-01-01", "type"),
        ("lab_status.collected_at", "2024-05-31T10:00:00.000Z", None),
        ("lab_status.collected_at", "2024-05-31T10:00+03:00", None),
        ("lab_status.collected_at", "2024-05-31T10:00:00", "type"),
        ("lab_status.collected_at", "2024-05-31T25:00:00Z", "type"),
        ("triage.complaint", "Tête 漢 😀\nline two", None),
        ("triage.complaint", "", None),
        ("triage.complaint", "nul\x00", "type"),
        ("triage.complaint", "half \ud83d", "type"),
        ("triage.complaint", "x" * 4000, None),
        ("triage.complaint", "x" * 4001, "size"),
        ("triage.complaint", "漢" * 1333, None),
        ("triage.complaint", "漢" * 1334, "size"),
        ("triage.complaint", "x" * 10_000_000, "size"),
        ("assessment.notes", "x" * 1024 * 1024, None),
        ("assessment.notes", "x" * (1024 * 1024 + 1), "size"),
        ("assessment.notes", 5, "type"),
    ],
)
def test_a_value_is_judged_by_type_range_and_size(field, value, rule):
    assert rule_of(field, value) == rule


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("refraction.right_auto_sphere", -2.75, None),
        ("refraction.right_auto_sphere", -2.7, "range"),
        ("refraction.right_auto_axis", 180, None),
        ("refraction.right_auto_axis", 181, "range"),
        ("refraction.right_auto_axis", 90.5, "type"),
        ("findings.cup_disc_ratio", 0.35, None),
        ("findings.cup_disc_ratio", 0.355, "range"),
        *[
            ("visual_acuity.right_unaided", value, None)
            for value in (
                *("6/12", "20/200", "6/9-2", "6/7.5", "0.3", "-0.10", "+0.2"),
                *("CF", "HM", "LP", "NLP", "CF 1m", "N8", "J3", 0.3, 1),
            )
        ],
        *[
            ("visual_acuity.right_unaided", value, "type")
            for value in ("good", "6/", "/12", "6/12; drop", "", "0,3", 6, True, math.nan, "٦/٦")
        ],
    ],
)
def test_optical_values_keep_to_their_grid_and_notation(field, value, rule):
    assert rule_of(field, value, EYES) == rule


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("11.2", None),
        ("11", None),
        ("-1.0", "range"),
        ("11.25", "range"),
        ("26", "range"),
        (11.2, "type"),
        ("1e3", "type"),
        ("NaN", "type"),
        ("٣", "type"),
        ("9" * 5000, "type"),
    ],
)
def test_an_exact_decimal_is_text_with_so_many_places(value, rule):
    assert rule_of("examination.haemoglobin", value, PROFILES[2]) == rule


@pytest.mark.parametrize("field", ALL_FIELDS, ids=lambda field: f"{field.name}")
def test_no_field_accepts_what_is_not_flat_json_of_its_type(field):
    for value in HOSTILE:
        assert field.violation(value) is not None


@pytest.mark.parametrize("field", ALL_FIELDS, ids=lambda field: f"{field.name}")
def test_none_clears_a_value_and_is_no_entry(field):
    answer = field.violation(None)

    assert (answer is None) == (field.kind != "entry")


def test_a_refusal_speaks_to_a_nurse_and_never_repeats_the_value():
    answer = OUTPATIENT.fields["vitals.temperature"].violation(370.125)

    assert answer.reason == "Temperature must be between 25 and 45 °C."
    assert (
        OUTPATIENT.fields["triage.category"].violation("SECRET").reason
        == "Category must be one of: Emergency, Urgent, Priority, Routine."
    )


def entry(**changes):
    return {"drug": "Testamol", "dose": "500 mg", **changes}


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (entry(), None),
        (entry(id=ULID, at="2024-05-31T10:00:00.000Z", by="u-1"), None),
        (entry(by="test.person", replaces=OTHER_ULID), None),
        (entry(replaces=None, quantity=30.0), None),
        (entry(quantity="30 tablets"), None),
        (entry(id=OTHER_ULID), "type"),
        (entry(id=None), "type"),
        (entry(at="yesterday"), "type"),
        (entry(at=None), "type"),
        (entry(by="u-2"), "identity"),
        (entry(by=""), "type"),
        (entry(by={"id": "u-1"}), "type"),
        (entry(replaces="the first"), "type"),
        (entry(colour="red"), "type"),
        (entry(Drug="x"), "type"),
        (entry(drug=""), "type"),
        (entry(drug=None), "type"),
        (entry(dose={"mg": 500}), "type"),
        (entry(dose=["500"]), "type"),
        (entry(drug="x" * 2000), "size"),
        ({"dose": "500 mg"}, "type"),
        ({}, "type"),
        (None, "type"),
        ("Testamol", "type"),
        ([entry()], "type"),
        ({1: "x", "drug": "Testamol"}, "type"),
    ],
)
def test_an_entry_is_judged_as_a_whole(value, rule):
    prescriptions = OUTPATIENT.fields["prescriptions"]

    answer = prescriptions.violation(value, key=ULID, principal=person("clinical_officer"))

    assert (None if answer is None else answer.rule.value) == rule


def test_an_entry_under_a_key_that_is_no_ulid_is_refused():
    assert OUTPATIENT.fields["prescriptions"].violation(entry(), key="1").rule is Rule.TYPE


def test_an_entry_asks_for_at_least_one_of_the_fields_that_the_profile_names():
    diagnosis = OUTPATIENT.fields["diagnosis"]

    assert diagnosis.violation({"code": "B54"}) is None
    assert diagnosis.violation({"text": "Malaria"}) is None
    assert diagnosis.violation({"rank": "primary", "text": ""}).rule is Rule.TYPE


@pytest.mark.parametrize("code", ["H25.1", "H40", "H33.01", "H59"])
def test_the_eye_unit_codes_diagnoses_of_the_eye(code):
    assert EYES.fields["diagnosis"].violation({"code": code}) is None


@pytest.mark.parametrize("code", ["H60", "B54", "h25", "H25.1\n", "H2"])
def test_the_eye_unit_refuses_other_codes(code):
    answer = EYES.fields["diagnosis"].violation({"code": code})

    assert "H00 to H59" in answer.reason


@pytest.mark.parametrize("code", ["B54", "E11.9", "1F4Z", "CA40.0", "5A11&XS25", "XN8P1/XK8G"])
def test_the_outpatients_are_coded_by_icd_10_or_11(code):
    assert OUTPATIENT.fields["diagnosis"].violation({"code": code}) is None


def test_an_entry_is_bounded_as_a_whole():
    profile = parse_profile(
        SMALL.replace('kind = "entries"', 'kind = "entries"\nmax_bytes = 100'), "s"
    )
    orders = profile.fields["orders"]

    assert orders.violation({"test": "x" * 80}) is None
    assert orders.violation({"test": "x" * 100}).rule is Rule.SIZE
    assert orders.violation({"test": "漢" * 31}).rule is Rule.SIZE


def test_without_a_range_a_value_is_not_assessed_and_never_normal():
    pulse = small().fields["vitals.pulse"]

    assert pulse.interpretation(72) == "not assessed"


@pytest.mark.parametrize("value", [None, "72", True, math.nan, 1000, {}, Sentinel()])
def test_what_is_no_valid_value_is_not_assessed(value):
    assert OUTPATIENT.fields["vitals.pulse"].interpretation(value) == "not assessed"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet=st.characters(categories=["Cs", "Cc"]))
    | st.binary()
    | st.dates()
)
json_like = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(scalars, inner, max_size=4),
    max_leaves=12,
)
near_entries = st.dictionaries(
    st.sampled_from(["id", "at", "by", "replaces", "text", "code", "drug", "value", "eye"])
    | st.text(max_size=5),
    json_like,
    max_size=6,
)


@given(field=st.sampled_from(ALL_FIELDS), value=json_like | near_entries)
@example(field=OUTPATIENT.fields["diagnosis"], value={"text": "\ud800"})
@example(field=OUTPATIENT.fields["payment.amount_due"], value=10**400)
@example(field=EYES.fields["findings.cup_disc_ratio"], value=5e-324)
def test_judging_any_value_never_raises_and_always_gives_a_reason(field, value):
    for key in (None, ULID, "x"):
        answer = field.violation(value, key=key, principal=person("nurse"))

        assert answer is None or isinstance(answer, Decision)
        assert answer is None or (not answer.allowed and answer.rule and answer.reason)
    assert field.interpretation(value) in ("low", "normal", "high", "critical", "not assessed")


@given(value=st.floats(allow_nan=True) | st.integers())
def test_what_is_interpreted_as_normal_may_also_stand(value):
    for field in OUTPATIENT.sections["vitals"].fields:
        if field.interpretation(value) != "not assessed":
            assert field.violation(value) is None
