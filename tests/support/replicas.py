"""Replicas of a record as clients hold them: pycrdt documents here, stock Y.Docs in a Node process.

A replica edits and applies; it knows nothing of the gate. Positions in texts are UTF-16 units.
"""

import atexit
import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import msgspec
from pycrdt import Doc, Map, Text, TransactionEvent

from tests.support.people import MAP_ROOTS, TEXT_ROOTS

__all__ = ["INTEROP", "PyReplica", "Replica", "Shown", "Step", "YjsProcess", "YjsReplica"]

INTEROP = Path(__file__).parent.parent / "interop"
_HOST = Path(__file__).parent / "yjs_replica.mjs"

Step: TypeAlias = tuple[Any, ...]
"""("set", root, key, value), ("del", root, key), ("nest", root, key, value), ("insert", name, at,
text), ("cut", name, at, length), ("format", name)."""


class Shown(msgspec.Struct, frozen=True):
    """What a replica shows: JSON per root, unknown roots that hold something, whether it waits."""

    maps: dict[str, dict[str, Any]]
    texts: dict[str, str]
    extra: list[str] = []
    pending: bool = False


class Replica(Protocol):
    """One client's copy of the record."""

    client: int

    def edit(self, steps: Sequence[Step]) -> list[bytes]:
        """Make one transaction; returns the updates it emitted."""
        ...

    def apply(self, update: bytes) -> None: ...

    def diff(self, vector: bytes) -> bytes: ...

    def vector(self) -> bytes: ...

    def show(self) -> Shown: ...


class PyReplica:
    """A pycrdt document. Cuts and inserts that would split a character move to its boundary."""

    def __init__(self, client: int) -> None:
        self.client = client
        self.doc: Doc[Any] = Doc(client_id=client)

    def edit(self, steps: Sequence[Step]) -> list[bytes]:
        updates: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            updates.append(event.update)

        subscription = self.doc.observe(keep)
        with self.doc.transaction():
            for step in steps:
                self._do(step)
        self.doc.unobserve(subscription)
        return [update for update in updates if update != b"\x00\x00"]

    def _do(self, step: Step) -> None:
        kind, root, *rest = step
        match kind:
            case "set":
                self.doc.get(root, type=Map)[rest[0]] = rest[1]
            case "del":
                section = self.doc.get(root, type=Map)
                if rest[0] in section:
                    del section[rest[0]]
            case "nest":
                self.doc.get(root, type=Map)[rest[0]] = Map({"inner": rest[1]})
            case "insert":
                text = self.doc.get(root, type=Text)
                text.insert(_byte_of(str(text), rest[0]), rest[1])
            case "cut":
                text = self.doc.get(root, type=Text)
                start = _byte_of(str(text), rest[0])
                stop = _byte_of(str(text), rest[0] + rest[1])
                if stop > start:
                    del text[start:stop]
            case "format":
                text = self.doc.get(root, type=Text)
                if len(text):
                    text.format(0, len(text), {"bold": True})

    def apply(self, update: bytes) -> None:
        self.doc.apply_update(update)

    def diff(self, vector: bytes) -> bytes:
        return self.doc.get_update(vector)

    def vector(self) -> bytes:
        return self.doc.get_state()

    def show(self) -> Shown:
        maps = {root: self.doc.get(root, type=Map).to_py() or {} for root in MAP_ROOTS}
        texts = {root: str(self.doc.get(root, type=Text)) for root in TEXT_ROOTS}
        return Shown(maps, texts)


def _byte_of(text: str, units: int) -> int:
    """The UTF-8 offset of the character at a UTF-16 offset, or of the one it falls into."""
    data = text.encode("utf-16-le")[: 2 * units]
    return len(data.decode("utf-16-le", "ignore").encode())


class YjsProcess:
    """A Node process that hosts Y.Docs; one for the whole test run."""

    _running: "YjsProcess | None" = None

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(_HOST), str(INTEROP)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        self._documents = 0
        atexit.register(self.close)

    @classmethod
    def missing(cls) -> str:
        """Why stock yjs cannot run here; empty where it can."""
        if shutil.which("node") is None:
            return "node is not installed"
        if not (INTEROP / "node_modules" / "yjs").is_dir():
            return "tests/interop/node_modules is absent: run npm ci there"
        return ""

    @classmethod
    def shared(cls) -> "YjsProcess":
        if cls._running is None:
            cls._running = cls()
        return cls._running

    def ask(self, op: str, **arguments: object) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        if "error" in answer:
            raise AssertionError(f"yjs failed: {answer['error']}")
        return answer["ok"]

    def reset(self) -> None:
        """Forget all documents."""
        self.ask("reset")

    def open(self, client: int) -> "YjsReplica":
        self._documents += 1
        self.ask("open", id=self._documents, client=client)
        return YjsReplica(self, self._documents, client)

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


class YjsReplica:
    """A stock Y.Doc."""

    def __init__(self, process: YjsProcess, id: int, client: int) -> None:
        self.client = client
        self._process = process
        self._id = id

    def edit(self, steps: Sequence[Step]) -> list[bytes]:
        updates = self._process.ask("edit", id=self._id, list=list(steps))
        return [base64.b64decode(update) for update in updates]

    def apply(self, update: bytes) -> None:
        self._process.ask("apply", id=self._id, update=base64.b64encode(update).decode())

    def diff(self, vector: bytes) -> bytes:
        vector_text = base64.b64encode(vector).decode()
        return base64.b64decode(self._process.ask("diff", id=self._id, vector=vector_text))

    def vector(self) -> bytes:
        return base64.b64decode(cast(str, self._process.ask("vector", id=self._id)))

    def show(self) -> Shown:
        answer = self._process.ask(
            "show", id=self._id, maps=list(MAP_ROOTS), texts=list(TEXT_ROOTS)
        )
        return msgspec.convert(answer, Shown)
