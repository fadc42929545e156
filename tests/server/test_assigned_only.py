"""A profile that asks for assignments: who makes a record, and who is called to it, may open it."""

from typing import Any

from tests.server.test_emergencies import SHIPPED, assigning
from tests.support.house import living

NAMED = {
    "demographics.family_name": "Example", "demographics.given_name": "Amina",
    "demographics.birth_date": "1984-03-12", "demographics.sex": "female",
}  # fmt: skip

PATIENT = "patient-of-nobody"


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


async def test_who_does_the_step_sees_who_waits_in_it_and_takes_them() -> None:
    async with living(policies=assigning()) as house:
        await house.user("second", "nurse")
        asked = {"profile": "outpatient", "patient_id": PATIENT, "fields": NAMED}
        made = await house.ask("receptionist", "POST", "/api/records", asked)
        record_id = made.json()["id"]
        steps = f"/api/sessions/{record_id}/steps"

        async def board(who: str, query: str = "") -> list[dict[str, Any]]:
            answer = await house.ask(who, "GET", f"/api/records?profile=outpatient{query}")
            found: list[dict[str, Any]] = answer.json()["items"]
            return found

        before = await board("nurse", "&step=registration")
        await house.ask("receptionist", "PUT", f"{steps}/registration", {"status": "completed"})
        (row,) = await board("nurse", "&step=triage")
        seen = [await board(who) for who in ("second", "clinical_officer", "supervisor")]
        of_patient = await board("nurse", f"&patient={PATIENT}")
        took = await house.ask(
            "nurse", "PUT", f"/api/records/{record_id}/assignments/nurse", {"user": "nurse"}
        )
        begun = await house.ask("nurse", "PUT", f"{steps}/triage", {"status": "started"})
        (own,) = await board("nurse", "&step=triage")

        assert before == [], "registration is not a nurse's"
        assert (row["id"], row["opens"], row["title"]) == (record_id, False, "Example, Amina")
        assert (row["patient_id"], row["disputed"]) == ("", [])
        assert [[each["opens"] for each in rows] for rows in seen] == [[False], [], [True]]
        assert of_patient == [], "whose visits they are is told to who may open them"
        assert (took.status_code, begun.status_code) == (200, 200)
        assert (own["opens"], own["patient_id"]) == (True, PATIENT)
        assert await board("second") == [], "somebody has begun with them"


async def test_who_may_not_read_a_name_is_not_told_it_by_the_board() -> None:
    section = "[sections.demographics]\n"
    assert section in SHIPPED.read_text()
    policies = assigning(section, section + 'readers = ["receptionist"]\n')

    async with living(policies=policies) as house:
        record_id = await house.record(**NAMED)
        done = {"status": "completed"}
        await house.ask(
            "receptionist", "PUT", f"/api/sessions/{record_id}/steps/registration", done
        )
        board = (await house.ask("nurse", "GET", "/api/records?step=triage")).json()["items"]

    assert [(row["id"], row["title"]) for row in board] == [(record_id, "")]


async def test_nobody_finds_a_visit_that_they_may_only_take_by_what_its_row_does_not_say() -> None:
    section = "[sections.demographics]\n"
    policies = assigning(section, section + 'readers = ["receptionist"]\n')

    async def found(house: Any, *words: str) -> list[int]:
        rows = []
        for word in words:
            answer = await house.ask("nurse", "GET", f"/api/records?step=triage&q={word}")
            rows.append(len(answer.json()["items"]))
        return rows

    for served, expected in ((policies, [0, 0, 1]), (assigning(), [1, 0, 1])):
        async with living(policies=served) as house:
            record_id = await house.record(**NAMED, **{"contact.village": "Farwell"})
            steps = f"/api/sessions/{record_id}/steps"
            await house.ask("receptionist", "PUT", f"{steps}/registration", {"status": "completed"})
            (row,) = (await house.ask("nurse", "GET", "/api/records?step=triage")).json()["items"]

            counts = await found(house, "amina", "farwell", row["number"].lower())

        assert counts == expected
