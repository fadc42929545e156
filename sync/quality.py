"""What one record contributes to the shares among its profile's figures. Pure.

Kept beside the record whenever a field that counts changes, so that nobody has to open two thousand
records for one percentage. SPEC DASH-2.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from permissions.fields import Field, Metric
from permissions.profile import Fields, Profile

__all__ = [
    "Measures",
    "is_measured",
    "measure",
    "measured_fields",
    "measures_mark",
    "measures_text",
    "read_measures",
]

Measures = Mapping[str, tuple[int, int]]
"""Metric → hits and how many were looked at; a metric of which nothing is known is left out."""

FLAGS = ("low", "high", "critical")
_MARK = "#"

_decode = msgspec.json.Decoder(dict[str, str | tuple[int, int]]).decode


def _shares(profile: Profile) -> list[Metric]:
    return [m for m in profile.metrics.values() if m.measure in ("share_flagged", "share_equal")]


@lru_cache(maxsize=64)
def measured_fields(profile: Profile) -> frozenset[str]:
    """The names of the fields that some share is about."""
    return frozenset(metric.subject for metric in _shares(profile) if metric.subject is not None)


@lru_cache(maxsize=64)
def measures_mark(profile: Profile) -> str:
    """What changes when the profile's shares mean something else, or its boards list other fields.

    What is stored under another mark is old.
    """
    meant: list[object] = [
        (m.name, m.measure, m.subject, m.equals, repr(profile.fields[m.subject or ""].rules))
        for m in _shares(profile)
    ]
    meant.append(profile.summary)
    return hashlib.sha256(repr(meant).encode()).hexdigest()[:12]


def measure(profile: Profile, fields: Fields) -> dict[str, tuple[int, int]]:
    """Hits and how many were looked at, by metric, of what a record shows.

    Flagged is what its field finds low, high or critical; what it does not assess is not looked at.
    Of entries each counts that no later one replaces.
    """
    found: dict[str, tuple[int, int]] = {}
    for metric in _shares(profile):
        field = profile.fields[metric.subject or ""]
        judged = [one for one in (_judge(metric, field, v) for v in _values(field, fields))
                  if one is not None]  # fmt: skip
        if judged:
            found[metric.name] = (sum(judged), len(judged))
    return found


def _values(field: Field, fields: Fields) -> list[object]:
    section = fields.get(field.section, {})
    match field.kind:
        case "value":
            value = section.get(field.key or "")
            return [] if value is None or value == "" else [value]
        case "entry":
            replaced = {one.get("replaces") for one in section.values() if isinstance(one, Mapping)}
            return [entry for id, entry in section.items() if id not in replaced]
        case "narrative":
            return []


def _judge(metric: Metric, field: Field, value: object) -> bool | None:
    """Whether the value is a hit; None where it cannot be told."""
    if metric.measure == "share_equal":
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return shown == metric.equals
    found = field.interpretation(value)
    return None if found == "not assessed" else found in FLAGS


def measures_text(mark: str, measures: Measures) -> str:
    """As JSON text, which begins with the mark."""
    return msgspec.json.encode({_MARK: mark, **measures}).decode()


def is_measured(text: str, mark: str) -> bool:
    """Whether the text has this mark."""
    return text.startswith(f'{{"{_MARK}":"{mark}"')


def read_measures(text: str, mark: str) -> dict[str, tuple[int, int]]:
    """What `measures_text` was given; nothing of another mark's, or of none at all."""
    if not is_measured(text, mark):
        return {}
    found = _decode(text)
    return {name: value for name, value in found.items() if not isinstance(value, str)}
