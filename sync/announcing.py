"""What people are told of a record as it changes: the events of its profile. Pure.

A `Herald` takes in what happened and gives out what is due, so that five hundred edits a second
become one event: the first goes out at once, what follows within the window is merged into the
next. It names fields, steps and people, never values. `now_s` is any clock that only moves forward.
SPEC TELL-2 to TELL-5.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from permissions.fields import Event
from permissions.model import Principal
from permissions.profile import Profile

__all__ = ["Facts", "Herald", "Person", "Plan", "Tell", "facts_from", "person_of"]

Person = Mapping[str, str]
"""`{id, username, name, role}` (contract, section 4)."""

ACTIVITY_WINDOWS = 10
"""Windows between two lines of the activity feed for the edits of one person."""


class Tell(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is due. roles and users are to acknowledge it; session: whoever is there."""

    event: str
    payload: Mapping[str, object]
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    session: bool = False


class StepMark(NamedTuple):
    """Where one step stands: status, since when, and by whom it came to stand there."""

    status: str
    at: object
    by: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the server's own facts say, as far as somebody is told of it."""

    number: str = ""
    status: str = "open"
    current_step: str = ""
    steps: Mapping[str, StepMark] = {}
    assigned: Mapping[str, str] = {}


_MARKS: Mapping[str, tuple[str, str]] = {
    "in_progress": ("started_at", "started_by"),
    "completed": ("completed_at", "completed_by"),
    "returned": ("returned_at", "returned_by"),
}
"""Step status → the fields that say since when and by whom."""

_DEEDS: Mapping[str, str] = {
    "in_progress": "step_started", "completed": "step_completed", "returned": "step_returned",
}  # fmt: skip


def facts_from(facts: Mapping[str, object]) -> Facts:
    """Read the root map `record`; what is missing or of another type is as if it were not there."""
    steps = facts.get("steps")
    assigned = facts.get("assigned")
    return Facts(
        number=_text(facts.get("number")),
        status=_text(facts.get("status")) or "open",
        current_step=_text(facts.get("current_step")),
        steps={
            str(id): _mark(state)
            for id, state in (steps.items() if isinstance(steps, Mapping) else ())
            if isinstance(state, Mapping)
        },
        assigned={
            str(role): user
            for role, user in (assigned.items() if isinstance(assigned, Mapping) else ())
            if isinstance(user, str)
        },
    )


def _mark(state: Mapping[str, object]) -> StepMark:
    status = _text(state.get("status"))
    at, by = _MARKS.get(status, ("", ""))
    return StepMark(status, state.get(at), _text(state.get(by)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def person_of(principal: Principal, profile: Profile) -> Person:
    """The person as events name them, in their role in the profile."""
    return {
        "id": principal.user_id, "username": principal.username, "name": principal.name,
        "role": profile.role_shown(principal.roles),
    }  # fmt: skip


class Plan:
    """A profile's events by what sets them off; made once and shared by its records."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.by_trigger: dict[str, list[Event]] = {}
        for event in profile.events.values():
            self.by_trigger.setdefault(event.trigger, []).append(event)
        self.by_field = {name: self._of_field(name) for name in profile.fields}
        self.watched = frozenset(name for name, events in self.by_field.items() if events)
        if self._of("activity"):
            self.watched = frozenset(profile.fields)
        self.watches_facts = any(
            self._of(trigger) for trigger in ("step_completed", "record_changed", "activity")
        )

    def _of(self, trigger: str) -> list[Event]:
        return self.by_trigger.get(trigger, [])

    def _of_field(self, name: str) -> list[Event]:
        field = self.profile.fields[name]
        concerned = [
            event for event in self._of("section_changed") if event.subject in (None, field.section)
        ]
        if field.kind == "entry":
            concerned += [
                event for event in self._of("entry_added") if event.subject in (None, field.section)
            ]
        return concerned + self._of("record_changed")

    def field_name(self, place: str) -> str | None:
        """The field of a place (`diagnosis` of `diagnosis.01J…`), if anybody is told of it."""
        name = place if place in self.profile.fields else place.partition(".")[0]
        return name if name in self.watched else None

    def of_step(self, step_id: str) -> list[Event]:
        """The events of completing the step; one for any step is not told of nobody's step."""
        step = self.profile.step(step_id)
        if step is None:
            return []
        return [
            event
            for event in self._of("step_completed")
            if event.subject == step_id or (event.subject is None and step.role is not None)
        ]

    def roles_told(self, event: Event, names: Iterable[str]) -> tuple[str, ...]:
        """The roles of the event's audience that may read one of these fields (or any, of none)."""
        fields = [field for name in names if (field := self.profile.fields.get(name)) is not None]
        return tuple(
            role for role in event.notify
            if not fields or any(role in field.readers for field in fields)
        )  # fmt: skip


class _Pending(msgspec.Struct):
    """What waits to be told under one key: names of fields and facts, and who changed them."""

    names: dict[str, None]
    people: dict[str, Person]


_Key = tuple[str, str]
"""Event name, and for the activity feed the person."""


class Herald:
    """Tells of one record. Not for concurrent use: its room owns it."""

    def __init__(self, plan: Plan, record_id: str, facts: Facts, window_s: float) -> None:
        self._plan = plan
        self._record_id = record_id
        self._facts = facts
        self._window_s = window_s
        self._pending: dict[_Key, _Pending] = {}
        self._rests: dict[_Key, float] = {}
        self._ready: list[Tell] = []

    # -- what happens ------------------------------------------------------------------------------

    def note_edit(self, author: Person, names: Iterable[str]) -> None:
        """Somebody changed these fields; of an entry the place is named with its key."""
        watched = [name for each in names if (name := self._plan.field_name(each)) is not None]
        for name in watched:
            for event in self._plan.by_field[name]:
                self._pend((event.name, ""), author, name)
        if watched:
            for event in self._plan.by_trigger.get("activity", ()):
                for name in watched:
                    self._pend((event.name, author["id"]), author, name)

    def note_facts(self, facts: Facts, people: Mapping[str, Person]) -> None:
        """The server's facts were written. people: those who may have caused it, by id."""
        before, self._facts = self._facts, facts
        if not self._plan.watches_facts or before == facts:
            return
        changed = {
            id: mark for id, mark in facts.steps.items() if before.steps.get(id) != mark
        }  # fmt: skip
        if facts.status == "completed" and before.status != "completed":
            changed.setdefault(facts.current_step, StepMark("completed", None, ""))
        for id, mark in changed.items():
            who = people.get(mark.by) or {"id": mark.by, "username": "", "name": "", "role": ""}
            if mark.status == "completed":
                self._step_completed(id, who)
            step = self._plan.profile.step(id)
            if mark.status in _DEEDS and step is not None and step.role is not None:
                self._act(who, {"what": _DEEDS[mark.status], "step": id})
        names = [
            name
            for name in ("status", "current_step", "assigned")
            if getattr(before, name) != getattr(facts, name)
        ]
        who = next((people[m.by] for m in changed.values() if m.by in people), {})
        who = who or next(iter(people.values()), {"id": "", "username": "", "name": "", "role": ""})
        for event in self._plan.by_trigger.get("record_changed", ()):
            for name in names:
                self._pend((event.name, ""), who, name)

    def _step_completed(self, step_id: str, who: Person) -> None:
        for event in self._plan.of_step(step_id):
            payload = {"completed_by": who, "step": step_id, "next_step": self._facts.current_step}
            self._tell(event, payload, ())

    def note_presence(self, who: Person, action: str) -> None:
        """Somebody has joined or left; the event itself is told already (server/attendance.py)."""
        self._act(who, {"what": action})

    # -- what is told ------------------------------------------------------------------------------

    def due(self, now_s: float, *, last: bool = False) -> list[Tell]:
        """What is to be told now. last: of edits also what would wait, for nothing comes after."""
        self._rests = {key: until for key, until in self._rests.items() if until > now_s}
        for key in list(self._pending):
            if last or key not in self._rests:
                pending = self._pending.pop(key)
                windows = ACTIVITY_WINDOWS if key[1] else 1
                self._rests[key] = now_s + windows * self._window_s
                self._tell_edit(self._plan.profile.events[key[0]], pending)
        told, self._ready = self._ready, []
        return told

    def next_due_s(self) -> float | None:
        """When `due` will have something more to say, if nothing else happens."""
        times = [self._rests.get(key, 0.0) for key in self._pending]
        times += [0.0] if self._ready else []
        return min(times, default=None)

    def _tell_edit(self, event: Event, pending: _Pending) -> None:
        names = list(pending.names)
        *others, who = pending.people.values()
        match event.trigger:
            case "activity":
                self._act(who, {"what": "edited", "fields": names}, only=event)
            case "record_changed":
                payload: dict[str, object] = {
                    "update_type": self._kind(names), "updated_data": names, "updated_by": who,
                }  # fmt: skip
                self._tell(event, payload | ({"also_by": others} if others else {}), names)
            case _:
                self._tell(event, {"fields": names, "updated_by": who}, names)

    def _kind(self, names: Sequence[str]) -> str:
        """The section that was changed; `workflow` of facts; `record` of several."""
        fields = self._plan.profile.fields
        kinds = {fields[name].section if name in fields else "workflow" for name in names}
        return kinds.pop() if len(kinds) == 1 else "record"

    def _act(self, who: Person, activity: Mapping[str, object], only: Event | None = None) -> None:
        for event in [only] if only else self._plan.by_trigger.get("activity", ()):
            names = activity.get("fields", ())
            assert isinstance(names, list | tuple)
            self._tell(event, {"user": who, "activity": activity}, names)

    def _pend(self, key: _Key, who: Person, name: str) -> None:
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending({}, {})
        pending.names[name] = None
        pending.people.pop(who["id"], None)
        pending.people[who["id"]] = who

    def _tell(self, event: Event, payload: Mapping[str, object], names: Sequence[str]) -> None:
        roles: tuple[str, ...] = ()
        users: tuple[str, ...] = ()
        match event.audience:
            case "roles":
                told = self._plan.roles_told(event, names)
                roles, users = self._answerable(told, is_hand_off=not names)
            case "assigned":
                users = tuple(sorted(set(self._facts.assigned.values())))
        if roles or users or event.audience == "session":
            self._ready.append(
                Tell(
                    event=event.name, roles=roles, users=users,
                    session=event.audience == "session",
                    payload={
                        "session_id": self._record_id, "number": self._facts.number, **payload,
                    },
                )
            )  # fmt: skip

    def _answerable(
        self, roles: Iterable[str], is_hand_off: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The roles, and the people assigned in those where only they may open the record.

        is_hand_off: it names no field. A role of which nobody is responsible yet is then told
        whole, or nobody would know that somebody waits; the board says no less.
        """
        profile = self._plan.profile
        whole, users = [], []
        for role in roles:
            if not profile.assignment_required or not profile.roles[role].needs_assignment:
                whole.append(role)
            elif role in self._facts.assigned:
                users.append(self._facts.assigned[role])
            elif is_hand_off:
                whole.append(role)
        return tuple(whole), tuple(users)
