"""The audit trail as JSON lines and as FHIR R4 AuditEvent after IHE BALP."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import fhirkit
import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from typer.testing import CliRunner

from server.audit.actions import ACTIONS
from server.audit.export import ExportStream, export_lines
from server.audit.fhir import audit_event
from server.commands.cli import app
from storage import SqliteStore
from storage.ports import AuditFilter
from sync.effects import AuditEntry, AuditOutcome
from tests.support.house import living

AT = datetime(2026, 3, 1, 8, 0, 0, 5000, tzinfo=UTC)
DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."

# BALP 1.1: profile → action, agent type of the client, of the server, and of the person
SHAPES = {
    "Create": ("C", "110153", "110152", {"AUT", "INF", "CST"}),
    "Update": ("U", "110153", "110152", {"AUT", "INF", "CST"}),
    "Read": ("R", "110152", "110153", {"IRCP"}),
    "Query": ("E", "110153", "110152", {"IRCP"}),
}
SUBTYPES = {"Create": {"create"}, "Update": {"update", "patch"}, "Read": {"read", "vread"}}
SUBTYPES["Query"] = {"search", "search-type", "search-system"}


def entry(action: Any, outcome: AuditOutcome = "success", **parts: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "user_id": "U1", "login_id": "L1", "device": "tablet 3", "address": "192.0.2.7",
        "record_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "version": 7,
    }  # fmt: skip
    return AuditEntry(at=AT, action=action, outcome=outcome, **{**values, **parts})


def every_entry() -> Iterator[tuple[AuditEntry, str]]:
    """One of each action and outcome; with and without record, person, address and detail."""
    for action in ACTIONS:
        for outcome in get_args(AuditOutcome):
            yield entry(action, outcome), "P-1"
            yield entry(action, outcome, detail="user=U2 roles=nurse role=nurse emergency"), ""
            nothing = {"user_id": "", "login_id": "", "device": "", "address": ""}
            yield entry(action, outcome, record_id="", version=0, **nothing), ""


def code_of(agent: dict[str, Any]) -> str:
    code: str = agent["type"]["coding"][0]["code"]
    return code


def test_every_event_is_valid_fhir_by_two_independent_validators() -> None:
    for seq, (each, patient) in enumerate(every_entry(), 1):
        event = audit_event(seq, each, patient, "fieldchart")

        assert fhirkit.validate(event) == [], event
        AuditEvent.model_validate(event)


def test_what_claims_a_profile_of_balp_has_its_shape() -> None:
    claimed = set()
    for seq, (each, patient) in enumerate(every_entry(), 1):
        event = audit_event(seq, each, patient, "fieldchart")
        if "meta" not in event:
            continue
        (profile,) = event["meta"]["profile"]
        name = profile.removeprefix(BALP)
        claimed.add(name)
        kind = name.removeprefix("Patient")
        letter, client, server, people = SHAPES[kind]

        assert event["type"]["code"] == "rest"
        assert event["type"]["system"] == f"{TERMINOLOGY}/audit-event-type"
        assert {s["code"] for s in event["subtype"]} <= SUBTYPES[kind]
        assert (event["action"], event["outcome"]) == (letter, "0")
        machines = [a for a in event["agent"] if a["type"]["coding"][0]["system"] == DCM]
        assert sorted(map(code_of, machines)) == sorted((client, server))
        assert all(a["who"]["identifier"]["value"] and a["network"] for a in machines)
        persons = [a for a in event["agent"] if a not in machines]
        assert len(persons) == bool(each.user_id)
        assert all(code_of(a) in people and a["requestor"] for a in persons)
        assert not any("network" in a for a in persons)
        roles = [e["role"]["code"] for e in event["entity"]]
        assert ("24" if kind == "Query" else "4") in roles
        assert name.startswith("Patient") == ("1" in roles and kind != "Query")
    assert claimed == {
        "Create", "Read", "Update", "PatientCreate", "PatientRead", "PatientUpdate", "Query",
    }  # fmt: skip


def test_every_event_names_who_asked_from_where_and_who_observed_it() -> None:
    for seq, (each, patient) in enumerate(every_entry(), 1):
        event = audit_event(seq, each, patient, "clinic-7")

        assert sum(agent["requestor"] for agent in event["agent"]) == 1
        assert event["source"]["observer"]["identifier"]["value"] == "clinic-7"
        assert event["recorded"] == "2026-03-01T08:00:00.005Z"
        assert event["outcome"] in {"0", "4", "8"}
        assert ("outcomeDesc" in event) == (each.outcome != "success")


def test_a_read_names_person_device_address_patient_and_version() -> None:
    event = audit_event(9, entry("read", detail="history role=nurse"), "P-1", "fieldchart")

    user, client, server = event["agent"]
    assert user["who"]["identifier"] == {"system": "urn:fieldchart:user", "value": "U1"}
    assert (user["altId"], user["role"][0]["coding"][0]["code"]) == ("L1", "nurse")
    assert (client["name"], client["network"]["address"]) == ("tablet 3", "192.0.2.7")
    assert server["who"]["identifier"]["value"] == "fieldchart"
    patient, record = event["entity"]
    assert patient["what"]["identifier"]["value"] == "P-1"
    assert record["what"]["reference"] == "Encounter/01ARZ3NDEKTSV4RRFFQ69G5FAV/_history/7"


@pytest.mark.parametrize(
    ("outcome", "detail", "code"),
    [
        ("success", "", "0"),
        ("denied", "GET /api/records/{id} 403 not-allowed", "4"),
        ("failure", "PATCH /api/records/{id} 412 version-mismatch", "4"),
        ("failure", "GET /api/records/{id} 503 store-unavailable", "8"),
    ],
)
def test_outcomes_are_fhirs(outcome: AuditOutcome, detail: str, code: str) -> None:
    event = audit_event(1, entry("read", outcome, detail=detail), "", "fieldchart")

    assert event["outcome"] == code


def test_a_query_carries_what_was_asked_for() -> None:
    event = audit_event(1, entry("query", record_id="", detail="step=triage"), "", "fieldchart")

    (asked,) = [e["query"] for e in event["entity"] if "query" in e]
    assert base64.b64decode(asked) == b"step=triage"


def test_what_was_done_in_an_emergency_says_so() -> None:
    marked = audit_event(1, entry("read", detail="conflicts emergency"), "", "fieldchart")
    plain = audit_event(1, entry("read", detail="conflicts"), "", "fieldchart")

    assert marked["purposeOfEvent"][0]["coding"][0]["code"] == "ETREAT"
    assert "purposeOfEvent" not in plain


async def test_an_export_reads_page_by_page_and_ends_where_the_trail_stood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.audit.export.PAGE", 3)
    async with living() as household:
        await household.record()
        for _ in range(7):
            await household.ask("nurse", "GET", "/api/logins")
        newest, _ = await household.store.audit_head()

        chunks = []
        async for chunk in export_lines(household.store, AuditFilter(), "jsonl", "fieldchart"):
            chunks.append(chunk)
            await household.ask("nurse", "GET", "/api/logins")

    lines = [json.loads(line) for line in b"".join(chunks).splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, newest + 1))
    assert max(chunk.count(b"\n") for chunk in chunks) == 3


def test_the_command_exports_both_forms_and_is_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDCHART_DATA", str(tmp_path))

    def run(*arguments: str, stdin: str | None = None) -> Any:
        return CliRunner().invoke(app, arguments, input=stdin)

    async def fill() -> str:
        store = await SqliteStore.open(tmp_path / "fieldchart.sqlite3")
        async with living(store) as household:
            record_id = await household.record()
            await household.ask("nurse", "GET", f"/api/records/{record_id}")
        await store.close()
        return record_id

    record_id = asyncio.run(fill())
    plain = [json.loads(line) for line in run("audit").stdout.splitlines()]
    read = run("audit", "--format", "fhir", "--record", record_id, "--action", "read")
    (event,) = [json.loads(line) for line in read.stdout.splitlines()]
    by_user = run("audit", "--user", "nurse", "--since", "2026-01-01T00:00:00Z").stdout
    after = [
        json.loads(line) for line in run("audit", "--action", "audit_export").stdout.splitlines()
    ]

    assert [line["action"] for line in plain[-3:]] == ["login", "read", "audit_export"]
    assert fhirkit.validate(event) == []
    assert event["meta"]["profile"] == [BALP + "PatientRead"]
    assert {json.loads(line)["action"] for line in by_user.splitlines()} == {"login", "read"}
    assert [line["detail"] for line in after][:2] == ["format=jsonl", "format=fhir action=read"]
    for wrong, name in (
        (("--action", "everything"), "action"), (("--user", "nobody"), "user"),
        (("--since", "yesterday"), "since"), (("--format", "xml"), "format"),
    ):  # fmt: skip
        answer = run("audit", *wrong)
        assert answer.exit_code == 1
        assert f"--{name}" in answer.stderr


async def test_the_trail_is_exported_over_http_to_those_who_may_read_it() -> None:
    async with living() as household:
        record_id = await household.record()
        other = await household.record("eye_screening")
        await household.user("head", "supervisor")
        await household.ask("nurse", "GET", f"/api/records/{record_id}")

        plain = await household.ask("admin", "GET", "/api/audit/export")
        fhir = await household.ask("head", "GET", "/api/audit/export?format=fhir&action=read")
        denied = await household.ask("nurse", "GET", "/api/audit/export")
        wrong = await household.ask("admin", "GET", "/api/audit/export?format=xml")
        exports = await household.entries(action="audit_export")

    assert plain.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in plain.text.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert {record_id, other} <= {line["record_id"] for line in lines}
    assert fhir.headers["content-type"] == "application/fhir+ndjson"
    (event,) = [json.loads(line) for line in fhir.text.splitlines()]
    assert fhirkit.validate(event) == []
    assert (denied.status_code, wrong.status_code) == (403, 422)
    assert [(entry.outcome, entry.detail.split()[0]) for entry in exports] == [
        ("success", "format=jsonl"), ("success", "format=fhir"), ("denied", "GET"),
        ("failure", "GET"),
    ]  # fmt: skip


async def test_an_export_that_nobody_reads_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.audit.export.STALL_SECONDS", 0.01)

    async def lines() -> AsyncIterator[bytes]:
        yield b"{}"

    stream = ExportStream(lines())

    assert await asyncio.wait_for(stream.ended, 5) == "slow"
    assert [chunk async for chunk in stream.frames()] == [b"{}"]
    stream.end("left")
