"""Whose hand an update is from and when it was written, by the journal (message 102) before it.

The sender's own log-in is proven by its socket. Another log-in is proven by a seal: an HMAC with a
key that only the server and that log-in ever had. Pure: keys and times are arguments. What a
journal claims is bounded by what the server knows. SPEC JOUR-1 to JOUR-9; gate.md, section 5.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from permissions.model import Decision, Principal, RoleChange, Rule
from sync.frame import WrittenRange, roles_since
from sync.update import Update
from sync.wire import JournalEntry

__all__ = ["Attribution", "Hand", "attribute", "foreign_logins", "roles_at", "seal_of"]

SEAL = "fieldchart-seal-1"
"""The first line of what is sealed: another form of it will have another name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

UNPROVEN = Decision(
    False, Rule.IDENTITY, "The edit names another log-in, and its seal does not prove it."
)
DISTRUSTED = Decision(
    False, Rule.IDENTITY, "The log-in that wrote this was revoked before the edit arrived."
)


class Hand(msgspec.Struct, frozen=True, kw_only=True):
    """A log-in as a writer: who it is now, and what bounds its claims.

    principal: with the roles of today. ended_at: when it signed out or expired, or will expire.
    trusted: nobody has revoked it or closed its account. skews: how far its clock was ahead,
    newest first. roles: which ones its owner has had, oldest first; empty: always those of today.
    """

    principal: Principal
    created_at: datetime | None = None
    ended_at: datetime | None = None
    trusted: bool = True
    seal_key: bytes = b""
    skews: tuple[timedelta, ...] = ()
    roles: tuple[RoleChange, ...] = ()


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal says of an update, as far as it is believed.

    author: with the roles that count, those of then that they still have. roles: where one update
    spans a change of roles, those that count from each instant on. denied: why nothing of the
    update is taken. delivered: the sender only brings it. claimed: the device's word for
    written_at, where that was not taken as it stands.
    """

    author: Principal
    written_at: datetime
    journal: tuple[WrittenRange, ...] = ()
    roles: tuple[RoleChange, ...] = ()
    denied: Decision | None = None
    delivered: bool = False
    claimed: datetime | None = None


def seal_of(key: bytes, record_id: str, entry: JournalEntry, update: bytes) -> str:
    """The seal of an entry over its update as it was written: base64 of an HMAC-SHA256.

    Over lines of ASCII, each ended by a line feed: the name of this form, the record's id, client
    id, from_clock, to_clock, written_at in milliseconds since 1970, the log-in's id, and the
    SHA-256 of the update in lower-case hex. SPEC JOUR-2.
    """
    lines = (
        SEAL, record_id, entry.client, entry.from_clock, entry.to_clock, entry.written_at_ms,
        entry.login_id, hashlib.sha256(update).hexdigest(),
    )  # fmt: skip
    text = "".join(f"{line}\n" for line in lines)
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


def foreign_logins(entries: Sequence[JournalEntry], own: str) -> set[str]:
    """The log-ins that a journal names besides the sender's own."""
    return {entry.login_id for entry in entries} - {own}


def roles_at(hand: Hand, at: datetime) -> frozenset[str]:
    """The roles that count for what was written then: those of then that it still has today.

    SPEC JOUR-6.
    """
    return hand.principal.roles & roles_since(hand.roles, at, hand.principal.roles)


def attribute(
    entries: Sequence[JournalEntry],
    payload: bytes,
    update: Update,
    *,
    record_id: str,
    sender: Hand,
    signers: Mapping[str, Hand],
    received_at: datetime,
    floors: Mapping[int, datetime],
    refuses: bool,
) -> Attribution:
    """Whose hand the update is from and when it was written.

    entries: at least one. payload: the update's bytes as sent. signers: what is known of the other
    log-ins that the entries name. floors: when each client id was last written. refuses: what is
    not proven is refused, instead of counting as the sender's own.
    """
    me = sender.principal
    first = entries[0]
    signer = signers.get(first.login_id) if first.login_id != me.login_id else None
    if (
        len(entries) == 1
        and signer is not None
        and _is_proven(signer, first, payload, update, record_id)
    ):
        if signer.trusted:
            return _timed(entries, signer, received_at, floors, delivered=True)
        if refuses and signer.principal.user_id != me.user_id:
            return _refused(signer.principal, received_at, DISTRUSTED)
    own: list[JournalEntry] = []
    others: list[JournalEntry] = []
    for entry in entries:
        hand = signers.get(entry.login_id)
        is_own = entry.login_id == me.login_id or (
            hand is not None and hand.principal.user_id == me.user_id
        )
        (own if is_own else others).append(entry)
    if not own:
        if refuses:
            return _refused(me, received_at, UNPROVEN)
        return Attribution(author=me, written_at=received_at)
    timed = _timed(own, sender, received_at, floors, delivered=False)
    if not others:
        return timed
    denied = UNPROVEN if refuses else None
    unproven = [
        WrittenRange(entry.client, entry.from_clock, entry.to_clock, received_at, denied)
        for entry in others
    ]
    return msgspec.structs.replace(timed, journal=(*timed.journal, *unproven))


def _is_proven(
    hand: Hand, entry: JournalEntry, payload: bytes, update: Update, record_id: str
) -> bool:
    """Whether the entry's log-in sealed exactly this update, and it is what the entry says."""
    if not hand.seal_key:
        return False
    seal = seal_of(hand.seal_key, record_id, entry, payload)
    if not hmac.compare_digest(seal.encode(), entry.seal.encode()):
        return False
    structs = update.structs.get(entry.client, [])
    if not structs:
        return entry.from_clock == entry.to_clock and not any(update.structs.values())
    described = (structs[0].clock, structs[-1].end) == (entry.from_clock, entry.to_clock)
    return described and len(update.structs) == 1


def _refused(author: Principal, received_at: datetime, why: Decision) -> Attribution:
    return Attribution(author=author, written_at=received_at, denied=why, delivered=True)


def _timed(
    entries: Sequence[JournalEntry],
    hand: Hand,
    received_at: datetime,
    floors: Mapping[int, datetime],
    *,
    delivered: bool,
) -> Attribution:
    """The entries of one hand with times that never run back along a client's clocks."""
    last: dict[int, datetime] = {}
    ranges: list[WrittenRange] = []
    claimed = received_at
    for entry in sorted(entries, key=_by_clock):
        floor = last.get(entry.client) or floors.get(entry.client)
        at = _bounded(entry.written_at, hand, floor, received_at, sealed=delivered)
        last[entry.client], claimed = at, entry.written_at
        ranges.append(WrittenRange(entry.client, entry.from_clock, entry.to_clock, at))
    written_at = max(one.at for one in ranges)
    earliest = min(one.at for one in ranges)
    roles: tuple[RoleChange, ...] = ()
    if any(earliest < change.at <= written_at for change in hand.roles):
        roles = tuple(
            RoleChange(change.at, change.roles & hand.principal.roles) for change in hand.roles
        )
    return Attribution(
        author=msgspec.structs.replace(hand.principal, roles=roles_at(hand, written_at)),
        written_at=written_at,
        journal=tuple(ranges),
        roles=roles,
        delivered=delivered,
        claimed=None if abs(claimed - written_at) < timedelta(milliseconds=1) else claimed,
    )


def _bounded(
    claimed: datetime, hand: Hand, floor: datetime | None, received_at: datetime, *, sealed: bool
) -> datetime:
    """A claimed time, freed of the clock's error, within what the server knows.

    Not after the receipt, not before what the client wrote before; under a seal also not outside
    the life of its log-in. The sender's own log-in may be younger than what it delivers.
    SPEC JOUR-4, JOUR-5.
    """
    latest = min(received_at, hand.ended_at) if sealed and hand.ended_at else received_at
    born = hand.created_at or _EPOCH
    at = _corrected(claimed, hand.skews, max(born, floor or _EPOCH), latest)
    at = min(at, latest)
    if sealed:
        at = max(at, min(born, received_at))
    return at if floor is None else max(at, min(floor, received_at))


def _corrected(
    claimed: datetime, skews: tuple[timedelta, ...], earliest: datetime, latest: datetime
) -> datetime:
    """By the newest known error; by an older one where only that makes the time possible.

    A clock may have been set right between writing and delivering.
    """
    since = claimed - _EPOCH
    candidates = [since - skew for skew in skews] or [since]
    for candidate in candidates:
        if earliest - _EPOCH <= candidate <= latest - _EPOCH:
            return _EPOCH + candidate
    return _EPOCH + min(max(candidates[0], timedelta(0)), latest - _EPOCH)


def _by_clock(entry: JournalEntry) -> tuple[int, int, int]:
    return entry.client, entry.from_clock, entry.to_clock
