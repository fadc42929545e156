"""Random days of eye screening over HTTP and tablets, and a recount of the dashboard from records.

Deeds take small numbers, so that Hypothesis can drive them. The recount opens every record, as
nobody else does: what a dashboard shows must be what the records themselves say.
"""

from collections import Counter
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pycrdt

from permissions.model import Principal
from server.executor import Batch
from server.live_room import LiveRoom
from tests.support.house import Household
from tests.support.rooms import RecordingPeer

__all__ = ["PROFILE", "ScreeningDay"]

PROFILE = "eye_screening"
STEPS = ("check_in", "visual_assessment", "doctor_diagnosis", "supervisor_approval")
ROLES = ("registration_staff", "vision_technician", "doctor", "supervisor")
REQUIRED: tuple[dict[str, object], ...] = (
    {"demographics.given_name": "Invented", "demographics.birth_date": "1990-01-01",
     "demographics.sex": "other"},
    {"visual_acuity.right_unaided": "6/12", "visual_acuity.left_unaided": "6/9"},
    {"follow_up.screening_result": "pass"},
    {"approval.decision": "approved"},
)  # fmt: skip
RESULTS = ("pass", "refer_routine", "refer_urgent", "unable")
DAY = timedelta(hours=24)


class ScreeningDay:
    """A household whose people screen eyes."""

    def __init__(self, house: Household) -> None:
        self.house = house
        self.records: list[str] = []
        self.count = 0

    async def do(self, deed: int, which: int, what: int) -> None:
        """One deed on one of the records; what is not possible now is refused, and that is fine."""
        self.house.step(minutes=what % 50, seconds=which)
        if deed == 0 or not self.records:
            names = {"demographics.family_name": f"Example {len(self.records)}"}
            self.records.append(await self.house.record(PROFILE, **names))
            return
        record_id = self.records[which % len(self.records)]
        match deed:
            case 1 | 2:
                await self._advance(record_id, complete=True)
            case 3:
                await self._advance(record_id, complete=False)
            case 4:
                await self._patch("supervisor", record_id, {
                    "quality.images_gradable": (True, False, None)[what % 3],
                    "quality.repeat_within_one_line": bool(what % 2),
                })  # fmt: skip
            case 5:
                result = RESULTS[what % len(RESULTS)]
                await self._patch("doctor", record_id, {"follow_up.screening_result": result})
            case 6:
                entry = {"eye": "right", "value": 10 + what, "method": "tonopen"}
                path = f"/api/records/{record_id}/entries/pressure"
                await self.house.ask("doctor", "POST", path, entry)
            case 7:
                await self._offline(record_id, [("doctor", "demographics", "family_name", "Not")])
            case 8:
                await self._offline(record_id, [
                    ("vision_technician", "visual_acuity", "chart", "snellen"),
                    ("doctor", "visual_acuity", "chart", "lea"),
                    ("vision_technician", "visual_acuity", "right_unaided", "6/6"),
                    ("doctor", "visual_acuity", "right_unaided", "6/60"),
                ])  # fmt: skip
            case 9:
                await self.house.ask("admin", "PUT", f"/api/records/{record_id}/status",
                                     {"status": "cancelled", "reason": "Invented"})  # fmt: skip
            case _:
                self.house.step(hours=what % 12)

    async def _advance(self, record_id: str, *, complete: bool) -> None:
        session = await self._get(f"/api/sessions/{record_id}/realtime-status")
        if session["status"] != "open":
            return
        at = STEPS.index(session["current_step"])
        if complete:
            await self._patch(ROLES[at], record_id, REQUIRED[at])
        path = f"/api/sessions/{record_id}/steps/{STEPS[at]}"
        status = "completed" if complete else "started"
        await self.house.ask(ROLES[at], "PUT", path, {"status": status})

    async def _patch(self, who: str, record_id: str, fields: dict[str, Any]) -> None:
        path = f"/api/records/{record_id}"
        etag = (await self.house.ask(who, "GET", path)).headers["etag"]
        await self.house.ask(who, "PATCH", path, fields, if_match=etag)

    async def _offline(self, record_id: str, edits: list[tuple[str, str, str, object]]) -> None:
        """People who cannot see each other write; then all of it arrives."""
        peers: dict[str, RecordingPeer] = {}
        async with self.house.rooms.opened(record_id) as room:
            for who in dict.fromkeys(edit[0] for edit in edits):
                peers[who] = await self.enter(record_id, who, room)
            for who, root, key, value in edits:
                peers[who].document.get(root, type=pycrdt.Map)[key] = value
            for peer in peers.values():
                await peer.push(room, self.house.now)
                await self.house.rooms.ask(record_id, _nothing)
                room.leave(peer)

    async def enter(self, record_id: str, who: str, room: LiveRoom) -> RecordingPeer:
        """Open the record on a tablet of this person's."""
        self.count += 1
        peer = RecordingPeer(await self._principal(who), peer_id=f"p{self.count}")
        await peer.sync(room)
        await self.house.rooms.ask(record_id, _nothing)
        peer.messages()
        return peer

    async def _principal(self, who: str) -> Principal:
        token = await self.house.token(who)
        return await self.house.house.authenticator.principal_for_token(token, self.house.now)

    async def _get(self, path: str) -> Any:
        answer = await self.house.ask("supervisor", "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # -- the recount -------------------------------------------------------------------------------

    async def dashboard(self, who: str = "supervisor") -> Any:
        answer = await self.house.ask(who, "GET", f"/api/dashboard?profile={PROFILE}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def recount(self) -> dict[str, Any]:
        """What the dashboard must show, from every record's own words."""
        now = self.house.now
        sessions = {id: await self._get(f"/api/sessions/{id}/realtime-status")
                    for id in self.records}  # fmt: skip
        charts = {id: await self._get(f"/api/records/{id}") for id in self.records}
        counted: dict[str, Any] = {"steps": {}, "working": set(), "approvals": set()}
        for step in STEPS:
            here = [s for s in sessions.values()
                    if s["status"] == "open" and s["current_step"] == step]  # fmt: skip
            status = {s["session_id"]: _step(s, step) for s in here}
            waits = [s for s in here if status[s["session_id"]]["status"] != "in_progress"]
            done = [_step(s, step) for s in sessions.values()]
            done = [one for one in done if one["status"] == "completed" and one["started_at"]
                    and _at(one["completed_at"]) >= now - DAY]  # fmt: skip
            counted["steps"][step] = {
                "waiting": len(waits),
                "in_progress": len(here) - len(waits),
                "oldest": min((status[s["session_id"]]["ready_at"] for s in waits), default=None),
                "handled": len(done),
                "handling": _median(one["lasted_s"] for one in done),
                "wait": _median(one["waited_s"] for one in done),
            }
            counted["working"] |= {
                (s["session_id"], step, status[s["session_id"]]["started_by"]["username"],
                 status[s["session_id"]]["started_at"])
                for s in here if s not in waits
            }  # fmt: skip
            if step == "supervisor_approval":
                counted["approvals"] = {s["session_id"] for s in here}
        over = {id: _at(_step(s, "supervisor_approval")["completed_at"])
                for id, s in sessions.items() if s["status"] == "completed"}  # fmt: skip
        closed = {id for id, at in over.items() if at >= now - DAY}
        counted["completed"] = len(closed)
        looked_at = [charts[id] for id, s in sessions.items()
                     if s["status"] == "open" or id in closed]  # fmt: skip
        counted["shares"] = _shares(looked_at)
        counted["disputed"] = Counter(
            name for id, s in sessions.items() if s["status"] == "open"
            for name in charts[id]["disputed"]
        )  # fmt: skip
        refused: Counter[tuple[str, str]] = Counter()
        conflicts: Counter[str] = Counter()
        for id in self.records:
            found = await self._get(f"/api/records/{id}/refusals?status=open&limit=200")
            refused.update((one["field"], one["rule"]) for one in found["items"])
            found = await self._get(f"/api/records/{id}/conflicts?status=open&limit=200")
            conflicts.update(one["field"] for one in found["items"])
        return {**counted, "refused": refused, "conflicts": conflicts}

    @staticmethod
    def shown(dashboard: Any) -> dict[str, Any]:
        """The dashboard in the words of `recount`."""
        shares = {
            one["name"]: (one["numerator"], one["denominator"])
            for one in dashboard["metrics"] if one["measure"].startswith("share")
        }  # fmt: skip
        return {
            "steps": {
                one["step"]: {
                    "waiting": one["waiting"],
                    "in_progress": one["in_progress"],
                    "oldest": one["oldest"] and one["oldest"]["waiting_since"],
                    "handled": one["handling"]["day_count"],
                    "handling": one["handling"]["day"],
                    "wait": one["wait"]["day"],
                }
                for one in dashboard["steps"]
            },
            "working": {
                (one["record"]["id"], one["step"], one["person"]["username"], one["since"])
                for one in dashboard["working"] if one["doing"] == "step"
            },
            "approvals": {one["id"] for one in dashboard["approvals"]},
            "completed": dashboard["completed"],
            "shares": shares,
            "disputed": Counter({o["field"]: o["count"] for o in dashboard["disputed"]}),
            "refused": Counter({(o["field"], o["rule"]): o["count"] for o in dashboard["refused"]}),
            "conflicts": Counter({o["field"]: o["count"] for o in dashboard["conflicts"]}),
        }  # fmt: skip


async def _nothing(live: LiveRoom, batch: Batch) -> None:
    """Whatever stood in the room's inbox before this is on disk when it is answered."""


def _step(session: Any, step: str) -> Any:
    return next(one for one in session["workflow_steps"] if one["step"] == step)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _median(seconds: Any) -> float | None:
    found = list(seconds)
    return round(median(found) / 60, 1) if found else None


def _shares(charts: list[Any]) -> dict[str, tuple[int, int]]:
    """By hand, with the thresholds of the shipped profile: over 21 mmHg is flagged."""

    def share(section: str, key: str, wanted: object) -> tuple[int, int]:
        values = [c["fields"][section][key] for c in charts if key in c["fields"][section]]
        return sum(value == wanted for value in values), len(values)

    pressures = [one["value"] for c in charts for one in c["fields"]["pressure"].values()]
    return {
        "urgent_referrals": share("follow_up", "screening_result", "refer_urgent"),
        "unable_to_screen": share("follow_up", "screening_result", "unable"),
        "acuity_repeatable": share("quality", "repeat_within_one_line", True),
        "images_gradable": share("quality", "images_gradable", True),
        "raised_pressure": (sum(value > 21 for value in pressures), len(pressures)),
    }
