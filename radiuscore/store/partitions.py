"""Partitions of the accounting tables: made ahead, dropped when they are old, watched. The owner of the schema does it.

Both changes need a lock that stops accounting for a moment, and wait for whoever reads. Each is therefore a transaction
of its own that gives up after a fraction of a second; the next run of the job does what is left.
"""

from typing import Final, NamedTuple

from radiuscore.store.pool import Connection

LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '200ms'"  # less than a NAS waits before it asks again

ADD_PARTITION: Final = "SELECT accounting.add_partition(to_timestamp($1))"
DROP_PARTITION: Final = "SELECT accounting.drop_partition(to_timestamp($1))"

FIND_COVERAGE: Final = """
SELECT policy.parent AS table,
       extract(epoch FROM max(made.upper))::float8 AS until,
       extract(epoch FROM policy.step)::float8 AS step_s,
       CASE policy.parent
         WHEN 'session_history' THEN EXISTS (SELECT FROM accounting.session_history_default)
         WHEN 'usage_hour' THEN EXISTS (SELECT FROM accounting.usage_hour_default)
         WHEN 'usage_day' THEN EXISTS (SELECT FROM accounting.usage_day_default)
         WHEN 'auth_log' THEN EXISTS (SELECT FROM accounting.auth_log_default)
       END AS has_strays
  FROM accounting.partition_policy AS policy
  JOIN accounting.partitions AS made USING (parent)
 GROUP BY policy.parent, policy.step
 ORDER BY policy.parent
"""


class Coverage(NamedTuple):
    """How far one table's partitions reach.

    ``until`` is seconds since 1970, ``step_s`` the length of a partition. ``has_strays``: rows came whose time no
    partition covers; they are kept, but are not dropped with the others.
    """

    table: str
    until: float
    step_s: float
    has_strays: bool

    def is_short(self, now: float) -> bool:
        """Tell whether less than one whole partition is ready ahead: the job has not worked for long."""
        return self.until - now < self.step_s


async def ensure(db: Connection, now: float) -> list[str]:
    """Make every partition that should exist at ``now`` (seconds since 1970), and return the names of the new ones.

    From the one before the present to 3 months ahead, 7 days for the log. Raises `asyncpg.LockNotAvailableError` when
    a table is too busy; what was made until then stays.
    """
    return await _repeat(db, ADD_PARTITION, now)


async def expire(db: Connection, now: float) -> list[str]:
    """Drop every partition that is not to be kept any longer at ``now`` (seconds since 1970); return their names.

    Raises `asyncpg.LockNotAvailableError` when a table is too busy; what was dropped until then is gone.
    """
    return await _repeat(db, DROP_PARTITION, now)


async def coverage(db: Connection) -> list[Coverage]:
    """Return for each partitioned table how far it is prepared."""
    return [Coverage(*row) for row in await db.fetch(FIND_COVERAGE)]


async def _repeat(db: Connection, statement: str, now: float) -> list[str]:
    names: list[str] = []
    while True:
        async with db.transaction():
            await db.execute(LOCK_TIMEOUT)
            name = await db.fetchval(statement, now)
        if name is None:
            return names
        names.append(name)
