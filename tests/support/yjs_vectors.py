"""Reads tests/vectors: bytes made by lib0, yjs and y-protocols, with what these read from them."""

import json
from pathlib import Path
from typing import Any

from sync.structs import UNDEFINED, BigInt

VECTORS = Path(__file__).parent.parent / "vectors"


def load(name: str) -> dict[str, Any]:
    """One file of tests/vectors, with values as `generate.mjs` spelled them."""
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return loaded


def unspell(value: Any) -> Any:
    """The value that `spell` in generate.mjs wrote as JSON; other numbers stay as JSON has them."""
    if isinstance(value, list):
        return [unspell(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case "undefined":
            return UNDEFINED
        case "bigint":
            return BigInt(int(value["value"]))
        case "number":
            return float(value["value"])
        case "bytes":
            return bytes.fromhex(value["value"])
        case _:
            return {key: unspell(entry) for key, entry in value.items()}


def updates() -> list[tuple[str, bytes]]:
    """Name and bytes of every update that yjs made."""
    return [(v["name"], bytes.fromhex(v["update"])) for v in load("updates.json")["updates"]]
