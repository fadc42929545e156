"""REST edits as proposals: drafted on a copy of the document, then judged like any frame.

All fields of an edit or none. Nothing here writes into the live document by itself.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime

import msgspec
from ulid import ULID

from permissions.fields import Power
from permissions.model import Principal, Rule
from server.errors import EditRefused, FieldViolation
from server.executor import Batch
from server.facts import facts_of
from server.live_room import LiveRoom
from server.past import view_from
from server.ports import Json, NewRecord, RecordView
from sync.bounds import Bounds
from sync.document import Draft
from sync.effects import Refusal
from sync.frame import Frame, Knowledge
from sync.instants import instant
from sync.record_facts import flow_facts
from sync.room import Room
from sync.update import Update, decode_update
from sync.view import chart_of
from sync.workflow import begin

__all__ = [
    "add_entry", "desk_client", "edit_fields", "is_carried", "new_record_rows", "propose_update",
    "view_of",
]  # fmt: skip

MAX_NESTING = Bounds().max_nesting


def view_of(room: Room, principal: Principal | None) -> RecordView:
    """The room as REST shows it, without what the principal may not read."""
    policy = room.policy
    chart = chart_of(
        room, None if principal is None else lambda f: policy.may_read(principal, f).allowed
    )
    return view_from(room.record_id, room.profile.name, chart)


def edit_fields(
    live: LiveRoom,
    batch: Batch,
    author: Principal,
    fields: Mapping[str, Json],
    at: datetime,
    power: Power | None = None,
) -> None:
    """Propose all of `fields`, where need be by a power. Raises EditRefused."""
    _check_names(live.room, fields)
    _propose(live.room, batch, author, fields, desk_client(live, author), at, power)


def desk_client(live: LiveRoom, author: Principal) -> int:
    """The Yjs client id under which this person's REST edits are written in the room."""
    return live.desk_client(author.user_id, _new_client)


def add_entry(
    live: LiveRoom,
    batch: Batch,
    author: Principal,
    section: str,
    value: Mapping[str, Json],
    at: datetime,
    power: Power | None = None,
) -> str:
    """Propose a new entry; the server fills `id`, `at` and `by`. Raises EditRefused."""
    room = live.room
    if room.profile.roots.get(section) != "entries":
        raise EditRefused(
            [FieldViolation(section, Rule.UNKNOWN_FIELD, "The profile has no such list.")]
        )
    entry_id = str(ULID.from_datetime(at))
    entry = {
        **value,
        "id": entry_id,
        "at": instant(at),
        "by": author.user_id,
    }
    name = f"{section}.{entry_id}"
    _propose(room, batch, author, {name: entry}, desk_client(live, author), at, power)
    return entry_id


def new_record_rows(
    room: Room, batch: Batch, author: Principal, wanted: NewRecord, number: str, at: datetime
) -> None:
    """The first rows of a record: the server's facts, then the fields it is created with.

    Where the profile asks for an assignment, who makes the record is responsible for its first
    step; else they could not write what they make it with, nor could anybody but a supervisor.
    """
    flow = begin(room.profile, at)
    first = room.profile.steps[0].role
    if room.profile.assignment_required and first is not None and first in author.roles:
        flow = msgspec.structs.replace(flow, assigned={first: author.user_id})
    accepted = room.write_facts(
        {
            "number": number,
            "profile": room.profile.name,
            "patient_id": wanted.patient_id or str(ULID.from_datetime(at)),
            "disputed": [],
            **flow_facts(flow),
        },
        author,
        at,
    )
    assert accepted is not None, "a new record has no facts yet"
    batch.add_facts(accepted, author, at)
    if wanted.fields:
        _check_names(room, wanted.fields)
        _propose(room, batch, author, wanted.fields, _new_client(), at)
    batch.facts = facts_of(room, at, at)


def _propose(
    room: Room,
    batch: Batch,
    author: Principal,
    fields: Mapping[str, Json],
    client: int,
    at: datetime,
    power: Power | None = None,
) -> None:
    wrong = [name for name, value in fields.items() if not is_carried(value)]
    if wrong:
        raise EditRefused(
            [FieldViolation(name, Rule.TYPE, "No record can hold this value.") for name in wrong]
        )

    def edit(draft: Draft) -> None:
        for name, value in fields.items():
            if room.profile.roots.get(name) == "text":
                draft.replace_text(name, str(value))
            else:
                root, _, key = name.partition(".")
                draft.set(root, key, value)

    update = decode_update(room.document.draft(client, edit), Bounds())
    propose_update(room, batch, author, update, at, power)


def propose_update(
    room: Room,
    batch: Batch,
    author: Principal,
    update: Update,
    at: datetime,
    power: Power | None = None,
) -> None:
    """Propose an update that was drafted here, all of it or nothing. Raises EditRefused."""
    knowledge = Knowledge(room.books.index.state_vector(), room.version)
    proposal = room.propose_now(
        Frame(
            update=update,
            author=author,
            knowledge=knowledge,
            received_at=at,
            written_at=at,
            whole=True,
            power=power,
        )
    )
    if proposal.accepted is None and proposal.refusals:
        raise EditRefused([_violation(refusal) for refusal in proposal.refusals])
    batch.add(proposal, None, author, at)


def _check_names(room: Room, fields: Mapping[str, Json]) -> None:
    """Names and kinds that a draft could not even carry; the gate judges the rest."""
    wrong: list[FieldViolation] = []
    for name, value in fields.items():
        kind = room.profile.roots.get(name)
        root, _, key = name.partition(".")
        if kind == "text":
            if not isinstance(value, str):
                wrong.append(
                    FieldViolation(name, Rule.TYPE, "A narrative takes its whole new text.")
                )
        elif room.profile.field_at(root, key) is None:
            wrong.append(FieldViolation(name, Rule.UNKNOWN_FIELD, "The profile has no such field."))
    if wrong:
        raise EditRefused(wrong)


def is_carried(value: Json, depth: int = MAX_NESTING) -> bool:
    """Whether Yrs can hold the value at all: it ends in a panic on integers beyond 64 bits."""
    match value:
        case int():
            return -(2**63) <= value < 2**63
        case list():
            return depth > 0 and all(is_carried(one, depth - 1) for one in value)
        case dict():
            return depth > 0 and all(is_carried(one, depth - 1) for one in value.values())
        case _:
            return True


def _violation(refusal: Refusal) -> FieldViolation:
    return FieldViolation(refusal.field, Rule(refusal.rule), refusal.reason)


def _new_client() -> int:
    """A Yjs client id for a hand of the server's: random, above the reserved ones."""
    return secrets.randbelow(2**31) + 2**31
