"""A plain ASGI relay: hands each frame to the others in its room, keeps and checks nothing.

The floor of what any server under the same uvicorn settings must spend.
`python -m benchmarks.peers.relay PORT`.
"""

import sys
from collections import defaultdict
from typing import Any

import uvicorn

ROOMS: dict[str, set[Any]] = defaultdict(set)
SYNC = 0


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer the first sync, then relay."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    room = ROOMS[scope["path"]]
    room.add(send)
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes") or b""
            if data[:2] == b"\x00\x00":
                await send({"type": "websocket.send", "bytes": b"\x00\x01\x02\x00\x00"})
            elif data[:2] == b"\x00\x02":
                for other in list(room):
                    if other is not send:
                        await other({"type": "websocket.send", "bytes": data})
    finally:
        room.discard(send)


class Announcing(uvicorn.Server):
    """Says when it is ready."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        sys.stdout.write("ready\n")
        sys.stdout.flush()


def settings_like_fieldchart(port: int) -> dict[str, Any]:
    """uvicorn as Fieldchart runs it."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "ws_per_message_deflate": False,
        "ws_max_size": 8 * 2**20,
        "lifespan": "off",
        "access_log": False,
        "log_config": None,
    }


if __name__ == "__main__":
    Announcing(uvicorn.Config(application, **settings_like_fieldchart(int(sys.argv[1])))).run()
