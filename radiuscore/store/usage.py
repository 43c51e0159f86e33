"""Usage of customers as the recording of sessions counted it: by local hour and day, and by the quota's period."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Final, NamedTuple

import asyncpg

from radiuscore.aaa.records import CustomerId, IspId, QuotaPeriod
from radiuscore.store.pool import Connection

FIND_HOURS: Final = """
SELECT hour, input_octets, output_octets, session_time
  FROM accounting.usage_hour
 WHERE isp_id = $1
   AND customer_id = $2
   AND hour >= $3
   AND hour < $4
 ORDER BY hour
"""

FIND_DAYS: Final = """
SELECT day, input_octets, output_octets, session_time
  FROM accounting.usage_day
 WHERE isp_id = $1
   AND customer_id = $2
   AND day >= $3
   AND day < $4
 ORDER BY day
"""

FIND_PERIOD: Final = """
SELECT isp_id, customer_id, period, period_start, input_octets, output_octets, session_time
  FROM accounting.usage_period
 WHERE isp_id = $1
   AND customer_id = $2
   AND period = $3
   AND period_start = $4
"""

FIND_PERIODS: Final = """
SELECT u.isp_id, u.customer_id, u.period, u.period_start, u.input_octets, u.output_octets, u.session_time
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::date[])
    AS wanted (isp_id, customer_id, period, period_start)
  JOIN accounting.usage_period AS u USING (isp_id, customer_id, period, period_start)
"""

FIND_CHANGED_PERIODS: Final = """
SELECT isp_id, customer_id, period, period_start, input_octets, output_octets, session_time
  FROM accounting.usage_period
 WHERE changed_at >= now() - $1 * interval '1 second'
"""


class HourOfUsage(NamedTuple):
    """What a customer used in the local hour that began at ``hour`` (aware UTC). ``session_time`` is seconds."""

    hour: datetime
    input_octets: int
    output_octets: int
    session_time: int


class DayOfUsage(NamedTuple):
    """What a customer used on a local day. ``session_time`` is seconds."""

    day: date
    input_octets: int
    output_octets: int
    session_time: int


class PeriodOfUsage(NamedTuple):
    """What a customer used since a quota period began, at the local midnight of ``period_start``."""

    isp_id: IspId
    customer_id: CustomerId
    period: QuotaPeriod
    period_start: date
    input_octets: int
    output_octets: int
    session_time: int


async def find_hours(
    db: Connection, isp_id: IspId, customer_id: CustomerId, begin: datetime, end: datetime
) -> list[HourOfUsage]:
    """Return a customer's hours in which something was used, from ``begin`` on and before ``end``."""
    return [HourOfUsage(*row) for row in await db.fetch(FIND_HOURS, isp_id, customer_id, begin, end)]


async def find_days(db: Connection, isp_id: IspId, customer_id: CustomerId, begin: date, end: date) -> list[DayOfUsage]:
    """Return a customer's days on which something was used, from ``begin`` on and before ``end``."""
    return [DayOfUsage(*row) for row in await db.fetch(FIND_DAYS, isp_id, customer_id, begin, end)]


async def find_period(
    db: Connection, isp_id: IspId, customer_id: CustomerId, period: QuotaPeriod, period_start: date
) -> PeriodOfUsage:
    """Return what a customer has used of a period (`periods.period_start`); zeros where that is nothing."""
    row = await db.fetchrow(FIND_PERIOD, isp_id, customer_id, period, period_start)
    return PeriodOfUsage(isp_id, customer_id, period, period_start, 0, 0, 0) if row is None else _period(row)


async def find_periods(
    db: Connection, wanted: Collection[tuple[IspId, CustomerId, QuotaPeriod, date]]
) -> list[PeriodOfUsage]:
    """Return what customers have used of a period each, of those who have used anything."""
    return [_period(row) for row in await db.fetch(FIND_PERIODS, *zip(*wanted, strict=True))] if wanted else []


async def find_changed_periods(db: Connection, within_s: float) -> list[PeriodOfUsage]:
    """Return every total, of all ISPs, that was changed in the last ``within_s`` seconds of the database's clock.

    The values are absolute: who asks for a little more than the time since he last asked misses nothing and counts
    nothing twice.
    """
    return [_period(row) for row in await db.fetch(FIND_CHANGED_PERIODS, within_s)]


def _period(row: asyncpg.Record) -> PeriodOfUsage:
    isp_id, customer_id, period, *rest = row
    return PeriodOfUsage(isp_id, customer_id, QuotaPeriod(period), *rest)
