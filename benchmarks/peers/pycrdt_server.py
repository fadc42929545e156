"""pycrdt-websocket with its SQLite store, under the same uvicorn.

`python -m benchmarks.peers.pycrdt_server PORT FILE`.
"""

import asyncio
import sys
from typing import Any

import uvicorn
import uvloop
from pycrdt import Doc
from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom

from benchmarks.peers.relay import Announcing, settings_like_fieldchart


class Stored(WebsocketServer):
    """Gives each room a store in the one database, and what it holds."""

    def __init__(self, file: str) -> None:
        super().__init__(auto_clean_rooms=False)
        self._store: Any = type("Store", (SQLiteYStore,), {"db_path": file})
        self._opening = asyncio.Lock()

    async def get_room(self, name: str) -> YRoom:
        async with self._opening:
            if name not in self.rooms:
                store = self._store(path=name)
                doc: Doc[Any] = Doc()
                group: Any = self._task_group
                await group.start(store.start)
                try:
                    await store.apply_updates(doc)
                except YDocNotFound:
                    pass
                self.rooms[name] = YRoom(ydoc=doc, ystore=store)
            await self.start_room(self.rooms[name])
        return self.rooms[name]


async def main(port: int, file: str) -> None:
    """Serve until a signal."""
    rooms = Stored(file)
    async with rooms:
        await Announcing(
            uvicorn.Config(ASGIServer(rooms), **settings_like_fieldchart(port))
        ).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), sys.argv[2]))
