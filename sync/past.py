"""The document as it stood at an earlier version: a snapshot and the rows after it, replayed.

Never derived from the live document, which has forgotten what was overwritten. Knows the document
alone: no books are kept, nothing is judged. SPEC PAST-1, PAST-2.
"""

from collections.abc import Generator, Sequence

import msgspec

from sync.annotations import decode_annotations
from sync.document import Document
from sync.effects import EMPTY_HASH, Snapshot, UpdateRow, chain_hash
from sync.errors import CorruptLog, DocumentSuspect
from sync.ranges import merge_deletes
from sync.structs import Deletes
from sync.update import encode_update
from sync.view import Chart

__all__ = ["Difference", "Past", "differences"]

ROWS_PER_STEP = 500
"""Rows replayed between two yields (a few milliseconds)."""


class Past:
    """A document on its way through a log. Starts empty, or as a snapshot has it.

    Raises DocumentSuspect where the snapshot is none.
    """

    def __init__(self, server_client: int, snapshot: Snapshot | None) -> None:
        self.document = Document(server_client, None if snapshot is None else snapshot.document)
        self.version = 0 if snapshot is None else snapshot.version
        self._hash = EMPTY_HASH if snapshot is None else snapshot.hash

    def advance(self, rows: Sequence[UpdateRow], to: int) -> Generator[None, None, None]:
        """Apply the rows that follow, up to version `to`; rows before are passed over.

        Raises CorruptLog naming the first version that does not replay; the document is then to be
        thrown away.
        """
        for at, row in enumerate(rows, 1):
            if row.version > to:
                break
            if row.version > self.version:
                self._apply(row)
            if not at % ROWS_PER_STEP:
                yield
        if self.version < to:
            raise CorruptLog("A row of the log is missing.", version=self.version + 1)

    def _apply(self, row: UpdateRow) -> None:
        if row.version != self.version + 1:
            raise CorruptLog("A row of the log is missing.", version=self.version + 1)
        hash_ = chain_hash(self._hash, row)
        if hash_ != row.hash:
            raise CorruptLog("The log's hash chain is broken.", version=row.version)
        try:
            if row.annotations:
                first: Deletes = {}
                for client, clock in decode_annotations(row.annotations).splits:
                    first = merge_deletes(first, {client: [(clock, 2)]})
                if first:
                    self.document.apply(encode_update({}, first))
            self.document.apply(row.update)
        except (CorruptLog, DocumentSuspect) as error:
            raise CorruptLog("A stored update does not replay.", version=row.version) from error
        self.version, self._hash = row.version, hash_


class Difference(msgspec.Struct, frozen=True):
    """A field that two states of a record show differently; None: it holds nothing."""

    field: str
    old: object
    new: object


def differences(before: Chart, after: Chart) -> list[Difference]:
    """The fields in which two charts differ, by name."""
    old, new = _named(before), _named(after)
    return [
        Difference(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _named(chart: Chart) -> dict[str, object]:
    sections = {**chart.fields, "record": chart.facts}
    named = {
        f"{section}.{key}": value
        for section, values in sections.items()
        for key, value in values.items()
    }
    return named | {name: text for name, text in chart.texts.items() if text}
