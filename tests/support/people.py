"""The people, the profile and the small values that tests of the core are made of. All invented."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from permissions.model import Principal
from permissions.policy import Policy
from permissions.profile import Profile, load_profile
from sync.gate import Limits
from sync.replay import new_room
from sync.room import Room

__all__ = [
    "MAP_ROOTS", "TEXT_ROOTS", "at", "empty_room", "outpatient", "person", "policy", "ulid",
]  # fmt: skip

MAP_ROOTS = (
    "vitals", "triage", "demographics", "prescriptions", "comments", "safety", "record", "progress",
)  # fmt: skip
TEXT_ROOTS = ("assessment.notes", "diagnosis.plan")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@cache
def outpatient() -> Profile:
    """The shipped outpatient profile."""
    return load_profile(Path(__file__).parents[2] / "profiles" / "outpatient.toml")


@cache
def policy() -> Policy:
    return Policy(outpatient())


def person(user_id: str, *roles: str, login_id: str = "", device: str = "") -> Principal:
    """A signed-in person; the user id doubles as their name."""
    return Principal(
        user_id=user_id, username=user_id, name=user_id, roles=frozenset(roles),
        login_id=login_id or f"login-{user_id}", device=device or f"device-{user_id}",
    )  # fmt: skip


def at(seconds: float) -> datetime:
    """An instant, as seconds after the tests' epoch."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def ulid(number: int) -> str:
    """A well-formed ULID, the same for the same number."""
    text = ""
    for _ in range(26):
        text = _ALPHABET[number % 32] + text
        number //= 32
    return text


def empty_room(limits: Limits | None = None, epoch: int = 0) -> Room:
    """A room of the outpatient profile without rows."""
    return new_room("R", epoch, outpatient(), policy(), limits or Limits())
