"""What several tests of this folder need: waiting with a deadline, counting tasks, a server that runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from radiuscore.server.supervisor import Ports, Supervisor


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


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[Ports]:
    """Run a supervisor, give its ports once it is ready, and stop it."""
    task = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(30):
            yield await supervisor.ready()
    finally:
        supervisor.stop()
        async with asyncio.timeout(30):
            await task
