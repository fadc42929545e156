"""A record as people and scripts read it: sections, narratives, disputed fields. Pure.

Numbers that are whole come out as integers: Yjs knows only one kind of number.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from permissions.fields import Field
from permissions.profile import Profile
from sync.books import Books
from sync.document import Document
from sync.json_value import plain
from sync.place import RECORD_ROOT

__all__ = ["Chart", "Shown", "chart_in", "chart_of", "disputed_fields"]


class Shown(Protocol):
    """What people read of a room."""

    @property
    def document(self) -> Document: ...

    @property
    def profile(self) -> Profile: ...

    @property
    def books(self) -> Books: ...

    @property
    def version(self) -> int: ...


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What the document shows. fields: section → {key: value}; texts: narrative → text."""

    facts: dict[str, object]
    fields: dict[str, dict[str, object]]
    texts: dict[str, str]
    disputed: list[str]
    version: int


def chart_of(room: Shown, may_read: Callable[[Field], bool] | None = None) -> Chart:
    """The room's document as plain values, without what `may_read` denies."""
    return chart_in(
        room.document, room.profile, room.version, may_read, disputed=disputed_fields(room)
    )


def chart_in(
    document: Document,
    profile: Profile,
    version: int,
    may_read: Callable[[Field], bool] | None = None,
    *,
    disputed: list[str] | None = None,
) -> Chart:
    """A document as plain values. disputed: where it is not known, the record's own list of it."""
    fields: dict[str, dict[str, object]] = {}
    texts: dict[str, str] = {}
    for root, kind in profile.roots.items():
        if kind == "text":
            field = profile.field_at(root, None)
            if field is not None and (may_read is None or may_read(field)):
                texts[root] = document.text(root)
            continue
        section = {}
        for key, value in document.section(root).items():
            field = profile.field_at(root, key)
            if value is None or field is None or (may_read is not None and not may_read(field)):
                continue
            section[key] = plain(value)
        fields[root] = dict(sorted(section.items()))
    facts = {key: plain(v) for key, v in document.section(RECORD_ROOT).items()}
    if disputed is None:
        listed = facts.get("disputed")
        disputed = [str(name) for name in listed] if isinstance(listed, list) else []
    return Chart(
        facts=facts, fields=fields, texts=texts, disputed=disputed, version=version
    )  # fmt: skip


def disputed_fields(room: Shown) -> list[str]:
    """Names of the critical fields whose concurrent values nobody has decided yet."""
    return sorted(
        place.name
        for place, register in room.books.registers.items()
        if register.conflict_id is not None and place.field is not None and place.field.critical
    )
