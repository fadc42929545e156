"""What a profile says to people, in further languages: catalogues checked against the profile.

A catalogue says other words for the same names. It decides nothing: what is missing in it is said
in the profile's own language, and no rule, version or decision looks at it.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from permissions.errors import Problem, ProfileError
from permissions.fields import EntryField, Event, Field, Metric, Role, Section, Step
from permissions.problems import Problems
from permissions.source_lines import Path

__all__ = ["OWN_LANGUAGE", "Words", "is_language", "own_words", "parse_words"]

OWN_LANGUAGE = "en"
"""The language of a profile that does not name its own."""

is_language = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?").fullmatch
"""Language, script and region as BCP 47 writes them: "sw", "zh-Hant", "pt-BR"."""

SYMBOLS = frozenset({
    "%", "‰", "°", "°C", "/min", "min", "h", "s", "ms", "D", "m", "cm", "mm", "µm", "kg", "g", "mg",
    "µg", "L", "mL", "mmHg", "kPa", "mmol/L", "µmol/L", "g/L", "g/dL", "mg/dL", "mEq/L", "IU/L",
    "U/L", "kg/m²", "mL/min", "bpm",
})  # fmt: skip
"""Units that are the same in every language. Any other is a word, and a catalogue should say it."""


@dataclass(frozen=True, slots=True)
class Words:
    """One catalogue. missing: the dotted names of what it does not say, in the profile's order."""

    language: str
    texts: Mapping[Path, str]
    missing: tuple[str, ...] = ()

    def say(self, path: Path, own: str) -> str:
        """The text at the path; `own`, the profile's, where the catalogue does not say it."""
        return self.texts.get(path, own)


def own_words(
    title: str,
    roles: Iterable[Role],
    sections: Iterable[Section],
    steps: Iterable[Step],
    events: Iterable[Event],
    metrics: Iterable[Metric],
) -> dict[Path, str]:
    """Path → text of everything that the profile says on a screen, in its order."""
    words: dict[Path, str] = {("profile", "title"): title}
    words |= {("roles", one.id, "title"): one.title for one in roles}
    for section in sections:
        words |= dict(_section_words(section))
    words |= {("steps", one.id, "title"): one.title for one in steps}
    words |= {("events", one.name, "title"): one.title for one in events}
    for metric in metrics:
        words[("metrics", metric.name, "title")] = metric.title
        words[("metrics", metric.name, "unit")] = metric.unit
    return {path: text for path, text in words.items() if text}


def _section_words(section: Section) -> Iterator[tuple[Path, str]]:
    path: Path = ("sections", section.name)
    yield (*path, "title"), section.title
    yield (*path, "help"), section.help
    for field in section.fields:
        match field.kind:
            case "value":
                yield from _field_words((*path, "fields", field.key or ""), field)
            case "entry":
                for key, one in field.entry_fields.items():
                    yield from _field_words((*path, "fields", key), one)
            case "narrative":
                at: Path = (*path, "narratives", field.key or "")
                yield (*at, "title"), field.title
                yield (*at, "help"), field.help


def _field_words(path: Path, field: Field | EntryField) -> Iterator[tuple[Path, str]]:
    yield (*path, "title"), field.title
    yield (*path, "help"), field.help
    yield (*path, "unit"), field.rules.unit
    yield (*path, "pattern_title"), field.rules.pattern_title
    for option, title in field.rules.options.items():
        yield (*path, "options", option), title


def parse_words(
    text: str, file_name: str, language: str, own: Mapping[Path, str], own_language: str
) -> Words:
    """The catalogue that the TOML text holds. A text where a table may stand is its title.

    own: as `own_words` gives it. Raises ProfileError with every mistake: a name that the profile
    does not have, an empty or blank text, anything that is no text.
    """
    problems = Problems(file_name, text)
    if not is_language(language):
        problems.add((), f"'{language}' is no language, such as fr or pt-BR")
    if language == own_language:
        problems.add((), f"'{language}' is the language of the profile itself")
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(file_name, (Problem(1, f"not TOML: {error}"),)) from error
    known = {path[:length] for path in own for length in range(1, len(path) + 1)}
    texts: dict[Path, str] = {}
    _read(tables, (), own, known, texts, problems)
    problems.raise_if_any()
    missing = tuple(
        ".".join(path)
        for path, said in own.items()
        if path not in texts and not (path[-1] == "unit" and said in SYMBOLS)
    )
    return Words(language, MappingProxyType(texts), missing)


def _read(
    table: Mapping[str, Any],
    at: Path,
    own: Mapping[Path, str],
    known: set[Path],
    texts: dict[Path, str],
    problems: Problems,
) -> None:
    for key, value in table.items():
        path = (*at, key)
        name = ".".join(path)
        if path not in known:
            problems.add(path, f"unknown: the profile has no '{name}'")
        elif isinstance(value, Mapping) and path not in own:
            _read(value, path, own, known, texts, problems)
        elif not isinstance(value, str):
            problems.add(path, f"'{name}' is no text")
        elif not value.strip():
            problems.add(path, f"empty: '{name}'")
        elif path in own:
            texts[path] = value.strip()
        elif (*path, "title") in own:
            texts[(*path, "title")] = value.strip()
        else:
            problems.add(path, f"'{name}' is a table, no text")
