"""Whether the stored refusals and conflicts are those that were raised, as they were decided.

A conflict follows from the log; who decided it and why, and all of a refusal, stands in the trail
by its digest.
"""

from collections.abc import Mapping

import msgspec

from server.audit.digests import digest_of, parts_of
from storage.loading import Judged, WholeRecord
from sync.annotations import decode_annotations
from sync.arbiter import describe_conflict
from sync.deciding import AGREED
from sync.effects import Conflict, Refusal
from sync.json_value import plain
from sync.resolving import disputed_place
from sync.room import Room

__all__ = ["altered_conflict", "altered_refusal"]

_DONE = {"apply": "applied", "dismiss": "dismissed"}


def altered_refusal(whole: WholeRecord) -> tuple[int, str] | None:
    """(version, reason) of the first refusal that is not as it was raised or decided, or None."""
    raised: dict[int, dict[str, str]] = {}
    decided: dict[str, tuple[str, str | None]] = {}
    for entry in whole.judged:
        parts = parts_of(entry.detail)
        if entry.action == "refuse" and "fields" in parts:
            raised[entry.version] = parts
        elif entry.action in _DONE and "refusal" in parts:
            decided[parts["refusal"]] = _DONE[entry.action], parts.get("digest")
    kept: dict[int, list[Refusal]] = {}
    for refusal in whole.refusals:
        kept.setdefault(_version(refusal.id), []).append(refusal)
    for version in sorted({*raised, *kept}):
        of_version = sorted(kept.get(version, ()), key=_ordinal)
        told = raised.get(version, {"fields": "0"})
        if str(len(of_version)) != told["fields"]:
            return version, "the trail tells of another number of refusals"
        digest = told.get("digest")
        if digest is not None and digest != _digest_when_raised(whole, version, of_version):
            return version, "a refusal is not as it was raised"
        for refusal in of_version:
            if not _is_as_decided(refusal, decided):
                return version, "a refusal was not decided as it says"
    return None


def _digest_when_raised(whole: WholeRecord, version: int, refusals: list[Refusal]) -> str:
    undecided = [
        msgspec.structs.replace(
            refusal, status="open", decided_by=None, decided_at=None, decision_reason=None
        )
        for refusal in refusals
    ]
    row = whole.rows[version - 1] if version <= len(whole.rows) else None
    return digest_of(b"" if row is None else row.hash, undecided)


def _is_as_decided(refusal: Refusal, decided: Mapping[str, tuple[str, str | None]]) -> bool:
    status, digest = decided.get(refusal.id, ("open", None))
    if refusal.status != status:
        return False
    return digest is None or digest == digest_of(refusal.original, [refusal])


def altered_conflict(whole: WholeRecord, room: Room) -> tuple[int, str] | None:
    """(version, reason) of the first conflict that is not what the log tells, or None.

    room: as the whole log leaves it.
    """
    raised = {
        register.conflict_id
        for row in whole.rows
        for register in decode_annotations(row.annotations).registers
        if register.conflict_id is not None
    }
    stored = {conflict.id: conflict for conflict in whole.conflicts}
    for id in sorted({*raised, *stored}, key=_place):
        conflict = stored.get(id)
        if conflict is None:
            return _version(id), "a conflict is missing"
        if id not in raised:
            return _version(id), "the log tells of no such conflict"
        if not _is_as_told(conflict, whole, room):
            return _version(id), "a conflict is not as the log and the trail tell it"
    return None


def _is_as_told(conflict: Conflict, whole: WholeRecord, room: Room) -> bool:
    place = disputed_place(room, conflict.id)
    if place is not None:
        told = describe_conflict(room.registers[place], place, conflict.id)
        return _decoded(told) == _decoded(conflict)
    if conflict.status != "resolved":
        return False
    entry = next((one for one in whole.judged if _decides(one, conflict)), None)
    if entry is None:
        return conflict.reason == AGREED
    digest = parts_of(entry.detail).get("digest")
    return digest is None or digest == digest_of(whole.rows[entry.version - 1].hash, [conflict])


def _decides(entry: Judged, conflict: Conflict) -> bool:
    return entry.action == "resolve" and parts_of(entry.detail).get("conflict") == conflict.id


def _decoded(conflict: Conflict) -> Conflict:
    """With its values in one form: how a number was written depends on the version of ours."""
    values = tuple(
        msgspec.structs.replace(value, value=_in_one_form(value.value)) for value in conflict.values
    )
    return msgspec.structs.replace(conflict, base=_in_one_form(conflict.base), values=values)


def _in_one_form(text: str) -> str:
    return msgspec.json.encode(plain(msgspec.json.decode(text)), order="deterministic").decode()


def _place(id: str) -> tuple[int, int]:
    version, _, ordinal = id.partition(".")
    known = version.isdecimal() and ordinal.isdecimal()
    return (int(version), int(ordinal)) if known else (0, 0)


def _version(id: str) -> int:
    return _place(id)[0]


def _ordinal(refusal: Refusal) -> tuple[int, int]:
    return _place(refusal.id)
