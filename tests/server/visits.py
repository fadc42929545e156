"""A record in real rooms, and the people and tablets around it, as tests over HTTP need them."""

import json
from typing import Any

import httpx
import pycrdt

from permissions.model import Principal
from server.ports import NewRecord
from sync.effects import Announcement, Commit
from tests.server.builders import Bench
from tests.support.rooms import RecordingPeer, settled

__all__ = ["Visit", "open_visit"]


class Visit:
    """A record on which two nurses have just disagreed about the pulse."""

    def __init__(self, bench: Bench, record_id: str) -> None:
        self.bench = bench
        self.record_id = record_id
        self.path = f"/api/records/{record_id}"
        self.commits: list[Commit] = []
        append = bench.store.records.append

        async def keep(commit: Commit) -> None:
            await append(commit)
            self.commits.append(commit)

        bench.store.records.append = keep  # type: ignore[method-assign] # to see what is stored

    async def ask(
        self, who: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        signed = await self.bench.bearer(who)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None if body is None else json.dumps(body)
        return await self.bench.http.request(
            method, self.path + path, content=content, headers=signed | named
        )

    async def disagree(
        self, key: str = "pulse", values: tuple[object, object] = (70, 80),
        people: tuple[str, str] = ("nurse", "nurse2"),
    ) -> list[RecordingPeer]:  # fmt: skip
        """Two tablets write one field without having seen each other; returns them."""
        peers = []
        async with self.bench.host.opened(self.record_id) as room:
            for name in people:
                peer = RecordingPeer(
                    await self.bench.principal(name), extension=True, peer_id=f"p{len(peers)}"
                )
                await peer.sync(room)
                peers.append(peer)
            await settled()
            for peer in peers:
                peer.messages()
            for peer, value in zip(peers, values, strict=True):
                peer.map("vitals")[key] = value
                await peer.push(room)
                await settled()
            for peer in peers:
                peer.messages()
        return peers

    async def edit_live(
        self, who: str, *steps: tuple[Any, ...], offline: RecordingPeer | None = None
    ) -> RecordingPeer:
        """Let a tablet edit: (root, key, value), or (text, offset, words or how many to cut)."""
        async with self.bench.host.opened(self.record_id) as room:
            peer = RecordingPeer(await self.bench.principal(who), extension=True)
            await peer.sync(room)
            await settled()
            peer.messages()
            with peer.document.transaction():
                for root, at, what in steps:
                    if isinstance(at, str) and what is None:
                        del peer.map(root)[at]
                    elif isinstance(at, str):
                        peer.map(root)[at] = what
                    elif isinstance(what, int):
                        text = peer.document.get(root, type=pycrdt.Text)
                        del text[at : at + what]
                    else:
                        peer.document.get(root, type=pycrdt.Text).insert(at, what)
            await peer.push(room)
            await settled()
        return peer

    async def refusals(self, query: str = "", who: str = "supervisor") -> list[dict[str, Any]]:
        answer = await self.ask(who, "GET", f"/refusals{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def record(self) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.ask("nurse", "GET", "")).json()
        return shown

    async def conflicts(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.ask("nurse", "GET", f"/conflicts{query}")
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def audited(self, action: str) -> list[tuple[str, str, str]]:
        entries = await self.bench.audited(action)
        return [(entry.outcome, entry.user_id, entry.detail) for entry in entries]

    def announced(self, event: str) -> list[Announcement]:
        told = [one for commit in self.commits for one in commit.announcements]
        return [one for one in told if one.event == event]


async def open_visit(bench: Bench) -> Visit:
    await bench.add_user("nurse2", "nurse")
    author: Principal = await bench.principal("receptionist")
    view = await bench.host.create(author, NewRecord(profile="outpatient"))
    return Visit(bench, view.id)
