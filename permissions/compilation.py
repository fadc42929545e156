"""Compiles the sections of a declared profile into Fields, noting every mistake on the way.

Roots and names are unique by construction: TOML forbids a key twice, and sections and narratives
are told apart by the dot.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from permissions.declaration import DeclaredField, DeclaredNarrative, DeclaredSection
from permissions.entries import (
    ENTRY_MARKS,
    compile_entry_interpretation,
    compile_entry_violation,
)
from permissions.fields import EntryField, Field, Role, Section
from permissions.problems import Problems
from permissions.rules import compile_rules
from permissions.source_lines import Path
from permissions.values import (
    NARRATIVE_MAX_BYTES,
    VALUE_MAX_BYTES,
    ValueRules,
    compile_interpretation,
    compile_violation,
)

__all__ = ["EVERYONE", "NAME_RULE", "RESERVED_ROOTS", "SectionCompiler", "is_name"]

EVERYONE = "everyone"
"""In writers or readers: every role that opens records."""
RESERVED_ROOTS = frozenset({"record", "progress"})
"""Root maps of the server and of the workflow (record.md); no section has their name."""

NAME_RULE = "a name is a lower-case letter, then a-z, 0-9 and _"
NO_ENTRY_FIELDS: Mapping[str, EntryField] = MappingProxyType({})

is_name = re.compile(r"[a-z][a-z0-9_]{0,63}").fullmatch


class SectionCompiler:
    """Compiles one section after the other against the roles and the steps of the profile.

    steps_of_role: role id → ids of its steps.
    """

    def __init__(
        self,
        problems: Problems,
        roles: Mapping[str, Role],
        steps_of_role: Mapping[str, frozenset[str]],
        step_ids: frozenset[str],
    ) -> None:
        self._problems = problems
        self._roles = roles
        self._steps_of_role = steps_of_role
        self._step_ids = step_ids

    def compile(self, name: str, declared: DeclaredSection) -> Section:
        """The section; what is wrong with it is in the problems."""
        path: Path = ("sections", name)
        if name in RESERVED_ROOTS:
            self._problems.add(path, f"'{name}' is reserved for the server")
        elif not is_name(name):
            self._problems.add(path, NAME_RULE)
        self._check_shape(path, declared)
        members: list[Field] = []
        if declared.kind == "fields":
            members += self._values(name, declared)
        elif declared.kind == "entries":
            members.append(self._entries(name, declared))
        members += self._narratives(name, declared)
        return Section(
            name=name,
            title=declared.title,
            kind=declared.kind,
            writers=self._roles_named(declared.writers, (*path, "writers")),
            fields=tuple(members),
            help=declared.help,
        )

    def _check_shape(self, path: Path, declared: DeclaredSection) -> None:
        add = self._problems.add
        if declared.kind == "text" and declared.fields:
            add((*path, "fields"), "a section of kind text has narratives, no fields")
        if declared.kind == "text" and not declared.narratives:
            add(path, "a section of kind text needs a narrative")
        if declared.kind != "text" and not declared.fields:
            add(path, f"a section of kind {declared.kind} needs fields")
        if declared.kind != "entries":
            if declared.at_least_one:
                add((*path, "at_least_one"), "only entries have at_least_one")
            if declared.max_bytes is not None:
                add((*path, "max_bytes"), "only entries have max_bytes for the section")
        if declared.kind == "text" and declared.critical:
            add((*path, "critical"), "a text cannot be critical")
        if declared.kind == "fields":
            for key in sorted(declared.fields.keys() & declared.narratives.keys()):
                add((*path, "narratives", key), "the name is taken by a field of the section")
        for step in declared.steps or ():
            if step not in self._step_ids:
                add((*path, "steps"), f"unknown step '{step}'")

    def _values(self, name: str, section: DeclaredSection) -> Iterator[Field]:
        for key, table in section.fields.items():
            path: Path = ("sections", name, "fields", key)
            self._check_name(key, path)
            declared = self._problems.convert(table, DeclaredField, path)
            if declared is None:
                continue
            if declared.required:
                reason = "required is for entries; of plain fields a step lists what it requires"
                self._problems.add((*path, "required"), reason)
            if declared.codes:
                self._problems.add((*path, "codes"), "codes are for entries; use code")
            rules = compile_rules(declared, path, self._problems)
            access = self._access(section, declared.writers, declared.readers, path)
            yield Field(
                name=f"{name}.{key}",
                section=name,
                key=key,
                root=name,
                title=declared.title,
                section_title=section.title,
                kind="value",
                rules=rules,
                code=declared.code,
                critical=declared.critical or section.critical,
                append_only=False,
                writers=access.writers,
                readers=access.readers,
                steps=access.steps,
                refusal_noun=access.refusal_noun or _lower(declared.title),
                help=declared.help,
                entry_fields=NO_ENTRY_FIELDS,
                at_least_one=(),
                violation=compile_violation(declared.title, rules),
                interpretation=compile_interpretation(rules),
            )

    def _entries(self, name: str, section: DeclaredSection) -> Field:
        path: Path = ("sections", name)
        fields = MappingProxyType(self._entry_fields(name, section))
        at_least_one = tuple(section.at_least_one)
        size = self._max_bytes(section.max_bytes, VALUE_MAX_BYTES, path)
        access = self._access(section, None, None, path)
        return Field(
            name=name,
            section=name,
            key=None,
            root=name,
            title=section.title,
            section_title=section.title,
            kind="entry",
            rules=ValueRules(type="entry", max_bytes=size),
            code="",
            critical=section.critical,
            append_only=True,
            writers=access.writers,
            readers=access.readers,
            steps=access.steps,
            refusal_noun=access.refusal_noun,
            help=section.help,
            entry_fields=fields,
            at_least_one=at_least_one,
            violation=compile_entry_violation(section.title, fields, at_least_one, size),
            interpretation=compile_entry_interpretation(fields),
        )

    def _entry_fields(self, name: str, section: DeclaredSection) -> dict[str, EntryField]:
        path: Path = ("sections", name)
        fields: dict[str, EntryField] = {}
        for key, table in section.fields.items():
            at: Path = (*path, "fields", key)
            self._check_name(key, at)
            declared = self._problems.convert(table, DeclaredField, at)
            if declared is not None:
                fields[key] = self._entry_field(key, declared, at)
        for key in section.at_least_one:
            if key not in section.fields:
                self._problems.add((*path, "at_least_one"), f"unknown field '{key}'")
        for key, field in fields.items():
            for other, codes in field.codes.items():
                options = fields[other].rules.options if other in fields else {}
                for option in codes.keys() - options.keys():
                    reason = f"'{other}' has no option '{option}'"
                    self._problems.add((*path, "fields", key, "codes"), reason)
        return fields

    def _entry_field(self, key: str, declared: DeclaredField, path: Path) -> EntryField:
        if key in ENTRY_MARKS:
            self._problems.add(path, f"every entry already carries '{key}'")
        if declared.writers is not None or declared.readers is not None:
            self._problems.add(path, "writers and readers of entries stand in the section")
        if declared.critical:
            self._problems.add((*path, "critical"), "critical of entries stands in the section")
        rules = compile_rules(declared, path, self._problems)
        return EntryField(
            key=key,
            title=declared.title,
            required=declared.required,
            rules=rules,
            code=declared.code,
            codes=MappingProxyType(declared.codes),
            help=declared.help,
            violation=compile_violation(declared.title, rules),
            interpretation=compile_interpretation(rules),
        )

    def _narratives(self, name: str, section: DeclaredSection) -> Iterator[Field]:
        for key, table in section.narratives.items():
            path: Path = ("sections", name, "narratives", key)
            self._check_name(key, path)
            declared = self._problems.convert(table, DeclaredNarrative, path)
            if declared is None:
                continue
            size = self._max_bytes(declared.max_bytes, NARRATIVE_MAX_BYTES, path)
            rules = ValueRules(type="narrative", max_bytes=size)
            access = self._access(section, declared.writers, declared.readers, path)
            yield Field(
                name=f"{name}.{key}",
                section=name,
                key=key,
                root=f"{name}.{key}",
                title=declared.title,
                section_title=section.title,
                kind="narrative",
                rules=rules,
                code="",
                critical=False,
                append_only=declared.append_only,
                writers=access.writers,
                readers=access.readers,
                steps=access.steps,
                refusal_noun=access.refusal_noun or _lower(declared.title),
                help=declared.help,
                entry_fields=NO_ENTRY_FIELDS,
                at_least_one=(),
                violation=compile_violation(declared.title, rules),
                interpretation=compile_interpretation(rules),
            )

    def _access(
        self,
        section: DeclaredSection,
        writers: list[str] | None,
        readers: list[str] | None,
        path: Path,
    ) -> "_Access":
        """Who writes, reads and in which steps: the member's own lists before the section's."""
        section_path = path[:2]
        if writers is None:
            writing = self._roles_named(section.writers, (*section_path, "writers"))
        else:
            writing = self._roles_named(writers, (*path, "writers"))
        declared_readers = section.readers if readers is None else readers
        where = section_path if readers is None else path
        reading = self._roles_named(
            [EVERYONE] if declared_readers is None else declared_readers, (*where, "readers")
        )
        own = frozenset().union(*(self._steps_of_role.get(role, ()) for role in writing))
        return _Access(
            writers=writing,
            readers=reading | writing | {id for id, role in self._roles.items() if role.reads_all},
            steps=own if section.steps is None else frozenset(section.steps),
            refusal_noun="" if writers is not None else _noun(section),
        )

    def _roles_named(self, names: list[str], path: Path) -> frozenset[str]:
        found: set[str] = set()
        for name in names:
            if name == EVERYONE:
                found |= {id for id, role in self._roles.items() if role.opens_records}
            elif name in self._roles:
                found.add(name)
            else:
                self._problems.add(path, f"{path[-1]} name the unknown role '{name}'")
        return frozenset(found)

    def _max_bytes(self, declared: int | None, largest: int, path: Path) -> int:
        if declared is None:
            return largest
        if not 1 <= declared <= largest:
            self._problems.add((*path, "max_bytes"), f"max_bytes lies outside 1 to {largest}")
        return declared

    def _check_name(self, key: str, path: Path) -> None:
        if not is_name(key):
            self._problems.add(path, NAME_RULE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    writers: frozenset[str]
    readers: frozenset[str]
    steps: frozenset[str]
    refusal_noun: str


def _noun(section: DeclaredSection) -> str:
    return section.refusal_noun or _lower(section.title)


def _lower(title: str) -> str:
    """The title inside a sentence; an abbreviation keeps its capitals."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
