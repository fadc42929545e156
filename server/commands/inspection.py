"""What `inspect`, `verify` and `compact` do: rooms replayed from the store, outside any server."""

import contextlib
import json
from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.table import Table

from permissions.policy import Policy
from server.commands.errors import CommandError
from server.facts import facts_of
from server.history_check import first_difference
from server.judgement_check import altered_conflict, altered_refusal
from server.profiles import load_policies
from server.settings import Settings
from storage import RecordHead, SqliteStore, StoredRecord
from storage.errors import RecordNotFound, StoreCorrupt, VersionConflict
from storage.loading import WholeRecord
from sync.effects import Change, Commit, RecordFacts
from sync.errors import CorruptLog, DocumentSuspect
from sync.gate import Limits
from sync.quality import is_measured, measures_mark
from sync.record_facts import state_in
from sync.replay import new_room, replay, snapshot_of
from sync.room import Room
from sync.view import Chart, chart_of

__all__ = [
    "cell",
    "compact_all",
    "console",
    "escaped",
    "policy_for",
    "print_chart",
    "print_record",
    "print_structs",
    "read_room",
    "read_whole",
    "resolve",
    "verify_all",
    "write_line",
]

MOST_ALTERED = 100
"""Rows beside the logs that `verify` names: a key or a table gone would name them all."""


async def read_room(
    store: SqliteStore, settings: Settings, address: str
) -> tuple[Room, RecordHead]:
    """The record with this id or number as its log leaves it. Raises CommandError, CorruptLog."""
    stored = await store.records.load(await resolve(store, address))
    return _replayed(stored, load_policies(settings.profiles)), stored.head


async def read_whole(store: SqliteStore, address: str) -> WholeRecord:
    """The log and history of the record with this id or number. Raises CommandError."""
    return await store.whole(await resolve(store, address))


async def verify_all(
    store: SqliteStore,
    settings: Settings,
    address: str | None,
    kept_heads: Mapping[int, bytes] | None = None,
) -> tuple[list[str], int]:
    """Lines that say where something breaks, and how many records were checked.

    Of each record: its hash chain, its replay, that the snapshot shows what the rows show, and that
    its history says what they say. Of accounts, log-ins, roles, emergencies and events: that they
    are as the trail attests.
    kept_heads: heads of the audit trail (seq → hash) that were noted elsewhere.
    """
    policies = load_policies(settings.profiles)
    breaks: list[str] = []
    record_ids = await _record_ids(store, address)
    for record_id in record_ids:
        breaks += await _verify_record(store, policies, record_id)
    if address is None or kept_heads:
        broken = (
            await store.verify_audit(kept_heads)
            or await store.unaudited_end()
            or await store.unlogged_entry()
        )
        if broken is not None:
            breaks.append(f"audit: entry {broken.position}: {broken.reason}")
    if address is None:
        breaks += await _altered_rows(store)
    return breaks, len(record_ids)


async def _altered_rows(store: SqliteStore) -> list[str]:
    try:
        found = await store.altered_rows(MOST_ALTERED)
    except StoreCorrupt as error:
        return [f"rows beside the logs: {error}"]
    return [f"{table} {key}: {reason}" for table, key, reason in found]


async def compact_all(store: SqliteStore, settings: Settings, address: str | None) -> int:
    """Store a snapshot of each record that has rows after its newest one; returns how many.

    Derives the history of records whose log is older than histories are, and draws anew what the
    board lists of those that were listed by an older version of their profile.
    """
    policies = load_policies(settings.profiles)
    count = 0
    for record_id in await _record_ids(store, address):
        stored = await store.records.load(record_id)
        await _list_anew(store, stored, policies)
        if not stored.rows:
            continue
        told: list[Change] = []
        if stored.history_due:
            stored = msgspec.structs.replace(
                stored, snapshot=None, rows=(await store.whole(record_id)).rows
            )
        await store.records.save_snapshot(record_id, snapshot_of(_replayed(stored, policies, told)))
        if stored.history_due:
            await store.records.replace_changes(record_id, told)
        count += 1
    return count


async def _list_anew(store: SqliteStore, stored: StoredRecord, policies: dict[str, Policy]) -> None:
    head, room = stored.head, _replayed(stored, policies)
    if _listed_otherwise(room, head.facts):
        facts = facts_of(room, head.facts.created_at, head.facts.updated_at)
        with contextlib.suppress(VersionConflict):  # a server has listed it meanwhile
            await store.records.append(
                Commit(record_id=head.id, base_version=head.version, rows=(), facts=facts)
            )


async def _verify_record(
    store: SqliteStore, policies: dict[str, Policy], record_id: str
) -> list[str]:
    try:
        broken = await store.verify_log(record_id)
    except StoreCorrupt:
        sound = await store.records.sound(record_id)
        return [f"{record_id}: version {sound.broken_at}: {sound.reason}"]
    if broken is not None:
        return [f"{record_id}: version {broken.position}: {broken.reason}"]
    try:
        stored, whole = await store.records.load(record_id), await store.whole(record_id)
        loaded = _replayed(stored, policies)
        told: list[Change] = []
        replayed = _replayed(
            StoredRecord(head=whole.head, snapshot=None, rows=whole.rows), policies, told
        )
    except StoreCorrupt as error:
        return [f"{record_id}: version {error.version}: {error.reason}"]
    except CorruptLog as error:
        return [f"{record_id}: version {error.version}: {error}"]
    except (CommandError, DocumentSuspect) as error:
        return [f"{record_id}: {error}"]
    breaks = []
    if stored.snapshot is not None and whole.head.version == stored.head.version:
        if chart_of(replayed) != chart_of(loaded) or replayed.hash != loaded.hash:
            breaks.append(
                (stored.snapshot.version, "the snapshot does not show what the rows show")
            )
    difference = None if whole.history_due else first_difference(told, whole.changes)
    judgements = altered_refusal(whole), altered_conflict(whole, replayed)
    breaks += [found for found in (difference, *judgements) if found is not None]
    if altered := _listed_otherwise(replayed, whole.head.facts):
        reason = f"the board lists the record otherwise than its log: {', '.join(altered)}"
        breaks.append((whole.head.version, reason))
    return [f"{record_id}: version {version}: {reason}" for version, reason in breaks]


def _listed_otherwise(room: Room, listed: RecordFacts) -> list[str]:
    """The names of what the board lists of a record that is not what its log says."""
    facts = facts_of(room, listed.created_at, listed.updated_at)
    if not is_measured(listed.measures, measures_mark(room.profile)):
        # of another version of the profile: not counted, and measured anew where it would be
        facts = msgspec.structs.replace(facts, measures=listed.measures)
    told, stored = msgspec.structs.asdict(facts), msgspec.structs.asdict(listed)
    return [name for name, value in told.items() if stored[name] != value]


async def _record_ids(store: SqliteStore, address: str | None) -> list[str]:
    if address is not None:
        return [await resolve(store, address)]
    return [record_id async for record_id in store.records.record_ids()]


async def resolve(store: SqliteStore, address: str) -> str:
    """The id of the record with this id or number. Raises CommandError."""
    try:
        return await store.records.resolve(address)
    except RecordNotFound:
        raise CommandError(f"there is no record {address!r}") from None


def _replayed(
    stored: StoredRecord, policies: dict[str, Policy], told: list[Change] | None = None
) -> Room:
    head, policy = stored.head, policy_for(stored.head, policies)
    room = new_room(head.id, head.epoch, policy.profile, policy, Limits())
    for _ in replay(room, stored.snapshot, stored.rows, told):
        pass
    return room


def policy_for(head: RecordHead, policies: dict[str, Policy]) -> Policy:
    """The policy of a record's profile. Raises CommandError."""
    policy = policies.get(head.facts.profile)
    if policy is None:
        raise CommandError(
            f"its profile {head.facts.profile!r} is not among the settings' profiles"
            f" ({', '.join(policies)}); name its file with --profile"
        )
    return policy


def print_record(room: Room, head: RecordHead, *, as_json: bool) -> None:
    """Print the record as it stands."""
    print_chart(chart_of(room), head, as_json=as_json)


def print_chart(chart: Chart, head: RecordHead, *, as_json: bool) -> None:
    """Print what a record shows: as the JSON that `GET /api/records/{id}` gives, or as tables."""
    facts, state = head.facts, state_in(chart.facts)
    top = {
        "id": head.id,
        "number": facts.number,
        "profile": facts.profile,
        "patient_id": facts.patient_id,
        "version": chart.version,
        "status": state.status,
        "current_step": state.current_step or "",
    }
    if as_json:
        shown = {**top, "fields": chart.fields, "texts": chart.texts, "disputed": chart.disputed}
        write_line(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    shown_on = console()
    shown_on.print(
        f"[bold]{facts.number or head.id}[/]  {facts.profile}  version {chart.version}  "
        f"{top['status']}  step {top['current_step'] or '-'}",
        highlight=False,
    )
    table = Table("field", "value", "", show_lines=False)
    for section, values in chart.fields.items():
        for key, value in values.items():
            name = f"{section}.{key}"
            mark = "[red]disputed[/]" if name in chart.disputed else ""
            table.add_row(name, escaped(cell(value)), mark)
    for name, text in chart.texts.items():
        if text:
            table.add_row(name, escaped(text), "")
    shown_on.print(table)


def print_structs(room: Room, *, as_json: bool) -> None:
    """Print what is inside the document: whose clock ranges lie in which field."""
    rows = [
        {
            "client": client,
            "owner": room.books.owners.get(client, "server"),
            "start": start,
            "end": stop,
            "field": place.name or "-",
        }
        for client, (starts, places, end) in sorted(room.books.index.export().items())
        for start, stop, place in zip(starts, [*starts[1:], end], places, strict=True)
    ]
    if as_json:
        write_line(json.dumps(rows, indent=2))
        return
    table = Table("client", "owner", "clocks", "field")
    for row in rows:
        clocks = f"{row['start']}..{row['end']}"
        table.add_row(str(row["client"]), str(row["owner"]), clocks, escaped(str(row["field"])))
    console().print(table)


def cell(value: object) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {cell(one)}" for key, one in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def escaped(text: str) -> str:
    """Text from a record is neither rich's markup nor the terminal's control codes."""
    from rich.markup import escape

    return escape(
        "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
    )


def write_line(text: str) -> None:
    """Print to stdout."""
    import typer

    typer.echo(text)


def console() -> Console:
    """Where tables go; wide where nobody looks."""
    made = Console()
    if not made.is_terminal:
        made.width = 160
    return made
