"""One bench for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.server.builders import Bench, open_bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with open_bench() as opened:
        yield opened
