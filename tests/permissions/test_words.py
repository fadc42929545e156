"""Catalogues: what a profile says in further languages, complete, checked, without any power."""

from pathlib import Path

import pytest

from permissions import ProfileError, load_profile, shipped_profiles
from permissions.words import SYMBOLS, parse_words
from tests.permissions.builders import ANTENATAL, SMALL, shipped, small, small_text

LANGUAGES = ("ar", "fr", "sw")
SAME_AS_ENGLISH = {
    "Consultation", "Date", "Diagnostic", "Discharge", "Distance", "Iris", "LEA symbols", "Macula",
    "Normal", "Snellen", "SpO₂", "Substance", "Substitution", "Triage", "Village", "logMAR",
    "patients", "Urgent", "Bifocal",
}  # fmt: skip
"""Words that are spelt in another language as in English, because they are."""


def refusal_of(text: str, language: str = "fr") -> str:
    profile = small()
    with pytest.raises(ProfileError) as caught:
        parse_words(text, "words/small.fr.toml", language, profile.own_words(), "en")
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_a_shipped_profile_says_everything_in_each_language_of_the_app(name: str) -> None:
    profile = shipped(name)

    assert set(profile.words) == set(LANGUAGES)
    assert {language: words.missing for language, words in profile.words.items()} == dict.fromkeys(
        LANGUAGES, ()
    )


def test_the_example_of_a_profile_of_ones_own_brings_its_words() -> None:
    profile = load_profile(ANTENATAL)

    assert {language: words.missing for language, words in profile.words.items()} == {"sw": ()}


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_a_catalogue_is_left_in_english(name: str, language: str) -> None:
    profile = shipped(name)
    own, words = profile.own_words(), profile.words[language]

    left = {text for path, text in words.texts.items() if text == own[path]}

    assert left - SAME_AS_ENGLISH == set()


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_options_of_a_choice_are_called_the_same(name: str, language: str) -> None:
    """Two triage categories under one word would be a choice that nobody can make."""
    texts = shipped(name).words[language].texts
    choices: dict[tuple[str, ...], list[str]] = {}
    for path, text in texts.items():
        if "options" in path:
            choices.setdefault(path[:-1], []).append(text)

    assert [path for path, said in choices.items() if len(said) != len(set(said))] == []


def test_the_words_of_a_profile_are_its_titles_options_units_helps_and_hints() -> None:
    own = shipped("outpatient").own_words()

    assert own["profile", "title"] == "Outpatient visit"
    assert own["sections", "triage", "fields", "category", "options", "urgent"] == "Urgent"
    assert own["sections", "prescriptions", "fields", "drug", "title"] == "Drug"
    assert own["sections", "diagnosis", "narratives", "plan", "title"] == "Plan"
    assert own["sections", "receipts", "fields", "amount", "unit"] == "minor units"
    assert own["sections", "vitals", "fields", "glucose", "help"].startswith("No range")
    assert "KES" in own["sections", "receipts", "fields", "currency", "pattern_title"]
    assert own["events", "lab_results_ready", "title"] == "Laboratory results ready"
    assert own["metrics", "waiting_for_triage", "unit"] == "patients"
    assert all(text.strip() for text in own.values())


def test_a_text_stands_for_its_title_and_a_table_says_more() -> None:
    own = small().own_words()
    text = """
        [sections.vitals.fields]
        note = "Remarque"
        pulse = { title = " Pouls " }
        """

    words = parse_words(text, "words/small.fr.toml", "fr", own, "en")

    assert words.say(("sections", "vitals", "fields", "note", "title"), "Note") == "Remarque"
    assert words.say(("sections", "vitals", "fields", "pulse", "title"), "Pulse") == "Pouls"


def test_what_a_catalogue_lacks_is_named_and_said_in_the_profiles_own_words() -> None:
    profile = small(('title = "Pulse", ', 'title = "Pulse", unit = "beats", '))
    text = '[profile]\ntitle = "Visite"\n[sections.vitals.fields]\nnote = "Note"'

    words = parse_words(text, "words/small.fr.toml", "fr", profile.own_words(), "en")

    assert "sections.vitals.fields.pulse.title" in words.missing
    assert "sections.vitals.fields.pulse.unit" in words.missing
    assert "profile.title" not in words.missing
    assert words.say(("sections", "vitals", "fields", "pulse", "title"), "Pulse") == "Pulse"


@pytest.mark.parametrize("unit", ["mmHg", "%", "°C"])
def test_a_unit_that_is_a_symbol_need_not_be_said_again(unit: str) -> None:
    profile = small(('title = "Pulse", ', f'title = "Pulse", unit = "{unit}", '))

    words = parse_words("", "words/small.fr.toml", "fr", profile.own_words(), "en")

    assert unit in SYMBOLS
    assert "sections.vitals.fields.pulse.title" in words.missing
    assert "sections.vitals.fields.pulse.unit" not in words.missing


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\n[sections.vitals.fields]\nweight = "Poids"', "small.fr.toml:3: "),
        ('[sections.vitals.fields]\nweight = "Poids"', "no 'sections.vitals.fields.weight'"),
        ('[rolls]\nnurse = "Infirmier"', "unknown: the profile has no 'rolls'"),
        ('[profile]\ntitle = " "', "empty: 'profile.title'"),
        ("[sections.vitals.fields]\npulse = 4", "'sections.vitals.fields.pulse' is no text"),
        ('sections = "Rubriques"', "'sections' is a table, no text"),
        ('[profile.title]\nshort = "x"', "'profile.title' is no text"),
        ('[sections.vitals.fields.pulse]\nunit = "/min"', "no 'sections.vitals.fields.pulse.unit'"),
        ("[profile", "not TOML"),
    ],
)
def test_a_mistake_in_a_catalogue_is_named_with_its_line(text: str, told: str) -> None:
    assert told in refusal_of(text)


@pytest.mark.parametrize("language", ["", "french", "FR", "fr_FR", "../fr"])
def test_a_catalogue_is_of_a_language(language: str) -> None:
    assert "is no language" in refusal_of("", language)


def test_the_own_language_of_a_profile_has_no_catalogue() -> None:
    assert "the language of the profile itself" in refusal_of("", "en")


def test_a_profile_brings_the_catalogues_that_stand_beside_it(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(
        small_text(('title = "Small visit"', 'title = "Piccola visita"\nlanguage = "it"'))
    )
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "small.en.toml").write_text('[profile]\ntitle = "Small visit"')
    (tmp_path / "words" / "small.pt-BR.toml").write_text('[profile]\ntitle = "Visita pequena"')
    (tmp_path / "words" / "other.fr.toml").write_text("[nothing]\nof = 'it'")

    profile = load_profile(tmp_path / "small.toml")

    assert profile.language == "it"
    assert sorted(profile.words) == ["en", "pt-BR"]
    assert profile.words_in("en").say(("profile", "title"), profile.title) == "Small visit"
    assert profile.words_in("en-GB").language == "en"
    assert profile.words_in("sw").say(("profile", "title"), profile.title) == "Piccola visita"
    assert profile.words_in("sw").language == "it"


def test_a_catalogue_with_a_mistake_refuses_the_profile_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "small.fr.toml").write_bytes(b'title = "\xff"')

    with pytest.raises(ProfileError, match=r"^words/small\.fr\.toml:1: the file is not UTF-8"):
        load_profile(tmp_path / "small.toml")


def test_words_change_nothing_that_decides(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    before = load_profile(tmp_path / "small.toml")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "small.fr.toml").write_text('[profile]\ntitle = "Visite"')
    after = load_profile(tmp_path / "small.toml")

    assert (before.version, before.title, list(before.fields)) == (
        after.version, after.title, list(after.fields),
    )  # fmt: skip
    assert [one.title for one in before.fields.values()] == [
        one.title for one in after.fields.values()
    ]
