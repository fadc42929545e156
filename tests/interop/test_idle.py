"""The one test that takes its time: editors that do nothing stay connected (S8).

Its editors connect when the suite begins and are looked at when everything else is done.
"""

import asyncio
import time

from tests.interop.conftest import IDLE_S, IdleEditors


async def test_editors_that_do_nothing_stay_connected(
    idle_editors: IdleEditors | None,
) -> None:
    assert idle_editors is not None
    left_s = idle_editors.since + IDLE_S - time.monotonic()
    if left_s > 0:
        await asyncio.sleep(left_s)

    shown = await asyncio.to_thread(idle_editors.look)

    for name, (opens, closes, warnings) in shown.items():
        assert (name, opens, closes, warnings) == (name, 1, [], [])
