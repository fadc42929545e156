"""One figure beside its target, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Result", "Scale", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large a run is: `full` is what is reported, `quick` a look, `tiny` a smoke test."""

    seconds: float
    rounds: int
    share: float
    """Of rooms, connections, edits and cycles."""

    def of(self, number: int, least: int = 2) -> int:
        return max(least, round(number * self.share))


FULL = Scale(seconds=5.0, rounds=3, share=1.0)
QUICK = Scale(seconds=2.0, rounds=1, share=1.0)
TINY = Scale(seconds=0.3, rounds=1, share=0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measured value. target: what it is to stay below (or, with at_least, to reach)."""

    scenario: str
    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    note: str = ""

    def line(self) -> str:
        target = ""
        if self.target is not None:
            met = self.value >= self.target if self.at_least else self.value <= self.target
            sign = "≥" if self.at_least else "≤"
            target = f"{sign} {self.target:g}  {'met' if met else 'MISSED'}"
        figure = f"{_short(self.value):>9s} {self.unit:10s} {target:18s}"
        return f"{self.scenario:11s} {self.what:52s} {figure} {self.note}".rstrip()


def table(results: Sequence[Result]) -> str:
    return "\n".join(result.line() for result in results)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
