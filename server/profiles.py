"""Which profiles this server serves: shipped ones by name, others by file."""

from collections.abc import Sequence
from pathlib import Path

from permissions.policy import Policy
from permissions.profile import load_profile, shipped_profiles

__all__ = ["ProfileUnusable", "load_policies"]


class ProfileUnusable(Exception):
    """A profile cannot be found, or two have the same name. The message names it."""


def load_policies(names: Sequence[str]) -> dict[str, Policy]:
    """The compiled rules by the name of their profile, in the order of `names`.

    names: of shipped profiles, or TOML files. Raises ProfileUnusable, permissions.ProfileError.
    """
    shipped = shipped_profiles()
    policies: dict[str, Policy] = {}
    for name in names:
        path = shipped.get(name, Path(name))
        try:
            profile = load_profile(path)
        except OSError as error:
            raise ProfileUnusable(
                f"profile {name!r}: no such file, and no shipped profile of this name"
                f" ({', '.join(shipped)})"
            ) from error
        if profile.name in policies:
            raise ProfileUnusable(f"profile {profile.name!r} is given twice")
        policies[profile.name] = Policy(profile)
    return policies
