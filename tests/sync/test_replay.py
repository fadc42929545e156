"""Loading: rows and snapshots bring back the room that stored them, or say what is wrong."""

import random

import msgspec
import pytest

from sync.annotations import decode_annotations, encode_annotations
from sync.books import Books
from sync.effects import EMPTY_HASH, UpdateRow, chain_hash
from sync.errors import CorruptLog
from sync.replay import new_room, replay, snapshot_of, state_of
from tests.support.clinic import Clinic, reloaded
from tests.support.crafting import scene, writing
from tests.support.people import empty_room, outpatient, person, policy
from tests.support.ward import Ward
from tests.sync.test_convergence_machine import random_deed


def busy_clinic() -> Clinic:
    """A clinic with refusals, conflicts, restored text and cleared fields behind it."""
    choose = random.Random(7)
    ward = Ward(choose.sample(range(1024, 2**32), 6), None)
    for _ in range(150):
        random_deed(ward, choose)
    return ward.clinic


@pytest.mark.rule("LOG-1")
def test_versions_are_contiguous_and_each_hash_continues_the_one_before() -> None:
    rows = busy_clinic().rows

    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    before = EMPTY_HASH
    for row in rows:
        assert row.hash == chain_hash(before, row)
        before = row.hash


@pytest.mark.rule("LOG-1")
@pytest.mark.parametrize("change", ["update", "annotations", "author", "missing", "swapped"])
def test_missing_or_altered_row_is_named_when_the_record_is_loaded(change: str) -> None:
    rows = list(busy_clinic().rows)
    row = rows[5]
    match change:
        case "update":
            rows[5] = altered(row, update=row.update[:-1] + bytes([row.update[-1] ^ 1]))
        case "annotations":
            rows[5] = altered(row, annotations=row.annotations + b"\x00")
        case "author":
            rows[5] = altered(row, author="somebody else")
        case "missing":
            del rows[5]
        case _:
            rows[5], rows[6] = rows[6], rows[5]

    with pytest.raises(CorruptLog) as caught:
        reloaded(rows)

    assert caught.value.version == 6


def altered(row: UpdateRow, **changes: object) -> UpdateRow:
    return msgspec.structs.replace(row, **changes)


@pytest.mark.rule("LOG-2")
def test_loading_needs_no_permission_and_writes_no_correction() -> None:
    clinic = busy_clinic()
    before = clinic.room.books.index.next_clock(1)

    room = reloaded(clinic.rows)

    assert room.books.index.next_clock(1) == before
    assert room.version == clinic.room.version


@pytest.mark.rule("LOG-3")
@pytest.mark.parametrize("at_row", [1, 20, 60])
def test_snapshot_and_the_rows_after_it_load_to_the_live_room(at_row: int) -> None:
    clinic = busy_clinic()
    snapshot = snapshot_of(reloaded(clinic.rows[:at_row]))

    room = reloaded(clinic.rows, snapshot)

    assert room.books.encode() == clinic.room.books.encode()
    assert room.document.section("vitals") == clinic.room.document.section("vitals")
    assert (room.version, room.hash) == (clinic.room.version, clinic.room.hash)


@pytest.mark.rule("LOG-3")
def test_books_survive_encoding() -> None:
    books = busy_clinic().room.books

    assert Books.decode(books.encode(), outpatient()).encode() == books.encode()


@pytest.mark.rule("LOG-4")
def test_snapshot_names_the_version_and_hash_it_stands_for() -> None:
    clinic = busy_clinic()

    snapshot = snapshot_of(clinic.room)

    assert (snapshot.version, snapshot.hash) == (len(clinic.rows), clinic.rows[-1].hash)


@pytest.mark.rule("LOG-5")
def test_order_is_the_version_whatever_the_clocks_say() -> None:
    here = scene("nurse")
    for clock, now in enumerate((500.0, 100.0, 300.0)):
        here.clinic.now_s = now
        origin = (3001, clock - 1) if clock else None
        here.send(writing(3001, clock, 70 + clock, origin=origin))

    assert reloaded(here.clinic.rows).document.value("vitals", "pulse") == 72


def test_damaged_books_and_annotations_are_corrupt() -> None:
    with pytest.raises(CorruptLog):
        Books.decode(b"\xff", outpatient())
    with pytest.raises(CorruptLog):
        decode_annotations(b"\xff")


def test_everyday_row_has_no_annotations() -> None:
    here = scene("nurse")

    here.send(writing(3001, 0, 70))
    here.send(writing(3001, 1, 71, origin=(3001, 0)))

    assert [row.annotations for row in here.clinic.rows] == [b"", b""]
    assert encode_annotations(decode_annotations(b"")) == b""


@pytest.mark.rule("IDENT-2")
def test_each_epoch_has_a_client_id_of_its_own_until_they_run_out() -> None:
    assert [empty_room(epoch=epoch).document.server_client for epoch in (0, 1, 1022)] == [
        1,
        2,
        1023,
    ]
    with pytest.raises(CorruptLog):
        new_room("R", 1023, outpatient(), policy(), empty_room().limits)


def test_state_of_a_record_follows_its_facts() -> None:
    here = scene()
    here.clinic.write_facts(
        person("server"), status="completed", current_step="triage", assigned={"nurse": "N"}
    )

    state = state_of(here.clinic.room)

    assert (state.status, state.current_step, state.assigned) == (
        "completed", "triage", frozenset({"N"}),
    )  # fmt: skip


def test_replay_pauses_on_a_long_log() -> None:
    here = scene("nurse")
    for clock in range(450):
        here.send(writing(3001, clock, 60, origin=(3001, clock - 1) if clock else None))

    assert sum(1 for _ in replay(empty_room(), None, here.clinic.rows)) == 2
