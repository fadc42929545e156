"""The one test that takes its time: editors that do nothing stay connected (S8)."""

import asyncio

from tests.interop.browser import Editor, Node
from tests.support.live_server import LiveServer

IDLE_S = 40.0
"""Stock editors give up after 30 s of silence."""


async def test_editors_that_do_nothing_stay_connected(server: LiveServer, node: Node) -> None:
    where = {
        "url": server.websocket_url, "record": server.new_record(),
        "token": server.token("nurse"), "socket": "idle",
    }  # fmt: skip
    editors = [Editor(node, kind) for kind in ("websocket", "hocuspocus")]
    for editor in editors:
        await node.do(editor.name, client=editor.name, **where)
        await editor.until_synced()

    await asyncio.sleep(IDLE_S)  # nobody talks to their process

    for editor in editors:
        shown = await editor.show()
        assert shown["opens"] + shown["authenticated"] == 1, editor.name
        assert (shown["closes"], shown["warnings"]) == ([], []), editor.name
