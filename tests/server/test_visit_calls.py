"""Visits over HTTP, against real rooms: steps, assignments, queues, amendments, cancelling."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from ulid import ULID

from server.assembly import assemble
from server.demo import EYE_SCREENING, OUTPATIENT, Stage
from server.house import House
from server.logs import configure_logs
from storage import MemoryStore, User
from tests.server.builders import BASE, FAST, PASSWORD, POLICIES, SteppedClock

PEOPLE = {
    **{role: role for policy in POLICIES.values() for role in policy.profile.roles},
    "other_nurse": "nurse",
    "other_officer": "clinical_officer",
}
NAMED = {
    "demographics.family_name": "Example", "demographics.given_name": "Amina",
    "demographics.birth_date": "1984-03-12", "demographics.sex": "female",
}  # fmt: skip


VISIT_CALLS = [
    ("GET", "/api/sessions/{id}/realtime-status", None, "admin", "cashier", 200),
    ("PUT", "/api/sessions/{id}/steps/{step}", {"status": "started"}, "nurse", "receptionist", 200),
    ("PUT", "/api/records/{id}/assignments/{role}", {"user": "nurse"}, "cashier", "nurse", 200),
    ("DELETE", "/api/records/{id}/assignments/{role}", None, "cashier", "nurse", 200),
    (
        "PUT", "/api/records/{id}/status", {"status": "cancelled", "reason": "x"}, "nurse", "admin",
        200,
    ),
    ("POST", "/api/queue/{profile}/{step}/next", None, "cashier", "receptionist", 200),
]  # fmt: skip


@dataclass
class Site:
    """Everybody of both profiles, signed in over HTTP."""

    http: httpx.AsyncClient
    store: MemoryStore
    clock: SteppedClock
    house: House
    tokens: dict[str, str]
    ids: dict[str, str]

    async def call(self, who: str, method: str, path: str, **how: Any) -> httpx.Response:
        if who not in self.tokens:
            sign_in = self.house.authenticator.sign_in
            self.tokens[who], _, _ = await sign_in(who, PASSWORD, "tablet", "::1")
        headers = {"authorization": f"Bearer {self.tokens[who]}", **how.pop("headers", {})}
        return await self.http.request(method, f"/api{path}", headers=headers, **how)

    async def new(self, profile: str = "outpatient", **more: Any) -> str:
        who = "receptionist" if profile == "outpatient" else "registration_staff"
        body = {"profile": profile, "fields": NAMED, **more}
        answer = await self.call(who, "POST", "/records", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def step(
        self, who: str, record: str, step: str, status: str, **more: Any
    ) -> httpx.Response:
        path = f"/sessions/{record}/steps/{step}"
        return await self.call(who, "PUT", path, json={"status": status, **more})

    async def record(self, record: str) -> dict[str, Any]:
        body: dict[str, Any] = (await self.call("supervisor", "GET", f"/records/{record}")).json()
        return body

    async def fill(self, record: str, stage: Stage, known: dict[str, str]) -> None:
        if stage.fields:
            version = (await self.record(record))["version"]
            answer = await self.call(
                stage.role, "PATCH", f"/records/{record}", json=dict(stage.fields),
                headers={"if-match": str(version)},
            )  # fmt: skip
            assert answer.status_code == 200, answer.text
        for section, value in stage.entries:
            entry = {
                key: known[one[1:]] if str(one).startswith("$") else one
                for key, one in value.items()
            }
            path = f"/records/{record}/entries/{section}"
            answer = await self.call(stage.role, "POST", path, json=entry)
            assert answer.status_code == 201, answer.text
            known[section] = answer.json()["id"]

    async def walk(self, record: str, to: str, stages: tuple[Stage, ...] = OUTPATIENT) -> None:
        known: dict[str, str] = {}
        for stage in stages:
            if (await self.record(record))["current_step"] == to:
                return
            await self.fill(record, stage, known)
            self.clock.step(minutes=5)
            await self.step(stage.role, record, stage.step, "started")
            self.clock.step(minutes=5)
            left = (
                {"status": "returned", "reason": stage.back}
                if stage.back
                else {"status": "completed"}
            )
            answer = await self.step(stage.role, record, stage.step, **left)
            assert answer.status_code == 200, answer.text


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    store, clock = MemoryStore(), SteppedClock()
    log = configure_logs("json", "error", io.StringIO())
    assembly = assemble(FAST, store, POLICIES, clock, log)
    house = assembly.house
    house.authenticator.attach(house.rooms)
    ids = {}
    hashed = house.authenticator.passwords.hash(PASSWORD)
    for name, role in PEOPLE.items():
        user = User(
            id=str(ULID()), username=name, name=f"Demo {name}", roles=frozenset({role}),
            password_hash=hashed, disabled=False, created_at=clock(),
        )  # fmt: skip
        await store.directory.add_user(user)
        ids[name] = user.id
    transport = httpx.ASGITransport(app=assembly.application)
    async with (
        house.rooms.running(),  # type: ignore[attr-defined] # the assembly's own host
        httpx.AsyncClient(transport=transport, base_url=BASE) as http,
    ):
        yield Site(http, store, clock, house, {}, ids)
    await store.close()


@pytest.mark.parametrize(("method", "path", "body", "wrong", "right", "yes"), VISIT_CALLS)
async def test_a_call_answers_the_right_role_and_neither_a_wrong_one_nor_nobody(
    site: Site, method: str, path: str, body: Any, wrong: str, right: str, yes: int
) -> None:
    names = {"id": await site.new(), "step": "registration", "role": "nurse"}
    path = path.removeprefix("/api").format(profile="outpatient", **names)
    how = {} if body is None else {"json": body}
    site.tokens["nobody"] = "made-up"

    nobody = await site.call("nobody", method, path, **how)
    refused = await site.call(wrong, method, path, **how)
    stranger = await site.call("doctor", method, path, **how)
    allowed = await site.call(right, method, path, **how)

    answers = (nobody, refused, stranger, allowed)
    assert [one.status_code for one in answers] == [401, 403, 403, yes]


@pytest.mark.parametrize(
    ("profile", "stages"), [("outpatient", OUTPATIENT), ("eye_screening", EYE_SCREENING)]
)
async def test_a_visit_runs_from_the_first_step_to_the_last(
    site: Site, profile: str, stages: tuple[Stage, ...]
) -> None:
    record = await site.new(profile)

    await site.walk(record, "nowhere", stages)

    done = await site.record(record)
    assert done["status"] == "completed"
    steps = [entry.detail for _, entry in await site.store.audit(action="step", limit=100)]
    leavings = [f"{'return' if stage.back else 'complete'} {stage.step}" for stage in stages]
    assert [step for step in steps if not step.startswith("start")] == leavings


async def test_a_session_tells_its_times_and_when_it_is_probably_over(site: Site) -> None:
    for _ in range(3):
        await site.walk(await site.new("eye_screening"), "completed", EYE_SCREENING)
    record = await site.new("eye_screening")
    site.clock.step(minutes=2)
    await site.step("registration_staff", record, "check_in", "started")
    site.clock.step(minutes=1)

    answer = await site.call("doctor", "GET", f"/sessions/{record}/realtime-status")

    told = answer.json()
    first, *later = told["workflow_steps"]
    assert answer.status_code == 200
    assert (told["session_id"], told["room"]) == (record, f"hospital_mobile_session_{record}")
    assert told["websocket_url"] == f"ws://fieldchart.test/sync/{record}"
    assert (first["status"], first["waited_s"], first["lasted_s"]) == ("in_progress", 120, 60)
    assert first["started_by"]["username"] == "registration_staff"
    assert [step["expected_s"] for step in (first, *later[:3])] == [300] * 4
    assert [step["is_due"] for step in later] == [True] * 4
    # 4 of 5 minutes left here, then 5 of waiting and 5 of doing for each of the three to come.
    left = datetime.fromisoformat(told["estimated_completion"]) - site.clock.now
    assert left == timedelta(minutes=4 + 3 * 10)


async def test_a_step_that_is_not_its_turn_is_409_with_the_current_step(site: Site) -> None:
    record = await site.new()

    answer = await site.step("nurse", record, "triage", "completed")

    assert answer.status_code == 409
    assert answer.json()["current_step"] == "registration"
    assert (await site.record(record))["current_step"] == "registration"


async def test_what_is_missing_is_422_with_every_field(site: Site) -> None:
    record = await site.new()
    await site.step("receptionist", record, "registration", "completed")

    answer = await site.step("nurse", record, "triage", "completed")

    errors = answer.json()["errors"]
    assert answer.status_code == 422
    assert [one["field"] for one in errors][:2] == ["triage.category", "vitals.systolic"]
    assert {one["rule"] for one in errors} == {"transition"}
    assert "Category" in errors[0]["reason"]


@pytest.mark.parametrize(
    ("who", "step", "body", "status"),
    [
        ("nurse", "registration", {"status": "started"}, 403),
        ("doctor", "registration", {"status": "started"}, 403),
        ("receptionist", "nowhere", {"status": "started"}, 404),
        ("receptionist", "registration", {"status": "ready"}, 422),
        ("receptionist", "registration", {"status": "returned", "reason": "x"}, 409),
        ("receptionist", "registration", {"status": "returned"}, 422),
        ("receptionist", "registration", {"status": "started", "to": "nowhere"}, 422),
        ("receptionist", "registration", {"status": "started", "reason": "x" * 2001}, 422),
    ],
)
async def test_what_nobody_may_ask_is_refused(
    site: Site, who: str, step: str, body: dict[str, str], status: int
) -> None:
    record = await site.new()

    answer = await site.step(who, record, step, **body)

    assert answer.status_code == status, answer.text


async def test_of_two_who_press_complete_one_wins_and_the_other_is_told(site: Site) -> None:
    record = await site.new()
    await site.walk(record, "consultation")
    await site.fill(record, OUTPATIENT[2], {})

    answers = await asyncio.gather(
        *(site.step(who, record, "consultation", "completed")
          for who in ("clinical_officer", "other_officer", "clinical_officer"))
    )  # fmt: skip

    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 409, 200]
    assert answers[1].json()["current_step"] == "laboratory"
    assert answers[0].json()["version"] == answers[2].json()["version"]


async def test_colleagues_are_those_with_the_role_and_no_other(site: Site) -> None:
    path = "/profiles/outpatient/colleagues"
    gone = site.ids["other_nurse"]

    nurses = await site.call("nurse", "GET", path, params={"role": "nurse"})
    officers = await site.call("supervisor", "GET", path, params={"role": "clinical_officer"})
    curious = await site.call("nurse", "GET", path, params={"role": "clinical_officer"})
    nonsense = await site.call("supervisor", "GET", path, params={"role": "doctor"})
    nowhere = await site.call("nurse", "GET", "/profiles/x/colleagues", params={"role": "nurse"})
    account = await site.store.directory.user(gone)
    await site.store.directory.update_user(
        msgspec.structs.replace(account, disabled=True), site.clock()
    )
    left = await site.call("nurse", "GET", path, params={"role": "nurse"})

    assert [one["username"] for one in nurses.json()["items"]] == ["nurse", "other_nurse"]
    assert {one["role"] for one in nurses.json()["items"]} == {"nurse"}
    assert [one["username"] for one in officers.json()["items"]] == [
        "clinical_officer", "other_officer",
    ]  # fmt: skip
    assert (curious.status_code, nonsense.status_code, nowhere.status_code) == (403, 422, 404)
    assert [one["username"] for one in left.json()["items"]] == ["nurse"]


async def test_numbers_handed_out_are_one_persons_and_each_is_used_once(site: Site) -> None:
    wanted = {"profile": "outpatient", "count": 20}
    asked = await site.call("receptionist", "POST", "/numbers", json=wanted)
    numbers = asked.json()["numbers"]

    made = await site.new(number=numbers[3])
    body = {"profile": "outpatient", "number": numbers[3]}
    again = await site.call("receptionist", "POST", "/records", json=body)
    stolen = {"profile": "outpatient", "number": numbers[4]}
    thief = await site.call("admin", "POST", "/records", json=stolen)
    made_up = {"profile": "outpatient", "number": "OPD-999999"}
    forged = await site.call("receptionist", "POST", "/records", json=made_up)
    foreign = {"profile": "eye_screening", "count": 1}
    other_kind = await site.call("receptionist", "POST", "/numbers", json=foreign)
    next_one = await site.record(await site.new())

    assert len(set(numbers)) == 20
    assert (await site.record(made))["number"] == numbers[3]
    assert [one.status_code for one in (again, thief, forged, other_kind)] == [409, 422, 422, 403]
    assert forged.json()["errors"][0]["field"] == "number"
    assert next_one["number"] not in numbers
    told = [entry.detail for _, entry in await site.store.audit(action="create", limit=50)]
    assert f"numbers {numbers[0]} to {numbers[-1]}" in told


async def test_who_only_collects_numbers_is_stopped(site: Site) -> None:
    wanted = {"profile": "outpatient", "count": 20}
    answers = [await site.call("receptionist", "POST", "/numbers", json=wanted) for _ in range(21)]
    other = await site.call("admin", "POST", "/numbers", json=wanted)

    assert [one.status_code for one in answers] == [201] * 20 + [409]
    assert other.status_code == 201


async def test_if_match_is_honoured(site: Site) -> None:
    record = await site.new()
    version = (await site.record(record))["version"]
    path = f"/sessions/{record}/steps/registration"

    stale = await site.call(
        "receptionist", "PUT", path, json={"status": "started"}, headers={"if-match": '"1"'}
    )
    fresh = await site.call(
        "receptionist", "PUT", path, json={"status": "started"},
        headers={"if-match": f'"{version}"'},
    )  # fmt: skip

    assert stale.status_code == 412
    assert fresh.status_code == 200
    assert fresh.headers["etag"] == f'"{fresh.json()["version"]}"'


async def test_a_supervisor_returns_a_record_with_a_reason(site: Site) -> None:
    record = await site.new("eye_screening")
    await site.walk(record, "supervisor_approval", EYE_SCREENING)

    answer = await site.step(
        "supervisor", record, "supervisor_approval", "returned",
        reason="repeat the left eye", to="visual_assessment",
    )  # fmt: skip

    assert answer.json()["current_step"] == "visual_assessment"
    (waiting,) = await site.store.records.queue("eye_screening", "visual_assessment", 10)
    assert (waiting.id, waiting.facts.step_status) == (record, "returned")


async def test_a_completed_record_takes_amendments_only(site: Site) -> None:
    record = await site.new("eye_screening")
    await site.walk(record, "completed", EYE_SCREENING)
    entries = f"/records/{record}/entries/diagnosis"
    late = {"text": "late (demo)", "eye": "right", "certainty": "provisional"}
    version = (await site.record(record))["version"]

    edit = await site.call(
        "doctor", "PATCH", f"/records/{record}", json={"findings.lens": "x"},
        headers={"if-match": str(version)},
    )  # fmt: skip
    plain = await site.call("doctor", "POST", entries, json=late)
    foreign = await site.call(
        "vision_technician", "POST", entries, json={**late, "amendment_reason": "left out"}
    )
    amended = await site.call(
        "doctor", "POST", entries, json={**late, "amendment_reason": "left out"}
    )

    assert [one.status_code for one in (edit, plain, foreign, amended)] == [409, 409, 403, 201]
    ((_, entry),) = await site.store.audit(action="amend", limit=10)
    assert entry.user_id == site.ids["doctor"]


async def test_who_completes_learns_who_comes_next_and_the_most_urgent_first(site: Site) -> None:
    records = [await site.new() for _ in range(3)]
    for number, record in enumerate(records):
        await site.walk(record, "consultation")
        category = ("routine", "urgent", "emergency")[number]
        version = (await site.record(record))["version"]
        await site.call(
            "nurse", "PATCH", f"/records/{record}", json={"triage.category": category},
            headers={"if-match": str(version)},
        )  # fmt: skip
    await site.fill(records[1], OUTPATIENT[2], {})

    answer = await site.step("clinical_officer", records[1], "consultation", "completed")

    assert answer.json()["next"]["id"] == records[2]
    assert answer.json()["next"]["priority"] == 0


async def test_two_who_call_the_next_never_get_the_same(site: Site) -> None:
    records = {await site.new() for _ in range(3)}
    for record in records:
        await site.step("receptionist", record, "registration", "completed")
    path = "/queue/outpatient/triage/next"

    answers = await asyncio.gather(
        *(site.call(who, "POST", path) for who in ("nurse", "other_nurse") * 2)
    )

    called = [answer.json()["id"] for answer in answers if answer.status_code == 200]
    assert sorted(called) == sorted(records)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 204]
    assert not await site.store.records.queue("outpatient", "triage", 10)


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("doctor", "/queue/outpatient/triage/next", 403),
        ("cashier", "/queue/outpatient/triage/next", 403),
        ("nurse", "/queue/outpatient/nowhere/next", 404),
        ("nurse", "/queue/nothing/triage/next", 404),
        ("supervisor", "/queue/eye_screening/completed/next", 404),
    ],
)
async def test_a_queue_is_called_by_those_who_do_its_step(
    site: Site, who: str, path: str, status: int
) -> None:
    assert (await site.call(who, "POST", path)).status_code == status


async def test_an_assignment_is_taken_handed_over_and_released(site: Site) -> None:
    record = await site.new()
    path = f"/records/{record}/assignments/nurse"

    taken = await site.call("nurse", "PUT", path, json={"user": "nurse"})
    other = await site.call("other_nurse", "PUT", path, json={"user": "other_nurse"})
    handed = await site.call("nurse", "PUT", path, json={"user": "other_nurse"})
    released = await site.call("other_nurse", "DELETE", path)

    assert taken.json()["assigned"]["nurse"]["id"] == site.ids["nurse"]
    assert other.status_code == 409
    assert handed.json()["assigned"]["nurse"]["username"] == "other_nurse"
    assert released.json()["assigned"] == {}
    assert len(await site.store.audit(action="assign", limit=10)) >= 3


@pytest.mark.parametrize(
    ("who", "role", "user", "status"),
    [
        ("nurse", "nurse", "other_nurse", 403),
        ("cashier", "nurse", "nurse", 403),
        ("doctor", "nurse", "nurse", 403),
        ("supervisor", "nurse", "cashier", 422),
        ("supervisor", "nurse", "nobody", 422),
        ("supervisor", "captain", "nurse", 404),
        ("supervisor", "nurse", "nurse", 200),
    ],
)
async def test_only_who_assigns_staff_gives_a_record_to_others_and_only_to_the_role(
    site: Site, who: str, role: str, user: str, status: int
) -> None:
    record = await site.new()

    answer = await site.call(
        who, "PUT", f"/records/{record}/assignments/{role}", json={"user": user}
    )

    assert answer.status_code == status, answer.text


async def test_a_colleagues_patient_is_not_called_away(site: Site) -> None:
    record = await site.new()
    await site.step("receptionist", record, "registration", "completed")
    await site.call("nurse", "PUT", f"/records/{record}/assignments/nurse", json={"user": "nurse"})
    path = "/queue/outpatient/triage/next"

    assert (await site.call("other_nurse", "POST", path)).status_code == 204
    assert (await site.call("nurse", "POST", path)).json()["id"] == record


async def test_a_patient_waits_once_in_each_kind_of_visit(site: Site) -> None:
    first = await site.new(patient_id="P-1")
    body = {"profile": "outpatient", "patient_id": "P-1", "fields": {}}

    again = await site.call("receptionist", "POST", "/records", json=body)
    await site.new("eye_screening", patient_id="P-1")
    await site.call(
        "admin", "PUT", f"/records/{first}/status", json={"status": "cancelled", "reason": "twice"}
    )
    after = await site.call("receptionist", "POST", "/records", json=body)

    assert again.status_code == 409
    assert "OPD-000001" in again.json()["detail"]
    assert after.status_code == 201


async def test_only_who_may_cancels_an_open_record_and_then_it_takes_nothing(site: Site) -> None:
    record = await site.new()
    wish = {"status": "cancelled", "reason": "entered twice"}
    path = f"/records/{record}/status"

    denied = await site.call("receptionist", "PUT", path, json=wish)
    blank = await site.call("admin", "PUT", path, json={**wish, "reason": " "})
    done = await site.call("admin", "PUT", path, json=wish)
    again = await site.call("admin", "PUT", path, json=wish)
    step = await site.step("receptionist", record, "registration", "started")

    assert [one.status_code for one in (denied, blank, done, again, step)] == [
        403, 422, 200, 409, 409,
    ]  # fmt: skip
    assert done.json()["status"] == "cancelled"
    assert not await site.store.records.queue("outpatient", "registration", 10)
