"""WebSocket messages ↔ values: y-protocols' own (0 to 3) and Fieldchart's extensions (100 to 104).

One message per frame, as y-websocket sends them; bytes after it are malformed. Updates stay bytes
here (`sync/update.py` decodes them). Sources: y-protocols `sync.js`, `awareness.js`, `auth.js`;
contract, section 3. SPEC WIRE.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from sync.bounds import Bounds
from sync.errors import FrameTooLarge, MalformedFrame
from sync.journal_entries import JournalEntry, read_entries, write_entries
from sync.json_text import parse_json
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
from sync.update_decode import decode_state_vector
from sync.update_encode import encode_state_vector
from sync.varint import read_bytes, read_string, read_varuint, varuint, write_string

__all__ = [
    "JournalEntry",
    "decode_message",
    "encode_awareness",
    "encode_journal",
    "encode_lock_request",
    "encode_notice",
    "encode_permission_denied",
    "encode_query_awareness",
    "encode_refused",
    "encode_saved",
    "encode_sync_step1",
    "encode_sync_step2",
    "encode_update_message",
]

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = 0, 1, 2, 3
SAVED, REFUSED, JOURNAL, NOTICE, LOCK = 100, 101, 102, 103, 104
STEP1, STEP2, UPDATE = 0, 1, 2
PERMISSION_DENIED = 0


MAX_LOCK_REQUEST = 512
"""Characters of a lock message: a field's name, an action and a number."""


_T = TypeVar("_T")


def decode_message(data: bytes, bounds: Bounds) -> Message:
    """The one message of a frame.

    Raises MalformedFrame (MalformedUpdate for its payload), FrameTooLarge; nothing else.
    """
    if len(data) > bounds.max_frame_bytes:
        raise FrameTooLarge("The frame is too large.")
    kind, position = read_varuint(data, 0)
    if kind == SYNC:
        return _decode_sync(data, position, bounds)
    if kind == AWARENESS:
        payload, position = read_bytes(data, position)
        return _whole(data, position, AwarenessMessage(_decode_awareness(payload, bounds)))
    if kind == AUTH:
        return _decode_auth(data, position, bounds)
    if kind == QUERY_AWARENESS:
        return _whole(data, position, QueryAwareness())
    if kind == SAVED:
        count, position = read_varuint(data, position)
        version, position = read_varuint(data, position)
        return _whole(data, position, Saved(count, version))
    if kind not in (REFUSED, JOURNAL, NOTICE, LOCK):
        raise MalformedFrame("A message is of an unknown type.")
    text, position = read_string(data, position)
    if kind == LOCK:
        return _whole(data, position, _lock_request(text, bounds))
    if kind == JOURNAL:
        return _whole(data, position, Journal(read_entries(text, bounds)))
    body = parse_json(text, bounds.max_nesting, [bounds.max_value_items])
    if not isinstance(body, dict):
        raise MalformedFrame("A message is no JSON object.")
    return _whole(data, position, Refused(body) if kind == REFUSED else Notice(body))


def _whole(data: bytes, position: int, message: _T) -> _T:
    if position != len(data):
        raise MalformedFrame("Bytes follow the message.")
    return message


def _decode_sync(data: bytes, position: int, bounds: Bounds) -> Message:
    step, position = read_varuint(data, position)
    payload, position = read_bytes(data, position)
    if position != len(data):
        raise MalformedFrame("Bytes follow the message.")
    if step == STEP1:
        return SyncStep1(decode_state_vector(payload, bounds))
    if step == STEP2:
        return SyncStep2(payload)
    if step == UPDATE:
        return UpdateMessage(payload)
    raise MalformedFrame("A sync message is of an unknown type.")


def _decode_auth(data: bytes, position: int, bounds: Bounds) -> Message:
    kind, position = read_varuint(data, position)
    reason, position = read_string(data, position)
    if kind != PERMISSION_DENIED:
        raise MalformedFrame("An auth message is of an unknown type.")
    if len(reason) > bounds.max_reason_bytes:
        raise FrameTooLarge("A reason is too long.")
    return _whole(data, position, PermissionDenied(reason))


def _decode_awareness(data: bytes, bounds: Bounds) -> tuple[AwarenessEntry, ...]:
    count, position = read_varuint(data, 0)
    if count * 3 > len(data) - position:
        raise MalformedFrame("A count exceeds the bytes that follow.")
    if count > bounds.max_awareness_entries:
        raise FrameTooLarge("An awareness message has too many entries.")
    entries: dict[int, AwarenessEntry] = {}
    for _ in range(count):
        client, position = read_varuint(data, position)
        clock, position = read_varuint(data, position)
        raw, position = read_bytes(data, position)
        if client in entries or client > bounds.max_client_id or clock > bounds.max_clock:
            raise MalformedFrame("An awareness entry is repeated or holds an impossible number.")
        entries[client] = _awareness_entry(client, clock, raw)
    return _whole(data, position, tuple(entries.values()))


def _awareness_entry(client: int, clock: int, raw: bytes) -> AwarenessEntry:
    if raw == b"null":
        return AwarenessEntry(client, clock, None)
    # What is no UTF-8 is no JSON either: whoever looks at it will find out.
    return AwarenessEntry(client, clock, raw.decode(errors="replace"))


def _lock_request(text: str, bounds: Bounds) -> LockRequest:
    if len(text) > MAX_LOCK_REQUEST:
        raise FrameTooLarge("A lock message is too long.")
    body = parse_json(text, 1, [bounds.max_value_items])
    try:
        request = msgspec.convert(body, LockRequest, strict=True)
    except msgspec.ValidationError:
        raise MalformedFrame("A lock message is not of the agreed shape.") from None
    if request.fence is not None and not 0 <= request.fence < 2**53:
        raise MalformedFrame("A fencing number is impossible.")
    return request


def encode_sync_step1(state_vector: dict[int, int]) -> bytes:
    """A frame that asks for what is not in `state_vector`."""
    return _sync_frame(STEP1, encode_state_vector(state_vector))


def encode_sync_step2(update: bytes) -> bytes:
    """A frame that answers a SyncStep1 with a Yjs update, v1."""
    return _sync_frame(STEP2, update)


def encode_update_message(update: bytes) -> bytes:
    """A frame that carries a live Yjs update, v1."""
    return _sync_frame(UPDATE, update)


def _sync_frame(step: int, payload: bytes) -> bytes:
    return b"".join((bytes((SYNC, step)), varuint(len(payload)), payload))


def encode_awareness(entries: Iterable[AwarenessEntry]) -> bytes:
    """A frame with the `state_json` of each entry, `null` for those who are gone."""
    payload = bytearray()
    count = 0
    for entry in entries:
        count += 1
        payload += varuint(entry.client) + varuint(entry.clock)
        write_string(payload, "null" if entry.state_json is None else entry.state_json)
    head = varuint(count)
    return b"".join((bytes((AWARENESS,)), varuint(len(head) + len(payload)), head, payload))


def encode_permission_denied(reason: str) -> bytes:
    """A frame that tells people why the connection ends."""
    return _text_frame(bytes((AUTH, PERMISSION_DENIED)), reason.encode())


def encode_query_awareness() -> bytes:
    """A frame that asks for every awareness entry."""
    return bytes((QUERY_AWARENESS,))


def encode_saved(count: int, version: int) -> bytes:
    """A frame: `count` update-carrying messages of this connection are durable."""
    return bytes((SAVED,)) + varuint(count) + varuint(version)


def encode_refused(body: Mapping[str, object]) -> bytes:
    """A frame: `body` is `{refusal, version, fields}`, of JSON values."""
    return _text_frame(bytes((REFUSED,)), msgspec.json.encode(body))


def encode_notice(body: Mapping[str, object]) -> bytes:
    """A frame: `body` is `{event, …}`, of JSON values."""
    return _text_frame(bytes((NOTICE,)), msgspec.json.encode(body))


def encode_lock_request(request: LockRequest) -> bytes:
    """A frame that asks for a lock, its renewal or its release."""
    return _text_frame(bytes((LOCK,)), msgspec.json.encode(request))


def encode_journal(entries: Iterable[JournalEntry]) -> bytes:
    """A frame that describes the update after it; instants as milliseconds."""
    return _text_frame(bytes((JOURNAL,)), write_entries(entries))


def _text_frame(head: bytes, text: bytes) -> bytes:
    return b"".join((head, varuint(len(text)), text))
