"""Where locks live: fencing numbers grow across restarts."""

import pytest

from storage import MemoryStore
from storage.locks import MemoryLocks
from sync.locks import Terms
from tests.support.people import at, person


@pytest.mark.rule("LOCK-4")
async def test_a_fencing_number_is_never_given_out_again_after_a_restart() -> None:
    store, nurse = MemoryStore(), person("nurse", "nurse")
    given = []

    for _ in range(3):
        locks = MemoryLocks(Terms(), store.records.next_number)
        for field in ("vitals.pulse", "vitals.spo2"):
            hold = await locks.acquire("R", field, nurse, "nurse", "", at(0))
            given.append(hold.fence)

    assert given == sorted(set(given))
    assert given[-1] < 2**53
    await store.close()
