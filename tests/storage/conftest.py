"""Stores for the contract suite: every backend runs the same tests."""

import pytest

from storage import MemoryStore, SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """An empty store of each kind. PostgreSQL joins by adding its name here."""
    match request.param:
        case "memory":
            made = MemoryStore()
        case "sqlite":
            made = await SqliteStore.open(tmp_path / "store.db")
    yield made
    await made.close()


@pytest.fixture
async def sqlite(tmp_path):
    """An empty store on disk, at `tmp_path / "store.db"`."""
    made = await SqliteStore.open(tmp_path / "store.db")
    yield made
    await made.close()
