"""A chart in an unmodified Yjs provider, as a person of the example days works with it."""

from datetime import UTC, datetime
from typing import Any, Literal

from ulid import ULID

from tests.interop.browser import Editor, Node, Shown, until

__all__ = ["StockChart"]

Provider = Literal["websocket", "hocuspocus"]


class StockChart:
    """Does what `examples/at_work.py: Chart` does, with y-websocket's or Hocuspocus' provider.

    It speaks no extension: refusals are read over REST, and y-websocket's reason as it warns of it.
    """

    def __init__(self, node: Node, person: Any, record: str, provider: Provider) -> None:
        self._node = node
        self._person = person
        self._record = record
        self._provider = provider
        self._editor = Editor(node, f"{person.username}@{record}")
        self._known: set[str] = set()

    async def connect(self) -> None:
        await self._node.do(
            self._provider, client=self._editor.name, record=self._record, socket=self._editor.name,
            url=self._person.url.replace("http", "ws", 1), token=self._person.client.token,
        )  # fmt: skip
        await self._editor.until_synced()

    async def disconnect(self) -> None:
        await self._editor.do("leave")

    async def write(self, fields: dict[str, Any]) -> None:
        steps: list[list[Any]] = []
        for name, value in fields.items():
            root, _, key = name.partition(".")
            is_text = key in ("notes", "history", "examination", "plan", "report")
            steps.append(["insert", name, 0, value] if is_text else ["set", root, key, value])
        await self._editor.edit(*steps)

    async def add(self, section: str, entry: dict[str, Any]) -> str:
        id = str(ULID())
        known = {"id": id, "at": datetime.now(UTC).isoformat(), "by": self._person.id}
        await self.write({f"{section}.{id}": {**entry, **known}})
        return id

    async def step(self, step: str, action: str, **more: str) -> None:
        wish = {"action": action, "at": datetime.now(UTC).isoformat(), **more}
        await self.write({f"progress.{step}": wish})
        await self._editor.until(
            "the step is answered", lambda shown: step not in shown["maps"]["progress"], "progress"
        )

    async def present(self, **state: str | None) -> None:
        await self._editor.do("present", state=state)

    async def shows(self, name: str, value: Any) -> Any:
        await self._editor.until_field(name, value)
        return value

    async def locked(self, field: str) -> str:
        shown = await self._editor.until("sees the lock", lambda shown: field in _locks(shown))
        return str(_locks(shown)[field]["user"]["name"])

    async def refused(self) -> list[dict[str, Any]]:
        async def look() -> list[dict[str, Any]]:
            items = self._person.get(f"/records/{self._record}/refusals")["items"]
            return [one for one in items if one["id"] not in self._known]

        fresh: list[dict[str, Any]] = await until(look, bool, f"{self._editor.name} is refused")
        self._known |= {one["id"] for one in fresh}
        if self._provider == "websocket":
            await self._editor.until(
                "says why", lambda shown: fresh[-1]["reason"] in " ".join(shown["warnings"])
            )
        return fresh


def _locks(shown: Shown) -> dict[str, Any]:
    held = [state["server"]["locks"] for state in shown["states"].values() if "server" in state]
    return {field: lock for one in held for field, lock in one.items()}
