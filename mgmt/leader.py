"""One node of a cluster runs the jobs: whoever holds an advisory lock, on a connection of its own that is probed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from radiuscore.store.pool import DirectConnection

LOCK: Final = (0x5241, 2)  # "RA", jobs
PROBE_S: Final = 2.0

_TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1, $2)"
_LOG: Final = logging.getLogger(__name__)


async def lead(
    connect: Callable[[], Awaitable[DirectConnection]], work: Callable[[], Awaitable[None]], *, probe_s: float = PROBE_S
) -> None:
    """Run ``work`` whenever this process is the leader, for ever. Cancelled safely; ``work`` is cancelled with it.

    ``connect`` gives a session of PostgreSQL that no pooler shares, because the lock is the session's. When the
    connection does not answer within ``probe_s``, ``work`` is cancelled; until then another node may have begun, so
    what ``work`` does must be idempotent.
    """
    while True:
        try:
            connection = await connect()
            try:
                await _take_lock(connection, probe_s)
                _LOG.info("this node runs the jobs")
                await _work_while_alive(connection, work, probe_s)
            finally:
                connection.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _LOG.warning("the jobs wait for the database: %s", error or type(error).__name__)
        await asyncio.sleep(probe_s)


async def _take_lock(connection: DirectConnection, probe_s: float) -> None:
    while True:
        if await connection.fetchval(_TRY_LOCK, *LOCK, timeout=probe_s):
            return
        await asyncio.sleep(probe_s)


async def _work_while_alive(connection: DirectConnection, work: Callable[[], Awaitable[None]], probe_s: float) -> None:
    working = asyncio.ensure_future(work())
    try:
        while not (await asyncio.wait([working], timeout=probe_s))[0]:
            await connection.fetchval("SELECT 1", timeout=probe_s)
        await working
    finally:
        working.cancel()
        await asyncio.wait([working])
