"""The record as it stood, over HTTP and on the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from server.application import build_application
from server.assembly import assemble
from server.commands.cli import app
from server.executor import Batch
from server.live_room import LiveRoom
from server.logs import configure_logs
from server.ports import NewRecord
from server.profiles import load_policies
from server.record_edits import edit_fields
from server.settings import Settings
from server.visits import change_step
from storage import SqliteStore
from storage.snapshots import kept
from tests.server.builders import BASE, FAST, PASSWORD
from tests.support.rooms import person

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


class House:
    """A server without sockets on a database of its own, whose clock the test sets."""

    def __init__(self) -> None:
        self.now = START
        self.http: httpx.AsyncClient
        self.assembly: Any
        self.record_id = ""
        self.versions: list[int] = []

    async def write(self, **fields: object) -> None:
        """One edit a minute."""
        self.now += timedelta(minutes=1)
        rooms = self.assembly.house.rooms
        view = await rooms.view(self.record_id)
        named = {name.replace("__", "."): value for name, value in fields.items()}
        made = await rooms.edit(person("nurse"), self.record_id, named, if_version=view.version)
        self.versions.append(made.version)

    async def get(self, path: str = "", **query: object) -> httpx.Response:
        return await self.http.get(
            f"/api/records/{self.record_id}{path}",
            params={name: str(value) for name, value in query.items()},
        )


@asynccontextmanager
async def opened(
    data: Path, profile: str = "outpatient", role: str = "nurse"
) -> AsyncIterator[House]:
    """Signed in as one with this role; the record is made by whoever begins in the profile."""
    here = House()
    settings = Settings(
        data=str(data), argon2_memory_kib=FAST.argon2_memory_kib, profiles=(profile,)
    )
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    store = await SqliteStore.open(settings.database)
    policies = load_policies(settings.profiles)
    log = configure_logs("json", "critical")
    here.assembly = assemble(settings, store, policies, lambda: here.now, log)
    house = here.assembly.house
    try:
        async with house.rooms.running():
            (policy,) = policies.values()
            first = policy.profile.steps[0].role or ""
            view = await house.rooms.create(person(first), NewRecord(profile=policy.profile.name))
            here.record_id = view.id
            transport = httpx.ASGITransport(build_application(house))
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as here.http:
                await signed_in(house, here.http, role)
                yield here
    finally:
        await store.close()


async def signed_in(house: Any, http: httpx.AsyncClient, role: str) -> None:
    from storage import User

    await house.store.directory.add_user(
        User(
            id="id-nurse", username="nurse", name="Test nurse", roles=frozenset({role}),
            password_hash=house.authenticator.passwords.hash(PASSWORD), disabled=False,
            created_at=START,
        )
    )  # fmt: skip
    token, _, _ = await house.authenticator.sign_in("nurse", PASSWORD, "tablet", "::1")
    http.headers["authorization"] = f"Bearer {token}"


async def test_an_earlier_version_is_shown_as_it_stood(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.write(vitals__pulse=70, assessment__notes="Walks")
        await here.write(vitals__pulse=72, assessment__notes="Walks well")

        first = await here.get(version=here.versions[0])
        now = await here.get(version=here.versions[1])
        live = await here.get()

        assert first.json()["fields"]["vitals"] == {"pulse": 70}
        assert first.json()["texts"]["assessment.notes"] == "Walks"
        assert first.headers["etag"] == f'"{here.versions[0]}"'
        assert now.json() == live.json()


async def test_an_instant_shows_the_highest_version_received_until_then(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        for pulse in (70, 71, 72):
            await here.write(vitals__pulse=pulse)

        async def pulse_at(minutes: float) -> object:
            at = (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
            return (await here.get(at=at)).json()["fields"]["vitals"].get("pulse")

        assert [await pulse_at(m) for m in (0, 1, 1.5, 2, 99)] == [None, 70, 70, 71, 72]
        early = await here.get(at="2026-02-28T00:00:00Z")
        assert early.status_code == 422
        assert early.json()["errors"][0]["field"] == "at"


@pytest.mark.rule("PAST-3")
async def test_a_clock_that_jumps_two_days_back_and_forth_changes_no_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.write(vitals__pulse=70)
        here.now += timedelta(days=2)
        await here.write(vitals__pulse=71)
        here.now -= timedelta(days=4)
        await here.write(vitals__pulse=72)
        here.now += timedelta(days=2)
        await here.write(vitals__pulse=73)

        history = (await here.get("/history", order="oldest", field="vitals.pulse")).json()["items"]
        jumped = (START + timedelta(minutes=10)).isoformat().replace("+00:00", "Z")
        shown = (await here.get(at=jumped)).json()

        assert [item["new"] for item in history] == [70, 71, 72, 73]
        assert shown["fields"]["vitals"]["pulse"] == 73
        await here.assembly.house.rooms.unload_idle(10**9)
        assert (await here.get()).json()["fields"]["vitals"]["pulse"] == 73


async def test_the_difference_between_two_versions_has_both_values(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.write(vitals__pulse=70, vitals__weight=60)
        await here.write(vitals__pulse=72, assessment__notes="Walks")
        await here.write(vitals__weight=None)

        answer = (
            await here.get("/diff", **{"from": here.versions[0], "to": here.versions[2]})
        ).json()
        whole = (await here.get("/diff", **{"from": 0})).json()

        assert (answer["from"], answer["to"]) == (here.versions[0], here.versions[2])
        assert answer["items"] == [
            {"field": "assessment.notes", "old": None, "new": "Walks"},
            {"field": "vitals.pulse", "old": 70, "new": 72},
            {"field": "vitals.weight", "old": 60, "new": None},
        ]
        assert {"field": "record.status", "old": None, "new": "open"} in whole["items"]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("", {"version": 0}, "version"),
        ("", {"version": 99}, "version"),
        ("", {"version": "x"}, "version"),
        ("", {"version": 1, "at": "2026-03-01T09:00:00Z"}, "at"),
        ("", {"at": "noon"}, "at"),
        ("/diff", {"from": 99}, "from"),
        ("/diff", {"from": -1}, "from"),
        ("/diff", {"from": 2, "to": 99}, "to"),
        ("/diff", {"from": 2, "to": 1}, "from"),
        ("/diff", {}, "from"),
    ],
)
async def test_a_time_that_never_was_is_422_with_the_field(
    tmp_path: Path, path: str, query: dict[str, object], field: str
) -> None:
    async with opened(tmp_path) as here:
        await here.write(vitals__pulse=70)

        answer = await here.get(path, **query)

        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]


ANTENATAL = Path(__file__).parents[2] / "examples" / "custom_profile" / "antenatal.toml"


@pytest.mark.parametrize(("role", "sees"), [("clerk", False), ("midwife", True)])
async def test_what_somebody_may_not_read_is_not_in_the_past_either(
    tmp_path: Path, role: str, sees: bool
) -> None:
    async with opened(tmp_path, str(ANTENATAL), role) as here:
        rooms, midwife = here.assembly.house.rooms, person("midwife")
        await rooms.ask(here.record_id, _registered)
        version = (await rooms.view(here.record_id)).version
        edit = {"pregnancy.hiv_status": "negative"}
        await rooms.edit(midwife, here.record_id, edit, if_version=version)

        answers = [
            (await here.get("/history")).json(),
            (await here.get("/history", field="pregnancy.hiv_status")).json(),
            (await here.get("/diff", **{"from": 0})).json(),
            (await here.get(version=version + 1)).json(),
        ]

        assert [("hiv_status" in json.dumps(answer)) for answer in answers] == [sees] * 4


async def _registered(live: LiveRoom, batch: Batch) -> None:
    clerk = person("clerk")
    fields = {"mother.family_name": "TESTCASE", "mother.given_name": "Amina"}
    edit_fields(live, batch, clerk, fields, START)
    change_step(live, batch, clerk, "registration", "complete", START)


async def test_looking_back_is_audited(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.write(vitals__pulse=70)
        await here.get(version=1)
        await here.get("/diff", **{"from": 0})

        reads = await here.assembly.house.store.audit(action="read", limit=100)

        assert [(e.detail, e.version) for _, e in reads if e.detail in ("past", "diff")] == [
            ("past", 1),
            ("diff", here.versions[0]),
        ]


def test_the_ladder_keeps_the_newest_two_and_the_first_of_every_rung() -> None:
    assert kept([500, 1000, 4900, 5100, 5600, 10_200, 10_700, 11_000], 5000) == {
        5100, 10_200, 10_700, 11_000,
    }  # fmt: skip
    assert kept([], 5000) == set()


async def test_the_command_shows_the_record_as_it_stood(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.write(vitals__pulse=70)
        await here.write(vitals__pulse=72)

    def inspect(*arguments: str) -> Any:
        done = CliRunner().invoke(
            app, ["inspect", here.record_id, "--json", *arguments, "--data", str(tmp_path)]
        )
        return json.loads(done.stdout) if done.exit_code == 0 else done.stderr

    first = await asyncio.to_thread(inspect, "--version", str(here.versions[0]))
    timed = await asyncio.to_thread(inspect, "--at", "2026-03-01T08:01:30Z")
    wrong = await asyncio.to_thread(inspect, "--version", "99")
    early = await asyncio.to_thread(inspect, "--at", "2026-02-01")
    both = await asyncio.to_thread(inspect, "--version", "1", "--at", "2026-03-01")

    assert first == timed
    assert first["fields"]["vitals"] == {"pulse": 70}
    assert "no such version" in wrong
    assert "no such version" in early
    assert "do not go together" in both
