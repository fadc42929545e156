"""What is known of a record without its document: its head, the board's facts, its number."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, exists, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.columns import folded, instant, micros, strings, strings_text
from storage.errors import RecordNotFound, RecordPruned
from storage.ports import RecordFilter, RecordHead, StepCount
from storage.tables import numbers, records
from sync.effects import RecordFacts

__all__ = [
    "FACT_COLUMNS",
    "HEAD_COLUMNS",
    "fact_values",
    "head_of",
    "human_number",
    "matches",
    "next_number",
    "queue_place",
    "read_board",
    "read_queue",
    "read_step_counts",
    "resolve",
    "search_text",
    "waits",
]

FACT_COLUMNS = (
    "number",
    "profile",
    "patient_id",
    "status",
    "current_step",
    "title",
    "search_text",
    "search_folded",
    "disputed",
    "assigned",
    "created_at",
    "updated_at",
    "step_status",
    "priority",
    "waiting_since",
    "started_at",
    "started_by",
    "measures",
)
"""The columns of `records` in the order of `fact_values`."""

HEAD_COLUMNS = (
    "id",
    "epoch",
    "version",
    *(name for name in FACT_COLUMNS if name != "search_folded"),
)
"""The columns that `head_of` reads."""


WAITING = ("ready", "returned")
"""The states of a step in which a record waits for somebody to call it."""


def search_text(facts: RecordFacts) -> str:
    """The folded text in which `RecordFilter.text` is looked for."""
    return folded(facts.number, facts.title, facts.search_text)


def fact_values(facts: RecordFacts) -> tuple[object, ...]:
    """The facts as columns. Raises ValueError for an instant that is not UTC."""
    return (
        facts.number,
        facts.profile,
        facts.patient_id,
        facts.status,
        facts.current_step,
        facts.title,
        facts.search_text,
        search_text(facts),
        strings_text(facts.disputed),
        strings_text(facts.assigned),
        micros(facts.created_at),
        micros(facts.updated_at),
        facts.step_status,
        facts.priority,
        micros(facts.waiting_since),
        0 if facts.started_at is None else micros(facts.started_at),
        facts.started_by,
        facts.measures,
    )


def head_of(row: RowMapping | dict[str, Any]) -> RecordHead:
    """The head from a row of `records`, by column name."""
    facts = RecordFacts(
        number=row["number"],
        profile=row["profile"],
        patient_id=row["patient_id"],
        status=row["status"],
        current_step=row["current_step"],
        step_status=row["step_status"],
        priority=row["priority"],
        waiting_since=instant(row["waiting_since"]),
        title=row["title"],
        search_text=row["search_text"],
        disputed=strings(row["disputed"]),
        assigned=strings(row["assigned"]),
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
        started_at=instant(row["started_at"]) if row["started_at"] else None,
        started_by=row["started_by"],
        measures=row["measures"],
    )
    return RecordHead(id=row["id"], epoch=row["epoch"], version=row["version"], facts=facts)


def matches(wanted: RecordFilter, head: RecordHead) -> bool:
    """What `read_board` filters in SQL, for a store that has none."""
    facts = head.facts
    return (
        (wanted.profile is None or facts.profile == wanted.profile)
        and (wanted.step is None or facts.current_step == wanted.step)
        and (wanted.status is None or facts.status == wanted.status)
        and (wanted.assigned is None or wanted.assigned in facts.assigned)
        and (wanted.patient is None or facts.patient_id == wanted.patient)
        and (wanted.text is None or folded(wanted.text) in search_text(facts))
        and (wanted.after is None or head.id < wanted.after)
        and (wanted.after_queued is None or queue_place(head) > wanted.after_queued)
    )


async def read_board(connection: AsyncConnection, wanted: RecordFilter) -> Sequence[RecordHead]:
    """One page, newest first by id (ULIDs begin with the time they were made)."""
    query = select(*(records.c[name] for name in HEAD_COLUMNS))
    for column, value in (
        (records.c.profile, wanted.profile),
        (records.c.current_step, wanted.step),
        (records.c.status, wanted.status),
        (records.c.patient_id, wanted.patient),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.assigned is not None:
        person = func.json_each(records.c.assigned).table_valued("value")
        query = query.where(exists(select(person.c.value).where(person.c.value == wanted.assigned)))
    if wanted.text is not None:
        query = query.where(records.c.search_folded.contains(folded(wanted.text), autoescape=True))
    if wanted.after is not None:
        query = query.where(records.c.id < wanted.after)
    if wanted.after_queued is not None:
        priority, since, id = wanted.after_queued
        query = query.where(tuple_(*_QUEUE_ORDER) > tuple_(priority, micros(since), id))
    order = _QUEUE_ORDER if wanted.queued else (records.c.id.desc(),)
    found = await connection.execute(query.order_by(*order).limit(wanted.limit))
    return [head_of(row) for row in found.mappings()]


_QUEUE_ORDER = (records.c.priority, records.c.waiting_since, records.c.id)


def queue_place(head: RecordHead) -> tuple[int, datetime, str]:
    """By what a queue is ordered: urgency, since when one waits, id."""
    return head.facts.priority, head.facts.waiting_since, head.id


async def read_step_counts(connection: AsyncConnection, profile: str) -> Sequence[StepCount]:
    """The open records of a profile by step and its state, in their order."""
    by = (records.c.current_step, records.c.step_status)
    query = (
        select(*by, func.count(), func.min(records.c.waiting_since))
        .where(records.c.profile == profile, records.c.status == "open")
        .group_by(*by)
        .order_by(*by)
    )
    return [
        StepCount(step=step, step_status=status, count=count, oldest=instant(oldest))
        for step, status, count, oldest in await connection.execute(query)
    ]


def waits(head: RecordHead, profile: str, step: str) -> bool:
    """Whether the record waits in this queue: what `read_queue` asks in SQL."""
    facts = head.facts
    return (facts.profile, facts.status, facts.current_step) == (
        profile,
        "open",
        step,
    ) and facts.step_status in WAITING


async def read_queue(
    connection: AsyncConnection, profile: str, step: str, limit: int
) -> Sequence[RecordHead]:
    """Who waits for a step, the most urgent first, then who waits longest."""
    query = (
        select(*(records.c[name] for name in HEAD_COLUMNS))
        .where(
            records.c.profile == profile, records.c.status == "open",
            records.c.current_step == step, records.c.step_status.in_(WAITING),
        )
        .order_by(records.c.priority, records.c.waiting_since, records.c.id)
        .limit(limit)
    )  # fmt: skip
    return [head_of(row) for row in (await connection.execute(query)).mappings()]


_BY_ID = "SELECT id FROM records WHERE id = ?"
_BY_NUMBER = "SELECT id FROM records WHERE number = ? AND number <> ''"


_PRUNED = "SELECT record_id FROM pruned WHERE record_id = ? OR (number = ? AND number <> '')"


def resolve(connection: sqlite3.Connection, id_or_number: str) -> str:
    """The id of the record with this id, else with this number.

    Raises RecordNotFound; RecordPruned where there was one.
    """
    for query in (_BY_ID, _BY_NUMBER):
        found = connection.execute(query, (id_or_number,)).fetchone()
        if found is not None:
            record_id: str = found[0]
            return record_id
    gone = connection.execute(_PRUNED, (id_or_number, id_or_number)).fetchone()
    if gone is not None:
        raise RecordPruned(gone[0])
    raise RecordNotFound


def human_number(prefix: str, last: int) -> str:
    """`OPD-000001`."""
    return f"{prefix}-{last:06d}"


_NEXT = insert(numbers).values(prefix=bindparam("of"), last=1)
_NEXT_NUMBER = _NEXT.on_conflict_do_update(
    index_elements=["prefix"], set_={"last": numbers.c.last + 1}
).returning(numbers.c.last)


def next_number(connection: Connection, prefix: str) -> str:
    """A number of this prefix that was never given out before, in this database."""
    return human_number(prefix, connection.execute(_NEXT_NUMBER, {"of": prefix}).scalar_one())
