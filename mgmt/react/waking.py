"""What wakes a node's sender: a NOTIFY, on a connection of its own that is probed and made again when it is gone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from radiuscore.store.pool import DirectConnection

PROBE_S: Final = 5.0
PROBE_TIMEOUT_S: Final = 2.0
PAUSE_S: Final = 2.0

_LOG: Final = logging.getLogger(__name__)


async def listen(connect: Callable[[], Awaitable[DirectConnection]], channel: str, wake: asyncio.Event) -> None:
    """Set ``wake`` at every NOTIFY on a channel, and at every connection made, until cancelled.

    Whoever waits for it looks by himself from time to time too: a NOTIFY may be lost with its connection.
    """
    while True:
        try:
            db = await connect()
            try:
                await db.add_listener(channel, lambda *_: wake.set())
                wake.set()
                while True:
                    await asyncio.sleep(PROBE_S)
                    await db.execute("SELECT 1", timeout=PROBE_TIMEOUT_S)
            finally:
                db.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # TimeoutError is an OSError
            _LOG.warning("reactions are sent a little later: %s", error or type(error).__name__)
        await asyncio.sleep(PAUSE_S)
