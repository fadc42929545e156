"""Node processes that run unmodified providers, and waiting for what they show, with a deadline."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.patience import PATIENCE_S

HERE = Path(__file__).parent
POLL_S = 0.01
MAX_LINE_BYTES = 16 * 1024 * 1024

Shown = dict[str, Any]


async def until(
    look: Callable[[], Awaitable[Any]],
    holds: Callable[[Any], bool],
    what: str,
    within_s: float = PATIENCE_S,
) -> Any:
    """What `look` shows once it holds; fails with the last look after the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        shown = await look()
        if holds(shown):
            return shown
        if loop.time() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}; last: {shown}")
        await asyncio.sleep(POLL_S)


class Node:
    """One process of `clients.mjs`; an async context manager."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._last = 0

    async def __aenter__(self) -> "Node":
        self._process = await asyncio.create_subprocess_exec(
            "node", str(HERE / "clients.mjs"), cwd=HERE,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MAX_LINE_BYTES,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader
        self._process._transport.close()  # type: ignore[attr-defined]  # else it warns later

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            waiting = self._waiting.pop(said["id"], None)
            if waiting is None or waiting.done():
                continue
            if "error" in said:
                waiting.set_exception(AssertionError(said["error"]))
            else:
                waiting.set_result(said["answer"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(AssertionError("the Node process has ended"))

    async def do(self, command: str, **arguments: Any) -> Any:
        """Run one command of clients.mjs."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._last += 1
        answer = self._waiting[self._last] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": self._last, "do": command, **arguments})
        self._process.stdin.write(line.encode() + b"\n")
        return await asyncio.wait_for(answer, PATIENCE_S * 2)

    def stop(self) -> None:
        """SIGSTOP: the process reads nothing any more, its socket stays open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()


class Editor:
    """One client of a Node process."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self.name = name

    async def edit(self, *steps: list[Any]) -> None:
        """One transaction: ["set", map, key, value], ["delete", map, key], ["insert", text, at,
        string], ["remove", text, at, length]."""
        await self._node.do("edit", client=self.name, steps=steps)

    async def do(self, command: str, **arguments: Any) -> Any:
        return await self._node.do(command, client=self.name, **arguments)

    async def show(self, *roots: str) -> Shown:
        """Its document, connection and presence; a root with a dot is a text."""
        return await self._node.do(  # type: ignore[no-any-return]
            "show", client=self.name,
            maps=[root for root in roots if "." not in root],
            texts=[root for root in roots if "." in root],
        )  # fmt: skip

    async def until(
        self, what: str, holds: Callable[[Shown], bool], *roots: str, within_s: float = PATIENCE_S
    ) -> Shown:
        """What it shows, once it holds."""
        return await until(lambda: self.show(*roots), holds, f"{self.name}: {what}", within_s)  # type: ignore[no-any-return]

    async def until_synced(self) -> Shown:
        return await self.until("is synced", lambda shown: shown["synced"])

    async def until_field(self, name: str, value: Any) -> Shown:
        """Wait until `section.field` shows `value`."""
        root, key = name.split(".")
        return await self.until(
            f"{name} shows {value!r}", lambda shown: shown["maps"][root].get(key) == value, root
        )

    async def until_text(self, name: str, text: str) -> Shown:
        return await self.until(
            f"{name} reads {text!r}", lambda shown: shown["texts"][name] == text, name
        )


async def all_agree(*editors: Editor, roots: tuple[str, ...]) -> Shown:
    """Wait until every editor shows the same, with nothing pending; returns it."""

    async def look() -> list[Shown]:
        return [await editor.show(*roots) for editor in editors]

    def agree(shown: list[Shown]) -> bool:
        first = shown[0]
        return all(
            one["maps"] == first["maps"] and one["texts"] == first["texts"] and not one["pending"]
            for one in shown
        )

    return (await until(look, agree, "all show the same"))[0]  # type: ignore[no-any-return]
