"""What time does to sessions: silence makes them suspect and then lost, and a day after the end they are history.

Each function works in small steps, may run on several nodes at once and may be stopped at any moment. The rows it
wants are locked in the order of their keys, as by every other statement; what another holds is left for the next time.
"""

from typing import Any, Final, NamedTuple

from radiuscore.store.endings import ended
from radiuscore.store.incarnations import ARCHIVE
from radiuscore.store.pool import Connection
from radiuscore.store.reports import Recorded

SUSPECT_AFTER: Final = 2.5  # intervals without news
LOST_AFTER: Final = 3.0
UNTOLD_INTERVAL_S: Final = 8 * 3600  # of a session whose NAS was never told to report: lost after a day
ARCHIVED_AFTER_S: Final = 86_400  # after the end; until then a late report finds its session at once
KEPT_PERIODS: Final = "25 months"
_STEP: Final = 1000  # rows per statement: some 30 ms

CLOSE_SILENT: Final = """
WITH silent AS (
  SELECT isp_id, nas_id, acct_session_id, username_key, intervals > $5::float8 AS is_lost
    FROM accounting.sessions AS s
   CROSS JOIN LATERAL (
           SELECT extract(epoch FROM to_timestamp($1) - greatest(s.updated_at, to_timestamp($2)))
                  / coalesce(s.interim_interval_s, $3) AS intervals
         ) AS silence
   WHERE state <> 'closed'
     AND intervals > CASE state WHEN 'open' THEN $4::float8 ELSE $5::float8 END
   ORDER BY 1, 2, 3, 4
   LIMIT $6
     FOR UPDATE OF s SKIP LOCKED
)
UPDATE accounting.sessions AS s
   SET state = CASE WHEN is_lost THEN 'closed' ELSE 'suspect' END,
       closed_by = CASE WHEN is_lost THEN 'lost' END,
       stopped_at = CASE WHEN is_lost THEN s.updated_at END,
       closed_at = CASE WHEN is_lost THEN now() END,
       closed_as_of = CASE WHEN is_lost THEN to_timestamp($1) END
  FROM silent
 WHERE s.isp_id = silent.isp_id
   AND s.nas_id = silent.nas_id
   AND s.acct_session_id = silent.acct_session_id
   AND s.username_key = silent.username_key
RETURNING s.isp_id, s.nas_id, s.acct_session_id, s.username_key, s.id, s.customer_id, is_lost
"""

LOCK_OLD: Final = """
SELECT isp_id, nas_id, acct_session_id, username_key, closed_at
  FROM accounting.sessions
 WHERE state = 'closed'
   AND closed_at < to_timestamp($1) - $2::float8 * interval '1 second'
 ORDER BY 1, 2, 3, 4
 LIMIT $3
   FOR UPDATE SKIP LOCKED
"""

FORGET_PERIODS: Final = """
WITH gone AS (
  DELETE FROM accounting.usage_period
   WHERE ctid IN (SELECT ctid
                    FROM accounting.usage_period
                   WHERE period_start < to_timestamp($1) - $2::text::interval
                   LIMIT $3)
  RETURNING 1
)
SELECT count(*) FROM gone
"""


class Silence(NamedTuple):
    """How many sessions became suspect, and which were closed as lost."""

    suspect: int
    lost: list[Recorded]


async def close_silent(db: Connection, now: float, *, heard_since: float = 0.0) -> Silence:
    """Mark sessions suspect after 2.5 intervals without news, and close them as lost after 3, with their last counters.

    Times are seconds since 1970. ``heard_since`` is when accounting could last be received after an outage of ours:
    before that, silence says nothing of a session. Reads all live rows.
    """
    silent: list[Any] = []
    while True:
        rows = await db.fetch(CLOSE_SILENT, now, heard_since, UNTOLD_INTERVAL_S, SUSPECT_AFTER, LOST_AFTER, _STEP)
        silent += rows
        if len(rows) < _STEP:
            break
    lost = [row for row in silent if row["is_lost"]]
    return Silence(len(silent) - len(lost), ended(lost))


async def archive_closed(db: Connection, now: float) -> int:
    """Move what was closed 24 hours before ``now`` (seconds since 1970) to the history; return how many rows."""
    moved = 0
    while True:
        async with db.transaction():
            rows = await db.fetch(LOCK_OLD, now, ARCHIVED_AFTER_S, _STEP)
            if rows:
                await db.execute(ARCHIVE, *zip(*rows, strict=True))
        moved += len(rows)
        if len(rows) < _STEP:
            return moved


async def forget_periods(db: Connection, now: float) -> int:
    """Delete usage of billing periods that began 25 months before ``now`` (seconds since 1970); return how many rows.

    The other usage tables expire by partitions.
    """
    gone = 0
    while True:
        deleted: int = await db.fetchval(FORGET_PERIODS, now, KEPT_PERIODS, _STEP)
        gone += deleted
        if deleted < _STEP:
            return gone
