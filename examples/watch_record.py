"""Watch a record live: every change of a field as it arrives.

    python examples/watch_record.py --record OPD-000002

Ctrl+C ends it. It reads along with pycrdt's own provider, as any Yjs editor would.
"""

import asyncio
import contextlib
from typing import Any

import pycrdt
from fieldchart_client import Client, arguments, plain


class Channel:
    """A `websockets` connection as pycrdt's provider wants one."""

    def __init__(self, socket: Any, path: str) -> None:
        self.send, self.path = socket.send, path
        self._messages = aiter(socket)

    def __aiter__(self) -> Any:
        return self._messages


async def main() -> None:
    options = arguments(__doc__.splitlines()[0], user="supervisor").parse_args()
    client = Client(options.url, options.user, options.password)
    record = client.pick_record(options.record)
    profile = client.get(f"/api/profiles/{client.get(f'/api/records/{record}')['profile']}")
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    maps = {section["name"]: doc.get(section["name"], type=pycrdt.Map)
            for section in profile["sections"]}  # fmt: skip
    texts = {
        f"{section['name']}.{narrative['name']}": doc.get(
            f"{section['name']}.{narrative['name']}", type=pycrdt.Text
        )
        for section in profile["sections"]
        for narrative in section.get("narratives", [])
    }

    def shown() -> dict[str, Any]:
        fields = {
            f"{root}.{key}": plain(value)
            for root, map_ in maps.items()
            for key, value in map_.items()
        }
        return {**fields, **{name: str(text) for name, text in texts.items() if len(text)}}

    async with client.open(record, "yjs") as socket:
        async with pycrdt.Provider(doc, Channel(socket, record)) as provider:
            await provider.synced.wait()
            known = shown()
            print(f"watching {record}: {len(known)} fields", flush=True)
            async with doc.events() as events:
                async for _ in events:
                    now = shown()
                    for name in sorted({*known, *now}):
                        if known.get(name) != now.get(name):
                            print(f"{name}: {known.get(name)!r} -> {now.get(name)!r}", flush=True)
                    known = now


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
