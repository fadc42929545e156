"""Human numbers that are handed to people in advance, for records that they make offline.

A number is handed to one person and never again, used or not: nothing takes a row out of the table.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import NumbersHeld
from storage.heads import next_number
from storage.tables import handed_numbers, records

__all__ = ["MOST_UNUSED", "hand_out", "owner_of"]

MOST_UNUSED = 400
"""Numbers of one kind that one person may hold unused, over all devices: twenty tablets with twenty
each. Who only collects numbers would leave gaps for ever."""


def hand_out(
    connection: Connection, prefix: str, count: int, user_id: str, at: int
) -> Sequence[str]:
    """New numbers of this prefix, which are `user_id`'s from now on. Raises NumbersHeld."""
    unused = connection.execute(
        select(func.count())
        .select_from(handed_numbers.outerjoin(records, records.c.number == handed_numbers.c.number))
        .where(
            handed_numbers.c.user_id == user_id,
            handed_numbers.c.prefix == prefix,
            records.c.id.is_(None),
        )
    ).scalar_one()
    if unused + count > MOST_UNUSED:
        raise NumbersHeld(unused)
    given = [next_number(connection, prefix) for _ in range(count)]
    connection.execute(
        insert(handed_numbers),
        [{"number": one, "prefix": prefix, "user_id": user_id, "at": at} for one in given],
    )
    return given


async def owner_of(connection: AsyncConnection, number: str) -> str | None:
    """To whom the number was handed; None for one that was not handed out."""
    wanted = select(handed_numbers.c.user_id).where(handed_numbers.c.number == number)
    return (await connection.execute(wanted)).scalar_one_or_none()
