"""The messages of the wire: y-protocols byte for byte, our extensions, and hostile frames."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedFrame
from sync.json_text import JsonValue
from sync.messages import (
    AwarenessEntry,
    AwarenessMessage,
    Journal,
    LockRequest,
    Message,
    Notice,
    PermissionDenied,
    QueryAwareness,
    Refused,
    Saved,
    SyncStep1,
    SyncStep2,
    UpdateMessage,
)
from sync.update import encode_state_vector
from sync.wire import (
    JournalEntry,
    decode_message,
    encode_awareness,
    encode_journal,
    encode_lock_request,
    encode_notice,
    encode_permission_denied,
    encode_query_awareness,
    encode_refused,
    encode_saved,
    encode_sync_step1,
    encode_sync_step2,
    encode_update_message,
)
from tests.support.update_bytes import uint
from tests.support.work import lines_run
from tests.support.yjs_vectors import load

BOUNDS = Bounds()
MADE = {name: bytes.fromhex(encoding) for name, encoding in load("messages.json").items()}
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
ENTRY = JournalEntry(40, 3, 9, AT, "login-1", "c2VhbA")


def decoded(data: bytes, bounds: Bounds = BOUNDS) -> Message:
    return decode_message(data, bounds)


def text_frame(kind: int, text: str) -> bytes:
    raw = text.encode()
    return bytes((kind,)) + uint(len(raw)) + raw


def awareness_frame(*entries: tuple[int, int, str], count: int | None = None) -> bytes:
    payload = uint(len(entries) if count is None else count)
    for client, clock, state in entries:
        payload += uint(client) + uint(clock) + uint(len(state.encode())) + state.encode()
    return b"\x01" + uint(len(payload)) + payload


def refused(data: bytes, bounds: Bounds = BOUNDS) -> None:
    with pytest.raises(MalformedFrame):
        decode_message(data, bounds)


# What y-protocols writes


def test_a_sync_step_1_of_yjs_is_read_and_written() -> None:
    assert decoded(MADE["sync_step1"]) == SyncStep1({40: 1})
    assert encode_sync_step1({40: 1}) == MADE["sync_step1"]
    assert encode_state_vector({40: 1}) == MADE["state_vector"]


def test_a_sync_step_2_of_yjs_is_read_and_written() -> None:
    assert decoded(MADE["sync_step2"]) == SyncStep2(MADE["state"])
    assert encode_sync_step2(MADE["state"]) == MADE["sync_step2"]


def test_an_update_message_of_yjs_is_read_and_written() -> None:
    assert decoded(MADE["update"]) == UpdateMessage(MADE["state"])
    assert encode_update_message(MADE["state"]) == MADE["update"]


def test_an_awareness_message_of_yjs_is_read_and_written() -> None:
    message = decoded(MADE["awareness"])

    assert isinstance(message, AwarenessMessage)
    own, relayed, gone = message.entries
    assert (own.client, own.clock) == (40, 1)
    assert own.state == {"page": "vitals", "typing": None, "name": "é😀"}
    assert relayed == AwarenessEntry(41, 7, '{"x":1}')
    assert gone == AwarenessEntry(42, 9, None)
    assert encode_awareness(message.entries) == MADE["awareness"]


def test_a_permission_denied_of_yjs_is_read_and_written() -> None:
    assert decoded(MADE["auth"]) == PermissionDenied("Not signed in – é")
    assert encode_permission_denied("Not signed in – é") == MADE["auth"]


def test_a_query_for_awareness_of_yjs_is_read_and_written() -> None:
    assert decoded(MADE["query_awareness"]) == QueryAwareness()
    assert encode_query_awareness() == MADE["query_awareness"]


# Our extensions


def test_messages_100_to_104_read_as_the_web_client_reads_them() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    reason = "Nurses do not write diagnoses – é"
    field = {"field": "diagnosis.plan", "rule": "role", "reason": reason, "value": None}

    assert decoded(MADE["saved"]) == Saved(3, 300)
    assert decoded(MADE["refused"]) == Refused({"refusal": "9.1", "version": 9, "fields": [field]})
    assert decoded(MADE["journal"]) == Journal((JournalEntry(40, 0, 3, at, "01JLOGIN", ""),))
    assert decoded(MADE["notice"]) == Notice({"event": "session_user_joined", "user": "é😀"})
    assert decoded(MADE["lock"]) == LockRequest(action="renew", field="vitals.pulse", fence=41)
    assert decoded(MADE["lock_acquire"]) == LockRequest(
        action="acquire", field="vitals.pulse", take_over=True
    )


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
def test_saved_carries_two_numbers(count: int, version: int) -> None:
    assert decoded(encode_saved(count, version)) == Saved(count, version)


def test_saved_is_the_type_and_two_numbers() -> None:
    assert encode_saved(3, 300) == b"\x64\x03\xac\x02"


def test_refused_carries_json() -> None:
    body: dict[str, JsonValue] = {
        "refusal": "7.0",
        "version": 7,
        "fields": [{"field": "a.é", "value": None}],
    }

    assert decoded(encode_refused(body)) == Refused(body)
    assert encode_refused({"a": 1}) == text_frame(101, '{"a":1}')


def test_a_notice_carries_json() -> None:
    assert decoded(encode_notice({"event": "locked"})) == Notice({"event": "locked"})
    assert encode_notice({"event": 1}) == text_frame(103, '{"event":1}')


def test_a_journal_survives_encoding() -> None:
    assert decoded(encode_journal([ENTRY, ENTRY])) == Journal((ENTRY, ENTRY))
    assert encode_journal([]) == text_frame(102, "[]")


def test_a_journal_entry_may_be_of_no_clocks() -> None:
    reading = JournalEntry(0, 0, 0, AT, "login-1", "")

    assert decoded(encode_journal([reading])) == Journal((reading,))


@pytest.mark.parametrize(
    "written_at",
    [
        "1767323045678",
        '"2026-01-02T03:04:05.678Z"',
        '"2026-01-02T03:04:05.678999Z"',
        '"2026-01-02T05:04:05.678+02:00"',
    ],
)
def test_an_instant_of_the_journal_is_milliseconds_or_iso_8601(written_at: str) -> None:
    message = decoded(text_frame(102, f'[[40,3,9,{written_at},"login-1","c2VhbA"]]'))

    assert message == Journal((ENTRY,))
    assert ENTRY.written_at_ms == 1767323045678


def test_an_instant_in_another_zone_is_the_same_instant() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    entry = JournalEntry(40, 3, 9, elsewhere, "login-1", "c2VhbA")

    assert encode_journal([entry]) == encode_journal([ENTRY])


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "{}", "1", "[1]", "[[]]", "[[1,2,3]]", '[{"client":1}]'),
        '[[1,0,1,0,"l","s",0]]',
        '[["1",0,1,0,"l","s"]]',
        '[[true,0,1,0,"l","s"]]',
        '[[1,false,1,0,"l","s"]]',
        '[[1,0,true,0,"l","s"]]',
        '[[1.0,0,1,0,"l","s"]]',
        '[[-1,0,1,0,"l","s"]]',
        '[[9007199254740992,0,1,0,"l","s"]]',
        '[[1,-1,1,0,"l","s"]]',
        '[[1,2,1,0,"l","s"]]',
        '[[1,0,2147483648,0,"l","s"]]',
        '[[1,0,1,0,"","s"]]',
        '[[1,0,1,0,null,"s"]]',
        '[[1,0,1,0,"l",null]]',
        '[[1,0,1,0,"l","%s"]]' % ("s" * 257),
        '[[1,0,1,0,"%s","s"]]' % ("l" * 257),
        '[[1,0,1,-1,"l","s"]]',
        '[[1,0,1,true,"l","s"]]',
        '[[1,0,1,1.5,"l","s"]]',
        '[[1,0,1,253402300800000,"l","s"]]',
        '[[1,0,1,"2026-01-02T03:04:05","l","s"]]',
        '[[1,0,1,"2026-01-02","l","s"]]',
        '[[1,0,1,"1900-01-02T03:04:05Z","l","s"]]',
        '[[1,0,1,"0001-01-01T00:00:00+23:59","l","s"]]',
        '[[1,0,1,"9999-12-31T23:59:59-23:59","l","s"]]',
        '[[1,0,1,"yesterday","l","s"]]',
        '[[[1],0,1,0,"l","s"]]',
    ],
)
def test_a_journal_of_another_shape_is_refused(text: str) -> None:
    refused(text_frame(102, text))


def test_a_journal_is_bounded() -> None:
    frame = encode_journal([ENTRY] * 3)

    assert decoded(frame, Bounds(max_journal_entries=3))
    with pytest.raises(FrameTooLarge):
        decode_message(frame, Bounds(max_journal_entries=2))


# Strictness


WHOLE = [
    *(MADE[name] for name in ("sync_step1", "sync_step2", "update", "awareness", "auth")),
    MADE["query_awareness"],
    encode_saved(1, 300),
    encode_refused({"refusal": "1.0"}),
    encode_notice({"event": "x"}),
    encode_journal([ENTRY]),
]


@pytest.mark.parametrize(
    "request_",
    [
        LockRequest(action="acquire", field="vitals.pulse"),
        LockRequest(action="renew", field="assessment.notes", fence=2**53 - 1),
        LockRequest(action="release", field="x", fence=0, take_over=True),
    ],
)
def test_a_lock_message_says_what_is_wanted_of_which_lock(request_: LockRequest) -> None:
    assert decoded(encode_lock_request(request_)) == request_


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{}", '{"action":"acquire"}', '{"field":"a"}'),
        '{"action":"steal","field":"a"}',
        '{"action":"acquire","field":1}',
        '{"action":"acquire","field":null}',
        '{"action":"acquire","field":"a","fence":-1}',
        '{"action":"acquire","field":"a","fence":9007199254740992}',
        '{"action":"acquire","field":"a","fence":true}',
        '{"action":"acquire","field":"a","fence":"1"}',
        '{"action":"acquire","field":"a","fence":1.5}',
        '{"action":"acquire","field":"a","take_over":1}',
        '{"action":"acquire","field":"a","holder":"b"}',
        '{"action":"acquire","field":{"a":1}}',
        '{"action":"acquire","field":"' + "a" * 512 + '"}',
    ],
)
def test_a_lock_message_of_another_shape_is_refused(text: str) -> None:
    refused(text_frame(104, text))


@pytest.mark.parametrize("frame", WHOLE)
def test_bytes_after_the_message_are_refused(frame: bytes) -> None:
    assert decoded(frame)
    refused(frame + b"\x00")
    refused(frame + frame)


@pytest.mark.parametrize("frame", WHOLE)
def test_a_truncated_message_is_refused(frame: bytes) -> None:
    for end in range(len(frame)):
        refused(frame[:end])


@pytest.mark.parametrize("kind", [4, 5, 8, 99, 105, 127, 2**40])
def test_unknown_messages_are_refused(kind: int) -> None:
    refused(uint(kind) + b"\x00\x00")
    refused(uint(kind))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x00\x03\x00", id="unknown sync message"),
        pytest.param(b"\x02\x01\x00", id="unknown auth message"),
        pytest.param(b"\x80\x00\x00\x01\x00", id="type not in its shortest form"),
        pytest.param(b"\x00\x80\x00\x01\x00", id="sync type not in its shortest form"),
        pytest.param(b"\x00\x02\x82\x00\x00\x00", id="length not in its shortest form"),
        pytest.param(b"\x00\x00\x02\x00\x00", id="bytes after the state vector"),
        pytest.param(b"\x64\x80\x00\x01", id="count not in its shortest form"),
        pytest.param(text_frame(101, "[]"), id="refused without an object"),
        pytest.param(text_frame(103, "null"), id="notice without an object"),
        pytest.param(text_frame(103, '{"a":NaN}'), id="no JSON"),
        pytest.param(b"\x02\x00\x02\xed\xa0", id="reason not UTF-8"),
    ],
)
def test_malformed_messages_are_refused(frame: bytes) -> None:
    refused(frame)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(awareness_frame((1, 0, "{}"), (1, 1, "{}")), id="repeated client"),
        pytest.param(awareness_frame((2**53, 0, "{}")), id="giant client"),
        pytest.param(awareness_frame((1, 2**31, "{}")), id="giant clock"),
        pytest.param(awareness_frame((1, 0, "{}"), count=2), id="too few entries"),
        pytest.param(awareness_frame((1, 0, "{}"), count=0), id="too many entries"),
    ],
)
def test_malformed_awareness_is_refused(frame: bytes) -> None:
    refused(frame)


@pytest.mark.parametrize(
    "state", ["", "7", "[]", "{", '{"a":"\\ud800"}', " null", '{"a":1,"a":2}', '{"a":' * 9]
)
def test_a_state_that_is_no_json_object_is_found_out_by_who_looks_at_it(state: str) -> None:
    message = decoded(awareness_frame((1, 0, state), (2, 0, "{}")))

    assert isinstance(message, AwarenessMessage)
    broken, whole = message.entries
    assert whole.state == {}
    with pytest.raises(MalformedFrame):
        assert broken.state


def test_a_state_that_is_no_utf_8_does_not_pass_as_it_came() -> None:
    message = decoded(b"\x01\x05\x01\x01\x00\x01\xff")

    assert isinstance(message, AwarenessMessage)
    with pytest.raises(MalformedFrame):
        assert message.entries[0].state


# Bounds


def test_a_frame_larger_than_the_bound_is_too_large() -> None:
    with pytest.raises(FrameTooLarge):
        decode_message(MADE["update"], Bounds(max_frame_bytes=len(MADE["update"]) - 1))


def test_awareness_entries_are_bounded() -> None:
    frame = awareness_frame(*[(i, 0, "{}") for i in range(4)])

    assert decoded(frame, Bounds(max_awareness_entries=4))
    with pytest.raises(FrameTooLarge):
        decode_message(frame, Bounds(max_awareness_entries=3))


def test_reasons_are_bounded() -> None:
    with pytest.raises(FrameTooLarge):
        decode_message(encode_permission_denied("x" * 11), Bounds(max_reason_bytes=10))


@pytest.mark.parametrize("levels", [33, 1000, 20_000, 100_000])
@pytest.mark.parametrize("kind", [101, 102, 103, 104])
def test_json_nested_too_deeply_is_refused_without_recursion(kind: int, levels: int) -> None:
    with pytest.raises(FrameTooLarge):
        decode_message(text_frame(kind, '[{"a":' * levels), BOUNDS)


@pytest.mark.parametrize("claimed", [100, 2**31, 2**50, 2**53 - 1])
@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\x00\x02", id="update"),
        pytest.param(b"\x01", id="awareness"),
        pytest.param(b"\x02\x00", id="reason"),
        pytest.param(b"\x66", id="journal"),
        pytest.param(b"\x67", id="notice"),
    ],
)
def test_a_claimed_length_is_refused_at_once(head: bytes, claimed: int) -> None:
    frame = head + uint(claimed) + b"{}"

    refused(frame)
    assert lines_run(lambda: decode_message(frame, BOUNDS)) < 100


@pytest.mark.parametrize("claimed", [100, 2**31, 2**50, 2**53 - 1])
def test_a_claimed_number_of_awareness_entries_is_refused_at_once(claimed: int) -> None:
    frame = awareness_frame((1, 0, "{}"), count=claimed)

    refused(frame)
    assert lines_run(lambda: decode_message(frame, BOUNDS)) < 100


# Whatever the bytes


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_malformed(data: bytes) -> None:
    try:
        decode_message(data, BOUNDS)
    except MalformedFrame:
        pass


@given(st.sampled_from(WHOLE), st.data())
def test_no_damaged_message_raises_anything_but_malformed(
    frame: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(frame) - 1))
    end = place + data.draw(st.integers(0, 3))

    damaged = frame[:place] + data.draw(st.binary(max_size=4)) + frame[end:]

    try:
        decode_message(damaged, BOUNDS)
    except MalformedFrame:
        pass


@given(st.integers(0, 103), st.text(max_size=40))
def test_no_text_raises_anything_but_malformed(kind: int, text: str) -> None:
    try:
        decode_message(bytes((kind,)) + uint(len(text.encode())) + text.encode(), BOUNDS)
    except MalformedFrame:
        pass
