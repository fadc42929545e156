"""A whole outpatient visit with seven people, and what each of them sees as it happens.

    python examples/clinic_day.py [http://127.0.0.1:8420]

Everybody signs in with a demo account. Nobody asks "is it my turn?": the server says so.
docs/example-days.md shows what it prints.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from at_work import Person, does, sees

PATIENT = {
    "demographics.family_name": "Example", "demographics.given_name": "Eve",
    "demographics.birth_date": "1990-01-01", "demographics.sex": "female",
}  # fmt: skip
VITALS = {
    "vitals.systolic": 118, "vitals.diastolic": 76, "vitals.pulse": 88,
    "vitals.respiratory_rate": 18, "vitals.spo2": 97,
}  # fmt: skip

Open = Callable[[Person, str], Awaitable[Any]]
"""How somebody opens a record: returns a `Chart`, or what does the same."""


async def clinic_day(url: str, open_chart: Open = Person.open) -> str:
    """Play the visit; returns the record's id. open_chart: with which editor each one works."""
    receptionist = Person(url, "receptionist", "Receptionist")
    nurse = Person(url, "nurse", "Nurse")
    officer = Person(url, "clinical_officer", "Clinical officer")
    technician = Person(url, "lab_tech", "Lab technician")
    pharmacist = Person(url, "pharmacist", "Pharmacist")
    cashier = Person(url, "cashier", "Cashier")
    supervisor = Person(url, "supervisor", "Supervisor")
    staff = (receptionist, nurse, officer, technician, pharmacist, cashier, supervisor)
    for person in staff:
        await person.listen()

    print("\n== Registration ==")
    made = receptionist.ask("POST", "/records", {"profile": "outpatient", "fields": PATIENT}).json()
    record, number = made["id"], made["number"]
    does(receptionist, f"registers a patient: {number}")
    desk = await open_chart(receptionist, record)
    till = await open_chart(cashier, record)
    sees(receptionist, f"here is {await desk.here(cashier)}")
    held = await desk.lock("acquire", "payment.method")
    does(receptionist, f"asks how she pays, and holds {held['field']}")
    sees(cashier, f"{await till.locked('payment.method')} holds payment.method")
    await till.write({"payment.method": "exempt"})
    does(cashier, "writes payment.method all the same")
    (refused,) = await till.refused()
    sees(cashier, f"refused: {refused['reason']}")
    await desk.write({"payment.method": "cash"})
    sees(cashier, f"payment.method is {await till.shows('payment.method', 'cash')}")
    await desk.lock("release", "payment.method")
    await desk.step("registration", "complete")
    does(receptionist, "completes the registration")
    await hears(nurse, "patient_registered", record)

    print("\n== Triage ==")
    bedside = await open_chart(nurse, record)
    started = nurse.ask("PUT", f"/sessions/{number}/steps/triage", {"status": "started"}).json()
    does(nurse, f"starts: {started['step']} is {started['step_status']}")
    sees(receptionist, f"here are {await desk.here(cashier, nurse)}")
    await bedside.present(page="vitals", typing="vitals.pulse")
    sees(receptionist, f"{nurse.name} types in {await desk.typing(nurse)}")
    await bedside.write({**VITALS, "diagnosis.plan": "Looks like malaria."})
    does(nurse, "writes vital signs, and in the same breath a plan")
    (refused,) = await bedside.refused()
    sees(nurse, f"refused {refused['field']}: {refused['reason']}")
    sees(receptionist, f"the pulse, {await desk.shows('vitals.pulse', 88)}, and no plan")
    await hears(officer, "vital_signs_updated", record)
    await bedside.step("triage", "complete")
    does(nurse, "completes the triage too early")
    (refused,) = await bedside.refused()
    sees(nurse, f"refused: {refused['reason']}")
    await bedside.write({"vitals.temperature": 38.4, "triage.category": "priority"})
    await bedside.step("triage", "complete")
    does(nurse, "writes the rest and completes the triage")

    print("\n== Consultation ==")
    room = await open_chart(officer, record)
    await room.shows("record.current_step", "consultation")
    sees(officer, f"it is my turn; the temperature is {room.value('vitals.temperature')}")
    await room.add("diagnosis", {"text": "Fever, to be looked into", "certainty": "suspected"})
    does(officer, "writes a diagnosis, a laboratory order and a prescription")
    await hears(technician, "diagnosis_added", record)
    order = await room.add("lab_orders", {"test": "Malaria blood film", "priority": "urgent"})
    drug = await room.add("prescriptions", {"drug": "Demo tablets", "dose": "1"})
    await hears(pharmacist, "prescription_ready", record)
    await room.step("consultation", "complete")

    print("\n== Laboratory ==")
    bench = await open_chart(technician, record)
    sees(technician, f"it is the turn of {await bench.shows('record.current_step', 'laboratory')}")
    await bench.add("lab_results", {"order": order, "value": "negative", "status": "final"})
    await bench.step("laboratory", "complete")
    does(technician, "writes the result and completes the step")
    for person in (pharmacist, officer):
        await hears(person, "lab_results_ready", record)

    print("\n== Pharmacy ==")
    counter = await open_chart(pharmacist, record)
    sees(pharmacist, f"it is the turn of {await counter.shows('record.current_step', 'pharmacy')}")
    await counter.add("dispensing", {"prescription": drug, "product": "Demo tablets"})
    await counter.step("pharmacy", "complete")
    does(pharmacist, "hands out the tablets and completes the step")
    await hears(cashier, "medication_dispensed", record)

    print("\n== Payment, and a conflict ==")
    await desk.disconnect()
    await desk.write({"payment.method": "insurance"})
    does(receptionist, "offline: finds the insurance card and writes payment.method")
    await asyncio.sleep(1)  # the server knows a tablet's clock to some hundredths of a second
    await till.write({"payment.method": "exempt"})
    does(cashier, "writes payment.method a moment later, not knowing of it")
    await desk.connect()
    await hears(receptionist, "conflict", record)
    (conflict,) = cashier.get(f"/records/{record}/conflicts", status="open")["items"]
    values = [f"{one['value']} by {one['author']['name']}" for one in conflict["values"]]
    sees(cashier, f"conflict of {conflict['field']}: {', '.join(values)}")
    choice = next(i for i, one in enumerate(conflict["values"]) if one["value"] == "insurance")
    decided = cashier.ask(
        "POST", f"/records/{record}/conflicts/{conflict['id']}/resolve",
        {"choice": choice, "reason": "The card is valid."},
    ).json()  # fmt: skip
    does(cashier, f"decides: the conflict is {decided['status']}")
    sees(receptionist, f"payment.method is {await desk.shows('payment.method', 'insurance')}")
    await till.write({"payment_status.state": "paid"})
    await till.add("receipts", {"amount": 25000, "currency": "KES", "method": "insurance"})
    await till.step("payment", "complete")
    does(cashier, "takes the payment and completes the step")
    await hears(officer, "payment_processed", record)

    print("\n== Discharge ==")
    await room.step("discharge", "complete")
    does(officer, "discharges the patient: the record is signed")
    for person in (receptionist, nurse, officer, technician, pharmacist, cashier):
        await hears(person, "visit_completed", record)
    await bedside.write({"vitals.pulse": 90})
    does(nurse, "changes the pulse afterwards")
    (refused,) = await bedside.refused()
    sees(nurse, f"refused: {refused['reason']}")
    await bedside.shows("vitals.pulse", 88)
    amendment = {"text": "Viral fever", "amendment_reason": "The result came in after I left"}
    await room.add("diagnosis", {**amendment, "certainty": "confirmed"})
    does(officer, "amends the diagnosis, with a reason")

    print("\n== The supervisor looks back ==")
    status = supervisor.get(f"/sessions/{number}/realtime-status")
    for step in status["workflow_steps"]:
        by = (step["completed_by"] or {}).get("name", "nobody")
        sees(supervisor, f"{step['title']}: {step['status']} by {by}")
    dashboard = supervisor.get("/dashboard", profile="outpatient")
    sees(supervisor, f"visits completed in the last 24 hours: {dashboard['completed']}")
    amended = supervisor.get("/audit", record=record, action="amend")["items"]
    sees(supervisor, f"amendments in the audit trail: {len(amended)}")
    refusals = supervisor.get(f"/records/{record}/refusals", status="open")["items"]
    sees(supervisor, f"refused edits that are kept: {len(refusals)}")

    for chart in (desk, till, bedside, room, bench, counter):
        await chart.disconnect()
    for person in staff:
        await person.go_home()
    return str(record)


async def hears(person: Person, event: str, record: str) -> None:
    """Somebody hears of it, and acknowledges that."""
    told = await person.hears(event, record)
    sees(person, f"{told['title']} ({event})")
    person.ask("POST", f"/notifications/{told['id']}/ack").raise_for_status()


if __name__ == "__main__":
    asyncio.run(clinic_day(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8420"))
