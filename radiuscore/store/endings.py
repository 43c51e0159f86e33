"""Sessions that end without a Stop: their NAS restarted or says so, or the same device is on the same line anew.

What ends a session this way is evidence, not a Stop: its last counters stand, it waits among the live ones for 24
hours, and a report that is sent after the evidence opens it again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.records import IspId, NasId
from radiuscore.store.pool import Connection
from radiuscore.store.reports import Outcome, Recorded, Report, sent_at

_ACCOUNTING_ON: Final = 7  # Acct-Status-Type (RFC 2866 §5.1)

# What new sessions prove to be gone.
#
# reboot: RouterOS writes Acct-Session-Id as two hex digits for the service, one that steps at each reboot, and five
# that count. Another third digit from the same router and service means that it rebooted, so what it had before is
# gone (NAS-Reboot is 11). Two ranges of the index, so that its other sessions are not read, and 2000 at once, some
# 40 ms: the customers who come back are as many as were lost, and each Start goes on with it.
#
# new_start: the same device (Calling-Station-Id) on the same port has one session of a service. RouterOS numbers
# NAS-Port by session, so on one NAS-Port-Id another NAS-Port counts as the same only for the same user.
#
# Only what last reported before the new session began is gone, and only of the router that says the same of itself,
# because several may be behind one device entry.
END_DISPLACED: Final = """
WITH start AS (
  SELECT *
    FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[])
      AS start (isp_id, nas_id, acct_session_id, username_key, sent_at, nas_ip_address, nas_identifier,
                calling_station_id, nas_port, nas_port_id, nas_port_type, service_type)
),
boot AS (
  SELECT isp_id, nas_id, nas_ip_address, nas_identifier, left(acct_session_id, 2) AS service,
         left(acct_session_id, 3) AS digits, max(sent_at) AS sent_at
    FROM start
   WHERE acct_session_id ~ '^8[01236][0-9a-f]{6}$'
   GROUP BY 1, 2, 3, 4, 5, 6
),
rebooted AS (
  SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key, boot.sent_at, 'reboot' AS closed_by
    FROM boot
   CROSS JOIN LATERAL (VALUES (service, digits), (digits || 'g', service || 'g')) AS other (lowest, beyond)
    JOIN accounting.sessions AS s
      ON s.isp_id = boot.isp_id
     AND s.nas_id = boot.nas_id
     AND s.acct_session_id >= other.lowest
     AND s.acct_session_id < other.beyond
     AND s.nas_identifier IS NOT DISTINCT FROM boot.nas_identifier
     AND s.nas_ip_address IS NOT DISTINCT FROM boot.nas_ip_address::inet
   WHERE s.acct_session_id ~ '^8[01236][0-9a-f]{6}$'
     AND s.state <> 'closed'
     AND s.updated_at < boot.sent_at
   LIMIT 2000
),
replaced AS (
  SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key, start.sent_at, 'new_start' AS closed_by
    FROM start
    JOIN accounting.sessions AS s
      ON s.isp_id = start.isp_id
     AND s.calling_station_id = start.calling_station_id
     AND s.nas_id + 0 = start.nas_id  -- not for an index: before there are statistics, that of the NAS looks as good
     AND s.nas_identifier IS NOT DISTINCT FROM start.nas_identifier
     AND s.nas_ip_address IS NOT DISTINCT FROM start.nas_ip_address::inet
     AND s.nas_port_type IS NOT DISTINCT FROM start.nas_port_type
     AND s.service_type IS NOT DISTINCT FROM start.service_type
     AND s.nas_port_id IS NOT DISTINCT FROM start.nas_port_id
     AND (s.nas_port = start.nas_port OR s.nas_port_id IS NOT NULL AND s.username_key = start.username_key)
   WHERE (s.acct_session_id, s.username_key) <> (start.acct_session_id, start.username_key)
     AND s.state <> 'closed'
     AND s.updated_at < start.sent_at
),
gone AS (
  SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key, evidence.sent_at, evidence.closed_by
    FROM (SELECT * FROM rebooted UNION ALL SELECT * FROM replaced) AS evidence
    JOIN accounting.sessions AS s USING (isp_id, nas_id, acct_session_id, username_key)
   WHERE s.state <> 'closed'
     AND s.updated_at < evidence.sent_at
   ORDER BY 1, 2, 3, 4
     FOR UPDATE OF s
)
UPDATE accounting.sessions AS s
   SET state = 'closed', closed_by = gone.closed_by, stopped_at = s.updated_at, closed_at = now(),
       closed_as_of = gone.sent_at, terminate_cause = CASE gone.closed_by WHEN 'reboot' THEN 11 END
  FROM gone
 WHERE s.isp_id = gone.isp_id
   AND s.nas_id = gone.nas_id
   AND s.acct_session_id = gone.acct_session_id
   AND s.username_key = gone.username_key
RETURNING s.isp_id, s.nas_id, s.acct_session_id, s.username_key, s.id, s.customer_id
"""

# What a NAS had open when it said that accounting begins or ends (RFC 2866 §5.1); NAS-Reboot is 11. A router that says
# who it is closes only its own where several are behind one device entry.
END_RESTARTED: Final = """
WITH gone AS (
  SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key, restart.sent_at, restart.closed_by
    FROM unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
      AS restart (isp_id, nas_id, sent_at, closed_by, nas_ip_address, nas_identifier)
    JOIN accounting.sessions AS s
      ON s.isp_id = restart.isp_id
     AND s.nas_id = restart.nas_id
     AND coalesce(s.nas_identifier = restart.nas_identifier, true)
     AND coalesce(s.nas_ip_address = restart.nas_ip_address::inet, true)
   WHERE s.state <> 'closed'
     AND s.updated_at < restart.sent_at
   ORDER BY 1, 2, 3, 4
     FOR UPDATE OF s
)
UPDATE accounting.sessions AS s
   SET state = 'closed', closed_by = gone.closed_by, stopped_at = s.updated_at, closed_at = now(),
       closed_as_of = gone.sent_at, terminate_cause = 11
  FROM gone
 WHERE s.isp_id = gone.isp_id
   AND s.nas_id = gone.nas_id
   AND s.acct_session_id = gone.acct_session_id
   AND s.username_key = gone.username_key
RETURNING s.isp_id, s.nas_id, s.acct_session_id, s.username_key, s.id, s.customer_id
"""


# The NAS has ended it, or has no such session any more.
END_DISCONNECTED: Final = """
UPDATE accounting.sessions AS s
   SET state = 'closed', closed_by = 'disconnect', stopped_at = s.updated_at, closed_at = now(), closed_as_of = now()
 WHERE s.isp_id = $1
   AND s.nas_id = $2
   AND s.acct_session_id = $3
   AND s.id = $4
   AND s.state <> 'closed'
RETURNING s.isp_id, s.nas_id, s.acct_session_id, s.username_key, s.id, s.customer_id
"""


async def end_disconnected(
    db: Connection, isp_id: IspId, nas_id: NasId, acct_session_id: str, session_id: UUID
) -> list[Recorded]:
    """Close a session that its NAS says is over, and return it. Its Stop, if one comes, has the last word."""
    return ended(await db.fetch(END_DISCONNECTED, isp_id, nas_id, acct_session_id, session_id))


async def end_displaced(db: Connection, starts: Sequence[Report]) -> list[Recorded]:
    """Close the sessions that these Starts prove to be gone, and return them. No statement without Starts."""
    if not starts:
        return []
    columns = zip(
        *(
            (
                start.isp_id,
                start.nas_id,
                start.acct_session_id,
                start.username_key,
                start.sent_at,
                start.nas_ip_address,
                start.nas_identifier,
                start.calling_station_id,
                start.nas_port,
                start.nas_port_id,
                start.nas_port_type,
                start.service_type,
            )
            for start in starts
        ),
        strict=True,
    )
    return ended(await db.fetch(END_DISPLACED, *columns))


async def end_restarted(db: Connection, restarts: Sequence[AccountingEvent]) -> list[Recorded]:
    """Close what the NASes of Accounting-On and -Off events had open before, and return those sessions."""
    if not restarts:
        return []
    columns = zip(
        *(
            (
                event.isp_id,
                event.nas_id,
                datetime.fromtimestamp(sent_at(event), UTC),
                "accounting_on" if event.status == _ACCOUNTING_ON else "accounting_off",
                None if event.nas_ip_address is None else str(event.nas_ip_address),
                event.nas_identifier,
            )
            for event in restarts
        ),
        strict=True,
    )
    return ended(await db.fetch(END_RESTARTED, *columns))


def ended(rows: Sequence[Any]) -> list[Recorded]:
    """Return sessions that something closed as results; rows are the four columns of the key, id and customer."""
    return [
        Recorded(tuple(row[:4]), Outcome.ENDED, row["id"], row["customer_id"], state="closed", closed=True)
        for row in rows
    ]
