"""`radiuscore migrate`: both schemas, and in words what was done."""

import asyncio
from contextlib import AsyncExitStack

from mgmt.database import SCHEMAS, open_server
from mgmt.terminal import progress, say
from radiuscore.settings import Settings


def migrate(settings: Settings) -> None:
    """Bring the database to this release. Raises `Fault`."""
    asyncio.run(_migrate(settings))


async def _migrate(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        with progress("Opening the database") as tell:
            server = await stack.enter_async_context(open_server(settings, tell))
        done = [line for schema in SCHEMAS for line in await server.migrate(schema, say)]
        if not done:
            say("Nothing to do: the database is at this release's schema.")
