"""The server once more, over a network that the Enter key cuts and mends.

    python examples/tablet_network.py [http://127.0.0.1:8420 [8421]]

A browser window on the address that it prints is a tablet whose network comes and goes; others
stay where they are. Ctrl+C ends it.
"""

import asyncio
import contextlib
import sys
from urllib.parse import urlsplit


class Network:
    """Passes bytes on between whoever connects and the server, unless it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._passing: set[asyncio.Task[None]] = set()
        self.is_up = True

    def cut(self) -> None:
        """Whatever is connected breaks off, and nothing new comes through."""
        self.is_up = False
        for passing in self._passing:
            passing.cancel()

    def mend(self) -> None:
        self.is_up = True

    async def connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection of the tablet, from its beginning to its end."""
        with contextlib.closing(back):
            if not self.is_up:
                return
            with contextlib.suppress(OSError):
                far, away = await asyncio.open_connection(*self._server)
                with contextlib.closing(away):
                    ways = {
                        asyncio.create_task(self._pass_on(near, away)),
                        asyncio.create_task(self._pass_on(far, back)),
                    }
                    self._passing |= ways
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in ways:
                        way.cancel()
                    self._passing -= ways

    async def _pass_on(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while some := await source.read(65_536):
                to.write(some)
                await to.drain()


async def main(url: str, port: int) -> None:
    server = urlsplit(url)
    network = Network(server.hostname or "127.0.0.1", server.port or 80)
    listening = await asyncio.start_server(network.connected, "127.0.0.1", port)
    address = listening.sockets[0].getsockname()[1]
    print(f"the tablet's address: http://127.0.0.1:{address}", flush=True)
    while True:
        print("its network is there; Enter cuts it" if network.is_up
              else "its network is cut; Enter brings it back", flush=True)  # fmt: skip
        if await asyncio.to_thread(sys.stdin.readline) == "":
            return
        if network.is_up:
            network.cut()
        else:
            network.mend()


if __name__ == "__main__":
    given = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            main(
                given[0] if given else "http://127.0.0.1:8420",
                int(given[1]) if len(given) > 1 else 8421,
            )
        )
