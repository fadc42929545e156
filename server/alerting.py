"""Alerts: what is past a threshold is told once when it begins and once when it is over.

Evaluated from the dashboards by a background job. What stands is stored in the transaction of its
announcement, so that neither a restart nor a second round tells it again. SPEC DASH-5.
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from ulid import ULID

from permissions.policy import Policy
from server.dashboard_shapes import Alarm
from server.findings import Finding, findings_of
from server.overseeing import Overseeing
from server.people import instant
from server.settings import Settings
from storage.alerts import Alert
from storage.ports import Store
from sync.effects import Announcement

__all__ = ["EVENT", "Alerting", "disk_percent"]

EVENT = "alert"

OVER_SECONDS = 300.0
"""How long a figure must be back within its threshold before that is told: one that goes to and fro
would otherwise be announced with every round."""

FIGURES = frozenset({"metric", "clock", "storage"})
"""Kinds of alerts that a figure makes; the others end with what one record has done."""


def disk_percent(data: str) -> float:
    """How full the disk with the data directory is, in per cent; 0 where there is none."""
    try:
        usage = shutil.disk_usage(Path(data))
    except OSError:
        return 0.0
    return round(100 * (usage.total - usage.free) / usage.total, 1)


class Alerting:
    """Compares what is found with what stands. news: set when something was announced."""

    def __init__(
        self,
        store: Store,
        overseeing: Overseeing,
        policies: Mapping[str, Policy],
        settings: Settings,
        clock: Callable[[], datetime],
        news: asyncio.Event,
        disk: Callable[[str], float] = disk_percent,
    ) -> None:
        self._store = store
        self._overseeing = overseeing
        self._policies = policies
        self._settings = settings
        self._clock = clock
        self._news = news
        self._disk = disk
        self._last: dict[str, tuple[str, Finding]] = {}
        self._fine_since: dict[str, datetime] = {}

    async def round(self) -> None:
        """Find, compare, store and tell. Raises storage errors."""
        found = await self._found()
        for key in found:
            self._fine_since.pop(key, None)
        standing = {alert.key: alert for alert in await self._store.alerts.standing()}
        now = self._clock()
        begun = [
            Alert(
                id=str(ULID.from_datetime(now)), key=key, profile=profile, kind=one.kind,
                subject=one.subject, record_id=one.record, started_at=now,
            )
            for key, (profile, one) in found.items()
            if key not in standing
        ]  # fmt: skip
        for key, alert in standing.items():
            if key not in found and not self._is_over(alert, now):
                found[key] = self._last[key]
        self._last = found
        ended = [alert for key, alert in standing.items() if key not in found]
        if begun or ended:
            told = [self._told(alert, "breached", alert.id, now) for alert in begun]
            told += [
                self._told(alert, "recovered", str(ULID.from_datetime(now)), now) for alert in ended
            ]
            await self._store.alerts.change(begun, [alert.id for alert in ended], told)
            self._news.set()
        gone = {alert.key for alert in ended}
        self._show({k: a for k, a in standing.items() if k not in gone}
                   | {alert.key: alert for alert in begun}, found)  # fmt: skip

    def _is_over(self, alert: Alert, now: datetime) -> bool:
        if alert.kind not in FIGURES or alert.key not in self._last:
            return True
        since = self._fine_since.setdefault(alert.key, now)
        if (now - since).total_seconds() < OVER_SECONDS:
            return False
        del self._fine_since[alert.key]
        return True

    async def _found(self) -> dict[str, tuple[str, Finding]]:
        found: dict[str, tuple[str, Finding]] = {}
        skew_ms = round(self._settings.alert_clock_seconds * 1000)
        for name, policy in self._policies.items():
            dashboard = await self._overseeing.dashboard(name)
            for key, one in findings_of(policy.profile, dashboard, skew_ms).items():
                found[key] = (name, one)
        full, most = self._disk(self._settings.data), self._settings.alert_disk_percent
        if full >= most:
            found["storage"] = (
                "",
                Finding(key="storage", kind="storage", subject="disk", record="", value=full,
                        threshold=most),
            )  # fmt: skip
        return found

    def _told(self, alert: Alert, state: str, id: str, at: datetime) -> Announcement:
        profiles = [alert.profile] if alert.profile else list(self._policies)
        roles = {
            role.id
            for name in profiles
            if name in self._policies
            for role in self._policies[name].profile.roles.values()
            if "see_dashboard" in role.powers
        }
        return Announcement(
            id=id, at=at, event=EVENT, record_id=alert.record_id, version=0,
            roles=tuple(sorted(roles)), profile=alert.profile,
            payload={"alert": alert.id, "state": state, "kind": alert.kind,
                     "subject": alert.subject},
        )  # fmt: skip

    def _show(
        self, standing: Mapping[str, Alert], found: Mapping[str, tuple[str, Finding]]
    ) -> None:
        for name in self._policies:
            alarms = [
                Alarm(
                    id=alert.id, kind=alert.kind, subject=alert.subject, record=one.record,
                    since=instant(alert.started_at), value=one.value, threshold=one.threshold,
                )
                for key, alert in standing.items()
                if alert.profile in (name, "")
                for _, one in [found[key]]
            ]  # fmt: skip
            if alarms != self._overseeing.alarms.get(name, []):
                self._overseeing.alarms[name] = alarms
                self._overseeing.note(name)
