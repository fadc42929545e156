"""Loading a room: from its newest snapshot and the rows after it, or from the rows alone.

The one way a room comes to life, for the server, `fieldchart verify` and `inspect` alike. Nothing
is judged again and no correction is derived again: rows hold what was decided. SPEC LOG-1 to LOG-5.
"""

from collections.abc import Generator, Sequence
from typing import TypeVar

from permissions.model import RecordState
from permissions.policy import Policy
from permissions.profile import Profile
from sync.annotations import RowAuthor, decode_annotations
from sync.books import Books
from sync.bounds import Bounds
from sync.document import Document
from sync.effects import EMPTY_HASH, Change, Snapshot, UpdateRow, chain_hash
from sync.errors import CorruptLog, MalformedFrame
from sync.gate import Limits
from sync.history import History
from sync.place import RECORD_ROOT
from sync.placed import Gap
from sync.placement import RESERVED_CLIENT_IDS, place_structs
from sync.record_facts import state_in
from sync.room import Room
from sync.update import decode_update, encode_update

__all__ = ["changes_in", "new_room", "replay", "snapshot_of", "state_of"]

T = TypeVar("T")

ROWS_PER_STEP = 200
"""Rows replayed between two yields (about 10 ms): a cold open never holds up other rooms."""

_STORED = Bounds(
    max_frame_bytes=2**31, max_structs=2**31, max_delete_ranges=2**31, max_value_items=2**31,
)  # fmt: skip


def new_room(record_id: str, epoch: int, profile: Profile, policy: Policy, limits: Limits) -> Room:
    """A room without any row. The server's client id is new in each epoch, so that what a restored
    backup forgot is never confused with what is written now."""
    if not 0 <= epoch < RESERVED_CLIENT_IDS - 1:
        raise CorruptLog("The record was restored more often than client ids are reserved for.")
    return Room(
        record_id, profile, policy, Document(epoch + 1), Books(profile),
        version=0, hash=EMPTY_HASH, limits=limits, state=RecordState(),
    )  # fmt: skip


def replay(
    room: Room,
    snapshot: Snapshot | None,
    rows: Sequence[UpdateRow],
    changes: list[Change] | None = None,
) -> Generator[None, None, None]:
    """Bring a new room to the state that the snapshot and the rows after it stand for.

    changes: gets what each row changes, in order; a narrative's change comes again as it grows.

    Raises CorruptLog naming the version; the room is then to be thrown away.
    """
    if snapshot is not None:
        room.document.apply(snapshot.document)
        room.books = Books.decode(snapshot.index, room.profile)
        room.registers = room.books.registers
        room.history = History(room.document, room.books)
        room.version, room.hash = snapshot.version, snapshot.hash
        room.note_size(len(snapshot.document))
        yield
    for at, row in enumerate(rows, 1):
        told = _replay_row(room, row)
        if changes is not None:
            changes.extend(told)
        if not at % ROWS_PER_STEP:
            yield
    room.state = state_of(room)


def changes_in(
    record_id: str, epoch: int, policy: Policy, rows: Sequence[UpdateRow]
) -> list[Change]:
    """What a whole log says was changed, in order; a narrative's change comes as often as it grew.

    Raises CorruptLog, DocumentSuspect.
    """
    told: list[Change] = []
    room = new_room(record_id, epoch, policy.profile, policy, Limits())
    for _ in replay(room, None, rows, told):
        pass
    return told


def _replay_row(room: Room, row: UpdateRow) -> tuple[Change, ...]:
    if row.version != room.version + 1:
        raise CorruptLog("A row of the log is missing.", version=room.version + 1)
    if chain_hash(room.hash, row) != row.hash:
        raise CorruptLog("The log's hash chain is broken.", version=row.version)
    try:
        update = decode_update(row.update, _STORED)
        annotations = decode_annotations(row.annotations)
        placement = _run(place_structs(update, room.books.index, room.books.places))
    except (MalformedFrame, CorruptLog) as error:
        raise CorruptLog("A stored update does not parse.", version=row.version) from error
    if isinstance(placement, Gap):
        raise CorruptLog("A stored update hangs on a missing one.", version=row.version)
    first = room.books.cut(annotations.splits)
    if first:
        room.document.apply(encode_update({}, first))
    room.document.apply(row.update)
    author = RowAuthor(
        row.author, row.role, row.login_id, row.device, row.written_at, row.received_at, row.version
    )
    room.books.replay(placement.placed, annotations, author)
    room.books.absorb_deletes(update.deletes)
    room.version, room.hash = row.version, row.hash
    room.bytes += len(row.update)
    return room.history.changes_of(row, annotations)


def _run(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def snapshot_of(room: Room) -> Snapshot:
    """The room as it stands now, for storage."""
    return Snapshot(
        version=room.version, hash=room.hash,
        document=room.document.encode(), index=room.books.encode(),
    )  # fmt: skip


def state_of(room: Room) -> RecordState:
    """What decisions must know of the record, from the server's own `record` map."""
    return state_in(room.document.section(RECORD_ROOT))
