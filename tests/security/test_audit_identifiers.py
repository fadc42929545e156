"""Names and clinical values that people type everywhere are nowhere in trail, logs and exports."""

import json
from typing import Any

import pytest

from server.audit.export import FORMATS, export_lines
from storage.ports import AuditFilter
from tests.support.house import Household, living

NAMES = ("Wanjiru", "Otieno", "Kisumu")
VALUES = ("39.7", "haemoptysis", "ART defaulter")
PLANTED = (*NAMES, *VALUES, "Demo nurse")


async def lived(household: Household) -> None:
    """Everything that takes text gets some: fields, texts, searches, paths, wrong passwords."""
    family, given, village = NAMES
    record_id = await household.record(
        **{
            "demographics.family_name": family, "demographics.given_name": given,
            "demographics.other_names": village,
        }
    )  # fmt: skip
    path = f"/api/records/{record_id}"

    async def ask(who: str, method: str, where: str, body: Any = None, **headers: str) -> None:
        await household.ask(who, method, where, body, **headers)

    _, complaint, note = VALUES
    current = f'"{(await household.ask("nurse", "GET", path)).json()["version"]}"'
    await ask("nurse", "PATCH", path, {"vitals.temperature": 39.7}, if_match=current)
    await ask("nurse", "PATCH", path, {"vitals.temperature": 39.7}, if_match='"1"')
    await ask("cashier", "PATCH", path, {"vitals.temperature": 39.7}, if_match=current)
    await ask("nurse", "PATCH", path, {f"vitals.{family}": complaint}, if_match=current)
    await ask("nurse", "POST", f"{path}/entries/safety", {"substance": note, family: complaint})
    await ask("nurse", "POST", f"{path}/entries/{family}", {"substance": note})
    await ask("nurse", "GET", f"/api/records?q={family}")
    await ask("nurse", "GET", f"/api/records?step={family}")
    await ask("nurse", "GET", f"/api/records/{family}%20{given}")
    await ask("nurse", "GET", f"/api/profiles/{family}")
    await ask("nurse", "POST", f"{path}/break-glass", {"reason": f"{family} has {complaint}"})
    await ask("nurse", "DELETE", f"{path}/break-glass?user={family}")
    await ask("admin", "GET", f"/api/audit?user={family}")
    await ask("admin", "GET", f"/api/audit?record={family}")
    await ask("nurse", "DELETE", f"/api/logins/{family}")
    for secret in (complaint, note):
        body = json.dumps({"username": family, "password": secret})
        await household.http.post("/api/login", content=body)


@pytest.mark.rule("AUDIT-3")
async def test_nothing_that_people_typed_is_in_trail_logs_metrics_or_exports() -> None:
    async with living() as household:
        await lived(household)

        entries = await household.entries()
        exported = b""
        for form in FORMATS:
            async for lines in export_lines(household.store, AuditFilter(), form, "fieldchart"):
                exported += lines
        metrics = (await household.http.get("/metrics")).text
        log = household.log.getvalue()

    assert len(entries) > 20
    for text in PLANTED:
        for where in (str(entries), exported.decode(), metrics, log):
            assert text not in where, text


async def test_the_planted_texts_would_be_found() -> None:
    """The record itself has them, so the test above has looked for the right thing."""
    async with living() as household:
        await lived(household)
        (record_id,) = {e.record_id for e in await household.entries(action="create") if e.version}
        shown = (await household.ask("nurse", "GET", f"/api/records/{record_id}")).text

    assert all(name in shown for name in NAMES)
    assert "39.7" in shown
