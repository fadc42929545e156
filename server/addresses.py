"""What people and programs call a record: its id or its human number, in whatever case."""

import re

from storage.errors import RecordNotFound
from storage.ports import Store

__all__ = ["ADDRESS", "record_id_of"]

ADDRESS = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}\Z", re.ASCII)
"""What an id or a number looks like."""


async def record_id_of(store: Store, address: str) -> str:
    """The id of the record that an address names by id or number. Raises RecordNotFound.

    What cannot be either never reaches the store: separators, globs, NUL, letters that look alike.
    People write `opd-000412`: what is not there as it is written is looked for in capitals.
    """
    if not ADDRESS.match(address):
        raise RecordNotFound
    try:
        return await store.records.resolve(address)
    except RecordNotFound:
        if address == address.upper():
            raise
        return await store.records.resolve(address.upper())
