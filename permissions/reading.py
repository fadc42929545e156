"""Reads a profile's TOML into its compiled parts, or refuses it with every mistake and its line."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from permissions.compilation import EVERYONE, NAME_RULE, SectionCompiler, is_name
from permissions.declaration import (
    DeclaredEvent,
    DeclaredHead,
    DeclaredMetric,
    DeclaredOptions,
    DeclaredProfile,
    DeclaredRole,
    DeclaredSection,
    DeclaredStep,
    DeclaredSummary,
)
from permissions.errors import Problem, ProfileError
from permissions.fields import (
    Event,
    Field,
    Metric,
    OpenEntries,
    Requirement,
    Role,
    Section,
    Step,
    Summary,
)
from permissions.problems import Problems
from permissions.source_lines import Path
from permissions.words import is_language

__all__ = ["Compiled", "read"]

_POSITION = re.compile(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,7}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The parts of a profile that is free of mistakes."""

    head: DeclaredHead
    options: DeclaredOptions
    roles: dict[str, Role]
    sections: dict[str, Section]
    steps: tuple[Step, ...]
    events: dict[str, Event]
    metrics: dict[str, Metric]
    summary: Summary


def read(text: str, file_name: str) -> Compiled:
    """The compiled parts. Raises ProfileError."""
    problems = Problems(file_name, text)
    whole = problems.convert(_parse(text, file_name), DeclaredProfile, ())
    problems.raise_if_any()
    assert whole is not None
    return _Reader(problems).read(whole)


def _parse(text: str, file_name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.match(str(error))
        line = int(found[2]) if found and found[2] else text.count("\n") + 1
        reason = f"not TOML: {found[1] if found else error}"
        raise ProfileError(file_name, (Problem(line, reason),)) from error
    except RecursionError as error:
        raise ProfileError(file_name, (Problem(1, "not TOML: nested too deep"),)) from error


class _Reader:
    """One reading of one profile: each part is compiled against those before it."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._roles: dict[str, Role] = {}
        self._sections: dict[str, Section] = {}
        self._fields: dict[str, Field] = {}
        self._declared_steps: dict[str, DeclaredStep] = {}

    def read(self, whole: DeclaredProfile) -> Compiled:
        head = self._head(whole.profile)
        options = self._problems.convert(whole.options, DeclaredOptions, ("options",))
        self._read_roles(whole.roles)
        self._read_steps(whole.steps)
        self._read_sections(whole.sections)
        self._check_references()
        steps = self._compile_steps()
        events = self._events(whole.events)
        metrics = self._metrics(whole.metrics)
        summary = self._summary(whole.summary)
        self._problems.raise_if_any()
        assert head is not None
        assert options is not None
        assert summary is not None
        return Compiled(
            head=head,
            options=options,
            roles=self._roles,
            sections=self._sections,
            steps=steps,
            events=events,
            metrics=metrics,
            summary=summary,
        )

    def _head(self, table: dict[str, Any]) -> DeclaredHead | None:
        head = self._problems.convert(table, DeclaredHead, ("profile",))
        if head is None:
            return None
        self._check_name(head.name, ("profile", "name"))
        if not _PREFIX(head.number_prefix):
            reason = "number_prefix is 1 to 8 capital letters and digits, a letter first"
            self._problems.add(("profile", "number_prefix"), reason)
        if not is_language(head.language):
            reason = "language is a tag such as en, fr or pt-BR"
            self._problems.add(("profile", "language"), reason)
        if head.version < 1:
            self._problems.add(("profile", "version"), "version is not above 0")
        return head

    def _read_roles(self, tables: dict[str, dict[str, Any]]) -> None:
        if not tables:
            self._problems.add(("roles",), "a profile needs a role")
        for id, table in tables.items():
            path: Path = ("roles", id)
            self._check_name(id, path)
            if id == EVERYONE:
                self._problems.add(path, f"'{EVERYONE}' is reserved, it means every role")
            declared = self._problems.convert(table, DeclaredRole, path)
            if declared is not None:
                self._roles[id] = Role(
                    id=id,
                    title=declared.title,
                    plural=declared.plural or f"{declared.title}s",
                    reads_all=declared.reads_all,
                    opens_records=declared.opens_records,
                    needs_assignment=declared.needs_assignment,
                    powers=frozenset(declared.may),
                )

    def _read_steps(self, tables: dict[str, dict[str, Any]]) -> None:
        if not tables:
            self._problems.add(("steps",), "a profile needs a step")
        for id, table in tables.items():
            self._check_name(id, ("steps", id))
            declared = self._problems.convert(table, DeclaredStep, ("steps", id))
            if declared is not None:
                self._declared_steps[id] = declared

    def _read_sections(self, tables: dict[str, dict[str, Any]]) -> None:
        if not tables:
            self._problems.add(("sections",), "a profile needs a section")
        steps_of_role = {
            role: frozenset(id for id, step in self._declared_steps.items() if step.role == role)
            for role in self._roles
        }
        compiler = SectionCompiler(
            self._problems, self._roles, steps_of_role, frozenset(self._declared_steps)
        )
        for name, table in tables.items():
            declared = self._problems.convert(table, DeclaredSection, ("sections", name))
            if declared is not None:
                self._sections[name] = compiler.compile(name, declared)
        self._fields = {
            field.name: field for section in self._sections.values() for field in section.fields
        }

    def _check_references(self) -> None:
        for field in self._fields.values():
            path: Path = ("sections", field.section, "fields")
            rules = {field.key or "": field.rules} if field.kind == "value" else {}
            rules |= {key: one.rules for key, one in field.entry_fields.items()}
            for key, rule in rules.items():
                if rule.refers_to is not None and not self._has_entries(rule.refers_to):
                    reason = f"refers to '{rule.refers_to}', which is no section of entries"
                    self._problems.add((*path, key, "refers_to"), reason)

    def _compile_steps(self) -> tuple[Step, ...]:
        declared_steps = list(self._declared_steps.items())
        steps: list[Step] = []
        for position, (id, declared) in enumerate(declared_steps):
            path: Path = ("steps", id)
            self._check_step_role(position, declared, path)
            self._check_returns(id, declared, path)
            if declared.amber_minutes > declared.red_minutes:
                self._problems.add((*path, "amber_minutes"), "amber_minutes is above red_minutes")
            steps.append(
                Step(
                    id=id,
                    title=declared.title,
                    role=declared.role,
                    required=tuple(self._requirement(text, path) for text in declared.required),
                    condition=self._condition(declared, path),
                    next=_following(declared_steps[position + 1 :]),
                    returns_to=tuple(declared.returns_to),
                    expected_minutes=declared.expected_minutes,
                    amber_minutes=declared.amber_minutes,
                    red_minutes=declared.red_minutes,
                )
            )
        return tuple(steps)

    def _check_step_role(self, position: int, declared: DeclaredStep, path: Path) -> None:
        if declared.role is not None:
            if declared.role not in self._roles:
                self._problems.add((*path, "role"), f"unknown role '{declared.role}'")
        elif position == 0 or position != len(self._declared_steps) - 1:
            self._problems.add(path, "only the last of several steps may be without a role")
        if position == 0 and declared.only_when is not None:
            self._problems.add((*path, "only_when"), "the first step cannot be left out")

    def _check_returns(self, id: str, declared: DeclaredStep, path: Path) -> None:
        earlier = list(self._declared_steps)
        earlier = earlier[: earlier.index(id)]
        for target in declared.returns_to:
            if target not in self._declared_steps:
                self._problems.add((*path, "returns_to"), f"unknown step '{target}'")
            elif target not in earlier:
                self._problems.add((*path, "returns_to"), f"'{target}' is not an earlier step")

    def _requirement(self, text: str, path: Path) -> Requirement:
        names = tuple(text.split(" or "))
        for name in names:
            if name not in self._fields:
                self._problems.add((*path, "required"), f"unknown field '{name}'")
        return Requirement(any_of=names)

    def _condition(self, declared: DeclaredStep, path: Path) -> OpenEntries | None:
        if declared.only_when is None:
            return None
        where = (*path, "only_when")
        section, _, key = declared.only_when.closed_by.partition(".")
        if not self._has_entries(declared.only_when.open):
            self._problems.add(where, f"'{declared.only_when.open}' is no section of entries")
        if not self._has_entries(section) or key not in self._fields[section].entry_fields:
            self._problems.add(where, f"unknown field '{declared.only_when.closed_by}'")
        elif (field := self._fields[section].entry_fields[key]).rules.refers_to != (
            declared.only_when.open
        ):
            reason = f"'{section}.{field.key}' does not refer to '{declared.only_when.open}'"
            self._problems.add(where, reason)
        return OpenEntries(
            section=declared.only_when.open, closed_by_section=section, closed_by_key=key
        )

    def _events(self, tables: dict[str, dict[str, Any]]) -> dict[str, Event]:
        events: dict[str, Event] = {}
        for name, table in tables.items():
            path: Path = ("events", name)
            self._check_name(name, path)
            declared = self._problems.convert(table, DeclaredEvent, path)
            if declared is None:
                continue
            self._check_event(declared, path)
            events[name] = Event(
                name=name,
                title=declared.title,
                trigger=declared.when,
                subject=declared.of,
                audience=declared.audience,
                notify=tuple(declared.notify),
                carries=tuple(declared.carries),
            )
        return events

    def _check_event(self, declared: DeclaredEvent, path: Path) -> None:
        for role in declared.notify:
            if role not in self._roles:
                self._problems.add((*path, "notify"), f"notifies the unknown role '{role}'")
        if (declared.audience == "roles") != bool(declared.notify):
            reason = 'notify names the roles of audience "roles", and of no other audience'
            self._problems.add((*path, "notify"), reason)
        match declared.when, declared.of:
            case _, None:
                pass
            case "step_completed", step:
                if step not in self._declared_steps:
                    self._problems.add((*path, "of"), f"unknown step '{step}'")
            case "section_changed", section:
                if section not in self._sections:
                    self._problems.add((*path, "of"), f"unknown section '{section}'")
            case "entry_added", section:
                if not self._has_entries(section):
                    self._problems.add((*path, "of"), f"'{section}' is no section of entries")
            case when, _:
                self._problems.add((*path, "of"), f"{when} takes no of")

    def _metrics(self, tables: dict[str, dict[str, Any]]) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {}
        for name, table in tables.items():
            path: Path = ("metrics", name)
            self._check_name(name, path)
            declared = self._problems.convert(table, DeclaredMetric, path)
            if declared is None:
                continue
            self._check_metric(declared, path)
            metrics[name] = Metric(
                name=name,
                title=declared.title,
                measure=declared.measure,
                subject=declared.of,
                equals=declared.equals,
                unit=declared.unit,
                at_most=declared.at_most,
                at_least=declared.at_least,
            )
        return metrics

    def _check_metric(self, declared: DeclaredMetric, path: Path) -> None:
        is_share = declared.measure in ("share_flagged", "share_equal")
        if is_share and declared.of not in self._fields:
            self._problems.add((*path, "of"), f"unknown field '{declared.of}'")
        if not is_share and declared.of is not None and declared.of not in self._declared_steps:
            self._problems.add((*path, "of"), f"unknown step '{declared.of}'")
        if (declared.measure == "share_equal") != (declared.equals is not None):
            self._problems.add((*path, "equals"), "equals belongs to share_equal, and only to it")
        field = self._fields.get(declared.of or "")
        options = field.rules.options if field is not None else {}
        if declared.equals is not None and options and declared.equals not in options:
            self._problems.add((*path, "equals"), f"'{declared.of}' has no such option")

    def _summary(self, table: dict[str, Any]) -> Summary | None:
        declared = self._problems.convert(table, DeclaredSummary, ("summary",))
        if declared is None:
            return None
        for key, names in (("title", declared.title), ("search", declared.search)):
            for name in names:
                if name not in self._fields or self._fields[name].kind != "value":
                    self._problems.add(("summary", key), f"unknown field '{name}'")
        # What is shown is also searched, each field once.
        search = tuple(dict.fromkeys([*declared.title, *declared.search]))
        priority = declared.priority
        if priority is not None and (
            priority not in self._fields or self._fields[priority].type != "choice"
        ):
            self._problems.add(("summary", "priority"), f"'{priority}' is no choice")
        return Summary(title=tuple(declared.title), search=search, priority=priority)

    def _has_entries(self, section: str) -> bool:
        return section in self._sections and self._sections[section].kind == "entries"

    def _check_name(self, name: str, path: Path) -> None:
        if not is_name(name):
            self._problems.add(path, NAME_RULE)


def _following(steps: list[tuple[str, DeclaredStep]]) -> tuple[str, ...]:
    """The steps up to and with the first that is never left out."""
    following: list[str] = []
    for id, declared in steps:
        following.append(id)
        if declared.only_when is None:
            break
    return tuple(following)
