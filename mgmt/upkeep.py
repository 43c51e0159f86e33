"""Which jobs the leader has: what keeps the database small and its sessions true."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from time import time
from typing import Final, NamedTuple

import asyncpg

from mgmt.jobs import Job
from mgmt.store import changelog, expiry
from radiuscore.store import leases, partitions, slots, sweep
from radiuscore.store.pool import Connection, DirectConnection, Pool
from radiuscore.store.slots import Ended
from radiuscore.store.snapshot import load_pools

SWEEP_EVERY_S: Final = 30.0
ARCHIVE_EVERY_S: Final = 300.0
PARTITIONS_EVERY_S: Final = 900.0
FORGET_EVERY_S: Final = 3600.0
ROTATIONS_EVERY_S: Final = 60.0
POOLS_EVERY_S: Final = 60.0

_LOG: Final = logging.getLogger(__name__)


class Databases(NamedTuple):
    """What jobs work with: pools of the role ``radiuscore_system``, and how to connect as accounting's owner."""

    control: Pool
    accounting: Pool
    connect_owner: Callable[[], Awaitable[DirectConnection]]


def jobs_of(databases: Databases, heard_since: float) -> tuple[Job, ...]:
    """Return the jobs. Silence counts from ``heard_since`` (seconds since 1970), because before it nobody listened."""

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
        Job("close silent sessions", SWEEP_EVERY_S, _over(databases.accounting, partial(close_silent, heard_since))),
        Job("archive sessions", ARCHIVE_EVERY_S, archive),
        Job("renew partitions", PARTITIONS_EVERY_S, keep_partitions),
        Job("forget old usage", FORGET_EVERY_S, forget_periods),
        Job("forget old changes", FORGET_EVERY_S, _over(databases.control, changelog.prune)),
        Job("end rotations of secrets", ROTATIONS_EVERY_S, _over(databases.control, expiry.end_rotations)),
        Job("watch address pools", POOLS_EVERY_S, partial(watch_pools, databases)),
        Job("forget old slots", FORGET_EVERY_S, _over(databases.accounting, slots.forget)),
        Job("forget old logins", FORGET_EVERY_S, _over(databases.control, expiry.forget)),
    )


def _over(pool: Pool, run: Callable[[Connection], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    """Return a job that is one call of the store."""

    async def work() -> int:
        async with pool.acquire() as db:
            return await run(db)

    return work


async def close_silent(heard_since: float, db: Connection) -> int:
    """Take those who say nothing for suspect, then for lost, and take back what lost sessions held."""
    silence = await sweep.close_silent(db, time(), heard_since=heard_since)
    lost = [Ended(one.key[0], one.customer_id, one.id) for one in silence.lost if one.customer_id and one.id]
    await slots.free(db, lost)
    await leases.reclaim(db, lost)
    return silence.suspect + len(silence.lost)


async def watch_pools(databases: Databases) -> int:
    """Warn of each central pool of which 90 % and more are leased; return how many there are."""
    async with databases.control.acquire() as db:
        pools = await load_pools(db)
    async with databases.accounting.acquire() as db:
        scarce = await leases.find_scarce(db, pools)
    for pool, leased in scarce:
        fields = {"isp_id": pool.isp_id, "pool": pool.name, "leased": leased, "size": pool.size}
        _LOG.warning("a central pool is nearly exhausted", extra=fields)
    return len(scarce)


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
