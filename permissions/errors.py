"""The errors of permissions: one root, one leaf per thing a caller can act on."""

from typing import NamedTuple

__all__ = ["PermissionsError", "Problem", "ProfileError"]


class PermissionsError(Exception):
    """Root of everything that this package raises."""


class Problem(NamedTuple):
    """One mistake in a profile: where it stands and what is wrong."""

    line: int
    reason: str


class ProfileError(PermissionsError):
    """A profile is refused; every mistake that was found is in .problems, ordered by line.

    file: name as given by the caller; line and reason: those of the first problem.
    """

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        self.line, self.reason = problems[0]
        super().__init__("\n".join(f"{file}:{line}: {reason}" for line, reason in problems))
