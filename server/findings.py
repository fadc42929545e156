"""What of a dashboard is past a threshold, for alerts."""

from collections.abc import Mapping

import msgspec

from permissions.profile import Profile
from server.dashboard import is_overseen
from server.dashboard_shapes import Dashboard

__all__ = ["Finding", "findings_of"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a dashboard that is past its threshold. key: the same while it lasts."""

    key: str
    kind: str
    subject: str
    record: str
    value: float
    threshold: float


def findings_of(profile: Profile, dashboard: Dashboard, skew_ms: int) -> Mapping[str, Finding]:
    """What of it is past a threshold, by key. skew_ms: how far a device's clock may be off."""
    found: list[Finding] = []

    def add(kind: str, subject: str, value: float, threshold: float, record: str = "") -> None:
        key = f"{profile.name}/{kind}/{subject}"
        found.append(
            Finding(key=key, kind=kind, subject=subject, record=record, value=value,
                    threshold=threshold)
        )  # fmt: skip

    overseen = {step.id for step in profile.steps if is_overseen(profile, step)}
    for step in dashboard.steps:
        if step.oldest is not None and step.level == "red":
            kind = "approval" if step.step in overseen else "wait"
            add(kind, step.step, step.oldest.waiting_minutes, step.red_minutes, step.oldest.id)
    for figure in dashboard.metrics:
        if figure.status == "breached" and figure.value is not None:
            is_above = figure.at_most is not None and figure.value > figure.at_most
            threshold = figure.at_most if is_above else figure.at_least
            add("metric", figure.name, figure.value, threshold or 0.0)
    for device in dashboard.devices:
        if device.skew_ms is not None and abs(device.skew_ms) > skew_ms:
            add("clock", device.login, device.skew_ms, skew_ms)
    return {one.key: one for one in found}
