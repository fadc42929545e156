"""Every event of record.md on a real server: what it is called, when it comes, who hears it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from sync.bounds import Bounds
from sync.messages import Notice
from sync.wire import decode_message
from tests.support.live_server import LiveServer

PERSON = {
    "demographics.family_name": "Example", "demographics.given_name": "Eve",
    "demographics.birth_date": "1990-01-01", "demographics.sex": "female",
}  # fmt: skip
TRIAGE = {
    "triage.category": "routine", "vitals.systolic": 120, "vitals.diastolic": 80,
    "vitals.pulse": 70, "vitals.respiratory_rate": 16, "vitals.temperature": 37.1,
    "vitals.spo2": 98,
}  # fmt: skip
ACUITY = {"visual_acuity.right_unaided": "6/6", "visual_acuity.left_unaided": "6/9"}

OUTPATIENT = {
    "nurse": {"patient_registered"},
    "clinical_officer": {"vital_signs_updated", "lab_results_ready", "payment_processed"},
    "lab_tech": {"diagnosis_added"},
    "pharmacist": {"lab_results_ready", "prescription_ready"},
    "cashier": {"medication_dispensed"},
}
STAFF = {"receptionist", "nurse", "clinical_officer", "lab_tech", "pharmacist", "cashier"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    started = LiveServer(tmp_path_factory.mktemp("words"), {"FIELDCHART_SESSION_EVENT_MS": "50"})
    yield started
    started.terminate()


class Visit:
    """One record on the server, and what people do to it."""

    def __init__(self, server: LiveServer, profile: str, first: str) -> None:
        body = {"profile": profile, "fields": PERSON}
        answer = server.request("POST", "/api/records", first, json=body)
        assert answer.status_code == 201, answer.text
        self.server = server
        self.id: str = answer.json()["id"]

    def write(self, user: str, fields: dict[str, Any]) -> None:
        path = f"/api/records/{self.id}"
        etag = self.server.request("GET", path, user).headers["etag"]
        answer = self.server.request("PATCH", path, user, json=fields, headers={"if-match": etag})
        assert answer.status_code == 200, answer.text

    def add(self, user: str, section: str, entry: dict[str, Any]) -> str:
        path = f"/api/records/{self.id}/entries/{section}"
        answer = self.server.request("POST", path, user, json=entry)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def complete(self, user: str, step: str) -> None:
        path = f"/api/sessions/{self.id}/steps/{step}"
        answer = self.server.request("PUT", path, user, json={"status": "completed"})
        assert answer.status_code == 200, answer.text

    def told(self, user: str) -> set[str]:
        """The names of the events of this record that this user is notified of."""
        answer = self.server.request("GET", "/api/notifications?status=all&limit=200", user)
        return {item["event"] for item in answer.json()["items"] if item["record"] == self.id}


@pytest.mark.rule("TELL-2")
def test_the_eight_events_of_an_outpatient_visit_reach_their_roles(server: LiveServer) -> None:
    visit = Visit(server, "outpatient", "receptionist")
    visit.complete("receptionist", "registration")
    visit.write("nurse", TRIAGE)
    visit.complete("nurse", "triage")
    visit.add("clinical_officer", "diagnosis", {"code": "A00", "text": "Example"})
    order = visit.add("clinical_officer", "lab_orders", {"test": "718-7"})
    drug = visit.add("clinical_officer", "prescriptions", {"drug": "Example"})
    visit.complete("clinical_officer", "consultation")
    visit.add("lab_tech", "lab_results", {"order": order, "value": 12})
    visit.complete("lab_tech", "laboratory")
    visit.add("pharmacist", "dispensing", {"prescription": drug, "product": "Example"})
    visit.complete("pharmacist", "pharmacy")
    visit.write("cashier", {"payment_status.state": "paid"})
    visit.complete("cashier", "payment")
    visit.complete("clinical_officer", "discharge")

    heard = {user: visit.told(user) for user in STAFF | {"supervisor"}}

    assert heard.pop("supervisor") == set()
    assert all("visit_completed" in names for names in heard.values())
    assert {user: names - {"visit_completed"} for user, names in heard.items()} == {
        "receptionist": set(), **OUTPATIENT,
    }  # fmt: skip


def _notices(socket: ClientConnection, until: set[str]) -> list[dict[str, Any]]:
    """The notices that come until each of these events has come."""
    heard: list[dict[str, Any]] = []
    while not until <= {notice["event"] for notice in heard}:
        frame = socket.recv(timeout=10)
        assert isinstance(frame, bytes)
        message = decode_message(frame, Bounds())
        if isinstance(message, Notice):
            heard.append(dict(message.body))
    return heard


@contextlib.contextmanager
def _joined(server: LiveServer, user: str, record_id: str) -> Iterator[ClientConnection]:
    protocols: Any = ["fieldchart.v1", f"bearer.{server.token(user)}"]
    with connect(f"{server.websocket_url}/sync/{record_id}", subprotocols=protocols) as socket:
        socket.send(b"\x00\x00\x01\x00")
        yield socket


@pytest.mark.rule("TELL-2")
@pytest.mark.rule("TELL-5")
def test_the_four_events_of_a_session_reach_everybody_in_it(server: LiveServer) -> None:
    visit = Visit(server, "eye_screening", "registration_staff")
    names = {
        "hospital_mobile_session_update", "session_step_completed", "session_user_joined",
        "session_activity_logged",
    }  # fmt: skip
    with _joined(server, "doctor", visit.id) as doctor:
        _notices(doctor, {"session_user_joined"})
        with _joined(server, "vision_technician", visit.id) as technician:
            _notices(technician, {"session_user_joined"})
            visit.complete("registration_staff", "check_in")
            visit.write("vision_technician", ACUITY)
            for socket in (doctor, technician):
                rest = names if socket is doctor else names - {"session_user_joined"}
                heard = {notice["event"]: notice for notice in _notices(socket, rest)}
                completed = heard["session_step_completed"]
                assert completed["session_id"] == visit.id
                assert (completed["step"], completed["next_step"]) == (
                    "check_in", "visual_assessment",
                )  # fmt: skip
                assert completed["completed_by"]["username"] == "registration_staff"
                assert {"user", "activity", "at"} <= heard["session_activity_logged"].keys()
                update = heard["hospital_mobile_session_update"]
                assert {"session_id", "update_type", "updated_data", "updated_by"} <= update.keys()
        left = _notices(doctor, {"session_user_joined"})[-1]

    assert (left["action"], left["user"]["username"]) == ("left", "vision_technician")
    assert [person["username"] for person in left["active_users"]] == ["doctor"]
