"""An audit entry as FHIR R4 AuditEvent, after IHE's Basic Audit Log Patterns (BALP 1.1).

Sources: hl7.org/fhir/R4/auditevent.html; profiles.ihe.net/ITI/BALP (Create, Read, Update, Query and
their Patient forms). People, log-ins, patients and records are named by identifiers of ours, under
`urn:fieldchart:*`; nobody's name travels. What succeeded and has the shape of a BALP profile says
which in `meta.profile`.
"""

import base64
import re
from typing import Any

from server.audit.actions import ACTIONS, Action
from server.rest.shapes import instant
from sync.effects import AuditEntry

__all__ = ["audit_event"]

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_NAMES = {
    "110100": "Application Activity",
    "110101": "Audit Log Used",
    "110106": "Export",
    "110107": "Import",
    "110113": "Security Alert",
    "110114": "User Authentication",
    "110122": "Login",
    "110123": "Logout",
    "110127": "Emergency Override Started",
    "110136": "Security Roles Changed",
    "110137": "User Security Attributes Changed",
    "110138": "Emergency Override Stopped",
    "110150": "Application",
    "110152": "Destination Role ID",
    "110153": "Source Role ID",
}
_PROFILES = {"create": "Create", "read": "Read", "update": "Update", "search": "Query"}
_OUTCOMES = {"success": "0", "denied": "4", "failure": "8"}
_MINOR = re.compile(r" 4\d\d |^(?:password|unknown user|disabled|not-found)$")
"""A failure of the caller's: FHIR's outcome 4 ("often equivalent to a HTTP 400 response")."""

_EMERGENCY = "emergency"


def audit_event(seq: int, entry: AuditEntry, patient_id: str, source: str) -> dict[str, Any]:
    """The resource. patient_id: of the entry's record, empty where there is none."""
    action = ACTIONS[entry.action]
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"audit-{seq}",
        "meta": {"profile": [_profile(action, patient_id)]},
        "type": _type(action.type),
        "subtype": [_subtype(code) for code in action.subtypes],
        "action": action.letter,
        "recorded": instant(entry.at),
        "outcome": _outcome(entry),
        "outcomeDesc": "" if entry.outcome == "success" else entry.detail or entry.outcome,
        "purposeOfEvent": _purpose(entry, action),
        "agent": [*_user(entry, action), _client(entry, action, source), _server(action, source)],
        "source": {
            "observer": _identified("server", source),
            "type": [_coding(f"{_TERMINOLOGY}/security-source-type", "4", "Application Server")],
        },
        "entity": [*_patient(patient_id), *_data(entry), *_account(entry), *_query(entry, action)],
    }
    if entry.outcome != "success" or action.type != "rest" or not _is_balp(action, event):
        del event["meta"]
    return {name: value for name, value in event.items() if value not in ("", [], None)}


def _is_balp(action: Action, event: dict[str, Any]) -> bool:
    return action.subtypes[0] in _PROFILES and bool(event["entity"])


def _profile(action: Action, patient_id: str) -> str:
    kind = _PROFILES.get(action.subtypes[0] if action.subtypes else "", "")
    return f"{_BALP}.{'Patient' if patient_id and kind != 'Query' else ''}{kind}"


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}


def _dicom(code: str) -> dict[str, str]:
    return _coding(_DCM, code, _NAMES[code])


def _type(code: str) -> dict[str, str]:
    if code == "rest":
        return _coding(f"{_TERMINOLOGY}/audit-event-type", "rest", "Restful Operation")
    return _dicom(code)


def _subtype(code: str) -> dict[str, str]:
    if code.isdigit():
        return _dicom(code)
    return _coding("http://hl7.org/fhir/restful-interaction", code, code)


def _outcome(entry: AuditEntry) -> str:
    if entry.outcome == "failure" and _MINOR.search(entry.detail):
        return "4"
    return _OUTCOMES[entry.outcome]


def _purpose(entry: AuditEntry, action: Action) -> list[dict[str, Any]]:
    """Emergency treatment, for what was done under break-glass and for starting and ending it."""
    marked = _EMERGENCY in entry.detail.split()
    if not marked and not {"110127", "110138"} & set(action.subtypes):
        return []
    reason = _coding(f"{_TERMINOLOGY}/v3-ActReason", "ETREAT", "Emergency Treatment")
    return [{"coding": [reason]}]


def _identified(kind: str, value: str, **more: str) -> dict[str, Any]:
    return {"identifier": {"system": f"urn:fieldchart:{kind}", "value": value}, **more}


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [_coding(system, code, display)]}


def _user(entry: AuditEntry, action: Action) -> list[dict[str, Any]]:
    if not entry.user_id:
        return []
    writes = action.letter in "CUD"
    code, display = ("AUT", "author") if writes else ("IRCP", "information recipient")
    agent: dict[str, Any] = {
        "type": _concept(f"{_TERMINOLOGY}/v3-ParticipationType", code, display),
        "who": _identified("user", entry.user_id),
        "requestor": True,
    }
    if entry.login_id:
        agent["altId"] = entry.login_id
    if role := _noted(entry, "role"):
        agent["role"] = [_concept("urn:fieldchart:role", role, role)]
    return [agent]


def _client(entry: AuditEntry, action: Action, source: str) -> dict[str, Any]:
    """The device that asked; a command of the server's own machine, where there was none."""
    is_reading = "read" in action.subtypes
    who = _identified("login", entry.login_id or "none", type="Device")
    network = {"address": entry.address, "type": "2"}
    return {
        "type": {"coding": [_dicom("110152" if is_reading else "110153")]},
        "who": who,
        **({"name": entry.device} if entry.device else {}),
        "requestor": not entry.user_id,
        "network": network if entry.address else {"address": source, "type": "1"},
    }


def _server(action: Action, source: str) -> dict[str, Any]:
    is_reading = "read" in action.subtypes
    return {
        "type": {"coding": [_dicom("110153" if is_reading else "110152")]},
        "who": _identified("server", source, type="Device"),
        "requestor": False,
        "network": {"address": source, "type": "1"},
    }


def _entity(kind: str, role: str, **what: Any) -> dict[str, Any]:
    kinds = {"1": "Person", "2": "System Object"}
    roles = {
        "1": "Patient", "4": "Domain Resource", "11": "Security User Entity", "24": "Query",
    }  # fmt: skip
    return {
        **what,
        "type": _coding(f"{_TERMINOLOGY}/audit-entity-type", kind, kinds[kind]),
        "role": _coding(f"{_TERMINOLOGY}/object-role", role, roles[role]),
    }


def _patient(patient_id: str) -> list[dict[str, Any]]:
    if not patient_id:
        return []
    return [_entity("1", "1", what=_identified("patient", patient_id, type="Patient"))]


def _data(entry: AuditEntry) -> list[dict[str, Any]]:
    """The record, at the version that was seen or made."""
    if not entry.record_id:
        return []
    history = f"/_history/{entry.version}" if entry.version else ""
    reference = f"Encounter/{entry.record_id}{history}"
    what = _identified("record", entry.record_id, type="Encounter", reference=reference)
    entity = _entity("2", "4", what=what)
    if entry.detail:
        entity["detail"] = [{"type": "detail", "valueString": entry.detail}]
    return [entity]


def _account(entry: AuditEntry) -> list[dict[str, Any]]:
    user_id = _noted(entry, "user")
    return [_entity("1", "11", what=_identified("user", user_id))] if user_id else []


def _query(entry: AuditEntry, action: Action) -> list[dict[str, Any]]:
    """What was asked for, in the form that our trail keeps: without the text of a search."""
    if "search" not in action.subtypes and not entry.action.startswith("audit_"):
        return []
    asked = base64.b64encode((entry.detail or "everything").encode()).decode()
    return [_entity("2", "24", query=asked)]


def _noted(entry: AuditEntry, name: str) -> str:
    for part in entry.detail.split():
        key, _, value = part.partition("=")
        if key == name:
            return value
    return ""
