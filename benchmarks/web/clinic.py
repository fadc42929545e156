"""A clinic that is hard on a browser: a record of 200 fields and 5,000 edits, a queue of 500."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pycrdt

from benchmarks.records import append_accepted, opened, sign_in
from permissions.model import Principal
from server.accounts.passwords import Passwords
from server.ports import NewRecord
from server.settings import Settings
from sync.bounds import Bounds
from sync.frame import Frame, Knowledge
from sync.gate import Limits
from sync.proposal import Accepted
from sync.replay import new_room, replay
from sync.room import Room
from sync.update import decode_update

__all__ = [
    "FIELDS",
    "NARRATIVE",
    "PASSWORD",
    "USER",
    "WIDE",
    "Clinic",
    "furnish",
    "value_field",
    "wide_profile",
]

SECTIONS = 20
FIELDS = 200
NARRATIVE = "notes.assessment"
WIDE = "wide"
USER = "nurse"
PASSWORD = "benchmark-password"
PEOPLE = 5
TYPED = "seen today, no complaint. "
TURN = 7
"""So many edits somebody makes before the next one writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """A data directory. profiles: as the setting takes them. token: of a colleague."""

    data: Path
    profiles: Sequence[str]
    long_record: str
    others: Sequence[str]
    token: str


def value_field(number: int) -> str:
    """A field that takes a number from 0 to 400, of section `number`."""
    return f"exam_{number:02d}.value_0"


def wide_profile() -> str:
    """A profile of 200 fields of every common type and one narrative, all a nurse's to write."""
    parts = [
        '[profile]\nname = "wide"\ntitle = "Wide visit"\nnumber_prefix = "WIDE"\nversion = 1\n',
        '[summary]\ntitle = ["demographics.family_name", "demographics.given_name"]\n',
        '[roles.nurse]\ntitle = "Nurse"\n[roles.receptionist]\ntitle = "Receptionist"\n',
        '[sections.demographics]\ntitle = "Demographics"\nkind = "fields"\n'
        'writers = ["receptionist", "nurse"]\n[sections.demographics.fields]\n'
        'family_name = { title = "Family name", type = "text", max_bytes = 400 }\n'
        'given_name = { title = "Given name", type = "text", max_bytes = 400 }\n',
    ]
    number = (
        'type = "integer", minimum = 0, maximum = 400, unit = "mmHg",'
        " flags = { low = { at_most = 60 }, high = { at_least = 140 } }"
    )
    kinds = [
        *[number] * 5,
        'type = "text", max_bytes = 400', 'type = "text", max_bytes = 2000',
        'type = "boolean"', 'type = "date"',
        'type = "choice", options = { left = "Left", right = "Right", both = "Both" }',
    ]  # fmt: skip
    for section in range(SECTIONS):
        parts.append(
            f'[sections.exam_{section:02d}]\ntitle = "Examination {section + 1}"\n'
            f'kind = "fields"\nwriters = ["nurse"]\n[sections.exam_{section:02d}.fields]\n'
            + "".join(
                f'value_{at} = {{ title = "Finding {at + 1}", {kind} }}\n'
                for at, kind in enumerate(kinds)
            )
        )
    parts.append(
        '[sections.notes]\ntitle = "Notes"\nkind = "text"\nwriters = ["nurse"]\n'
        '[sections.notes.narratives]\nassessment = { title = "Assessment notes" }\n'
    )
    parts.append('[steps.examination]\ntitle = "Examination"\nrole = "nurse"\n')
    return "\n".join(parts)


def furnish(folder: Path, *, edits: int, patients: int) -> Clinic:
    """Make the profile, the accounts, the long record with its snapshot, and the queue."""
    (folder / "data").mkdir(parents=True)
    profile = folder / "wide.toml"
    profile.write_text(wide_profile())
    profiles = ("outpatient", str(profile))
    return asyncio.run(_furnish(folder / "data", profiles, edits, patients))


async def _furnish(data: Path, profiles: Sequence[str], edits: int, patients: int) -> Clinic:
    token = "benchmark-token-colleague"
    roles = frozenset({"nurse", "receptionist"})
    async with opened(data, profiles) as (assembly, store):
        colleague = await sign_in(store, token, "colleague", roles)
        await sign_in(store, "benchmark-token-nurse", USER, roles)
        nurse = next(one for one in await store.directory.users() if one.username == USER)
        hashed = Passwords(Settings(data=str(data))).hash(PASSWORD)
        await store.directory.update_user(
            msgspec.structs.replace(nurse, password_hash=hashed), _now()
        )
        rooms = assembly.house.rooms
        name = {"demographics.family_name": "Longrecord", "demographics.given_name": "Wide"}
        wide = await rooms.create(colleague, NewRecord(profile=WIDE, fields=name))
        others: list[str] = []
        for first in range(0, patients, 50):
            made = (
                rooms.create(colleague, _patient(n))
                for n in range(first, min(first + 50, patients))
            )
            others += [record.id for record in await asyncio.gather(*made)]
    async with opened(data, profiles) as (assembly, store):
        stored = await store.records.load(wide.id)
        policy = assembly.house.policies[WIDE]
        room = new_room(wide.id, 0, policy.profile, policy, Limits())
        for _ in replay(room, stored.snapshot, stored.rows):
            pass
        await append_accepted(store, room, _edits(room, colleague, edits), snapshot=True)
    return Clinic(data=data, profiles=profiles, long_record=wide.id, others=others, token=token)


def _patient(number: int) -> NewRecord:
    return NewRecord(
        profile="outpatient",
        fields={
            "demographics.family_name": f"Invented{number:03d}",
            "demographics.given_name": f"Person{number % 37}",
            "demographics.sex": "female" if number % 2 else "male",
        },
    )


def _edits(room: Room, author: Principal, count: int) -> Iterator[Accepted]:
    """Edits of a long day by a few windows that take turns: half of it typing in the narrative."""
    bounds = Bounds()
    windows = [_Window(2_000_000 + n) for n in range(PEOPLE)]
    knowledge = [Knowledge() for _ in windows]
    for number in range(count):
        at = number // TURN % PEOPLE
        if number % TURN == 0:
            windows[at].catch_up(room)
        update = windows[at].next_update(number)
        frame = Frame(
            update=decode_update(update, bounds), author=author, knowledge=knowledge[at],
            received_at=_now(), written_at=_now(),
        )  # fmt: skip
        proposal = room.propose_now(frame)
        assert proposal.accepted is not None, f"a nurse may write this: {proposal}"
        yield proposal.accepted


class _Window:
    """A Yjs document of a colleague's, and what it writes next."""

    def __init__(self, client: int) -> None:
        self._doc: pycrdt.Doc[object] = pycrdt.Doc(client_id=client)
        self._text = self._doc.get(NARRATIVE, type=pycrdt.Text)
        self._maps = [
            self._doc.get(f"exam_{n:02d}", type=pycrdt.Map[object]) for n in range(SECTIONS)
        ]
        self._said = b""
        # What a transaction says, not the difference: that repeats every deletion of the record.
        self._listening = self._doc.observe(self._hear)

    def _hear(self, event: pycrdt.TransactionEvent) -> None:
        self._said = event.update

    def catch_up(self, room: Room) -> None:
        self._doc.apply_update(room.document.encode())

    def next_update(self, number: int) -> bytes:
        if number % 2:
            self._text.insert(len(self._text), TYPED[number // 2 % len(TYPED)])
        else:
            field = number // 2 % (SECTIONS * 5)
            self._maps[field % SECTIONS][f"value_{field // SECTIONS}"] = 60 + number % 90
        return self._said


def _now() -> datetime:
    return datetime.now(UTC)
