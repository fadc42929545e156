"""The audit trail: everything leaves a line in it, and those who may can read it."""

import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
from starlette.types import Message

from server.application import api_endpoints
from server.audit.actions import ACTIONS
from server.audit.heads import AuditHeads
from server.sockets.websocket import SyncEndpoint
from sync.effects import AuditAction
from tests.support.house import Household, living

ROOT = Path(__file__).parents[2]

UNAUDITED = {"/api/me", "/api/profiles", "/api/profiles/{name}", "/api/notifications"}
"""They show nothing but oneself and the rules; a failure of theirs is audited all the same."""


@pytest.fixture
async def household() -> AsyncIterator[Household]:
    async with living() as opened:
        yield opened


@pytest.mark.rule("AUDIT-1")
def test_the_table_of_actions_is_the_list_that_the_type_checker_knows() -> None:
    assert set(ACTIONS) == set(get_args(AuditAction))


def test_every_action_of_the_table_is_used_somewhere() -> None:
    used = {
        node.value
        for package in ("server", "sync", "storage")
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("actions.py", "effects.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert set(ACTIONS) - used == set()


def private_calls() -> list[tuple[str, str]]:
    return [
        (endpoint.method, endpoint.path)
        for endpoint in api_endpoints()
        if not endpoint.public and endpoint.media_type != "text/event-stream"
    ]


@pytest.mark.parametrize(("method", "path"), private_calls())
@pytest.mark.parametrize("who", ["stranger", "everybody"])
@pytest.mark.rule("AUDIT-2")
async def test_every_call_of_a_signed_in_person_leaves_a_line_whatever_came_of_it(
    household: Household, method: str, path: str, who: str
) -> None:
    roles = {role for each in household.house.policies.values() for role in each.profile.roles}
    await household.user("stranger", "no_such_role")
    await household.user("everybody", *roles)
    record_id = await household.record()
    await household.token(who)
    before = len(await household.entries(who))

    values = {"id": record_id, "name": "outpatient", "profile": "outpatient"}
    for name in ("section", "step", "role", "cid", "rid", "field"):
        values.setdefault(name, "vitals")
    body = None if method in ("GET", "DELETE") else {}
    answer = await household.ask(who, method, path.format_map(values), body)
    left = (await household.entries(who))[before:]

    if answer.status_code >= 400:
        assert left[-1].outcome != "success"
        assert f" {answer.status_code} " in left[-1].detail
    elif path not in UNAUDITED:
        assert left[-1].outcome == "success"
    assert all(entry.login_id and entry.device == "tablet" for entry in left)


@pytest.mark.rule("AUDIT-2")
async def test_a_life_of_a_record_is_told_by_its_entries(household: Household) -> None:
    record_id = await household.record()
    path = f"/api/records/{record_id}"
    await household.ask("nurse", "PATCH", path, {"vitals.pulse": 70}, if_match='"1"')
    await household.ask("nurse", "PATCH", path, {"vitals.pulse": 71}, if_match='"1"')
    await household.ask("cashier", "PATCH", path, {"vitals.pulse": 71}, if_match='"2"')
    await household.ask("nurse", "GET", path)
    await household.ask("doctor", "GET", path)
    await household.ask("nurse", "GET", "/api/records?profile=outpatient&q=Amina")
    await household.ask("nurse", "GET", "/api/records/John%20Doe")

    found = [(e.action, e.outcome, e.version, e.detail) for e in await household.entries()]
    told = [each for each in found if each[0] != "login"]
    assert told == [
        ("create", "success", 1, ""),
        ("update", "success", 2, "role=nurse"),
        ("update", "failure", 0, "PATCH /api/records/{id} 412 version-mismatch"),
        ("update", "denied", 0, "PATCH /api/records/{id} 403 edit-refused rules=role"),
        ("read", "success", 2, ""),
        ("read", "denied", 0, "GET /api/records/{id} 403 not-allowed"),
        ("query", "success", 0, "profile=outpatient q=given"),
        ("read", "failure", 0, "GET /api/records/{id} 404 not-found"),
    ]


async def opened(household: Household, username: str, address: str) -> int | None:
    """Open a record on `/sync` and leave; the close code, if the server closed."""
    token = await household.token(username)
    messages: list[Message] = [{"type": "websocket.connect"}]
    closed: list[int] = []
    over = asyncio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await over.wait()
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Message) -> None:
        if message["type"] == "websocket.close":
            closed.append(message["code"])
        if message["type"] != "websocket.accept":
            over.set()

    scope: dict[str, Any] = {
        "type": "websocket", "path": f"/sync/{address}", "path_params": {"record_id": address},
        "headers": [(b"authorization", f"Bearer {token}".encode())], "subprotocols": [],
        "client": ("192.0.2.9", 1), "extensions": {},
    }  # fmt: skip
    await SyncEndpoint(household.house, household.rooms)(scope, receive, send)
    return closed[0] if closed else None


@pytest.mark.rule("AUDIT-2")
async def test_opening_a_record_is_audited_also_where_it_is_denied_or_there_is_none(
    household: Household,
) -> None:
    record_id = await household.record()

    await opened(household, "nurse", record_id)
    assert await opened(household, "doctor", record_id) == 4403
    assert await opened(household, "nurse", "NO-SUCH") == 4404

    found = await household.entries(action="open")
    assert [(e.outcome, e.record_id, e.detail, e.address) for e in found] == [
        ("success", record_id, "", "192.0.2.9"),
        ("denied", record_id, "not-allowed", "192.0.2.9"),
        ("failure", "", "not-found", "192.0.2.9"),
    ]


async def test_a_socket_finds_a_record_by_its_number_in_any_case_as_calls_do(
    household: Household,
) -> None:
    record_id = await household.record()
    number = (await household.house.store.records.names({record_id}))[record_id].number

    assert await opened(household, "nurse", number.lower()) is None
    assert await opened(household, "nurse", f"{number}%00") == 4404

    assert [e.record_id for e in await household.entries(action="open")] == [record_id, ""]


async def test_lines_name_their_record_by_its_number(household: Household) -> None:
    record_id = await household.record()
    number = (await household.house.store.records.names({record_id}))[record_id].number

    lines = await listed(household, "admin")

    assert {line["number"] for line in lines if line["record_id"] == record_id} == {number}
    assert {line["number"] for line in lines if not line["record_id"]} == {""}


async def listed(household: Household, who: str, query: str = "") -> list[dict[str, Any]]:
    answer = await household.ask(who, "GET", f"/api/audit?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_supervisor_sees_the_records_of_their_profiles_and_an_admin_everything(
    household: Household,
) -> None:
    mine = await household.record("outpatient")
    other = await household.record("eye_screening")
    await household.user("head", "supervisor")
    own = set(household.house.policies["outpatient"].profile.roles)
    shared = own & set(household.house.policies["eye_screening"].profile.roles)

    everything = {line["record_id"] for line in await listed(household, "admin")}
    seen = {line["record_id"] for line in await listed(household, "head")}

    assert everything == {mine, other, ""}
    assert seen == ({mine, other} if "supervisor" in shared else {mine})
    for nobody in ("nurse", "receptionist"):
        assert (await household.ask(nobody, "GET", "/api/audit")).status_code == 403


async def test_lines_are_filtered_ordered_and_paged_and_name_people(household: Household) -> None:
    record_id = await household.record()
    for _ in range(3):
        household.step(minutes=1)
        await household.ask("nurse", "GET", f"/api/records/{record_id}")
    number = (await household.ask("nurse", "GET", f"/api/records/{record_id}")).json()["number"]

    reads = await listed(household, "admin", f"record={number}&action=read&user=nurse")
    assert len(reads) == 4
    assert reads[0]["user"]["name"] == "Demo nurse"
    assert [line["id"] for line in reads] == sorted((r["id"] for r in reads), key=int, reverse=True)
    oldest = await listed(household, "admin", "order=oldest&limit=1")
    assert oldest[0]["action"] == "login"
    since = "since=2026-03-01T08:02:00Z&until=2026-03-01T09:03:00%2B01:00&action=read"
    assert len(await listed(household, "admin", since)) == 1
    assert await listed(household, "admin", "outcome=denied") == []

    pages, cursor = [], ""
    while True:
        query = f"action=read&limit=3{cursor}"
        page = (await household.ask("admin", "GET", f"/api/audit?{query}")).json()
        pages += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [line["id"] for line in pages] == [line["id"] for line in reads]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("record=NO-SUCH", "record"),
        ("record=../../etc", "record"),
        ("record=*", "record"),
        ("record=%00", "record"),
        ("user=nobody", "user"),
        ("action=everything", "action"),
        ("outcome=maybe", "outcome"),
        ("since=yesterday", "since"),
        ("since=2026-03-01T08:00:00", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "until"),
        ("limit=0", "limit"),
        ("limit=100000", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=MWFiYw", "cursor"),
        ("order=sideways", "order"),
        ("colour=red", "colour"),
    ],
)
async def test_filters_with_nonsense_are_answered_422_with_the_field(
    household: Household, query: str, field: str
) -> None:
    answer = await household.ask("admin", "GET", f"/api/audit?{query}")

    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_reading_the_trail_is_itself_audited_with_what_was_asked(
    household: Household,
) -> None:
    record_id = await household.record()
    await listed(household, "admin", f"record={record_id}&action=read")
    await household.ask("nurse", "GET", "/api/audit")

    (read, denied) = await household.entries(action="audit_read")
    assert (read.outcome, read.record_id, read.detail) == ("success", record_id, "action=read")
    assert (denied.outcome, denied.detail) == ("denied", "GET /api/audit 403 not-allowed")


async def test_the_head_is_told_in_the_log_and_by_the_metrics_and_only_when_it_moved(
    household: Household,
) -> None:
    await household.record()
    house = household.house
    heads = AuditHeads(household.store, house.metrics, house.log)
    await heads.tell()
    await heads.tell()
    seq, digest = await household.store.audit_head()

    lines = [line for line in household.log.getvalue().splitlines() if '"audit head"' in line]
    assert len(lines) == 1
    assert digest.hex() in lines[0]
    metrics = (await household.http.get("/metrics")).text
    assert f'fieldchart_audit_head_info{{hash="{digest.hex()}"}} {float(seq)}' in metrics
    await household.record()
    metrics = (await household.http.get("/metrics")).text
    assert metrics.count("fieldchart_audit_head_info{") == 1
    assert digest.hex() not in metrics


async def test_an_unreadable_head_is_counted_and_does_not_end_the_telling(
    household: Household,
) -> None:
    house = household.house
    heads = AuditHeads(household.store, house.metrics, house.log)
    await household.store.close()

    async with heads.running():
        pass

    assert "audit head not read" in household.log.getvalue()
