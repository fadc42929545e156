"""The record as it stood: what the live record showed then, or where its log is broken."""

import random

import msgspec
import pytest

from sync.effects import Snapshot, UpdateRow
from sync.errors import CorruptLog
from sync.past import Difference, Past, differences
from sync.replay import replay, snapshot_of
from sync.view import Chart, chart_in, chart_of
from tests.support.clinic import Clinic, reloaded
from tests.support.crafting import scene, writing
from tests.support.people import empty_room, outpatient, person
from tests.support.ward import Ward
from tests.sync.test_convergence_machine import random_deed


def busy_clinic(seed: int) -> Clinic:
    choose = random.Random(seed)
    ward = Ward(choose.sample(range(1024, 2**32), 6), None)
    for _ in range(120):
        random_deed(ward, choose)
    ward.clinic.write_facts(person("R", "receptionist"), status="completed")
    return ward.clinic


def at_version(rows: list[UpdateRow], version: int, snapshot: Snapshot | None = None) -> Chart:
    past = Past(1, snapshot)
    for _ in past.advance(rows, version):
        pass
    return chart_in(past.document, outpatient(), past.version)


def as_read(chart: Chart) -> object:
    """The chart without `disputed`: that the live record knows a version earlier than its facts."""
    return chart.version, chart.fields, chart.texts, chart.facts


@pytest.mark.rule("PAST-1")
@pytest.mark.parametrize("seed", range(4))
def test_every_version_shows_what_the_live_record_showed_then(seed: int) -> None:
    clinic = busy_clinic(seed)
    rows, live = clinic.rows, empty_room(clinic.limits)
    snapshot = snapshot_of(reloaded(rows[: len(rows) // 3]))

    for row in rows:
        for _ in replay(live, None, [row]):
            pass
        shown = as_read(chart_of(live))
        assert as_read(at_version(rows, row.version)) == shown
        if row.version >= snapshot.version:
            assert as_read(at_version(rows, row.version, snapshot)) == shown


@pytest.mark.rule("PAST-1")
def test_the_past_goes_on_from_one_version_to_the_next() -> None:
    here = scene("nurse")
    here.send(writing(3001, 0, 70.0))
    here.send(writing(3001, 1, 71.0, origin=(3001, 0)))
    past = Past(1, None)

    shown = []
    for version in (0, 1, 2):
        for _ in past.advance(here.clinic.rows, version):
            pass
        shown.append(chart_in(past.document, outpatient(), version))

    assert [chart.fields["vitals"] for chart in shown] == [{}, {"pulse": 70}, {"pulse": 71}]
    assert differences(shown[0], shown[2]) == [Difference("vitals.pulse", None, 71)]
    assert differences(shown[1], shown[2]) == [Difference("vitals.pulse", 70, 71)]
    assert differences(shown[1], shown[1]) == []


@pytest.mark.rule("PAST-2")
@pytest.mark.parametrize("change", ["update", "hash", "missing", "cut off"])
def test_a_broken_row_on_the_way_is_named_and_hides_nothing_before_it(change: str) -> None:
    rows = list(busy_clinic(7).rows)
    sound = as_read(at_version(rows, 5))
    match change:
        case "update":
            rows[5] = msgspec.structs.replace(rows[5], update=rows[5].update + b"\x00")
        case "hash":
            rows[5] = msgspec.structs.replace(rows[5], hash=bytes(32))
        case "missing":
            del rows[5]
        case _:
            del rows[5:]

    with pytest.raises(CorruptLog) as caught:
        at_version(rows, 8)

    assert caught.value.version == 6
    assert as_read(at_version(rows, 5)) == sound
