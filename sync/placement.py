"""Placing: which field each new struct of an update belongs to, before anything is judged.

Pure look-ups in the field index. A struct that starts beyond the known clock, or that hangs on an
unknown id, is a gap: then nothing of the update is placed. SPEC PLACE-1 to PLACE-7.
"""

from collections.abc import Generator

from permissions.model import Rule
from sync.errors import ForeignClientId
from sync.fields import FieldIndex, Places
from sync.place import VOID
from sync.placed import Gap, Placed, Placement
from sync.structs import Id, Kind, Struct
from sync.update import Update, slice_struct

__all__ = ["RESERVED_CLIENT_IDS", "check_owners", "place_structs"]

RESERVED_CLIENT_IDS = 1024
"""Client ids below this belong to the server. Small ids come first among concurrent siblings, which
keeps a restored piece of text directly beside its original (SPEC HEAL-4)."""

MAX_CLIENTS_PER_PERSON = 2000
"""Client ids of one person in one record; a browser tab takes one. Ten times as many make state
vectors that exceed their bound, and then nobody could sync the record any more."""

STEP = 500
"""Structs placed between two yields, so that a backlog never holds up other rooms (about 2 ms)."""


def check_owners(
    update: Update, index: FieldIndex, owners: dict[int, str], user_id: str
) -> list[int]:
    """The client ids that this update uses first; they become the author's.

    Raises ForeignClientId where new structs carry the id of another person or of the server, and
    where the author uses more ids than a person may. SPEC IDENT-1, IDENT-2.
    """
    fresh: list[int] = []
    for client, structs in update.structs.items():
        if not structs or structs[-1].end <= index.next_clock(client):
            continue
        owner = owners.get(client)
        if client < RESERVED_CLIENT_IDS or (owner is not None and owner != user_id):
            raise ForeignClientId(client)
        if owner is None:
            fresh.append(client)
    if fresh:
        used = sum(owner == user_id for owner in owners.values()) + len(fresh)
        if used > MAX_CLIENTS_PER_PERSON:
            raise ForeignClientId(fresh[0])
    return fresh


def place_structs(
    update: Update, index: FieldIndex, places: Places
) -> Generator[None, None, Placement | Gap]:
    """Place all new structs of `update`; what the record already has is skipped or cut off.

    Yields now and then on a large update. Work is linear in the structs of the update.
    """
    placement = Placement([], FieldIndex())
    waiting: dict[int, list[Struct]] = {}
    for client, structs in update.structs.items():
        known = index.next_clock(client)
        fresh = _unknown_part(structs, known)
        if not fresh:
            continue
        if fresh[0].clock > known:
            return Gap((client, known))
        fresh.reverse()
        waiting[client] = fresh
        placement.draft.begin(client, known)
    if len(waiting) == 1 and len(fresh := next(iter(waiting.values()))) == 1:
        # One keystroke: nothing waits for anything else.
        one = _place_next(fresh[0], placement, index, places)
        return placement if isinstance(one, Placed) else Gap(one)
    for client in waiting:
        gap = yield from _place_client(client, waiting, index, places, placement)
        if gap is not None:
            return gap
    return placement


def _unknown_part(structs: list[Struct], known: int) -> list[Struct]:
    if structs and structs[0].clock >= known:
        return list(structs)
    fresh = [struct for struct in structs if struct.end > known]
    if fresh and fresh[0].clock < known:
        fresh[0] = slice_struct(fresh[0], known - fresh[0].clock)
    return fresh


def _place_client(
    client: int,
    waiting: dict[int, list[Struct]],
    index: FieldIndex,
    places: Places,
    placement: Placement,
) -> Generator[None, None, Gap | None]:
    """Place all of one client's structs, and first what they hang on of other clients' structs."""
    draft, placed = placement.draft, placement.placed
    stack: list[Id] = [(client, waiting[client][0].end - 1 if waiting[client] else -1)]
    climbing = {client}
    while stack:
        current, wanted = stack[-1]
        structs = waiting[current]
        while structs and structs[-1].clock <= wanted:
            struct = structs[-1]
            one = _place_next(struct, placement, index, places)
            if isinstance(one, tuple):
                if one[0] in climbing or not waiting.get(one[0]):
                    return Gap(one)
                stack.append(one)
                climbing.add(one[0])
                break
            structs.pop()
            if not len(placed) % STEP:
                yield
        else:
            if draft.next_clock(current) <= wanted:
                return Gap((current, wanted))
            stack.pop()
            climbing.discard(current)
    return None


def _place_next(
    struct: Struct, placement: Placement, index: FieldIndex, places: Places
) -> Placed | Id:
    """Place the next struct of its client; or the id that nobody knows, its own for a skip."""
    if struct.kind == Kind.SKIP:
        return struct.client, struct.clock
    one = _place(struct, placement, index, places)
    if isinstance(one, Placed):
        placement.draft.extend(struct.client, struct.clock, struct.length, one.place)
        if one.place.kind == "text":
            placement.draft.anchors.add(struct)
        if struct.kind == Kind.STRING:
            placement.draft.mark_pairs(struct.client, struct.clock, str(struct.content))
        placement.placed.append(one)
    return one


def _place(struct: Struct, placement: Placement, index: FieldIndex, places: Places) -> Placed | Id:
    """The struct with its place, or the id that it hangs on and that nobody knows."""
    if struct.kind == Kind.GC:
        return Placed(struct, VOID)
    origin, right = struct.origin, struct.right_origin
    if origin is None:
        if right is None:
            return _place_by_parent(struct, placement, index, places)
        origin, right = right, None
    place = placement.place_of(index, origin)
    if place is None:
        return origin
    if right is not None:
        beside = placement.place_of(index, right)
        if beside is None:
            return right
        if beside is not place and place is not VOID:
            return Placed(struct, VOID, Rule.HISTORY, place.name)
    if place is VOID:
        return Placed(struct, VOID, Rule.UNKNOWN_FIELD, "?")
    if struct.right_origin is not None and place.key is not None:
        return Placed(struct, VOID, Rule.HISTORY, place.name)
    return Placed(struct, place)


def _place_by_parent(
    struct: Struct, placement: Placement, index: FieldIndex, places: Places
) -> Placed | Id:
    parent = struct.parent
    if not isinstance(parent, str):
        if parent is not None and placement.place_of(index, parent) is None:
            return parent
        return Placed(struct, VOID, Rule.TYPE, "?")
    place = places.at(parent, struct.key)
    if place is VOID:
        name = parent if struct.key is None else f"{parent}.{struct.key}"
        return Placed(struct, VOID, Rule.UNKNOWN_FIELD, name)
    return Placed(struct, place)
