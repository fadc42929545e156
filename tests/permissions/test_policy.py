"""Who may do what: default deny, a full role × field table, states, steps, assignment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import permissions
from permissions import Decision, Field, Operation, Policy, RecordState, Rule, load_profile
from permissions import policy as policy_module
from tests.permissions.builders import ANTENATAL, person, shipped, small

OPEN = RecordState()
PROFILES = {name: shipped(name) for name in ("outpatient", "eye_screening")}

WRITERS = {
    "outpatient": {
        "receptionist": "demographics contact payment comments",
        "nurse": "vitals triage assessment safety comments",
        "clinical_officer": "safety diagnosis prescriptions lab_orders comments",
        "lab_tech": "lab_results lab_status lab_reports comments",
        "pharmacist": "dispensing dispensing_status pharmacy_notes comments",
        "cashier": "payment payment_status receipts comments",
        "supervisor": "comments",
        "admin": "",
    },
    "eye_screening": {
        "registration_staff": "demographics contact history comments",
        "vision_technician": "history visual_acuity refraction pressure readings comments",
        "doctor": "visual_acuity refraction pressure findings diagnosis treatment spectacles"
        " follow_up comments",
        "supervisor": "quality approval comments",
        "admin": "",
    },
}


def may_write(profile: str, role: str, field: Field) -> bool:
    """What record.md says, written down independently of the profiles."""
    if field.section == "refraction" and field.key != "pupillary_distance":
        wanted = "doctor" if "subjective" in field.name else "vision_technician"
        return role == wanted
    return field.section in WRITERS[profile][role].split()


def write_operation(field: Field) -> Operation:
    return Operation.ADD if field.kind == "entry" else Operation.WRITE


@pytest.mark.parametrize(
    ("profile", "role"), [(profile, role) for profile in WRITERS for role in WRITERS[profile]]
)
def test_each_role_writes_exactly_the_fields_that_the_design_gives_it(profile, role):
    policy = Policy(PROFILES[profile])

    for field in PROFILES[profile].fields.values():
        decision = policy.decide(person(role), write_operation(field), field, OPEN)

        assert decision.allowed == may_write(profile, role, field), field.name
        assert decision.reason
        if decision.allowed:
            assert decision.role == role
            assert decision.rule is None
        else:
            assert decision.rule is Rule.ROLE


@pytest.mark.parametrize("name", PROFILES)
def test_the_table_of_this_test_knows_every_role_of_the_profile(name):
    assert set(PROFILES[name].roles) == set(WRITERS[name])


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("roles", [(), ("stranger",), ("everyone",), ("Nurse",), ("",)])
def test_who_has_no_role_of_the_profile_may_do_nothing(operation, roles):
    policy = Policy(PROFILES["outpatient"])

    for field in PROFILES["outpatient"].fields.values():
        decision = policy.decide(person(*roles), operation, field, OPEN)

        assert not decision.allowed
        assert decision.reason
        assert not policy.may_read(person(*roles), field).allowed
    assert not policy.may_open(person(*roles), OPEN).allowed
    assert not policy.may_create(person(*roles)).allowed


def test_a_refusal_by_role_is_a_sentence():
    profile = PROFILES["outpatient"]
    policy = Policy(profile)

    def reason(field, *roles):
        operation = write_operation(profile.fields[field])
        return policy.decide(person(*roles), operation, profile.fields[field], OPEN).reason

    assert reason("diagnosis", "nurse") == "Nurses do not write diagnoses."
    assert reason("vitals.spo2", "cashier") == "Cashiers do not write vital signs."
    assert (
        reason("diagnosis.plan", "nurse", "pharmacist")
        == "Nurses and pharmacists do not write diagnoses."
    )
    assert reason("diagnosis") == "None of your roles has a part in Outpatient visit."


def test_two_roles_may_what_either_may_and_the_decision_names_the_one():
    profile = PROFILES["outpatient"]
    policy = Policy(profile)
    both = person("nurse", "cashier")

    assert (
        policy.decide(both, Operation.WRITE, profile.fields["vitals.pulse"], OPEN).role == "nurse"
    )
    assert policy.decide(both, Operation.ADD, profile.fields["receipts"], OPEN).role == "cashier"


@pytest.mark.parametrize("operation", Operation)
def test_a_field_that_the_profile_does_not_know_is_refused(operation):
    policy = Policy(PROFILES["outpatient"])
    foreign = PROFILES["eye_screening"].fields["demographics.sex"]

    for field in (None, foreign):
        decision = policy.decide(person("receptionist"), operation, field, OPEN)
        assert decision.rule is Rule.UNKNOWN_FIELD


@pytest.mark.parametrize("status", ["completed", "cancelled"])
@pytest.mark.parametrize("operation", Operation)
def test_a_record_that_is_not_open_takes_no_edit(status, operation):
    profile = PROFILES["outpatient"]
    state = RecordState(status=status)
    everybody = person(*profile.roles)

    for field in profile.fields.values():
        if (status, operation) == ("completed", Operation.AMEND):
            continue
        decision = Policy(profile).decide(everybody, operation, field, state)
        assert decision.rule is Rule.COMPLETED
        assert decision.reason


@pytest.mark.rule("FLOW-13")
def test_a_signed_record_is_amended_by_new_entries_of_those_who_write_there():
    profile = PROFILES["outpatient"]
    policy, signed = Policy(profile), RecordState(status="completed", current_step="discharge")

    def may(role, name, status=signed):
        return policy.decide(person(role), Operation.AMEND, profile.fields[name], status)

    assert may("clinical_officer", "diagnosis").role == "clinical_officer"
    assert may("nurse", "diagnosis").rule is Rule.ROLE
    assert may("nurse", "vitals.pulse").rule is Rule.TYPE
    assert may("clinical_officer", "diagnosis.plan").rule is Rule.TYPE
    assert may("lab_tech", "lab_results", RecordState(status="cancelled")).rule is Rule.COMPLETED


def test_a_step_is_its_roles_and_where_it_is_asked_only_of_who_is_assigned():
    profile = PROFILES["outpatient"]
    triage = profile.step("triage")
    policy = Policy(profile)

    assert policy.may_step(person("nurse"), triage, OPEN).role == "nurse"
    assert policy.may_step(person("supervisor"), triage, OPEN).rule is Rule.ROLE
    assert policy.may_step(person("nurse"), None, OPEN).rule is Rule.UNKNOWN_FIELD
    for status in ("completed", "cancelled"):
        refused = policy.may_step(person("nurse"), triage, RecordState(status=status))
        assert refused.rule is Rule.COMPLETED


@pytest.mark.parametrize("operation", [Operation.CHANGE, Operation.DELETE, Operation.WRITE])
def test_an_entry_that_stands_is_never_changed_not_even_by_its_writers(operation):
    profile = PROFILES["outpatient"]

    decision = Policy(profile).decide(
        person("clinical_officer"), operation, profile.fields["diagnosis"], OPEN
    )

    assert decision.rule is Rule.APPEND_ONLY


@pytest.mark.parametrize(
    ("field", "operation", "allowed"),
    [
        ("vitals.pulse", Operation.DELETE, True),
        ("assessment.notes", Operation.DELETE, True),
        ("vitals.pulse", Operation.ADD, False),
        ("vitals.pulse", Operation.CHANGE, False),
        ("assessment.notes", Operation.ADD, False),
    ],
)
def test_an_operation_belongs_to_a_kind_of_field(field, operation, allowed):
    profile = PROFILES["outpatient"]

    decision = Policy(profile).decide(person("nurse"), operation, profile.fields[field], OPEN)

    assert decision.allowed == allowed


def test_an_append_only_narrative_grows_but_loses_nothing():
    narrative = (
        "[sections.orders]\n",
        '[sections.log]\ntitle = "Log"\nkind = "text"\nwriters = ["nurse"]\n'
        '[sections.log.narratives]\nlines = { title = "Log", append_only = true }\n'
        "[sections.orders]\n",
    )
    profile = small(narrative)
    policy = Policy(profile)
    field = profile.fields["log.lines"]

    assert policy.decide(person("nurse"), Operation.WRITE, field, OPEN).allowed
    refused = policy.decide(person("nurse"), Operation.DELETE, field, OPEN)
    assert refused.rule is Rule.APPEND_ONLY


def test_where_the_profile_asks_only_those_assigned_write_and_open():
    profile = small(
        ("[summary]", "[options]\nassignment_required = true\n\n[summary]"),
        ('title = "Doctor"', 'title = "Doctor"\nneeds_assignment = false'),
    )
    policy = Policy(profile)
    field, orders = profile.fields["vitals.pulse"], profile.fields["orders"]
    assigned = RecordState(assigned=frozenset({"u-1"}))

    assert policy.decide(person("nurse"), Operation.WRITE, field, assigned).allowed
    refused = policy.decide(person("nurse"), Operation.WRITE, field, OPEN)
    assert refused.rule is Rule.ASSIGNMENT
    assert policy.decide(person("doctor"), Operation.ADD, orders, OPEN).allowed
    both = policy.decide(person("nurse", "doctor"), Operation.WRITE, field, OPEN)
    assert both.rule is Rule.ASSIGNMENT
    assert policy.may_open(person("nurse"), assigned).allowed
    assert policy.may_open(person("nurse"), OPEN).rule is Rule.ASSIGNMENT
    assert policy.may_open(person("doctor"), OPEN).allowed


def test_where_the_profile_asks_a_section_is_written_in_its_step_only():
    profile = load_profile(ANTENATAL)
    policy = Policy(profile)
    systolic, comments = profile.fields["examination.systolic"], profile.fields["comments"]

    def decide(role, operation, field, step):
        return policy.decide(person(role), operation, field, RecordState(current_step=step))

    assert decide("midwife", Operation.WRITE, systolic, "examination").allowed
    assert decide("midwife", Operation.WRITE, systolic, "registration").rule is Rule.STEP
    assert decide("midwife", Operation.WRITE, systolic, None).rule is Rule.STEP
    assert decide("clerk", Operation.WRITE, systolic, "registration").rule is Rule.ROLE
    assert decide("midwife", Operation.ADD, comments, "registration").allowed


def test_the_step_restricts_nothing_where_the_profile_does_not_ask():
    profile = PROFILES["outpatient"]
    state = RecordState(current_step="payment")

    decision = Policy(profile).decide(
        person("nurse"), Operation.WRITE, profile.fields["vitals.pulse"], state
    )

    assert decision.allowed


@pytest.mark.parametrize("name", PROFILES)
def test_the_first_role_and_the_administrator_create_records(name):
    policy = Policy(PROFILES[name])

    creators = {role for role in PROFILES[name].roles if policy.may_create(person(role)).allowed}

    assert creators == {PROFILES[name].steps[0].role, "admin"}


@pytest.mark.parametrize("name", PROFILES)
def test_every_role_but_the_administrator_opens_and_reads_the_whole_record(name):
    policy = Policy(PROFILES[name])

    for role in PROFILES[name].roles:
        may_open = policy.may_open(person(role), OPEN).allowed
        may_read = {
            policy.may_read(person(role), f).allowed for f in PROFILES[name].fields.values()
        }
        assert may_open == (role != "admin")
        assert may_read == {role != "admin"}


def test_a_completed_record_still_opens():
    policy = Policy(PROFILES["outpatient"])

    assert policy.may_open(person("nurse"), RecordState(status="completed")).allowed


def test_powers_belong_to_the_roles_that_the_profile_gives_them():
    policy = Policy(PROFILES["outpatient"])

    assert policy.may(person("supervisor"), "resolve_conflicts").allowed
    assert policy.may(person("admin"), "cancel_records").allowed
    refused = policy.may(person("nurse"), "break_locks")
    assert refused.rule is Rule.ROLE
    assert refused.reason == "Nurses do not break locks."


def test_readers_restrict_reading_except_for_who_reads_all_and_who_writes():
    profile = load_profile(ANTENATAL)
    policy = Policy(profile)
    field = profile.fields["pregnancy.hiv_status"]

    readers = {role for role in profile.roles if policy.may_read(person(role), field).allowed}

    assert readers == {"midwife", "doctor", "supervisor"}
    assert policy.may_read(person("doctor"), None).rule is Rule.UNKNOWN_FIELD


def test_the_cache_of_decisions_is_bounded(monkeypatch):
    monkeypatch.setattr(policy_module, "CACHE_SIZE", 5)
    profile = PROFILES["outpatient"]
    policy = Policy(profile)

    for number in range(50):
        asked = policy.decide(
            person("nurse", f"r{number}"), Operation.WRITE, profile.fields["vitals.pulse"], OPEN
        )
        assert asked.allowed

    assert len(policy._decisions) <= 5


@given(
    roles=st.frozensets(st.sampled_from(sorted(PROFILES["outpatient"].roles)) | st.text()),
    operation=st.sampled_from(Operation),
    field=st.none()
    | st.sampled_from([f for profile in PROFILES.values() for f in profile.fields.values()]),
    status=st.sampled_from(["open", "completed", "cancelled", "odd"]),
    step=st.none() | st.text(),
)
def test_deciding_never_raises_and_allows_only_by_a_role_that_writes(
    roles, operation, field, status, step
):
    policy = Policy(PROFILES["outpatient"])
    state = RecordState(status=status, current_step=step)

    decision = policy.decide(person(*roles), operation, field, state)

    assert isinstance(decision, Decision)
    assert decision.reason
    if decision.allowed:
        assert status == "open" or (status, operation) == ("completed", Operation.AMEND)
        assert decision.role in roles & field.writers


def test_the_package_exports_what_it_says():
    assert sorted(set(permissions.__all__)) == sorted(permissions.__all__)
    for name in permissions.__all__:
        assert hasattr(permissions, name)


def test_a_power_stands_in_for_a_role_and_for_nothing_else():
    policy = Policy(PROFILES["outpatient"])
    pulse, safety = (policy.profile.fields[name] for name in ("vitals.pulse", "safety"))

    def decide(role, operation, field, state=OPEN):
        return policy.decide_with(person(role), operation, field, state, "apply_refusals")

    assert decide("supervisor", Operation.WRITE, pulse).role == "supervisor"
    assert decide("nurse", Operation.WRITE, pulse).role == "nurse"
    assert decide("cashier", Operation.WRITE, pulse).rule is Rule.ROLE
    assert decide("supervisor", Operation.CHANGE, safety).rule is Rule.APPEND_ONLY
    assert decide("supervisor", Operation.WRITE, None).rule is Rule.UNKNOWN_FIELD
    for status in ("completed", "cancelled"):
        closed = RecordState(status=status)
        assert decide("supervisor", Operation.WRITE, pulse, closed).rule is Rule.COMPLETED
