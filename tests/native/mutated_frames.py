"""Runs mutated frames through the core and prints a digest of all that became of them.

`python tests/native/mutated_frames.py SEED COUNT`. Two runs with the same seed differ only where
the core does, so the compiled one and its sources are compared by what they print.
"""

import hashlib
import random
import sys
from collections import Counter
from collections.abc import Iterator

from benchmarks.edits import KEYED_FIELDS, ClientEdits
from benchmarks.records import ROLES
from permissions.model import Principal
from sync.bounds import Bounds
from sync.errors import SyncError
from sync.frame import Frame, Knowledge
from sync.gate import Limits
from sync.proposal import Proposal
from sync.room import Room
from sync.update import decode_update, encode_update
from sync.wire import decode_message, encode_update_message
from tests.support.people import at, empty_room, person
from tests.support.yjs_vectors import updates

BOUNDS = Bounds()
FRAMES_PER_ROOM = 150


def main(seed: int, count: int) -> None:
    """Print how many frames ended in which way, and the digest of the whole."""
    chance = random.Random(seed)
    digest, ends = hashlib.sha256(), Counter[str]()
    for number, outcome in enumerate(outcomes(chance, count)):
        digest.update(f"{number} {outcome}\n".encode())
        ends[outcome.split(" ", 1)[0]] += 1
    print(dict(sorted(ends.items())), digest.hexdigest())


def outcomes(chance: random.Random, count: int) -> Iterator[str]:
    """What became of `count` frames as their clients wrote them, each after a mutated one."""
    vectors = [data for _, data in updates()]
    people = person("all", *ROLES), person("nurse", "nurse"), person("clerk", "receptionist")
    for start in range(0, count, FRAMES_PER_ROOM):
        room = empty_room(Limits())
        known = {author.user_id: Knowledge() for author in people}
        clients = {
            author.user_id: ClientEdits(5_000_000 + n, KEYED_FIELDS[n])
            for n, author in enumerate(people)
        }
        for number in range(start, min(start + FRAMES_PER_ROOM, count)):
            author = chance.choice(people)
            data = clients[author.user_id].next_update(chance.randrange(1000))
            other = chance.choice(vectors) if chance.random() < 0.3 else data
            for sent in (mutated(other, chance), data):
                yield became_of(sent, room, author, known[author.user_id], number)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them changed, lost, doubled or moved."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at_byte = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(4):
            case 0 if changed:
                changed[at_byte] = chance.choice((0, 1, 127, 128, 255, changed[at_byte] ^ 32))
            case 1:
                del changed[at_byte : at_byte + chance.randint(1, 4)]
            case 2:
                changed[at_byte:at_byte] = changed[: chance.randint(1, 8)]
            case _ if changed:
                changed[at_byte] = chance.randrange(256)
    return bytes(changed)


def became_of(data: bytes, room: Room, author: Principal, knowledge: Knowledge, number: int) -> str:
    """The error, or everything that the gate, the arbiter and the history made of the frame."""
    try:
        message = decode_message(encode_update_message(data), BOUNDS)
        update = decode_update(message.update, BOUNDS)  # type: ignore[union-attr]
        again = encode_update(update.structs, update.deletes)
        frame = Frame(
            update=update, author=author, knowledge=knowledge, received_at=at(number),
            written_at=at(number - number % 7),
        )  # fmt: skip
        proposal = room.propose_now(frame)
    except SyncError as error:
        return f"{type(error).__name__} {error}"
    return f"{_kind(proposal)} {again.hex()} {proposal!r} {room.hash.hex()}"


def _kind(proposal: Proposal) -> str:
    if proposal.gap is not None:
        return "gap"
    if proposal.refusals:
        return "refused"
    return "nothing" if proposal.accepted is None else "accepted"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
