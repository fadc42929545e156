"""Every HTTP call of a signed-in person that was denied or failed leaves a line in the trail.

What succeeds is audited where it is done, with its record and version. A call without a valid
log-in leaves none: nobody could be named, and anybody could fill the disk; `http_requests` counts
them by status, and attempts to sign in are audited by the authenticator.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from permissions.model import Principal
from server.addresses import record_id_of
from server.audit.entries import entry_for
from server.errors import EditRefused
from server.house import House
from server.problems import kind_of, problem_of
from storage.errors import RecordNotFound, RecordPruned
from sync.effects import AuditAction, AuditOutcome

if TYPE_CHECKING:
    from server.rest.endpoint import Endpoint

__all__ = ["audit_unsuccessful_call"]

_OF_METHOD: dict[str, AuditAction] = {
    "GET": "read",
    "POST": "create",
    "PUT": "update",
    "PATCH": "update",
    "DELETE": "delete",
}
_DENIALS = frozenset({401, 403, 423, 429})
_OF_RECORDS = ("/api/records/{id}", "/api/sessions/{id}")


async def audit_unsuccessful_call(
    house: House, endpoint: "Endpoint", who: Principal, path: Mapping[str, str], error: Exception
) -> None:
    """Audit that `who` was not answered, and why: the route and the problem, never what was sent.

    Raises storage errors: where nothing can be audited the call is answered 503.
    """
    status = problem_of(error).status
    outcome: AuditOutcome = "denied" if status in _DENIALS else "failure"
    detail = f"{endpoint.method} {endpoint.path} {status} {kind_of(error).slug}"
    if isinstance(error, EditRefused):
        rules = sorted({violation.rule.value for violation in error.violations})
        detail += f" rules={','.join(rules)}"
    action = endpoint.audit or _OF_METHOD[endpoint.method]
    record_id = await _record_of(house, endpoint.path, path)
    if record_id and house.rooms.in_emergency(record_id, who.user_id):
        detail += " emergency"
    entry = entry_for(who, action, outcome, house.clock(), record_id, detail=detail)
    await house.store.append_audit([entry])


async def _record_of(house: House, route: str, path: Mapping[str, str]) -> str:
    """The record that the path names; nothing of an address that names none is kept."""
    if not route.startswith(_OF_RECORDS):
        return ""
    try:
        return await record_id_of(house.store, path["id"])
    except RecordPruned as error:
        return error.record_id
    except RecordNotFound:
        return ""
