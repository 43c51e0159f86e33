"""What several tests of this folder need: waiting for a condition with a deadline, and counting tasks."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true that no event announces; fail when it is not so in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@contextmanager
def tasks_made() -> Iterator[list[object]]:
    """Collect every coroutine that becomes a task."""
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        yield made
    finally:
        loop.set_task_factory(None)
