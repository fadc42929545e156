"""Whose hand an update is from and when it was written: seals, times and roles. Pure."""

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from permissions.model import Rule
from sync.bounds import Bounds
from sync.journal import DISTRUSTED, UNPROVEN, Attribution, Hand, attribute, roles_at, seal_of
from sync.update import decode_update
from sync.wire import JournalEntry
from tests.support.crafting import writing
from tests.support.journals import RECORD, SIGNED_IN, SIGNED_OUT, entry_for, hand, payload_of
from tests.support.people import at

VECTORS = Path(__file__).parents[1] / "vectors" / "journal_seals.json"
A, B = hand("A", "nurse"), hand("B", "doctor", ended_at=at(9_000))
CLIENT, RECEIPT, HOUR, DAY = 3001, at(5_000), timedelta(hours=1), timedelta(days=1)
PAYLOAD = payload_of(writing(CLIENT, 0, 80))
WHILE_IN = at(1_500)
SEALED = entry_for(A, PAYLOAD, CLIENT, 0, 1, WHILE_IN)


def found(
    *entries: JournalEntry,
    payload: bytes = PAYLOAD,
    sender: Hand = B,
    signers: tuple[Hand, ...] = (A,),
    floors: Mapping[int, datetime] | None = None,
    refuses: bool = True,
    record_id: str = RECORD,
) -> Attribution:
    return attribute(
        entries, payload, decode_update(payload, Bounds()), record_id=record_id, sender=sender,
        signers={one.principal.login_id: one for one in signers}, received_at=RECEIPT,
        floors=floors or {}, refuses=refuses,
    )  # fmt: skip


def vectors() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(VECTORS.read_text())
    return read


@pytest.mark.rule("JOUR-2")
@pytest.mark.parametrize("vector", vectors()["seals"], ids=lambda vector: vector["name"])
def test_seals_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    written_at = datetime.fromtimestamp(vector["written_at"] / 1000, at(0).tzinfo)
    entry = JournalEntry(
        vector["client"], vector["from_clock"], vector["to_clock"], written_at,
        vector["login_id"], "",
    )  # fmt: skip

    made = seal_of(
        base64.b64decode(vectors()["key"]), vector["record_id"], entry,
        base64.b64decode(vector["update"]),
    )  # fmt: skip

    assert made == vector["seal"]


IN_A_BROWSER = """
const {key, seals} = JSON.parse(require('fs').readFileSync(process.argv[1]))
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
const base64 = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
const hex = buffer => [...new Uint8Array(buffer)].map(b => b.toString(16).padStart(2, '0')).join('')
const run = async () => {
  const hmac = {name: 'HMAC', hash: 'SHA-256'}
  const secret = await crypto.subtle.importKey('raw', bytes(key), hmac, false, ['sign'])
  for (const one of seals) {
    const digest = hex(await crypto.subtle.digest('SHA-256', bytes(one.update)))
    const lines = ['fieldchart-seal-1', one.record_id, one.client, one.from_clock, one.to_clock,
      one.written_at, one.login_id, digest]
    const text = lines.map(line => line + '\\n').join('')
    console.log(base64(await crypto.subtle.sign('HMAC', secret, new TextEncoder().encode(text))))
  }
}
run()
"""


@pytest.mark.rule("JOUR-2")
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node")
def test_a_browser_makes_the_same_seals() -> None:
    done = subprocess.run(
        ["node", "-e", IN_A_BROWSER, str(VECTORS)], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == [vector["seal"] for vector in vectors()["seals"]]


@pytest.mark.rule("JOUR-1")
def test_a_sealed_update_is_its_writers_whoever_brings_it() -> None:
    told = found(SEALED)

    assert (told.author, told.written_at) == (A.principal, WHILE_IN)
    assert told.delivered
    assert told.denied is told.claimed is None


@pytest.mark.rule("JOUR-1")
def test_the_senders_own_log_in_needs_no_seal() -> None:
    own = JournalEntry(CLIENT, 0, 1, at(4_000), B.principal.login_id, "")

    told = found(own)

    assert (told.author, told.written_at, told.delivered) == (B.principal, at(4_000), False)


OTHER_PAYLOAD = payload_of(writing(CLIENT, 0, 180))
FORGED: dict[str, tuple[JournalEntry, bytes, str]] = {
    "no seal": (msgspec.structs.replace(SEALED, seal=""), PAYLOAD, RECORD),
    "a seal of nothing": (msgspec.structs.replace(SEALED, seal="c2VhbA=="), PAYLOAD, RECORD),
    "letters beyond ASCII": (msgspec.structs.replace(SEALED, seal="é" * 44), PAYLOAD, RECORD),
    "the sender's key": (
        entry_for(A, PAYLOAD, CLIENT, 0, 1, WHILE_IN, key=B.seal_key), PAYLOAD, RECORD,
    ),
    "another value": (SEALED, OTHER_PAYLOAD, RECORD),
    "another record": (SEALED, PAYLOAD, "S"),
    "another client id": (
        msgspec.structs.replace(SEALED, client=3002), payload_of(writing(3002, 0, 80)), RECORD,
    ),
    "another time": (
        msgspec.structs.replace(SEALED, written_at=WHILE_IN + timedelta(milliseconds=1)),
        PAYLOAD, RECORD,
    ),
    "later clocks": (msgspec.structs.replace(SEALED, from_clock=1, to_clock=2), PAYLOAD, RECORD),
    "another log-in": (
        msgspec.structs.replace(SEALED, login_id="login-nobody"), PAYLOAD, RECORD,
    ),
    "a range that is wider than the update": (
        entry_for(A, PAYLOAD, CLIENT, 0, 2, WHILE_IN), PAYLOAD, RECORD,
    ),
    "an empty range over structs": (
        entry_for(A, PAYLOAD, CLIENT, 0, 0, WHILE_IN), PAYLOAD, RECORD,
    ),
    "a range of somebody who is not in the update": (
        entry_for(A, PAYLOAD, 3009, 0, 1, WHILE_IN), PAYLOAD, RECORD,
    ),
    "two clients in one update": (
        entry_for(
            A, payload_of(writing(CLIENT, 0, 1), writing(3009, 0, 2)), CLIENT, 0, 1, WHILE_IN
        ),
        payload_of(writing(CLIENT, 0, 1), writing(3009, 0, 2)), RECORD,
    ),
}  # fmt: skip


@pytest.mark.rule("JOUR-2")
@pytest.mark.rule("JOUR-3")
@pytest.mark.parametrize("case", FORGED)
@pytest.mark.parametrize("refuses", [True, False])
def test_what_a_seal_does_not_prove_is_never_somebody_elses(case: str, refuses: bool) -> None:
    entry, payload, record_id = FORGED[case]

    told = found(entry, payload=payload, record_id=record_id, refuses=refuses)

    assert told.author == B.principal
    assert told.denied == (UNPROVEN if refuses else None)
    assert told.written_at == RECEIPT


@pytest.mark.rule("JOUR-3")
def test_a_seal_among_other_entries_proves_nothing() -> None:
    own = JournalEntry(3009, 0, 4, at(4_000), B.principal.login_id, "")

    twice = found(SEALED, SEALED)
    mixed = found(own, SEALED)

    assert twice.denied == UNPROVEN
    assert (mixed.author, mixed.denied) == (B.principal, None)
    assert [(one.client, one.denied) for one in mixed.journal] == [(3009, None), (CLIENT, UNPROVEN)]


@pytest.mark.rule("JOUR-3")
@pytest.mark.parametrize("seal", ["", "c2VhbA=="])
def test_an_older_log_in_of_the_sender_needs_no_seal_to_be_the_sender(seal: str) -> None:
    older = hand("B", "doctor", login_id="login-older", trusted=False)
    entry = JournalEntry(CLIENT, 0, 1, WHILE_IN, "login-older", seal)

    told = found(entry, signers=(older,))

    assert (told.author, told.denied, told.written_at) == (B.principal, None, WHILE_IN)


@pytest.mark.rule("JOUR-1")
def test_what_an_older_log_in_of_the_sender_sealed_has_the_device_of_then() -> None:
    older = hand("B", "doctor", login_id="login-older")
    entry = entry_for(older, PAYLOAD, CLIENT, 0, 1, WHILE_IN)

    assert found(entry, signers=(older,)).author == older.principal


@pytest.mark.rule("JOUR-5")
@pytest.mark.parametrize("refuses", [True, False])
def test_nothing_of_a_revoked_log_in_is_believed_any_more(refuses: bool) -> None:
    revoked = msgspec.structs.replace(A, trusted=False)

    told = found(SEALED, signers=(revoked,), refuses=refuses)

    if refuses:
        assert (told.author, told.denied) == (A.principal, DISTRUSTED)
        assert told.denied.rule is Rule.IDENTITY
    else:
        assert (told.author, told.denied) == (B.principal, None)


@pytest.mark.rule("JOUR-4")
@pytest.mark.rule("JOUR-5")
@pytest.mark.parametrize(
    ("claimed", "counts"),
    [
        (WHILE_IN, WHILE_IN),
        (SIGNED_OUT + DAY, SIGNED_OUT),
        (SIGNED_IN - DAY, SIGNED_IN),
        (RECEIPT + DAY, SIGNED_OUT),
        (datetime(1970, 1, 1, tzinfo=at(0).tzinfo), SIGNED_IN),
        (datetime(9999, 12, 31, tzinfo=at(0).tzinfo), SIGNED_OUT),
    ],
)
def test_a_sealed_time_lies_within_the_life_of_its_log_in(
    claimed: datetime, counts: datetime
) -> None:
    told = found(entry_for(A, PAYLOAD, CLIENT, 0, 1, claimed))

    assert told.written_at == counts
    assert told.claimed == (None if claimed == counts else claimed)


@pytest.mark.rule("JOUR-4")
def test_no_time_lies_after_the_receipt_though_the_log_in_goes_on() -> None:
    still_in = msgspec.structs.replace(A, ended_at=RECEIPT + DAY)

    told = found(entry_for(A, PAYLOAD, CLIENT, 0, 1, RECEIPT + HOUR), signers=(still_in,))

    assert told.written_at == RECEIPT


@pytest.mark.rule("JOUR-4")
def test_no_time_lies_before_what_the_same_client_wrote_before() -> None:
    assert found(SEALED, floors={CLIENT: at(1_600), 7: at(1_900)}).written_at == at(1_600)
    assert found(SEALED, floors={CLIENT: at(1_400)}).written_at == WHILE_IN


@pytest.mark.rule("JOUR-8")
@pytest.mark.parametrize("error", [2 * DAY, -3 * HOUR, timedelta(minutes=4), -365 * 55 * DAY])
def test_a_claim_is_freed_of_the_clocks_error(error: timedelta) -> None:
    wrong = msgspec.structs.replace(A, skews=(error,))

    told = found(entry_for(A, PAYLOAD, CLIENT, 0, 1, WHILE_IN + error),
                 signers=(wrong,))  # fmt: skip

    assert told.written_at == WHILE_IN


@pytest.mark.rule("JOUR-8")
@pytest.mark.parametrize("error", [2 * DAY, -3 * HOUR])
def test_a_clock_that_was_set_right_meanwhile_does_not_spoil_what_was_written_before(
    error: timedelta,
) -> None:
    right_again = msgspec.structs.replace(B, skews=(timedelta(0), error))
    own = JournalEntry(CLIENT, 0, 1, WHILE_IN + error, B.principal.login_id, "")

    assert found(own, sender=right_again).written_at == WHILE_IN


@pytest.mark.rule("JOUR-4")
@given(
    st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=12),
    st.integers(-200_000, 200_000),
    st.booleans(),
)
def test_times_of_one_client_never_run_back_whatever_its_clock_does(
    seconds: list[int], error: int, sealed: bool
) -> None:
    signer = msgspec.structs.replace(A, skews=(timedelta(seconds=error),))
    floors: dict[int, datetime] = {}
    times = []
    for clock, second in enumerate(seconds):
        payload = payload_of(writing(CLIENT, clock, clock))
        entry = entry_for(signer, payload, CLIENT, clock, clock + 1, at(second))
        told = found(
            entry, payload=payload, sender=B if sealed else signer, signers=(signer,), floors=floors
        )
        floors[CLIENT] = told.written_at
        times.append(told.written_at)

    assert times == sorted(times)
    assert times[-1] <= RECEIPT
    if sealed:
        assert times[0] >= SIGNED_IN
        assert times[-1] <= SIGNED_OUT


@pytest.mark.rule("JOUR-4")
@given(st.lists(st.integers(-200_000, 200_000), min_size=2, max_size=8))
def test_times_of_one_journal_never_run_back_along_the_clocks(seconds: list[int]) -> None:
    entries = [
        JournalEntry(CLIENT, clock, clock + 1, at(second), B.principal.login_id, "")
        for clock, second in enumerate(seconds)
    ]

    told = found(*reversed(entries))

    times = [one.at for one in told.journal]
    assert times == sorted(times)
    assert told.written_at == times[-1] <= RECEIPT


@pytest.mark.rule("JOUR-6")
@pytest.mark.parametrize(
    ("had", "has", "counts"),
    [
        ({"nurse"}, {"nurse"}, {"nurse"}),
        ({"nurse"}, {"doctor"}, set()),
        ({"nurse", "doctor"}, {"doctor"}, {"doctor"}),
        ({"nurse"}, {"nurse", "doctor"}, {"nurse"}),
        ({"nurse"}, set(), set()),
    ],
)
def test_roles_count_that_somebody_had_then_and_has_now(
    had: set[str], has: set[str], counts: set[str]
) -> None:
    changed = hand("A", *has, changes=((at(0), had), (at(1_800), has)))

    told = found(SEALED, signers=(changed,))

    assert told.author.roles == counts
    assert roles_at(changed, at(1_800)) == has
    assert roles_at(changed, at(-1)) == had & has, "only a wrong clock tells of before the account"


@pytest.mark.rule("JOUR-6")
def test_one_update_may_span_a_change_of_roles() -> None:
    changed = hand("B", "nurse", changes=((at(0), {"nurse"}), (at(1_500), {"doctor"}),
                                          (at(1_800), {"nurse"})))  # fmt: skip
    entries = [
        JournalEntry(CLIENT, clock, clock + 1, at(second), changed.principal.login_id, "")
        for clock, second in enumerate((1_400, 1_600, 1_900))
    ]

    told = found(*entries, sender=changed)

    assert told.author.roles == {"nurse"}
    assert [(change.at, change.roles) for change in told.roles] == [
        (at(0), {"nurse"}), (at(1_500), frozenset()), (at(1_800), {"nurse"}),
    ]  # fmt: skip
