"""A body that goes on: it ends with its reader, its log-in or its patience, and leaves nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.rest import endpoint
from server.rest.endpoint import Answer, send_stream
from server.sockets.patience import ABORT


class Source:
    """A stream that a test feeds."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def frames(self) -> AsyncIterator[bytes]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    def end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
            self.queue.put_nowait(None)


class Caller:
    """The other end: reads what is sent, or not, and may go away."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = asyncio.Event()
        if reads:
            self.reads.set()
        self.gone = asyncio.Event()
        self.aborted = False
        self.sent: list[dict[str, Any]] = []
        self.scope: dict[str, Any] = {"method": "GET", "extensions": {ABORT: self.abort}}

    def abort(self) -> None:
        self.aborted = True

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            await self.reads.wait()

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def serve(self, source: Source) -> "asyncio.Task[None]":
        answer = Answer(stream=source, media_type="text/event-stream")
        return asyncio.create_task(
            send_stream(answer, source, self.scope, self.receive, self.send)  # type: ignore[arg-type]
        )


async def test_a_stream_that_ends_is_a_whole_answer() -> None:
    source, caller = Source(), Caller()
    serving = caller.serve(source)
    source.queue.put_nowait(b"data: 1\n\n")

    source.end("stopping")
    await asyncio.wait_for(serving, 5)

    bodies = [m for m in caller.sent if m["type"] == "http.response.body"]
    assert [m["body"] for m in bodies] == [b"data: 1\n\n", b""]
    assert not bodies[-1].get("more_body")
    assert not caller.aborted


async def test_a_caller_who_goes_away_ends_the_stream() -> None:
    source, caller = Source(), Caller()
    serving = caller.serve(source)

    caller.gone.set()
    await asyncio.wait_for(serving, 5)

    assert source.ended.result() == "left"


@pytest.mark.rule("TELL-9")
async def test_a_caller_who_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LAST_FRAMES_SECONDS", 0.0)
    source, caller = Source(), Caller(reads=False)
    serving = caller.serve(source)
    source.queue.put_nowait(b"data: 1\n\n")

    source.end("slow")
    await asyncio.wait_for(serving, 5)

    assert caller.aborted
