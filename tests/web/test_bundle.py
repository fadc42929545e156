"""What the browser loads first, measured in the bundle that the server serves."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "server" / "static"
MANIFEST = STATIC / ".vite" / "manifest.json"
MOST_SCRIPT_BYTES = 250_000
"""Compressed script for sign-in and queue (issue 5, Speed and size)."""

pytestmark = pytest.mark.skipif(
    not MANIFEST.is_file(), reason="the web app is not built; run `make web`"
)


def first_load(chunk: str, chunks: dict[str, dict[str, object]], seen: set[str]) -> set[str]:
    """The files of a chunk and of everything that it imports at once."""
    if chunk in seen:
        return set()
    seen.add(chunk)
    files = {str(chunks[chunk]["file"])}
    imports = chunks[chunk].get("imports", [])
    assert isinstance(imports, list)
    for one in imports:
        files |= first_load(str(one), chunks, seen)
    return files


def test_sign_in_and_queue_load_little_script() -> None:
    chunks = json.loads(MANIFEST.read_text("utf-8"))
    files = first_load("index.html", chunks, set())

    sizes = {name: (STATIC / f"{name}.gz").stat().st_size for name in files}

    assert sum(sizes.values()) <= MOST_SCRIPT_BYTES, sizes
    assert len(sizes) > 0


def test_other_screens_and_languages_are_split_off() -> None:
    chunks = json.loads(MANIFEST.read_text("utf-8"))
    first = first_load("index.html", chunks, set())
    later = {name: chunks[name]["file"] for name in chunks if chunks[name].get("isDynamicEntry")}

    assert {
        "src/screens/record/RecordScreen.tsx", "src/screens/NewPatient.tsx",
        "src/i18n/ar.json", "src/i18n/fr.json", "src/i18n/sw.json",
    } <= set(later)  # fmt: skip
    assert first.isdisjoint(later.values())


def test_the_page_runs_no_inline_script() -> None:
    page = (STATIC / "index.html").read_text("utf-8")

    assert "<script>" not in page
    assert page.count("<script") == page.count('<script type="module" crossorigin src=')


def test_the_service_worker_keeps_every_script_for_offline() -> None:
    worker = (STATIC / "sw.js").read_text("utf-8")
    scripts = [path.name for path in (STATIC / "assets").glob("*.js")]

    assert [name for name in scripts if name not in worker] == []
