"""A record put together from its history alone, to be compared with what it shows."""

from collections.abc import Sequence

import msgspec

from sync.effects import Change
from sync.replay import replay
from sync.room import Room
from sync.view import chart_of
from tests.support.clinic import Clinic
from tests.support.people import empty_room

__all__ = ["check_history"]


def check_history(clinic: Clinic) -> None:
    """At every version the history shows the record, field by field, and replay tells the same.

    A narrative's change stands, at its last version, where it says and as it says.
    """
    values: dict[str, object] = {}
    texts: dict[str, str] = {}
    told: list[Change] = []
    room = empty_room(clinic.limits)
    for row in clinic.rows:
        of_row: list[Change] = []
        for _ in replay(room, None, [row], of_row):
            pass
        for change in of_row:
            assert change.last_version == row.version
            _take(values, change)
        assert _present(values) == _shown(room), f"version {row.version}"
        before, texts = texts, chart_of(room).texts
        _check_narratives(before, texts, [one for one in of_row if one.kind == "text"])
        told += of_row
    assert told == clinic.changes, "live and replayed history differ"
    assert _present(values) == _shown(clinic.room)


def _take(values: dict[str, object], change: Change) -> None:
    if change.kind == "text":
        return
    if change.kind == "overruled":
        assert msgspec.json.decode(change.new) != msgspec.json.decode(change.old), change
        return
    assert msgspec.json.decode(change.old) == values.get(change.name), change
    values[change.name] = msgspec.json.decode(change.new)


def _present(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _shown(room: Room) -> dict[str, object]:
    chart = chart_of(room)
    sections = {**chart.fields, "record": chart.facts}
    return {
        f"{section}.{key}": value
        for section, values in sections.items()
        for key, value in values.items()
    }


def _check_narratives(
    before: dict[str, str], after: dict[str, str], narrated: Sequence[Change]
) -> None:
    moved = {name for name in after if after[name] != before.get(name, "")}
    assert {change.field for change in narrated} == moved
    for change in narrated:
        new = msgspec.json.decode(change.new)
        assert after[change.field][change.offset :].startswith(new), change
