"""Small profiles and invented people for the tests of permissions."""

from pathlib import Path

from permissions import Principal, Profile, load_profile, parse_profile, shipped_profiles

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER_ULID = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
ANTENATAL = Path(__file__).parents[2] / "examples" / "custom_profile" / "antenatal.toml"

SMALL = """\
[profile]
name = "small"
title = "Small visit"
number_prefix = "SML"

[summary]
title = ["vitals.note"]

[roles.nurse]
title = "Nurse"

[roles.doctor]
title = "Doctor"

[sections.vitals]
title = "Vital signs"
kind = "fields"
writers = ["nurse"]

[sections.vitals.fields]
note = { title = "Note", type = "text" }
pulse = { title = "Pulse", type = "integer", minimum = 20, maximum = 300 }

[sections.orders]
title = "Orders"
kind = "entries"
writers = ["doctor"]

[sections.orders.fields]
test = { title = "Test", type = "text", required = true }

[steps.triage]
title = "Triage"
role = "nurse"
required = ["vitals.pulse"]

[steps.visit]
title = "Visit"
role = "doctor"
returns_to = ["triage"]
"""


def shipped(name: str) -> Profile:
    """A profile that ships."""
    return load_profile(shipped_profiles()[name])


def small(*changes: tuple[str, str]) -> Profile:
    """The small profile with pieces of its text replaced."""
    return parse_profile(small_text(*changes), "small.toml")


def small_text(*changes: tuple[str, str]) -> str:
    """The text of the small profile with pieces replaced, each of which must be there."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def person(*roles: str, user_id: str = "u-1", username: str = "test.person") -> Principal:
    """Somebody invented who has these roles."""
    return Principal(
        user_id=user_id,
        username=username,
        name="Test Person",
        roles=frozenset(roles),
        login_id="login-1",
    )
