"""What the process says about itself names nobody: log lines of other libraries included."""

import asyncio
import io
import logging

import pytest

from server.logs import configure_logs

NAME = "Invented Wanjiru"


@pytest.mark.parametrize(
    "message", [NAME, f"Task exception was never retrieved: ValueError('{NAME}')", f"100% {NAME}"]
)
def test_a_librarys_message_without_arguments_is_not_passed_on(message: str) -> None:
    """It is no template: asyncio writes the repr of a failed task's exception into it."""
    out = io.StringIO()
    configure_logs("json", "info", out)

    logging.getLogger("library").error(message)
    logging.getLogger("library").error("could not %s", NAME)

    assert NAME not in out.getvalue()
    assert "could not %s" in out.getvalue()
    assert out.getvalue().count("\n") == 2


async def test_a_failed_task_that_nobody_awaits_is_logged_without_its_content() -> None:
    out = io.StringIO()
    configure_logs("json", "info", out)

    async def fail() -> None:
        raise ValueError(NAME)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    context = {"message": f"it failed: {NAME}", "exception": ValueError(NAME), "task": task}
    asyncio.get_running_loop().default_exception_handler(context)

    assert out.getvalue()
    assert NAME not in out.getvalue()
    task.exception()
