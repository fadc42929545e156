"""Every HTTP call: who may make it, what it answers, and what it makes of hostile input."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from server.application import api_endpoints
from server.errors import NotAllowed
from sync.effects import Commit, Conflict, ConflictValue, Refusal
from tests.server.builders import FAST, PASSWORD, START, Bench, open_bench
from tests.server.test_emergencies import EMERGENCY_CALLS
from tests.server.test_lock_calls import LOCK_CALLS
from tests.server.test_visit_calls import VISIT_CALLS

PULSE = {"vitals.pulse": 70}
CHOICE = {"choice": 0, "reason": "measured again"}
NURSES = {"role": "nurse"}
WHY = {"reason": "not needed"}
SAFETY = {"substance": "x"}
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

NEW_ACCOUNT = {"username": "new", "password": "a long password", "roles": ["nurse"]}

Calls = list[tuple[str, str, Any, dict[str, str], str, str, int, int]]

# method, path, body, headers, wrong role, right role, status of the wrong, status of the right
CALLS: Calls = [
    ("GET", "/api/me", None, {}, "admin", "nurse", 200, 200),
    ("GET", "/api/logins", None, {}, "admin", "nurse", 200, 200),
    ("DELETE", "/api/logins/{nurse_login}", None, {}, "cashier", "nurse", 404, 204),
    ("POST", "/api/logout", None, {}, "admin", "nurse", 204, 204),
    ("GET", "/api/users", None, {}, "supervisor", "admin", 403, 200),
    ("POST", "/api/users", NEW_ACCOUNT, {}, "supervisor", "admin", 403, 201),
    ("PATCH", f"/api/users/{ULID}", {"disabled": True}, {}, "supervisor", "admin", 403, 404),
    ("GET", "/api/profiles", None, {}, "stranger", "nurse", 200, 200),
    ("GET", "/api/profiles/outpatient", None, {}, "doctor", "nurse", 403, 200),
    ("POST", "/api/records", {"profile": "outpatient"}, {}, "nurse", "receptionist", 403, 201),
    ("GET", "/api/records", None, {}, "stranger", "nurse", 200, 200),
    ("GET", "/api/records?profile=outpatient", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/records/{id}", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/records/{number}", None, {}, "admin", "supervisor", 403, 200),
    ("PATCH", "/api/records/{id}", PULSE, {"if-match": '"1"'}, "cashier", "nurse", 403, 200),
    ("POST", "/api/records/{id}/entries/safety", SAFETY, {}, "cashier", "nurse", 403, 201),
    ("GET", "/api/records/{id}/refusals", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/records/{id}/diff?from=0", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/records/{id}/refusals/2.1", None, {}, "doctor", "nurse", 403, 404),
    ("POST", "/api/records/{id}/refusals/2.1/apply", None, {}, "doctor", "nurse", 403, 404),
    ("POST", "/api/records/{id}/refusals/2.1/dismiss", WHY, {}, "doctor", "nurse", 403, 404),
    ("POST", "/api/records/{id}/refusals/2.1/ask", NURSES, {}, "doctor", "nurse", 403, 404),
    ("GET", "/api/refusals", None, {}, "stranger", "nurse", 200, 200),
    ("GET", "/api/records/{id}/history", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/records/{id}/conflicts", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/board?profile=outpatient", None, {}, "doctor", "nurse", 403, 200),
    ("GET", "/api/dashboard?profile=outpatient", None, {}, "nurse", "supervisor", 403, 200),
    ("GET", "/api/notifications", None, {}, "doctor", "nurse", 200, 200),
    ("POST", f"/api/notifications/{ULID}/ack", None, {}, "doctor", "nurse", 404, 404),
    (
        "GET", "/api/profiles/outpatient/colleagues?role=nurse", None, {}, "receptionist", "nurse",
        403, 200,
    ),
    (
        "POST", "/api/numbers", {"profile": "outpatient", "count": 2}, {}, "nurse", "receptionist",
        403, 201,
    ),
    ("GET", "/api/audit", None, {}, "nurse", "supervisor", 403, 200),
    ("GET", "/api/audit/export", None, {}, "nurse", "supervisor", 403, 200),
    ("POST", "/api/records/{id}/conflicts/1.1/resolve", CHOICE, {}, "doctor", "nurse", 403, 404),
]  # fmt: skip


async def ask(
    bench: Bench, username: str | None, method: str, path: str, body: Any = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:  # fmt: skip
    signed = await bench.bearer(username) if username else {}
    content = None if body is None else json.dumps(body)
    return await bench.http.request(
        method, path, content=content, headers={**signed, **(headers or {})}
    )


async def path_of(bench: Bench, path: str) -> str:
    nurse = await bench.principal("nurse")
    record = await bench.record()
    return path.format(id=record.id, number=record.number, nurse_login=nurse.login_id)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "wrong", "right", "no", "yes"), CALLS
)
async def test_a_call_answers_the_right_role_and_neither_a_wrong_one_nor_nobody(
    bench: Bench, method: str, path: str, body: Any, headers: dict[str, str], wrong: str,
    right: str, no: int, yes: int,
) -> None:  # fmt: skip
    path = await path_of(bench, path)

    nobody = await ask(bench, None, method, path, body, headers)
    refused = await ask(bench, wrong, method, path, body, headers)
    allowed = await ask(bench, right, method, path, body, headers)

    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    assert (refused.status_code, allowed.status_code) == (no, yes)
    if no >= 400:
        assert refused.headers["content-type"] == "application/problem+json"


def test_the_table_of_this_test_covers_every_endpoint_that_needs_a_login() -> None:
    names = {
        "{nurse_login}": "{id}",
        "{number}": "{id}",
        "outpatient": "{name}",
        "safety": "{section}",
        ULID: "{id}",
        "1.1": "{cid}",
        "2.1": "{rid}",
    }
    tested = {(method, path) for method, path, *_ in (*LOCK_CALLS, *VISIT_CALLS)}
    tested |= set(EMERGENCY_CALLS)
    tested.add(("GET", "/api/events"))  # it never ends: tests/server/test_events.py
    for method, path, *_ in CALLS:
        path = path.partition("?")[0]
        for concrete, name in names.items():
            path = path.replace(concrete, name)
        tested.add((method, path))

    assert tested == {(e.method, e.path) for e in api_endpoints() if not e.public}


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/api/openapi.json", "/api/docs"]
)
async def test_what_the_server_says_about_itself_needs_no_login(bench: Bench, path: str) -> None:
    answer = await bench.http.get(path)
    head = await bench.http.head(path)

    assert answer.status_code == 200
    assert (head.status_code, head.content) == (200, b"")


async def test_openapi_lists_every_route_and_every_route_is_in_openapi(bench: Bench) -> None:
    document = (await bench.http.get("/api/openapi.json")).json()

    listed = {(m.upper(), path) for path, calls in document["paths"].items() for m in calls}
    assert listed == {(e.method, e.path) for e in api_endpoints()}
    references = set(_references(document))
    assert references <= {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    }


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for one in value.values() for found in _references(one)]
    if isinstance(value, list):
        return [found for one in value for found in _references(one)]
    return []


async def test_signing_in_gives_token_user_and_cookie(bench: Bench) -> None:
    user = await bench.add_user("nurse")

    answer = await ask(
        bench, None, "POST", "/api/login", {"username": "nurse", "password": PASSWORD}
    )

    given = answer.json()
    assert given["user"] == {
        "id": user.id, "username": "nurse", "name": "Demo nurse", "roles": ["nurse"],
    }  # fmt: skip
    assert given["expires_at"] == "2026-03-31T08:00:00.000Z"
    assert given["token"] in answer.headers["set-cookie"]


async def test_repeated_failures_are_answered_429_with_the_wait(bench: Bench) -> None:
    wrong = {"username": "nurse", "password": "wrong"}
    answers = [await ask(bench, None, "POST", "/api/login", wrong) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[5].headers["retry-after"] == "10"


async def test_devices_are_listed_with_the_one_that_asks(bench: Bench) -> None:
    answer = await ask(bench, "nurse", "GET", "/api/logins")

    (device,) = answer.json()["items"]
    assert device["current"] is True
    assert (device["device"], device["address"]) == ("tablet", "::1")


async def test_a_revoked_device_is_out(bench: Bench) -> None:
    who = await bench.principal("nurse")

    await ask(bench, "nurse", "DELETE", f"/api/logins/{who.login_id}")

    assert (await ask(bench, "nurse", "GET", "/api/me")).status_code == 401


async def test_the_profile_says_what_this_user_may_write(bench: Bench) -> None:
    nurse = (await ask(bench, "nurse", "GET", "/api/profiles/outpatient")).json()
    cashier = (await ask(bench, "cashier", "GET", "/api/profiles/outpatient")).json()

    def writable(profile: Any) -> set[str]:
        return {f["name"] for s in profile["sections"] for f in s["fields"] if f["may_write"]}

    assert {"vitals.pulse", "triage.category", "safety"} <= writable(nurse)
    assert "vitals.pulse" not in writable(cashier)
    assert (nurse["may_create"], nurse["powers"]) == (False, [])


async def test_a_created_record_is_located_and_read_with_its_etag(bench: Bench) -> None:
    body = {"profile": "outpatient", "id": ULID, "fields": {"contact.village": "Demoville"}}

    created = await ask(bench, "receptionist", "POST", "/api/records", body)
    read = await ask(bench, "nurse", "GET", created.headers["location"])

    assert created.headers["location"] == f"/api/records/{ULID}"
    assert read.headers["etag"] == '"1"'
    assert read.headers["cache-control"] == "no-store"
    assert read.json()["fields"] == {"contact": {"village": "Demoville"}}
    assert set(read.json()) == {
        "id", "number", "profile", "patient_id", "version", "status", "current_step", "fields",
        "texts", "disputed",
    }  # fmt: skip


async def test_a_record_made_twice_is_a_conflict(bench: Bench) -> None:
    body = {"profile": "outpatient", "id": ULID}
    await ask(bench, "receptionist", "POST", "/api/records", body)

    again = await ask(bench, "receptionist", "POST", "/api/records", body)

    assert again.status_code == 409


async def test_an_edit_needs_the_version_that_was_read(bench: Bench) -> None:
    record = await bench.record()
    path = f"/api/records/{record.id}"
    edit = {"vitals.pulse": 70}

    without = await ask(bench, "nurse", "PATCH", path, edit)
    stale = await ask(bench, "nurse", "PATCH", path, edit, {"if-match": '"7"'})
    odd = [
        (await ask(bench, "nurse", "PATCH", path, edit, {"if-match": tag})).status_code
        for tag in ("*", 'W/"1"', '"1", "2"', '"-1"', "١")
        if tag.isascii()
    ]
    good = await ask(bench, "nurse", "PATCH", path, edit, {"if-match": '"1"'})

    assert without.status_code == 428
    assert stale.status_code == 412
    assert stale.json()["title"] == "Please refresh"
    assert (stale.json()["current_version"], stale.json()["changed"]) == (1, ["vitals.pulse"])
    assert odd == [400] * 4
    assert (good.status_code, good.headers["etag"]) == (200, '"2"')


@pytest.mark.parametrize(
    ("fields", "status", "rule"),
    [
        ({"diagnosis.plan": "rest", "vitals.pulse": 70}, 403, "role"),
        ({"vitals.temperature": 370}, 422, "range"),
        ({"vitals.temperature": "warm"}, 422, "type"),
        ({"vitals.nonsense": 1}, 422, "unknown_field"),
        ({"record.status": "completed"}, 422, "unknown_field"),
    ],
)
async def test_a_refused_edit_names_the_rule_and_changes_nothing(
    bench: Bench, fields: dict[str, Any], status: int, rule: str
) -> None:
    record = await bench.record()
    path = f"/api/records/{record.id}"

    answer = await ask(bench, "nurse", "PATCH", path, fields, {"if-match": '"1"'})

    assert answer.status_code == status
    assert rule in {violation["rule"] for violation in answer.json()["errors"]}
    assert (await ask(bench, "nurse", "GET", path)).json()["version"] == 1


async def test_an_empty_edit_is_told_to_name_a_field(bench: Bench) -> None:
    record = await bench.record()

    answer = await ask(
        bench, "nurse", "PATCH", f"/api/records/{record.id}", {}, {"if-match": '"1"'}
    )

    assert answer.status_code == 422


async def test_the_board_pages_newest_first_by_an_opaque_cursor(bench: Bench) -> None:
    made = sorted([(await bench.record()).id for _ in range(5)], reverse=True)
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await ask(bench, "nurse", "GET", f"/api/records?limit=2{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}"

    assert seen == made
    assert page["next"] is None


async def test_the_board_shows_only_records_of_ones_own_profiles(bench: Bench) -> None:
    own, other = await bench.record("outpatient"), await bench.record("eye_screening")
    await bench.add_user("both", "nurse", "doctor")

    nurse = (await ask(bench, "nurse", "GET", "/api/records")).json()["items"]
    both = (await ask(bench, "both", "GET", "/api/records")).json()["items"]
    nobody = (await ask(bench, "stranger", "GET", "/api/records")).json()

    assert [item["id"] for item in nurse] == [own.id]
    assert {item["id"] for item in both} == {own.id, other.id}
    assert nobody == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("profile=nonsense", "profile"),
        ("step=nonsense", "step"),
        ("status=nonsense", "status"),
        ("assigned=somebody", "assigned"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=../../etc", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("colour=red", "colour"),
        ("step=triage&step=payment", "step"),
        ("q=" + "x" * 201, "q"),
    ],
)
async def test_an_unknown_filter_is_named(bench: Bench, query: str, field: str) -> None:
    answer = await ask(bench, "nurse", "GET", f"/api/records?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_reading_is_audited_and_so_is_a_denied_reading(bench: Bench) -> None:
    record = await bench.record()
    path = f"/api/records/{record.id}"

    await ask(bench, "nurse", "GET", path)
    await ask(bench, "nurse", "GET", f"{path}/conflicts")
    await ask(bench, "doctor", "GET", path)

    entries = await bench.audited("read")
    assert [(e.outcome, e.detail, e.version) for e in entries] == [
        ("success", "", 1),
        ("success", "conflicts", 1),
        ("denied", "GET /api/records/{id} 403 not-allowed", 0),
    ]
    assert {entry.record_id for entry in entries} == {record.id}


def refusal(identifier: str, author: str) -> Refusal:
    return Refusal(
        id=identifier, field="diagnosis.plan", rule="role", reason="No.", value='"rest"',
        author=author, role="", login_id="l", device="tablet", address="::1", at=START,
        written_at=START, original=b"",
    )  # fmt: skip


async def test_refusals_are_seen_by_their_author_and_by_the_supervisor(bench: Bench) -> None:
    record = await bench.record()
    nurse, cashier = await bench.principal("nurse"), await bench.principal("cashier")
    left = (refusal("1.1", nurse.user_id), refusal("1.2", cashier.user_id))
    await bench.store.records.append(
        Commit(record_id=record.id, base_version=1, rows=(), refusals=left)
    )
    path = f"/api/records/{record.id}/refusals"

    own = (await ask(bench, "nurse", "GET", path)).json()["items"]
    every = (await ask(bench, "supervisor", "GET", path)).json()["items"]
    closed = (await ask(bench, "supervisor", "GET", f"{path}?status=applied")).json()["items"]

    assert [(one["id"], one["value"], one["author"]["username"]) for one in own] == [
        ("1.1", "rest", "nurse")
    ]
    assert [one["id"] for one in every] == ["1.1", "1.2"]
    assert closed == []


async def test_a_conflict_shows_every_value_with_its_author(bench: Bench) -> None:
    record = await bench.record()
    nurse = await bench.principal("nurse")
    await bench.store.directory.note_skew(nurse.login_id, 240_000, bench.clock())
    values = tuple(
        ConflictValue(
            value=value,
            author=nurse.user_id,
            written_at=START,
            at=START,
            device="d",
            version=1,
            login_id=login_id,
        )
        for value, login_id in (("37.2", nurse.login_id), ("null", ""))
    )
    conflict = Conflict(
        id="1.1", field="vitals.temperature", critical=True, status="open", base="null",
        values=values, standing=0,
    )  # fmt: skip
    await bench.store.records.append(
        Commit(record_id=record.id, base_version=1, rows=(), conflicts=(conflict,))
    )

    answer = await ask(bench, "cashier", "GET", f"/api/records/{record.id}/conflicts")

    (shown,) = answer.json()["items"]
    assert [value["value"] for value in shown["values"]] == [37.2, None]
    assert shown["values"][0]["author"] == {
        "id": nurse.user_id, "username": "nurse", "name": "Demo nurse", "role": "nurse",
    }  # fmt: skip
    assert [value["skew_ms"] for value in shown["values"]] == [240_000, None]
    assert shown["base"] is None
    assert shown["standing"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"profile": "\xed\xa0\x80"}', 400),
        (b'{"profile": "outpatient", "fields": {"a": NaN}}', 400),
        (b'{"profile": "outpatient", "fields": {"a": 1e999}}', 422),
        (b'{"profile": "outpatient", "fields": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001, 400),
        (b"[" * 100_000, 422),
        (b"null", 422),
        (b'"outpatient"', 422),
        (b'{"profile": 3}', 422),
        (b'{"profile": "outpatient", "fields": []}', 422),
        (b'{"profile": "outpatient", "admin": true}', 422),
        (b'{"profile": "nonsense"}', 422),
        (b'{"profile": "outpatient", "id": "../../etc/passwd"}', 422),
        (b'{"profile": "outpatient", "id": "01arz3ndektsv4rrffq69g5fav"}', 422),
        (b'{"profile": "outpatient", "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV\\n"}', 422),
        (b'{"profile": "outpatient", "patient_id": "a\\u0000b"}', 422),
        (b'{"profile": "outpatient", "patient_id": "a\\n"}', 422),
    ],
)
async def test_hostile_json_is_refused_and_never_an_error_of_ours(
    bench: Bench, body: bytes, status: int
) -> None:
    headers = await bench.bearer("receptionist")

    answer = await bench.http.post("/api/records", content=body, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert bench.rooms.views == {}


async def test_a_body_above_its_limit_is_answered_413(bench: Bench) -> None:
    headers = await bench.bearer("receptionist")

    async def in_chunks() -> Any:
        for _ in range(10):
            yield b" " * FAST.max_request_bytes

    whole = await bench.http.post(
        "/api/records", content=b" " * (FAST.max_request_bytes + 1), headers=headers
    )
    chunked = await bench.http.post("/api/records", content=in_chunks(), headers=headers)
    anonymous = await bench.http.post("/api/login", content=b" " * 20_000)

    assert [each.status_code for each in (whole, chunked, anonymous)] == [413] * 3


async def test_a_body_that_does_not_come_is_answered_408() -> None:
    async with open_bench(msgspec.structs.replace(FAST, request_body_seconds=0.01)) as bench:
        headers = await bench.bearer("receptionist")

        async def never() -> Any:
            import asyncio

            yield b"{"
            await asyncio.Event().wait()

        answer = await bench.http.post("/api/records", content=never(), headers=headers)

    assert answer.status_code == 408


@pytest.mark.parametrize(
    "record_id",
    [
        "unknown",
        "*",
        "%25",
        "_",
        "..%2F..%2Fetc",
        "a%00b",
        "OPD-00000%D9%A1",
        "%D0%9ERD-000001",
        "x" * 65,
        "'; DROP TABLE records; --",
        " ",
    ],
)
async def test_an_odd_record_id_is_simply_not_found(bench: Bench, record_id: str) -> None:
    await bench.record()
    headers = await bench.bearer("nurse")

    answer = await bench.http.get(f"/api/records/{record_id}", headers=headers)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_answer_has_the_security_headers(bench: Bench) -> None:
    for path in ("/", "/api/me", "/nowhere", "/healthz"):
        headers = (await bench.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in headers
    assert (await bench.http.get("/api/me")).headers["cache-control"] == "no-store"


async def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_does(
    bench: Bench,
) -> None:
    answer = await bench.http.put("/api/records")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert answer.json()["type"] == "urn:fieldchart:problem:method-not-allowed"


async def test_an_unknown_path_is_a_problem_too(bench: Bench) -> None:
    answer = await bench.http.get("/api/nonsense")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_mistake_of_ours_is_answered_by_an_incident_without_content(bench: Bench) -> None:
    record = await bench.record()
    bench.rooms.failure = RuntimeError("Amina Example has 37.2")

    answer = await ask(bench, "nurse", "GET", f"/api/records/{record.id}")

    assert answer.status_code == 500
    assert answer.json()["incident"] in bench.log.getvalue()
    assert "Amina" not in answer.text + bench.log.getvalue()


async def test_requests_are_counted_by_route_and_never_by_address(bench: Bench) -> None:
    record = await bench.record()
    await ask(bench, "nurse", "GET", f"/api/records/{record.id}")

    metrics = (await bench.http.get("/metrics")).text

    assert 'method="GET",route="/api/records/{id}",status="200"' in metrics
    assert record.id not in metrics


async def test_a_reason_of_a_denial_reaches_the_caller(bench: Bench) -> None:
    record = await bench.record()
    bench.rooms.failure = NotAllowed("You are not assigned to this record.")

    answer = await ask(bench, "nurse", "GET", f"/api/records/{record.id}")

    assert answer.json()["detail"] == "You are not assigned to this record."


async def test_a_profile_is_said_in_the_language_that_is_asked_for(bench: Bench) -> None:
    own = (await ask(bench, "nurse", "GET", "/api/profiles/outpatient")).json()
    french = await ask(bench, "nurse", "GET", "/api/profiles/outpatient?lang=fr-CA")
    listed = (await ask(bench, "nurse", "GET", "/api/profiles?lang=sw")).json()
    said = french.json()

    def field(profile: Any, name: str) -> Any:
        return next(f for s in profile["sections"] for f in s["fields"] if f["name"] == name)

    assert (own["language"], said["language"]) == ("en", "fr")
    assert french.headers["content-language"] == "fr"
    assert said["languages"] == ["en", "ar", "fr", "sw"]
    assert (own["title"], said["title"]) == ("Outpatient visit", "Consultation externe")
    assert listed["items"][0]["title"] == "Ziara ya wagonjwa wa nje"
    assert said["roles"]["cashier"] == "Caissier"
    assert field(said, "vitals.pulse")["title"] == "Pouls"
    assert field(said, "vitals.pain")["value"]["unit"] == "sur 10"
    assert field(said, "triage.category")["value"]["options"]["emergency"] == "Urgence vitale"
    assert field(said, "diagnosis.plan")["title"] == "Conduite à tenir"
    drug = field(said, "prescriptions")["entry_fields"][0]
    assert (drug["key"], drug["title"]) == ("drug", "Médicament")
    assert said["steps"][0]["title"] == "Enregistrement"
    assert said["events"]["prescription_ready"] == "Ordonnance prête"
    assert said["metrics"]["waiting_for_triage"]["title"] == "En attente de triage"


async def test_words_change_neither_the_version_nor_what_one_may_write(bench: Bench) -> None:
    own = (await ask(bench, "nurse", "GET", "/api/profiles/outpatient")).json()
    arabic = (await ask(bench, "nurse", "GET", "/api/profiles/outpatient?lang=ar")).json()

    def rules(profile: Any) -> Any:
        return profile["version"], [
            (f["name"], f["may_write"], f["writers"], f["value"]["minimum"], f["value"]["flags"])
            for s in profile["sections"] for f in s["fields"]
        ]  # fmt: skip

    assert rules(own) == rules(arabic)


async def test_a_language_that_a_profile_lacks_is_answered_in_its_own(bench: Bench) -> None:
    answer = await ask(bench, "nurse", "GET", "/api/profiles/outpatient?lang=am")

    assert (answer.status_code, answer.json()["language"]) == (200, "en")
    assert answer.json()["title"] == "Outpatient visit"


@pytest.mark.parametrize("lang", ["french", "fr_FR", "../fr", "%00", "x" * 500, "fr&lang=sw"])
async def test_what_is_no_language_is_named(bench: Bench, lang: str) -> None:
    for path in ("/api/profiles", "/api/profiles/outpatient"):
        answer = await ask(bench, "nurse", "GET", f"{path}?lang={lang}")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "lang"


async def test_each_language_and_each_role_has_its_own_etag(bench: Bench) -> None:
    path = "/api/profiles/outpatient"
    nurse = await ask(bench, "nurse", "GET", f"{path}?lang=fr")
    tag = nurse.headers["etag"]

    again = await ask(bench, "nurse", "GET", f"{path}?lang=fr", headers={"If-None-Match": tag})
    swahili = await ask(bench, "nurse", "GET", f"{path}?lang=sw", headers={"If-None-Match": tag})
    cashier = await ask(bench, "cashier", "GET", f"{path}?lang=fr", headers={"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert (swahili.status_code, cashier.status_code) == (200, 200)
    assert len({tag, swahili.headers["etag"], cashier.headers["etag"]}) == 3
