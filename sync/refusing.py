"""Turns what the gate refused into refusals that people can read and act on. SPEC GATE-13."""

import msgspec

from sync.effects import Refusal
from sync.frame import Frame
from sync.json_value import plain
from sync.judgement import Judgement, RefusedField
from sync.structs import Kind, Struct
from sync.update import encode_update

__all__ = ["refusals_of"]

MAX_NAME = 200
"""Characters of a refused name that are kept: the peer chose it. The original stays whole."""


def refusals_of(judgement: Judgement, frame: Frame, version: int) -> tuple[Refusal, ...]:
    """One refusal per field and rule, in the order of the update."""
    author = frame.author
    return tuple(
        Refusal(
            id=f"{version}.{ordinal}",
            field=refused.name[:MAX_NAME],
            rule=refused.rule.value,
            reason=refused.reason,
            value=_value(refused),
            author=author.user_id,
            role="",
            login_id=author.login_id,
            device=author.device,
            address=author.address,
            at=frame.received_at,
            written_at=frame.written_at,
            original=_original(refused.structs),
        )
        for ordinal, refused in enumerate(judgement.refused.values(), 1)
    )


def _original(structs: list[Struct]) -> bytes:
    """The refused structs as they were sent, as an update of their own."""
    by_client: dict[int, list[Struct]] = {}
    for struct in structs:
        of_client = by_client.setdefault(struct.client, [])
        if of_client and of_client[-1].end < struct.clock:
            hole = struct.clock - of_client[-1].end
            of_client.append(Struct(struct.client, of_client[-1].end, hole, Kind.SKIP))
        of_client.append(struct)
    return encode_update(by_client, {})


def _value(refused: RefusedField) -> str:
    """JSON text of what was tried: a key's last value or the inserted text; null: a deletion."""
    texts = [str(s.content) for s in refused.structs if s.kind == Kind.STRING]
    if texts:
        return msgspec.json.encode("".join(texts)).decode()
    for struct in reversed(refused.structs):
        if struct.kind == Kind.ANY and isinstance(struct.content, tuple):
            return msgspec.json.encode(plain(struct.content[-1]), enc_hook=_no_json).decode()
    return "null"


def _no_json(value: object) -> object:
    return f"<{type(value).__name__}>"
