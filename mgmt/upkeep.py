"""Which jobs the leader has: what keeps the database small and its sessions true."""

import logging
from collections.abc import Awaitable, Callable
from time import time
from typing import Final, NamedTuple

import asyncpg

from mgmt.jobs import Job
from mgmt.store import changelog, expiry
from radiuscore.store import partitions, sweep
from radiuscore.store.pool import Connection, DirectConnection, Pool

SWEEP_EVERY_S: Final = 30.0
ARCHIVE_EVERY_S: Final = 300.0
PARTITIONS_EVERY_S: Final = 900.0
FORGET_EVERY_S: Final = 3600.0
ROTATIONS_EVERY_S: Final = 60.0

_LOG: Final = logging.getLogger(__name__)


class Databases(NamedTuple):
    """What jobs work with: pools of the role ``radiuscore_system``, and how to connect as accounting's owner."""

    control: Pool
    accounting: Pool
    connect_owner: Callable[[], Awaitable[DirectConnection]]


def jobs_of(databases: Databases, heard_since: float) -> tuple[Job, ...]:
    """Return the jobs. Silence counts from ``heard_since`` (seconds since 1970), because before it nobody listened."""

    async def close_silent() -> int:
        async with databases.accounting.acquire() as db:
            silence = await sweep.close_silent(db, time(), heard_since=heard_since)
        return silence.suspect + len(silence.lost)

    async def archive() -> int:
        async with databases.accounting.acquire() as db:
            return await sweep.archive_closed(db, time())

    async def forget_periods() -> int:
        async with databases.accounting.acquire() as db:
            return await sweep.forget_periods(db, time())

    async def keep_partitions() -> int:
        db = await databases.connect_owner()
        try:
            return await renew_partitions(db, time())
        finally:
            await db.close(timeout=5)

    return (
        Job("close silent sessions", SWEEP_EVERY_S, close_silent),
        Job("archive sessions", ARCHIVE_EVERY_S, archive),
        Job("renew partitions", PARTITIONS_EVERY_S, keep_partitions),
        Job("forget old usage", FORGET_EVERY_S, forget_periods),
        Job("forget old changes", FORGET_EVERY_S, _over(databases.control, changelog.prune)),
        Job("end rotations of secrets", ROTATIONS_EVERY_S, _over(databases.control, expiry.end_rotations)),
        Job("forget old logins", FORGET_EVERY_S, _over(databases.control, expiry.forget)),
    )


def _over(pool: Pool, run: Callable[[Connection], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    """Return a job that is one call of the store."""

    async def work() -> int:
        async with pool.acquire() as db:
            return await run(db)

    return work


async def renew_partitions(db: DirectConnection, now: float) -> int:
    """Make the partitions that are due and drop those that are too old; return how many. Sessions, usage, login log.

    A table that is too busy is left for the next time; what has not worked for long is a warning.
    """
    changed = 0
    for change in (partitions.ensure, partitions.expire):
        try:
            changed += len(await change(db, now))
        except asyncpg.LockNotAvailableError:
            _LOG.info("partitions are left for the next time: a table is busy")
    for table in await partitions.coverage(db):
        if table.is_short(now):
            _LOG.warning("partitions end soon, because they could not be made for long", extra={"table": table.table})
        if table.has_strays:
            _LOG.warning("rows lie outside of all partitions and are not dropped", extra={"table": table.table})
    return changed
