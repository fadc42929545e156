"""Demo accounts and records for `serve --demo`: invented, and made through the rooms like any edit.

One account for each role (user name = role id, password `demo`), and one record filled as far as
each step of its profile, where patients are invented here. Nothing is made twice.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ulid import ULID

from permissions.model import Principal
from permissions.policy import Policy
from server.accounts.authentication import Clock
from server.accounts.passwords import Passwords
from server.errors import ServerError
from server.executor import Batch
from server.live_room import LiveRoom
from server.ports import Json, NewRecord, Rooms
from server.visits import assign, change_step, current_flow
from storage.errors import UserExists
from storage.ports import RecordFilter, Store, User
from sync.flow import Action

__all__ = ["DEMO_PASSWORD", "make_demo_accounts", "make_demo_records"]

DEMO_PASSWORD = "demo"  # the contract's; `serve` refuses to leave the loopback with it

Fields = Mapping[str, Json]


class Stage(NamedTuple):
    """What one role writes at a step; entries: section and value, "$section" the last one there.

    back: why the step sends the record back, where it does not complete.
    """

    step: str
    role: str
    fields: Fields
    entries: Sequence[tuple[str, Mapping[str, str | int | float | bool]]] = ()
    back: str = ""


class Sample(NamedTuple):
    """An invented patient."""

    family_name: str
    given_name: str
    birth_date: str
    sex: str


SAMPLES = (
    Sample("Example", "Amina", "1984-03-12", "female"),
    Sample("Muster", "Baraka", "1971-11-02", "male"),
    Sample("Specimen", "Chidi", "2019-06-30", "male"),
    Sample("Testperson", "Dalila", "1996-01-21", "female"),
    Sample("Placeholder", "Ezra", "1950-09-05", "male"),
    Sample("Fictitious", "Fatou", "2003-12-17", "female"),
    Sample("Invented", "Goran", "1962-07-08", "male"),
    Sample("Sampleton", "Hana", "1988-04-25", "female"),
)

OUTPATIENT = (
    Stage(
        "registration",
        "receptionist",
        {"contact.village": "Demoville", "contact.phone": "000-000", "payment.method": "cash"},
    ),
    Stage(
        "triage",
        "nurse",
        {
            "vitals.systolic": 124,
            "vitals.diastolic": 81,
            "vitals.pulse": 76,
            "vitals.respiratory_rate": 16,
            "vitals.temperature": 38.2,
            "vitals.spo2": 97,
            "triage.category": "priority",
            "triage.complaint": "Fever for three days (demo)",
            "assessment.notes": "Alert, drinking well. Demo text.",
        },
        (("safety", {"substance": "Demo allergen", "reaction": "rash", "severity": "mild"}),),
    ),
    Stage(
        "consultation",
        "clinical_officer",
        {"diagnosis.plan": "Blood film, then decide. Demo text."},
        (
            ("diagnosis", {"text": "Fever, cause not known yet (demo)", "certainty": "suspected"}),
            ("lab_orders", {"test": "Malaria blood film (demo)", "priority": "urgent"}),
        ),
    ),
    Stage(
        "laboratory",
        "lab_tech",
        {"lab_status.state": "done", "lab_reports.report": "No parasites seen. Demo text."},
        (("lab_results", {"order": "$lab_orders", "value": "negative", "status": "final"}),),
        back="The result is there (demo)",
    ),
    Stage(
        "consultation",
        "clinical_officer",
        {},
        (("prescriptions", {"drug": "Demo tablets", "dose": "1", "frequency": "twice a day"}),),
    ),
    Stage(
        "pharmacy",
        "pharmacist",
        {"dispensing_status.state": "dispensed"},
        (("dispensing", {"prescription": "$prescriptions", "product": "Demo tablets"}),),
    ),
    Stage(
        "payment",
        "cashier",
        {"payment_status.state": "paid", "payment_status.balance": 0},
        (("receipts", {"amount": 25000, "currency": "KES", "method": "cash"}),),
    ),
    Stage("discharge", "clinical_officer", {}),
)

EYE_SCREENING = (
    Stage(
        "check_in",
        "registration_staff",
        {"contact.village": "Demoville", "history.complaint": "Blur (demo)"},
    ),
    Stage(
        "visual_assessment",
        "vision_technician",
        {
            "visual_acuity.right_unaided": "6/12",
            "visual_acuity.left_unaided": "6/9",
            "visual_acuity.chart": "snellen",
        },
        (("pressure", {"eye": "right", "value": 16}), ("pressure", {"eye": "left", "value": 17})),
    ),
    Stage(
        "doctor_diagnosis",
        "doctor",
        {
            "findings.lens": "Early opacity, right (demo)",
            "follow_up.screening_result": "refer_routine",
        },
        (
            (
                "diagnosis",
                {"text": "Early cataract (demo)", "eye": "right", "certainty": "provisional"},
            ),
        ),
    ),
    Stage(
        "supervisor_approval",
        "supervisor",
        {"quality.checked": True, "approval.decision": "approved"},
    ),
)

STAGES: Mapping[str, Sequence[Stage]] = {
    "outpatient": OUTPATIENT,
    "eye_screening": EYE_SCREENING,
}


async def make_demo_accounts(
    store: Store, roles: Sequence[str], passwords: Passwords, clock: Clock
) -> None:
    """One account for each role and `admin`, where the name is free."""
    hashed = passwords.hash(DEMO_PASSWORD)
    for role in dict.fromkeys([*roles, "admin"]):
        user = User(
            id=str(ULID()),
            username=role,
            name=f"Demo {role.replace('_', ' ')}",
            roles=frozenset({role}),
            password_hash=hashed,
            disabled=False,
            created_at=clock(),
        )
        try:
            await store.directory.add_user(user)
        except UserExists:
            continue


async def make_demo_records(
    store: Store, rooms: Rooms, policies: Mapping[str, Policy]
) -> Sequence[str]:
    """Records at every step of the profiles that have none; returns why not, a line a profile."""
    people = {user.username: user for user in await store.directory.users()}
    excuses = []
    for name, policy in policies.items():
        if await store.records.list(RecordFilter(profile=name, limit=1)):
            continue
        try:
            await _make_records(rooms, people, policy, STAGES.get(name, ()))
        except _NotShown as why:
            excuses.append(f"no demo records of {name!r}: {why}")
        except ServerError as error:
            excuses.append(
                f"not all demo records of {name!r}: it is not as it was shipped: {error}"
            )
    return excuses


class _NotShown(Exception):
    """What stands against any demo record of a profile."""


async def _make_records(
    rooms: Rooms, people: Mapping[str, User], policy: Policy, stages: Sequence[Stage]
) -> None:
    if not stages:
        raise _NotShown("no patients are invented for it")
    for stage in stages:
        if stage.role not in policy.profile.roles or policy.profile.step(stage.step) is None:
            raise _NotShown(f"it has no {stage.step!r} of {stage.role!r} any more")
    for sample, depth in zip(SAMPLES, range(1, len(stages) + 1), strict=False):
        await _make_record(rooms, people, policy.profile.name, sample, stages[:depth])


async def _make_record(
    rooms: Rooms,
    people: Mapping[str, User],
    profile: str,
    sample: Sample,
    stages: Sequence[Stage],
) -> None:
    first = {f"demographics.{name}": value for name, value in sample._asdict().items()}
    created = await rooms.create(
        _principal(people[stages[0].role]),
        NewRecord(profile=profile, fields={**first, **stages[0].fields}),
    )
    last_entries: dict[str, str] = {}
    for position, stage in enumerate(stages):
        author = _principal(people[stage.role])
        if position > 0:
            before = stages[position - 1]
            await _leave(rooms, _principal(people[before.role]), created.id, before)
            await _take(rooms, people[stage.role], created.id, stage)
        if position > 0 and stage.fields:
            now = await rooms.view(created.id)
            await rooms.edit(author, created.id, stage.fields, if_version=now.version)
        for section, value in stage.entries:
            entry = {key: _resolved(one, last_entries) for key, one in value.items()}
            last_entries[section] = await rooms.add_entry(author, created.id, section, entry)


async def _take(rooms: Rooms, user: User, record_id: str, stage: Stage) -> None:
    """Be responsible for a step before it is worked at, where the profile asks for that."""

    async def work(live: LiveRoom, batch: Batch) -> None:
        needed = live.room.profile.assignment_required
        if needed and stage.role not in current_flow(live).assigned:
            assign(live, batch, _principal(user), stage.role, user, live.now())

    await rooms.ask(record_id, work)


async def _leave(rooms: Rooms, author: Principal, record_id: str, stage: Stage) -> None:
    """Leave a step as somebody at work does: start it, then complete it or send the record back."""

    async def work(live: LiveRoom, batch: Batch) -> None:
        at = live.now()
        change_step(live, batch, author, stage.step, "start", at)
        leaving: Action = "return" if stage.back else "complete"
        change_step(live, batch, author, stage.step, leaving, at, reason=stage.back)

    await rooms.ask(record_id, work)


def _resolved(value: Json, last_entries: Mapping[str, str]) -> Json:
    if isinstance(value, str) and value.startswith("$"):
        return last_entries[value[1:]]
    return value


def _principal(user: User) -> Principal:
    return Principal(
        user_id=user.id,
        username=user.username,
        name=user.name,
        roles=user.roles,
        login_id="",
        device="demo",
    )
