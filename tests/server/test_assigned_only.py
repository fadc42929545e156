"""A profile that asks for assignments: who makes a record, and who is called to it, may open it."""

from typing import Any

from tests.server.test_emergencies import assigning
from tests.support.house import living

NAMED = {
    "demographics.family_name": "Example", "demographics.given_name": "Amina",
    "demographics.birth_date": "1984-03-12", "demographics.sex": "female",
}  # fmt: skip


async def test_a_visit_goes_from_hand_to_hand_and_nobody_else_opens_it() -> None:
    async with living(policies=assigning()) as house:
        await house.user("colleague", "receptionist")
        record_id = await house.record(**NAMED)
        path = f"/api/records/{record_id}"

        async def opens(*people: str) -> list[int]:
            return [(await house.ask(who, "GET", path)).status_code for who in people]

        made = await opens("receptionist", "colleague", "nurse", "supervisor")
        steps = f"/api/sessions/{record_id}/steps"
        done: Any = {"status": "completed"}
        denied = await house.ask("colleague", "PUT", f"{steps}/registration", done)
        left = await house.ask("receptionist", "PUT", f"{steps}/registration", done)
        told = (await house.ask("nurse", "GET", "/api/notifications")).json()["items"]
        called = await house.ask("nurse", "POST", "/api/queue/outpatient/triage/next")
        etag = f'"{(await house.ask("nurse", "GET", path)).json()["version"]}"'
        wrote = await house.ask("nurse", "PATCH", path, {"vitals.pulse": 70}, if_match=etag)

        assert made == [200, 403, 403, 200]
        assert (denied.status_code, left.status_code) == (403, 200)
        assert [(one["event"], one["record"]) for one in told] == [
            ("patient_registered", record_id)
        ]
        assert called.json()["id"] == record_id
        assert wrote.status_code == 200
        assert await opens("receptionist", "nurse", "clinical_officer") == [200, 200, 403]


async def test_an_administrator_who_makes_a_record_is_not_responsible_for_a_step() -> None:
    async with living(policies=assigning()) as house:
        answer = await house.ask("admin", "POST", "/api/records", {"profile": "outpatient"})
        path = f"/api/records/{answer.json()['id']}"
        given = await house.ask(
            "supervisor", "PUT", f"{path}/assignments/receptionist", {"user": "receptionist"}
        )
        await house.user("receptionist")
        again = await house.ask(
            "supervisor", "PUT", f"{path}/assignments/receptionist", {"user": "receptionist"}
        )

        assert answer.status_code == 201
        assert given.status_code == 422, "there is no such person yet"
        assert list(again.json()["assigned"]) == ["receptionist"]
        assert (await house.ask("receptionist", "GET", path)).status_code == 200
