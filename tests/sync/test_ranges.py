"""Delete ranges: merged without losing or inventing a clock."""

from hypothesis import given

from sync.structs import Deletes
from sync.update import merge_deletes
from tests.support.update_strategies import deletes


@given(deletes, deletes)
def test_merged_deletes_hold_the_clocks_of_both(a: Deletes, b: Deletes) -> None:
    merged = merge_deletes(a, b)

    for client in a.keys() | b.keys():
        expected = clocks_of(a.get(client, [])) | clocks_of(b.get(client, []))
        assert clocks_of(merged[client]) == expected
        ends = [clock + length for clock, length in merged[client]]
        starts = [clock for clock, _ in merged[client]]
        assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


def clocks_of(ranges: list[tuple[int, int]]) -> set[int]:
    return {clock + i for clock, length in ranges for i in range(length)}
