"""Look-ups in a profile and mistakes named by file, line and reason."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permissions import PermissionsError, ProfileError, load_profile, parse_profile
from tests.permissions.builders import (
    ANTENATAL,
    SMALL,
    ULID,
    shipped,
    small,
    small_text,
)

PULSE = 'pulse = { title = "Pulse", type = "integer", minimum = 20, maximum = 300 }'
EVENT = '[events.done]\ntitle = "Done"\nwhen = "step_completed"\n'


def test_each_root_of_the_document_has_its_kind():
    roots = shipped("outpatient").roots

    assert roots["vitals"] == "fields"
    assert roots["diagnosis"] == "entries"
    assert roots["diagnosis.plan"] == "text"
    assert "assessment" not in roots
    assert roots["assessment.notes"] == "text"


def test_a_field_is_found_at_its_place_and_nowhere_else():
    profile = shipped("outpatient")

    assert profile.field_at("vitals", "pulse") is profile.fields["vitals.pulse"]
    assert profile.field_at("diagnosis", ULID) is profile.fields["diagnosis"]
    assert profile.field_at("diagnosis.plan", None) is profile.fields["diagnosis.plan"]
    assert profile.field_at("vitals", None) is None
    assert profile.field_at("diagnosis", None) is None
    assert profile.field_at("diagnosis.plan", "x") is None
    assert profile.field_at("diagnosis", "plan") is None
    assert profile.field_at("assessment", "notes") is None


@pytest.mark.parametrize("root", ["record", "progress", "", "vitals.pulse", "Vitals", "vitals\x00"])
def test_a_root_that_no_section_declares_is_no_place(root):
    profile = shipped("outpatient")

    assert profile.field_at(root, "pulse") is None
    assert profile.field_at(root, None) is None
    assert root not in profile.roots


@pytest.mark.parametrize(
    "key",
    [
        "",
        "pulse ",
        "Pulse",
        "pul\u0455e",  # a Cyrillic letter that looks like s
        "pulse\x00",
        "__class__",
        ULID,
    ],
)
def test_a_look_alike_key_is_no_field(key):
    assert shipped("outpatient").field_at("vitals", key) is None


@pytest.mark.parametrize(
    "key",
    [
        ULID.lower(),
        ULID[:-1],
        ULID + "0",
        ULID + "\n",
        "8" + ULID[1:],
        "I" + ULID[1:],
        ULID[:-1] + "L",
        ULID[:-1] + "\u0660",  # an Arabic-Indic digit
        "code",
    ],
)
def test_a_key_that_is_no_ulid_is_no_entry(key):
    assert shipped("outpatient").field_at("diagnosis", key) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('writers = ["nurse"]', 'writers = ["nurze"]', 18, "the unknown role 'nurze'"),
        ('type = "text" }', 'type = "text", colour = "red" }', 21, "unknown key 'colour'"),
        ('type = "text" }', 'type = "txt" }', 21, "'type'"),
        ('type = "text" }', 'type = "text", unit = 3 }', 21, "'unit': expected 'str'"),
        ('title = "Note", ', "", 21, "missing key 'title'"),
        ("minimum = 20", "minimum = 400", 22, "the range is upside down"),
        ('type = "text" }', 'type = "text", minimum = 1 }', 21, "minimum is for numbers"),
        (
            'type = "text" }',
            'type = "text", options = { a = "A" } }',
            21,
            "options are for choices",
        ),
        ('type = "text" }', 'type = "choice" }', 21, "a choice needs options"),
        ('type = "text" }', 'type = "reference" }', 21, "needs refers_to"),
        (
            'type = "text" }',
            'type = "reference", refers_to = "vitals" }',
            21,
            "no section of entries",
        ),
        ('type = "text" }', 'type = "text", pattern = "(" }', 21, "not a regular expression"),
        ('type = "text" }', 'type = "text", max_bytes = 70000 }', 21, "max_bytes lies outside"),
        ("minimum = 20", "minimum = nan", 22, "minimum is no number"),
        ("maximum = 300", f"maximum = 1{'0' * 400}", 22, "pulse: "),
        ("maximum = 300", "maximum = inf", 22, "maximum is no number"),
        ("maximum = 300 }", "maximum = 300, step = 0 }", 22, "step is not above 0"),
        ("maximum = 300 }", "maximum = 300, required = true }", 22, "required is for entries"),
        (
            "maximum = 300 }",
            "maximum = 300, flags = { high = { at_least = 301 } } }",
            22,
            "section vitals, field pulse: flag 'high' lies outside the hard limits",
        ),
        (
            "maximum = 300 }",
            "maximum = 300, flags = { high = { at_most = 90 } } }",
            22,
            "flag 'high' begins at an upper limit",
        ),
        (
            "maximum = 300 }",
            "maximum = 300, flags = { critical = { at_most = 90, at_least = 80 } } }",
            22,
            "flag 'critical' covers every value",
        ),
        ("maximum = 300 }", "maximum = 300, flags = { low = {} } }", 22, "flag 'low' has no limit"),
        ("maximum = 300 }", "maximum = 300, flags = { odd = {} } }", 22, "'flags'"),
        ("note = {", "Note = {", 21, "a name is a lower-case letter"),
        ("note = {", '"note\\u0000" = {', 21, "a name is a lower-case letter"),
        ("[sections.orders]", "[sections.record]", 24, "'record' is reserved"),
        ("[sections.orders]", "[sections.progress]", 24, "'progress' is reserved"),
        ("[sections.orders]", '[sections."a.b"]', 24, "a name is a lower-case letter"),
        ("[sections.orders]", "[sections.vitals]", 24, "not TOML"),
        ("test = {", "replaces = {", 30, "every entry already carries 'replaces'"),
        (
            'test = { title = "Test", type = "text", required = true }',
            'test = { title = "Test", type = "text", critical = true }',
            30,
            "critical of entries stands in the section",
        ),
        ('kind = "entries"', 'kind = "entries"\nat_least_one = ["x"]', 27, "unknown field 'x'"),
        ('kind = "entries"', 'kind = "text"', 29, "has narratives, no fields"),
        ('role = "nurse"', 'role = "nurze"', 34, "step triage: unknown role 'nurze'"),
        ('["vitals.pulse"]', '["vitals.puls"]', 35, "unknown field 'vitals.puls'"),
        (
            '["vitals.pulse"]',
            '["vitals.pulse or vitals.x"]',
            35,
            "step triage: unknown field 'vitals.x'",
        ),
        ('returns_to = ["triage"]', 'returns_to = ["visit"]', 40, "'visit' is not an earlier step"),
        ('returns_to = ["triage"]', 'returns_to = ["home"]', 40, "unknown step 'home'"),
        (
            'returns_to = ["triage"]',
            'only_when = { open = "vitals", closed_by = "orders.test" }',
            40,
            "'vitals' is no section of entries",
        ),
        (
            'returns_to = ["triage"]',
            'only_when = { open = "orders", closed_by = "orders.test" }',
            40,
            "'orders.test' does not refer to 'orders'",
        ),
        ('role = "nurse"\n', "", 32, "only the last of several steps may be without a role"),
        ('title = ["vitals.note"]', 'title = ["vitals.nose"]', 7, "summary: unknown field"),
        ('number_prefix = "SML"', 'number_prefix = "s-1"', 4, "number_prefix is"),
        ('name = "small"', 'name = "Small"', 2, "a name is"),
        ("[roles.doctor]", "[roles.everyone]", 12, "'everyone' is reserved"),
        ("[roles.nurse]", "[[roles.nurse]]", 9, "expected a table, got 'array'"),
        ("[summary]", "[colours]\nx = 1\n[summary]", 6, "unknown key 'colours'"),
        ('title = "Visit"', "title = ", 38, "not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_reason(old, new, line, reason):
    with pytest.raises(ProfileError) as caught:
        small((old, new))

    found = [problem for problem in caught.value.problems if reason in problem.reason]
    assert found, caught.value.problems
    assert found[0].line == line
    assert f"small.toml:{line}: {found[0].reason}" in str(caught.value)


@pytest.mark.parametrize(
    ("event", "line", "reason"),
    [
        ('of = "triage"\nnotify = ["nurze"]\n', 45, "notifies the unknown role 'nurze'"),
        ('of = "home"\nnotify = ["nurse"]\n', 44, "event done: unknown step 'home'"),
        ('of = "triage"\n', 41, "notify names the roles"),
        ('of = "triage"\naudience = "session"\nnotify = ["nurse"]\n', 46, "no other audience"),
    ],
)
def test_a_mistake_in_an_event_is_named(event, line, reason):
    with pytest.raises(ProfileError) as caught:
        parse_profile(SMALL + EVENT + event, "small.toml")

    assert reason in caught.value.reason
    assert caught.value.line == line
    assert caught.value.file == "small.toml"


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ('measure = "count_waiting"\nof = "home"\n', "unknown step 'home'"),
        ('measure = "share_flagged"\nof = "home"\n', "unknown field 'home'"),
        ('measure = "share_equal"\nof = "vitals.pulse"\n', "equals belongs to share_equal"),
        ('measure = "guess"\n', "'measure'"),
    ],
)
def test_a_mistake_in_a_metric_is_named(metric, reason):
    text = SMALL + '[metrics.one]\ntitle = "One"\n' + metric

    with pytest.raises(ProfileError, match=reason):
        parse_profile(text, "small.toml")


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file():
    text = small_text(
        ('writers = ["doctor"]', 'writers = ["dr"]'),
        ("minimum = 20", "minimum = 400"),
        ('role = "nurse"', 'role = "nurze"'),
    )

    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "small.toml")

    assert [problem.line for problem in caught.value.problems] == [22, 27, 34]
    assert isinstance(caught.value, PermissionsError)


def test_a_narrative_may_not_take_the_name_of_a_field():
    text = SMALL + '[sections.vitals.narratives]\npulse = { title = "Pulse notes" }\n'

    with pytest.raises(ProfileError, match=r"small\.toml:42: .*the name is taken"):
        parse_profile(text, "small.toml")


def test_a_mistake_after_multi_line_texts_and_arrays_keeps_its_line():
    change = (
        PULSE,
        'pulse = { title = """Pulse\nunit = 1\n""", type = "integer" }\n'
        'rate = { title = "Rate", type = "integer", minimum = 5, maximum = 1 }',
    )
    with pytest.raises(ProfileError) as caught:
        small(change)

    assert caught.value.line == 25


@pytest.mark.parametrize("text", ["", "x", "[profile]", "\x00", "[" * 3000, "a = " + "[" * 3000])
def test_a_text_that_is_no_profile_is_refused(text):
    with pytest.raises(ProfileError):
        parse_profile(text, "broken.toml")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes("title = 'é'".encode("latin-1"))

    with pytest.raises(ProfileError, match=r"latin\.toml:1: the file is not UTF-8"):
        load_profile(path)


toml_values = st.sampled_from(
    """ "x" "" 1 -1 0 1.5 nan inf true [] {} ["x"] [1] {x=1} 1979-05-27 [[1]] 99999999999999999999
    "everyone" ["everyone"] """.split()
)


@given(data=st.data(), value=toml_values)
def test_a_profile_with_any_value_replaced_is_read_or_refused_but_never_fails(data, value):
    lines = ANTENATAL.read_text(encoding="utf-8").split("\n")
    number = data.draw(st.sampled_from([i for i, line in enumerate(lines) if " = " in line]))
    parts = re.split(r"(?<= = )([^,{}\[\]]+)", lines[number])
    place = data.draw(st.sampled_from(range(len(parts))))
    parts[place] = value
    lines[number] = "".join(parts)

    with contextlib.suppress(ProfileError):
        parse_profile("\n".join(lines), "changed.toml")


@pytest.mark.parametrize(
    ("line", "unsealed"),
    [("", "refuse"), ('unsealed = "refuse"', "refuse"), ('unsealed = "sender"', "sender")],
)
def test_unproven_edits_are_refused_unless_the_profile_says_otherwise(line, unsealed):
    profile = parse_profile(SMALL + f"\n[options]\n{line}\n", "example.toml")

    assert profile.unsealed == unsealed


def test_an_unknown_fate_of_unproven_edits_is_a_mistake():
    with pytest.raises(ProfileError, match="unsealed"):
        parse_profile(SMALL + '\n[options]\nunsealed = "drop"\n', "example.toml")
