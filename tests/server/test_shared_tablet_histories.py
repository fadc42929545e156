"""Random shifts on a shared tablet: whatever is refused, every replica ends alike, and each edit
that stands is in the name of who wrote it.
"""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pycrdt
import pytest

from server.accounts.hands import principal_of
from storage import Login, User
from storage.changes import newest_of_each
from storage.ports import ChangeFilter
from sync.effects import Change
from sync.errors import LockHeld
from sync.gate import Limits
from sync.replay import new_room, replay
from sync.wire import JournalEntry
from tests.support.rooms import RecordingPeer, settled
from tests.support.ward_tablet import WardTablet, setting, ward_tablet

SEEDS = int(os.environ.get("FIELDCHART_MACHINE_SEEDS", "12"))
MAPS, TEXTS = ("vitals", "triage", "contact"), ("assessment.notes", "diagnosis.plan")
KEYS = (("vitals", "pulse"), ("vitals", "spo2"), ("triage", "complaint"), ("contact", "phone"))


def some_change(chance: random.Random, doc: "pycrdt.Doc[Any]") -> Callable[[Any], None]:
    """A change that leaves an update behind: set, clear, type or delete."""
    section, key = chance.choice(KEYS)
    text = chance.choice(TEXTS)
    shown = str(doc.get(text, type=pycrdt.Text))
    match chance.randrange(4):
        case 0 if key in doc.get(section, type=pycrdt.Map):
            return lambda doc: doc.get(section, type=pycrdt.Map).pop(key)
        case 1 if len(shown) > 1:
            at = chance.randrange(len(shown) - 1)
            return lambda doc: doc.get(text, type=pycrdt.Text).__delitem__(slice(at, at + 2))
        case 2:
            at, word = chance.randint(0, len(shown)), chance.choice(("ab", "cde", "f"))
            return lambda doc: doc.get(text, type=pycrdt.Text).insert(at, word)
    if section == "vitals":
        return setting(section, key, chance.randint(40, 99))
    return setting(section, key, chance.choice(("555-000", "555-001")))


def shown(doc: "pycrdt.Doc[Any]") -> dict[str, Any]:
    maps = {name: doc.get(name, type=pycrdt.Map).to_py() for name in MAPS}
    return maps | {name: str(doc.get(name, type=pycrdt.Text)) for name in TEXTS}


async def take_in(ward: WardTablet, peer: RecordingPeer) -> None:
    """What the server sent reaches the tablet."""
    peer.document = ward.tablet.doc
    await settled()
    peer.messages()


def broken(entry: JournalEntry) -> JournalEntry:
    return msgspec.structs.replace(entry, seal=entry.seal[::-1])


@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("JOUR-1")
@pytest.mark.rule("JOUR-3")
@pytest.mark.parametrize("seed", range(24))
async def test_every_replica_ends_alike_and_every_edit_in_its_writers_name(seed: int) -> None:
    chance = random.Random(seed)
    async with ward_tablet() as ward:
        people: list[User] = [
            await ward.user("A", "nurse"), await ward.user("B", "clinical_officer"),
            await ward.user("C", "receptionist"), await ward.user("D", "nurse"),
        ]  # fmt: skip
        colleague = RecordingPeer(
            principal_of(people[3], await ward.login(people[3])), peer_id="colleague"
        )
        await colleague.sync(ward.room, answers=True)
        untrusted: set[str] = set()
        for _ in range(3):
            await _shift(ward, chance, people[:3], untrusted)
            login = await _online(ward, chance, chance.choice(people[:3]), colleague)
            peer = await ward.connect(await ward.store.directory.user(login.user_id), login)
            for entry, update in ward.tablet.sealed:
                sent = broken(entry) if entry.login_id in untrusted else entry
                await ward.send(peer, update, sent)
            await ward.answer(peer)
            await take_in(ward, peer)
            assert peer.closed_with is None
            ward.room.leave(peer)
            ward.tablet.sealed.clear()

        await settled()
        colleague.messages()
        fresh = RecordingPeer(colleague.principal, peer_id="fresh")
        await fresh.sync(ward.room, answers=True)
        await settled()
        fresh.messages()
        expected = {name: ward.shows(name) for name in MAPS} | {n: ward.text(n) for n in TEXTS}
        assert shown(fresh.document) == shown(colleague.document) == expected
        assert shown(ward.tablet.doc) == expected
        logins = {one.id: user for user in people
                  for one in await ward.store.directory.logins(user.id)}  # fmt: skip
        for row in await ward.rows():
            assert row.author == logins[row.login_id].id
            assert row.role in {"", *logins[row.login_id].roles}
            assert row.login_id not in untrusted
        for refusal in await ward.refusals():
            assert refusal.author == logins[refusal.login_id].id


@pytest.mark.rule("ROOM-1")
@pytest.mark.rule("JOUR-3")
@pytest.mark.rule("JOUR-6")
@pytest.mark.rule("LOCK-8")
@pytest.mark.rule("LOG-3")
@pytest.mark.rule("HIST-2")
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_locks_and_roles_that_change_meanwhile_cost_no_replica_and_no_history(
    seed: int,
) -> None:
    chance = random.Random(seed)
    async with ward_tablet(chance.choice(("refuse", "sender"))) as ward:
        people = [
            await ward.user("A", "nurse"), await ward.user("B", "clinical_officer"),
            await ward.user("C", "receptionist", "nurse"), await ward.user("D", "nurse"),
        ]  # fmt: skip
        colleague = RecordingPeer(
            principal_of(people[3], await ward.login(people[3])), peer_id="colleague"
        )
        await colleague.sync(ward.room, answers=True)
        untrusted: set[str] = set()
        for _ in range(3):
            await _shift(ward, chance, people[:3], untrusted)
            who = chance.randrange(3)
            people[who] = await ward.roles(people[who], *chance.choice(ROLES))
            field = chance.choice([".".join(key) for key in KEYS] + list(TEXTS))
            with suppress(LockHeld):
                await ward.room.locks.acquire(
                    ward.room.record_id, field, colleague.principal, "nurse", "", ward.now
                )
            user = chance.choice(people[:3])
            login = await _online(ward, chance, user, colleague)
            peer = await ward.connect(await ward.store.directory.user(login.user_id), login)
            for entry, update in ward.tablet.sealed:
                sent = broken(entry) if entry.login_id in untrusted else entry
                await ward.send(peer, update, sent)
            await ward.answer(peer)
            await take_in(ward, peer)
            assert peer.closed_with is None
            ward.room.leave(peer)
            ward.tablet.sealed.clear()

        await settled()
        colleague.messages()
        expected = {name: ward.shows(name) for name in MAPS} | {n: ward.text(n) for n in TEXTS}
        assert shown(ward.tablet.doc) == shown(colleague.document) == expected
        await _check_log(ward)


ROLES = (("nurse",), ("receptionist",), ("clinical_officer", "nurse"), ("pharmacist",))


async def _check_log(ward: WardTablet) -> None:
    """The log alone gives the same room and the same history."""
    live, records = ward.room.room, ward.store.records
    rows = list(await records.rows(live.record_id))
    again = new_room(
        live.record_id, live.document.server_client, live.profile, live.policy, Limits()
    )
    told: list[Change] = []
    for _ in replay(again, None, rows, told):
        pass
    assert again.books.encode() == live.books.encode()
    wanted = ChangeFilter(newest_first=False, limit=100_000)
    stored = [found.change for found in await records.changes(live.record_id, wanted)]
    assert stored == list(newest_of_each(told))


async def _shift(
    ward: WardTablet, chance: random.Random, people: list[User], untrusted: set[str]
) -> None:
    """A few people write on the tablet while it is offline; of some the seals get lost."""
    for _ in range(chance.randint(1, 4)):
        login = await ward.take_over(chance.choice(people))
        if chance.random() < 0.3:
            untrusted.add(login.id)
        for _ in range(chance.randint(1, 4)):
            ward.step(minutes=chance.randint(1, 9))
            ward.tablet.write(some_change(chance, ward.tablet.doc))
        ward.tablet.sign_out()
        await ward.end(login)


async def _online(
    ward: WardTablet, chance: random.Random, user: User, colleague: RecordingPeer
) -> Login:
    """The colleague edits live, and somebody takes the tablet back online."""
    for _ in range(chance.randint(0, 3)):
        await settled()
        colleague.messages()
        with colleague.document.transaction():
            some_change(chance, colleague.document)(colleague.document)
        await colleague.push(ward.room)
    ward.step(hours=1)
    return await ward.take_over(user)
