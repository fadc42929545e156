"""An eye screening in a hospital's mobile unit, and what each of four people sees as it happens.

    python examples/mobile_unit.py [http://127.0.0.1:8420]

Registration on a tablet, without a network for part of it; a technician at a workstation; a doctor
on a tablet; the supervisor approves, and the next patient comes up by itself.
docs/example-days.md shows what it prints.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from at_work import Chart, Person, does, sees
from ulid import ULID

PATIENT = {
    "demographics.family_name": "Invented", "demographics.given_name": "Ivo",
    "demographics.birth_date": "1958-05-17", "demographics.sex": "male",
}  # fmt: skip

Open = Callable[[Person, str], Awaitable[Any]]
"""How somebody opens a record: returns a `Chart`, or what does the same."""


async def mobile_unit(url: str, open_chart: Open = Person.open) -> str:
    """Play the screening; returns the record's id. open_chart: with which editor each one works."""
    registrar = Person(url, "registration_staff", "Registration")
    technician = Person(url, "vision_technician", "Technician")
    doctor = Person(url, "doctor", "Doctor")
    supervisor = Person(url, "supervisor", "Supervisor")
    staff = (registrar, technician, doctor, supervisor)
    await doctor.listen()

    print("\n== Check-in, without a network ==")
    record = str(ULID())
    tablet = Chart(registrar, record)
    await tablet.write({**PATIENT, "history.complaint": "Blurred sight"})
    await tablet.step("check_in", "complete")
    does(registrar, "registers a patient on the tablet and completes the check-in, offline")
    made = registrar.ask("POST", "/records", {"profile": "eye_screening", "id": record}).json()
    await tablet.connect()
    does(registrar, f"has a network again: the tablet delivers, the patient is {made['number']}")
    await tablet.shows("record.current_step", "visual_assessment")
    steps = tablet.value("record.steps")
    sees(registrar, f"check-in is {steps['check_in']['status']}")

    print("\n== Visual assessment ==")
    await supervisor.listen(record)
    workstation = await open_chart(technician, record)
    joined = await supervisor.hears("session_user_joined", record)
    while joined["user"]["id"] != technician.id:
        joined = await supervisor.hears("session_user_joined", record)
    sees(supervisor, f"session_user_joined: {joined['user']['name']} has {joined['action']}")
    await workstation.step("visual_assessment", "start")
    does(technician, "starts the visual assessment")
    await workstation.present(page="acuity", typing="visual_acuity.right_unaided")
    sees(registrar, f"{technician.name} types in {await tablet.typing(technician)}")
    await workstation.write(
        {"visual_acuity.right_unaided": "6/18", "visual_acuity.left_unaided": "6/6"}
    )
    await workstation.add("pressure", {"eye": "right", "value": 17})
    does(technician, "measures acuity and pressure")
    updated = await tablet.told("hospital_mobile_session_update")
    while "visual_acuity.left_unaided" not in updated["updated_data"]:
        updated = await tablet.told("hospital_mobile_session_update")
    sees(registrar, f"hospital_mobile_session_update by {updated['updated_by']['name']}")
    await tablet.disconnect()
    await workstation.step("visual_assessment", "complete")
    done = await supervisor.hears("session_step_completed", record)
    sees(supervisor, f"session_step_completed: {done['step']}, next {done['next_step']}")

    print("\n== Diagnosis, on a tablet that loses its network ==")
    rounds = await open_chart(doctor, record)
    sees(
        doctor, f"it is the turn of {await rounds.shows('record.current_step', 'doctor_diagnosis')}"
    )
    await rounds.step("doctor_diagnosis", "start")
    await rounds.lock("acquire", "follow_up.screening_result")
    sees(technician, f"{await workstation.locked('follow_up.screening_result')} holds the result")
    await rounds.disconnect()
    await rounds.write({"visual_acuity.right_best_corrected": "6/9"})
    does(doctor, "offline: measures right_best_corrected 6/9")
    await asyncio.sleep(1)  # the server knows a tablet's clock to some hundredths of a second
    await workstation.write({"visual_acuity.right_best_corrected": "6/12"})
    does(technician, "measures the same eye at the workstation: 6/12")
    await rounds.connect()
    await rounds.shows("record.disputed", ["visual_acuity.right_best_corrected"])
    sees(doctor, f"{rounds.value('visual_acuity.right_best_corrected')} stands, and is disputed")
    await rounds.add("diagnosis", {"code": "H25.1", "text": "Early cataract", "eye": "right"})
    await rounds.write({"follow_up.screening_result": "refer_routine"})
    await rounds.step("doctor_diagnosis", "complete")
    does(doctor, "writes the diagnosis and completes the step")
    (refused,) = await rounds.refused()
    sees(doctor, f"refused: {refused['reason']}")
    (conflict,) = doctor.get(f"/records/{record}/conflicts", status="open")["items"]
    choice = next(i for i, one in enumerate(conflict["values"]) if one["value"] == "6/9")
    decided = doctor.ask(
        "POST", f"/records/{record}/conflicts/{conflict['id']}/resolve",
        {"choice": choice, "reason": "Measured again, with the pinhole."},
    ).json()  # fmt: skip
    does(doctor, f"decides for 6/9: the conflict is {decided['status']}")
    await workstation.shows("visual_acuity.right_best_corrected", "6/9")
    await rounds.shows("record.disputed", [])
    await rounds.step("doctor_diagnosis", "complete")
    done = await supervisor.hears("session_step_completed", record)
    sees(supervisor, f"session_step_completed: {done['step']}, next {done['next_step']}")

    print("\n== Approval ==")
    desk = await open_chart(supervisor, record)
    dashboard = supervisor.get("/dashboard", profile="eye_screening")
    (request,) = (one for one in dashboard["approvals"] if one["id"] == record)
    sees(supervisor, f"on the dashboard: {request['number']} waits for {request['step']}")
    wish = {"status": "returned", "to": "doctor_diagnosis", "reason": "When does he come again?"}
    returned = supervisor.ask("PUT", f"/sessions/{record}/steps/{request['step']}", wish).json()
    does(supervisor, f"returns it: {returned['current_step']} is to be done again")
    await rounds.shows("record.current_step", "doctor_diagnosis")
    again = rounds.value("record.steps")["doctor_diagnosis"]
    sees(doctor, f"{again['status']}: {again['reason']}")
    await rounds.write({"follow_up.date": "2031-01-15"})
    await rounds.step("doctor_diagnosis", "complete")
    does(doctor, "writes the date and completes the step again")
    await desk.shows("record.current_step", "supervisor_approval")
    await desk.write({"quality.checked": True, "approval.decision": "approved"})
    await desk.step("supervisor_approval", "complete")
    does(supervisor, f"approves: the record is {await desk.shows('record.status', 'completed')}")
    following = await desk.told("next_patient")
    sees(supervisor, f"the next patient by itself: {following['number']}, {following['step']}")
    sees(technician, f"the record is {await workstation.shows('record.status', 'completed')}")
    amended = {"text": "Cataract, both eyes", "eye": "both", "amendment_reason": "Left eye too"}
    await rounds.add("diagnosis", amended)
    does(doctor, "amends the signed record, with a reason")

    for chart in (workstation, rounds, desk):
        await chart.disconnect()
    for person in staff:
        await person.go_home()
    return record


if __name__ == "__main__":
    asyncio.run(mobile_unit(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8420"))
