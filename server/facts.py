"""What the queue board lists of a record, derived from its document whenever that part changes."""

from datetime import datetime

from permissions.profile import Profile
from sync.effects import RecordFacts
from sync.json_value import plain
from sync.place import RECORD_ROOT
from sync.quality import measure, measured_fields, measures_mark, measures_text
from sync.record_facts import flow_of
from sync.room import Room
from sync.view import disputed_fields

__all__ = ["facts_of", "listed_fields"]


def listed_fields(profile: Profile) -> frozenset[str]:
    """The names of the fields from which `facts_of` takes something."""
    summary = profile.summary
    shown = {*summary.title, *summary.search, *filter(None, (summary.priority,))}
    return measured_fields(profile) | shown


def facts_of(room: Room, created_at: datetime, at: datetime) -> RecordFacts:
    """The record as a row of the board."""
    facts = room.document.section(RECORD_ROOT)
    summary = room.profile.summary
    flow = flow_of(room.profile, facts)
    stands = flow.of(flow.current)
    since = stands.ready_at if flow.status == "open" else stands.completed_at
    return RecordFacts(
        number=_text(facts.get("number")),
        profile=room.profile.name,
        patient_id=_text(facts.get("patient_id")),
        status=room.state.status,
        current_step=flow.current,
        step_status=stands.status,
        priority=_priority(room),
        waiting_since=since or (created_at if flow.status == "open" else at),
        title=", ".join(filter(None, (_shown(room, name) for name in summary.title))),
        search_text=" ".join(filter(None, (_shown(room, name) for name in summary.search))),
        disputed=tuple(disputed_fields(room)),
        assigned=tuple(sorted(room.state.assigned)),
        created_at=created_at,
        updated_at=at,
        started_at=stands.started_at if stands.status == "in_progress" else None,
        started_by=(stands.started_by or "") if stands.status == "in_progress" else "",
        measures=measures_text(measures_mark(room.profile), measure(room.profile, _measured(room))),
    )


def _measured(room: Room) -> dict[str, dict[str, object]]:
    """The sections that figures are taken from; the whole chart would cost each edit its texts."""
    sections = {name.partition(".")[0] for name in measured_fields(room.profile)}
    return {
        root: {key: plain(value) for key, value in room.document.section(root).items()}
        for root in sections
        if room.profile.roots.get(root) != "text"
    }


def _priority(room: Room) -> int:
    """The place of what the profile's choice shows among its options, the most urgent first."""
    name = room.profile.summary.priority
    if name is None:
        return 0
    options = list(room.profile.fields[name].rules.options)
    shown = _shown(room, name)
    return options.index(shown) if shown in options else len(options)


def _shown(room: Room, field_name: str) -> str:
    root, _, key = field_name.partition(".")
    return _text(room.document.value(root, key))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
