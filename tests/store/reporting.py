"""A NAS's reports, short to write, and what the database should say after them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.store.sessions import Recorded, record
from radiuscore.wire.codes import AcctStatusType

if TYPE_CHECKING:
    from tests.conftest import Db

START: Final = AcctStatusType.START
STOP: Final = AcctStatusType.STOP
INTERIM: Final = AcctStatusType.INTERIM_UPDATE
ON: Final = AcctStatusType.ACCOUNTING_ON
OFF: Final = AcctStatusType.ACCOUNTING_OFF

T: Final = int(time.time()) // 3600 * 3600 - 12 * 3600  # half a day ago, at a full hour
ID: Final = "81000001"
CUSTOMER: Final = 7
TOMORROW: Final = time.time() + 86_400 + 3_600  # when everything that was closed here is old enough for the history

USAGE_IS_EXACT = """
WITH session AS (
  SELECT isp_id, customer_id, input_octets, output_octets, session_time FROM accounting.session_history
   UNION ALL
  SELECT isp_id, customer_id, input_octets, output_octets, session_time FROM accounting.sessions
   WHERE closed_by IS DISTINCT FROM 'stop'
      OR NOT EXISTS (SELECT FROM accounting.session_history AS h WHERE h.id = sessions.id)
),
wanted AS (
  SELECT isp_id, customer_id, sum(input_octets) AS i, sum(output_octets) AS o, sum(session_time) AS t
    FROM session WHERE customer_id IS NOT NULL
   GROUP BY 1, 2 HAVING greatest(sum(input_octets), sum(output_octets), sum(session_time)) > 0
),
counted AS (
  SELECT 'hour' AS by, isp_id, customer_id, sum(input_octets) AS i, sum(output_octets) AS o, sum(session_time) AS t
    FROM accounting.usage_hour GROUP BY 2, 3
   UNION ALL
  SELECT 'day', isp_id, customer_id, sum(input_octets), sum(output_octets), sum(session_time)
    FROM accounting.usage_day GROUP BY 2, 3
   UNION ALL
  SELECT 'period', isp_id, customer_id, sum(input_octets), sum(output_octets), sum(session_time)
    FROM accounting.usage_period GROUP BY 2, 3
)
SELECT by, isp_id, customer_id, wanted.i, counted.i, wanted.o, counted.o, wanted.t, counted.t
  FROM (SELECT * FROM wanted CROSS JOIN (VALUES ('hour'), ('day'), ('period')) AS kind (by)) AS wanted
  FULL JOIN counted USING (by, isp_id, customer_id)
 WHERE (wanted.i, wanted.o, wanted.t) IS DISTINCT FROM (counted.i, counted.o, counted.t)
"""


def report(
    status: AcctStatusType,
    at: float,
    session_time: int | None = None,
    octets: tuple[int | None, int | None] | int | None = None,
    **others: Any,
) -> AccountingEvent:
    """Return a report that is sent ``at`` seconds after `T`; ``octets`` are of both directions, or of each."""
    received, sent = octets if isinstance(octets, tuple) else (octets, octets)
    fields: dict[str, Any] = {
        "isp_id": 1,
        "nas_id": 1,
        "acct_session_id": ID,
        "username": "Anna",
        "username_key": "anna",
        "customer_id": CUSTOMER,
        "input_octets": received,
        "output_octets": sent,
        "interim_interval_s": 300,
    } | others
    return AccountingEvent(status=status, received_at=T + at, session_time=session_time, **fields)


def start(at: float, **others: Any) -> AccountingEvent:
    return report(START, at, None, None, **others)


def interim(at: float, session_time: int | None, octets: Any = None, **others: Any) -> AccountingEvent:
    return report(INTERIM, at, session_time, octets, **others)


def stop(at: float, session_time: int | None, octets: Any = None, **others: Any) -> AccountingEvent:
    return report(STOP, at, session_time, octets, **others)


def on(at: float, **others: Any) -> AccountingEvent:
    return report(ON, at, acct_session_id="", username="", username_key="", customer_id=None, **others)


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(T + at, UTC)


async def tell(db: Db, *events: AccountingEvent) -> list[Recorded]:
    """Record events one by one, and return what each of them did."""
    return [result for event in events for result in await record(db, [event])]


async def live(db: Db, **where: Any) -> list[Any]:
    """Return live sessions, all or those with these values, in the order of their keys."""
    rows = await db.fetch("SELECT * FROM accounting.sessions ORDER BY isp_id, nas_id, acct_session_id, username_key")
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


async def history(db: Db) -> list[Any]:
    """Return archived sessions, the first ended first."""
    rows: list[Any] = await db.fetch("SELECT * FROM accounting.session_history ORDER BY isp_id, stopped_at, id")
    return rows


async def row_versions(db: Db) -> list[list[int]]:
    """Return which transaction wrote each row last, table by table."""
    tables = ("sessions", "session_history", "usage_hour", "usage_day", "usage_period")
    return [[row[0] for row in await db.fetch(f"SELECT xmin::text::int FROM accounting.{name}")] for name in tables]  # noqa: S608


async def check_usage(db: Db) -> None:
    """Assert that hours, days and periods say exactly what the sessions say, customer by customer."""
    assert [tuple(row) for row in await db.fetch(USAGE_IS_EXACT)] == []


async def usage(db: Db, customer_id: int = CUSTOMER, isp_id: int = 1) -> tuple[int, int, int]:
    """Return a customer's octets in both directions and seconds, all hours together."""
    row = await db.fetchrow(
        "SELECT sum(input_octets)::bigint, sum(output_octets)::bigint, sum(session_time)::bigint "
        "FROM accounting.usage_hour WHERE isp_id = $1 AND customer_id = $2",
        isp_id,
        customer_id,
    )
    assert row is not None
    return row[0] or 0, row[1] or 0, row[2] or 0
