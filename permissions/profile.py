"""A profile: everything that a kind of record is, compiled from one TOML file.

It answers which field stands at a place of the document, what a step still asks for and which
entries are open. The only I/O of the package is load_profile reading its file and its catalogues.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from permissions.compilation import RESERVED_ROOTS
from permissions.errors import Problem, ProfileError
from permissions.fields import (
    Event,
    Field,
    Metric,
    OpenEntries,
    Requirement,
    Role,
    RootKind,
    Section,
    Step,
    Summary,
    Unsealed,
)
from permissions.reading import Compiled, read
from permissions.source_lines import Path as WordPath
from permissions.values import is_ulid
from permissions.words import Words, own_words, parse_words

__all__ = [
    "RESERVED_ROOTS",
    "Fields",
    "Profile",
    "Texts",
    "catalogues_of",
    "load_profile",
    "parse_profile",
    "shipped_profiles",
]

Fields = Mapping[str, Mapping[str, object]]
"""Section → {field or ULID: value}, as a record shows them (contract, section 4)."""
Texts = Mapping[str, str]
"""Narrative name → text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """One kind of record. Immutable; shared by every room that holds such records.

    unsealed: what becomes of an edit in another's name without a seal that holds: it counts as its
    sender's own, or is refused (docs/protocol.md).
    fields: field name → Field, in the order of the file.
    roots: root name of the document → its kind; narratives are roots of their own.
    language: of its own words. words: language → catalogue; no decision looks at them.
    """

    name: str
    title: str
    language: str
    number_prefix: str
    version: int
    assignment_required: bool
    step_restricts_writing: bool
    unsealed: Unsealed
    roles: Mapping[str, Role]
    sections: Mapping[str, Section]
    steps: tuple[Step, ...]
    events: Mapping[str, Event]
    metrics: Mapping[str, Metric]
    summary: Summary
    fields: Mapping[str, Field]
    roots: Mapping[str, RootKind]
    words: Mapping[str, Words]
    _finders: Mapping[str, Callable[[str | None], Field | None]] = field(repr=False)

    def field_at(self, root: str, key: str | None) -> Field | None:
        """The field at a root and map key of the document; None where the profile has none.

        key: the map key; for a narrative None. Of entries every well-formed ULID is a place.
        """
        find = self._finders.get(root)
        return None if find is None else find(key)

    def own_words(self) -> dict[WordPath, str]:
        """Path → text of everything that the profile says on a screen, in its own language."""
        return own_words(
            self.title,
            self.roles.values(),
            self.sections.values(),
            self.steps,
            self.events.values(),
            self.metrics.values(),
        )

    def words_in(self, language: str) -> Words:
        """The catalogue of the language, or of it without its region; else the profile's own."""
        found = self.words.get(language) or self.words.get(language.partition("-")[0])
        if found is None or language == self.language:
            return Words(self.language, MappingProxyType({}))
        return found

    def step(self, id: str) -> Step | None:
        """The step of that id."""
        return next((step for step in self.steps if step.id == id), None)

    def role_shown(self, roles: frozenset[str]) -> str:
        """The role in which somebody with these is shown to others: the first the profile has.

        Whoever is an administrator, too, or works with another profile, is here what they are here.
        """
        return next((id for id in self.roles if id in roles), "")

    def open_entries(self, condition: OpenEntries, fields: Fields) -> list[str]:
        """The entries of the condition that nothing replaces and no closing entry refers to."""
        entries = fields.get(condition.section, {})
        done = {
            entry.get(condition.closed_by_key)
            for entry in fields.get(condition.closed_by_section, {}).values()
            if isinstance(entry, Mapping)
        }
        done |= {one.get("replaces") for one in entries.values() if isinstance(one, Mapping)}
        return [id for id in entries if id not in done]

    def missing(self, step: Step, fields: Fields, texts: Texts) -> tuple[Requirement, ...]:
        """What completing the step still asks for."""
        return tuple(
            requirement
            for requirement in step.required
            if not any(self.is_filled(name, fields, texts) for name in requirement.any_of)
        )

    def requirement_title(self, requirement: Requirement) -> str:
        """The requirement in words: "Pulse or Reason why not done"."""
        return " or ".join(self.fields[name].title for name in requirement.any_of)

    def is_filled(self, name: str, fields: Fields, texts: Texts) -> bool:
        """Whether the field holds something: a value, an entry, or text that is not blank."""
        wanted = self.fields[name]
        match wanted.kind:
            case "narrative":
                return bool(texts.get(name, "").strip())
            case "entry":
                return bool(fields.get(name))
            case "value":
                value = fields.get(wanted.section, {}).get(wanted.key or "")
                return value is not None and value != ""


def parse_profile(text: str, file_name: str) -> Profile:
    """The profile that the TOML text declares.

    Raises ProfileError with every mistake that was found, each with its line.
    """
    compiled = read(text, file_name)
    fields = {one.name: one for section in compiled.sections.values() for one in section.fields}
    return Profile(
        name=compiled.head.name,
        title=compiled.head.title,
        language=compiled.head.language,
        number_prefix=compiled.head.number_prefix,
        version=compiled.head.version,
        assignment_required=compiled.options.assignment_required,
        step_restricts_writing=compiled.options.step_restricts_writing,
        unsealed=compiled.options.unsealed,
        roles=MappingProxyType(compiled.roles),
        sections=MappingProxyType(compiled.sections),
        steps=compiled.steps,
        events=MappingProxyType(compiled.events),
        metrics=MappingProxyType(compiled.metrics),
        summary=compiled.summary,
        fields=MappingProxyType(fields),
        roots=MappingProxyType(_roots(compiled)),
        words=MappingProxyType({}),
        _finders=_finders(compiled),
    )


def load_profile(path: Path) -> Profile:
    """The profile in the file, with its catalogues. Raises ProfileError, or OSError of reading."""
    profile = parse_profile(_text_of(path, path.name), path.name)
    own = profile.own_words()
    words: dict[str, Words] = {}
    for language, file in catalogues_of(path).items():
        name = f"words/{file.name}"
        text = _text_of(file, name)
        words[language] = parse_words(text, name, language, own, profile.language)
    return replace(profile, words=MappingProxyType(words))


def catalogues_of(path: Path) -> dict[str, Path]:
    """Language → catalogue of a profile's file: `words/NAME.LANGUAGE.toml` beside NAME.toml."""
    found: dict[str, Path] = {}
    for file in sorted(path.parent.joinpath("words").glob("*.toml")):
        name, _, language = file.stem.rpartition(".")
        if name == path.stem:
            found[language] = file
    return found


def _text_of(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(name, (Problem(1, "the file is not UTF-8"),)) from error


def shipped_profiles() -> dict[str, Path]:
    """Name → file of the profiles that come with Fieldchart."""
    # The package holds TOML files only and stands beside this one, installed or not.
    folder = Path(__file__).resolve().parent.parent / "profiles"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def _roots(compiled: Compiled) -> dict[str, RootKind]:
    roots: dict[str, RootKind] = {}
    for section in compiled.sections.values():
        if section.kind != "text":
            roots[section.name] = section.kind
        roots |= {one.root: "text" for one in section.fields if one.kind == "narrative"}
    return roots


def _finders(compiled: Compiled) -> dict[str, Callable[[str | None], Field | None]]:
    finders: dict[str, Callable[[str | None], Field | None]] = {}
    for section in compiled.sections.values():
        by_key: dict[str | None, Field] = {}
        for one in section.fields:
            match one.kind:
                case "value":
                    by_key[one.key] = one
                case "entry":
                    finders[one.root] = _entry_finder(one)
                case "narrative":
                    finders[one.root] = _text_finder(one)
        if by_key:
            finders[section.name] = by_key.get
    return finders


def _text_finder(narrative: Field) -> Callable[[str | None], Field | None]:
    by_key: dict[str | None, Field] = {None: narrative}
    return by_key.get


def _entry_finder(entries: Field) -> Callable[[str | None], Field | None]:
    def find(key: str | None) -> Field | None:
        return entries if is_ulid(key) else None

    return find
