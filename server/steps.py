"""Long pure work on the loop: done in steps, between which other rooms run."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

__all__ = ["in_steps"]

T = TypeVar("T")


async def in_steps(steps: Generator[None, None, T]) -> T:
    """Run the generator to its end, giving way at each of its yields; its result."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)
