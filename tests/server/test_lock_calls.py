"""Field locks over HTTP, against real rooms in one process."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from ulid import ULID

from server.assembly import assemble
from server.logs import configure_logs
from storage import MemoryStore, User
from tests.server.builders import BASE, FAST, PASSWORD, POLICIES, SteppedClock
from tests.support.house import living


@dataclass
class Ward:
    """One record and people who are signed in over HTTP."""

    http: httpx.AsyncClient
    store: MemoryStore
    clock: SteppedClock
    record: str
    tokens: dict[str, str]

    async def call(
        self, who: str, method: str, path: str = "/locks/vitals.pulse", **how: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[who]}", **how.pop("headers", {})}
        url = f"/api/records/{self.record}{path}"
        return await self.http.request(method, url, headers=headers, **how)

    async def audited(self, action: str) -> list[Any]:
        return [entry for _, entry in await self.store.audit(action=action, limit=100)]


LOCK_CALLS = [
    ("GET", "/api/records/{id}/locks", 200),
    ("PUT", "/api/records/{id}/locks/{field}", 200),
    ("DELETE", "/api/records/{id}/locks/{field}", 204),
    ("POST", "/api/records/{id}/locks/{field}/ask", 200),
]

PEOPLE = {
    "receptionist": "receptionist", "nurse": "nurse", "other": "nurse", "supervisor": "supervisor",
    "stranger": "doctor",
}  # fmt: skip


@pytest.fixture
async def ward() -> AsyncIterator[Ward]:
    store, clock = MemoryStore(), SteppedClock()
    log = configure_logs("json", "error", io.StringIO())
    assembly = assemble(FAST, store, POLICIES, clock, log)
    house = assembly.house
    house.authenticator.attach(house.rooms)
    tokens = {}
    for name, role in PEOPLE.items():
        password_hash = house.authenticator.passwords.hash(PASSWORD)
        await store.directory.add_user(
            User(
                id=str(ULID()), username=name, name=f"Demo {name}", roles=frozenset({role}),
                password_hash=password_hash, disabled=False, created_at=clock(),
            )
        )  # fmt: skip
        tokens[name], _, _ = await house.authenticator.sign_in(name, PASSWORD, "tablet", "::1")
    transport = httpx.ASGITransport(assembly.application)
    async with (
        house.rooms.running(),  # type: ignore[attr-defined] # a RoomHost
        httpx.AsyncClient(transport=transport, base_url=BASE) as http,
    ):
        made = await http.post(
            "/api/records",
            headers={"authorization": f"Bearer {tokens['receptionist']}"},
            json={"profile": "outpatient", "fields": {"demographics.family_name": "TESTCASE"}},
        )
        yield Ward(http, store, clock, made.json()["id"], tokens)
    await store.close()


@pytest.mark.parametrize(("method", "path", "yes"), LOCK_CALLS)
async def test_a_call_answers_who_may_open_the_record_and_nobody_else(
    ward: Ward, method: str, path: str, yes: int
) -> None:
    path = path.removeprefix("/api/records/{id}").replace("{field}", "vitals.pulse")
    ward.tokens["nobody"] = "made-up"
    if method != "PUT":
        await ward.call("other" if method == "POST" else "nurse", "PUT")

    nobody = await ward.call("nobody", method, path)
    stranger = await ward.call("stranger", method, path)
    nurse = await ward.call("nurse", method, path)

    assert (nobody.status_code, stranger.status_code, nurse.status_code) == (401, 403, yes)


async def test_a_field_is_held_renewed_listed_and_released(ward: Ward) -> None:
    held = await ward.call("nurse", "PUT")
    ward.clock.step(seconds=100)
    renewed = await ward.call("nurse", "PUT", json={"fence": held.json()["fence"]})
    listed = await ward.call("other", "GET", "/locks")
    released = await ward.call("nurse", "DELETE")

    assert held.status_code == 200
    assert held.json()["holder"]["username"] == "nurse"
    assert held.json()["expires_at"] == "2026-03-01T08:05:00.000Z"
    assert renewed.json()["fence"] == held.json()["fence"]
    assert renewed.json()["expires_at"] == "2026-03-01T08:06:40.000Z"
    (shown,) = listed.json()["items"]
    assert (shown["id"], shown["fence"]) == ("vitals.pulse", None)
    assert released.status_code == 204
    assert (await ward.call("other", "GET", "/locks")).json()["items"] == []
    assert len(await ward.audited("lock_acquired")) == 1
    assert len(await ward.audited("lock_released")) == 1


async def test_somebody_else_gets_423_with_the_holder(ward: Ward) -> None:
    await ward.call("nurse", "PUT")

    refused = await ward.call("other", "PUT")

    problem = refused.json()
    assert refused.status_code == 423
    assert problem["holder"]["name"] == "Demo nurse"
    assert problem["expires_at"] == "2026-03-01T08:05:00.000Z"
    assert problem["held_elsewhere"] is False


async def test_a_renewal_of_a_dead_lock_is_409(ward: Ward) -> None:
    held = await ward.call("nurse", "PUT")
    ward.clock.step(seconds=301)
    await ward.call("other", "PUT")

    late = await ward.call("nurse", "PUT", json={"fence": held.json()["fence"]})

    assert late.status_code == 409
    assert late.json()["type"].endswith("lock-lost")


@pytest.mark.parametrize(
    ("who", "field", "status"),
    [
        ("nurse", "vitals.unheard_of", 404),
        ("nurse", "vitals", 404),
        ("nurse", "record.status", 404),
        ("nurse", "safety", 422),
        ("nurse", "payment.method", 403),
        ("supervisor", "vitals.pulse", 403),
        ("stranger", "vitals.pulse", 403),
    ],
)
async def test_a_field_that_is_unknown_or_not_theirs_is_not_held(
    ward: Ward, who: str, field: str, status: int
) -> None:
    assert (await ward.call(who, "PUT", f"/locks/{field}")).status_code == status
    assert not (await ward.call("nurse", "GET", "/locks")).json()["items"]


@pytest.mark.parametrize("body", [b"[]", b'{"fence": -1}', b'{"fence": true}', b'{"fense": 1}'])
async def test_a_wish_that_does_not_parse_is_422(ward: Ward, body: bytes) -> None:
    assert (await ward.call("nurse", "PUT", content=body)).status_code == 422


async def test_only_who_has_the_power_breaks_a_lock_with_a_reason_and_the_holder_is_told(
    ward: Ward,
) -> None:
    await ward.call("nurse", "PUT")

    denied = await ward.call("other", "DELETE")
    unreasoned = await ward.call("supervisor", "DELETE")
    broken = await ward.call("supervisor", "DELETE", "/locks/vitals.pulse?reason=left")

    assert (denied.status_code, unreasoned.status_code, broken.status_code) == (403, 422, 204)
    outcomes = {entry.outcome: entry.detail for entry in await ward.audited("lock_broken")}
    assert set(outcomes) == {"denied", "failure", "success"}
    assert "reason=left" in outcomes["success"]
    assert (await ward.call("nurse", "DELETE")).status_code == 404


async def test_asking_for_a_field_answers_with_its_holder(ward: Ward) -> None:
    nobody = await ward.call("other", "POST", "/locks/vitals.pulse/ask")
    await ward.call("nurse", "PUT")

    asked = await ward.call("other", "POST", "/locks/vitals.pulse/ask")
    own = await ward.call("nurse", "POST", "/locks/vitals.pulse/ask")

    assert (nobody.status_code, own.status_code) == (404, 404)
    assert asked.json()["holder"]["username"] == "nurse"


async def test_an_edit_is_409_while_somebody_else_holds_the_field(ward: Ward) -> None:
    await ward.call("nurse", "PUT")
    version = {"if-match": "1"}
    version["if-match"] = (await ward.call("other", "GET", "")).headers["etag"]

    refused = await ward.call("other", "PATCH", "", json={"vitals.pulse": 80}, headers=version)
    allowed = await ward.call("nurse", "PATCH", "", json={"vitals.pulse": 81}, headers=version)

    assert refused.status_code == 409
    assert refused.json()["errors"][0]["rule"] == "locked"
    assert "Demo nurse" in refused.json()["errors"][0]["reason"]
    assert allowed.status_code == 200


@pytest.mark.rule("LOCK-4")
async def test_an_edit_that_names_a_fence_counts_only_while_the_lock_is_held(ward: Ward) -> None:
    held = (await ward.call("nurse", "PUT")).json()["fence"]
    headers = {
        "if-match": (await ward.call("nurse", "GET", "")).headers["etag"],
        "lock-fence": str(held),
    }
    ward.clock.step(seconds=301)

    late = await ward.call("nurse", "PATCH", "", json={"vitals.pulse": 81}, headers=headers)
    headers["lock-fence"] = str((await ward.call("nurse", "PUT")).json()["fence"])
    good = await ward.call("nurse", "PATCH", "", json={"vitals.pulse": 82}, headers=headers)
    headers["lock-fence"] = "one"
    bad = await ward.call("nurse", "PATCH", "", json={"vitals.pulse": 83}, headers=headers)

    assert (late.status_code, good.status_code, bad.status_code) == (409, 200, 400)


@pytest.mark.rule("LOCK-3")
async def test_signing_out_over_http_frees_the_field(ward: Ward) -> None:
    await ward.call("nurse", "PUT")
    headers = {"authorization": f"Bearer {ward.tokens['nurse']}"}

    await ward.http.post("/api/logout", headers=headers)

    assert (await ward.call("other", "PUT")).status_code == 200


async def test_a_login_revoked_by_another_process_holds_no_field_though_it_has_no_socket() -> None:
    async with living() as house:
        record_id = await house.record()
        path = f"/api/records/{record_id}/locks/vitals.pulse"
        assert (await house.ask("nurse", "PUT", path)).status_code == 200
        authenticator = house.house.authenticator
        who = await authenticator.principal_for_token(await house.token("nurse"), house.now)
        await house.store.directory.end_login(who.login_id, house.now, "revoked")
        assert house.rooms.lock_holders() == {(who.user_id, who.login_id)}

        await authenticator.look_for_changes()

        assert house.rooms.lock_holders() == set()


async def test_a_record_that_is_over_is_held_by_nobody() -> None:
    async with living() as house:
        record_id, other = await house.record(), await house.record()
        for each in (record_id, other):
            path = f"/api/records/{each}/locks/vitals.pulse"
            assert (await house.ask("nurse", "PUT", path)).status_code == 200
        cancelled = await house.ask(
            "admin", "PUT", f"/api/records/{record_id}/status",
            {"status": "cancelled", "reason": "Came twice"},
        )  # fmt: skip
        assert cancelled.status_code == 200, cancelled.text
        await house.rooms.expiry.round(house.now)
        trail = [e for e in await house.entries(record_id=record_id) if "lock" in e.action]
        held = house.rooms._locks.holds(record_id), house.rooms._locks.holds(other)

    assert [len(holds) for holds in held] == [0, 1]
    assert [e.action for e in trail] == ["lock_acquired", "lock_released"]
    assert trail[-1].detail.endswith("cause=closed")
