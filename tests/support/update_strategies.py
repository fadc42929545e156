"""Hypothesis strategies for everything the codec can hold."""

import json

from hypothesis import strategies as st

from sync.any_value import AnyValue
from sync.ranges import normalised
from sync.structs import (
    UNDEFINED,
    BigInt,
    Deletes,
    Id,
    Kind,
    Struct,
    StructsByClient,
    TypeContent,
)
from sync.update import utf16_length

SAFE = 2**53 - 1

client_ids = st.integers(0, 9) | st.integers(0, 2**32 - 1) | st.integers(0, SAFE)
clocks = st.integers(0, 200) | st.integers(0, 2**30)
ids: st.SearchStrategy[Id] = st.tuples(client_ids, clocks)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
keys = names.filter(lambda key: key != "__proto__")

scalars: st.SearchStrategy[AnyValue] = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats()
    | st.floats(width=32)
    | texts
    | st.binary(max_size=8)
    | st.integers(-(2**63), 2**63 - 1).map(BigInt)
    | st.just(UNDEFINED)
)
any_values: st.SearchStrategy[AnyValue] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
json_texts = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=False))
json_texts = json_texts.filter(lambda text: "Infinity" not in text)


def _content(kind: int) -> st.SearchStrategy[tuple[int, object]]:
    """`(length, content)` of a struct of this kind."""
    match kind:
        case Kind.GC | Kind.DELETED | Kind.SKIP:
            return st.tuples(st.integers(1, 300), st.none())
        case Kind.JSON:
            lists = st.lists(json_texts | st.just("undefined"), min_size=1, max_size=4)
            return lists.map(lambda entries: (len(entries), tuple(entries)))
        case Kind.STRING:
            return texts.filter(bool).map(lambda text: (utf16_length(text), text))
        case Kind.ANY:
            return st.lists(any_values, min_size=1, max_size=4).map(
                lambda values: (len(values), tuple(values))
            )
    single: dict[int, st.SearchStrategy[object]] = {
        Kind.BINARY: st.binary(max_size=20),
        Kind.EMBED: json_texts,
        Kind.FORMAT: st.tuples(names, json_texts),
        Kind.TYPE: st.sampled_from((0, 1, 2, 4, 6)).map(TypeContent)
        | st.builds(TypeContent, st.sampled_from((3, 5)), names),
        Kind.DOC: st.tuples(names, st.dictionaries(keys, scalars, max_size=3)),
    }
    return single[kind].map(lambda content: (1, content))


@st.composite
def structs(draw: st.DrawFn, client: int, clock: int) -> Struct:
    """One struct at this id, of any kind and with every combination of neighbours."""
    kind = draw(st.integers(0, 10))
    length, content = draw(_content(kind))
    if kind in (Kind.GC, Kind.SKIP):
        return Struct(client, clock, length, kind)
    origin = draw(st.none() | ids | st.just((client, max(clock - 1, 0))))
    right_origin = draw(st.none() | ids)
    if origin is not None or right_origin is not None:
        keyed = draw(st.booleans())
        return Struct(client, clock, length, kind, content, origin, right_origin, None, None, keyed)
    key = draw(st.none() | names)
    parent = draw(names | ids)
    return Struct(client, clock, length, kind, content, None, None, parent, key, key is not None)


@st.composite
def struct_sections(draw: st.DrawFn) -> StructsByClient:
    """Contiguous structs of some clients."""
    sections: StructsByClient = {}
    for client in draw(st.lists(client_ids, max_size=3, unique=True)):
        clock = draw(clocks)
        section: list[Struct] = []
        for _ in range(draw(st.integers(1, 4))):
            section.append(draw(structs(client, clock)))
            clock = section[-1].end
        sections[client] = section
    return sections


delete_ranges = st.lists(st.tuples(clocks, st.integers(1, 50)), min_size=1, max_size=6)
deletes: st.SearchStrategy[Deletes] = st.dictionaries(
    client_ids, delete_ranges.map(normalised), max_size=3
)
