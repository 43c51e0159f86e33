"""Strict simultaneous use: each session of a customer holds one of his slots, and a race has as many winners as slots.

A slot is taken by one upsert. Whoever loses it to another login looks again; whoever counted sessions first and was let
in afterwards would not be alone in that. What has expired is judged by the database's clock alone.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from radiuscore.aaa.claims import Claim
from radiuscore.aaa.records import CustomerId, IspId, NasId
from radiuscore.store.pool import Connection

RESERVED_S: Final = 60.0  # from the Accept to the first report
_TRIES: Final = 10  # each one that is lost is another's gain; so many in a row would be a crowd of thousands

# A slot is free where nobody is in it, where its time is up, or where the same device on the same NAS has it: its
# session is gone, or it would not ask. `number` plus the slots taken above it bounds how many sessions there are then,
# also after the limit was lowered. Any free one will do, so that those who race for several do not all meet at one.
RESERVE: Final = """
WITH free AS (
  SELECT number
    FROM generate_series(1, $3::int) AS number
    LEFT JOIN accounting.simultaneous_use_slots AS s ON s.isp_id = $1 AND s.customer_id = $2 AND s.slot = number
   CROSS JOIN LATERAL (SELECT coalesce(s.nas_id = $4 AND s.calling_station_id = $6, false) AS is_own) AS holder
   WHERE (s.slot IS NULL OR is_own OR s.expires_at <= now())
     AND number + (SELECT count(*)
                     FROM accounting.simultaneous_use_slots AS above
                    WHERE above.isp_id = $1
                      AND above.customer_id = $2
                      AND above.slot > number
                      AND above.expires_at > now()
                      AND (above.nas_id = $4 AND above.calling_station_id = $6) IS NOT TRUE) <= $3
   ORDER BY is_own DESC, random()
   LIMIT 1
),
taken AS (
  INSERT INTO accounting.simultaneous_use_slots AS s (
    isp_id, customer_id, slot, session_id, nas_id, acct_session_id, calling_station_id, reserved_at, expires_at
  )
  SELECT $1, $2, number, $5, $4, $7, $6, now(), now() + $8::float8 * interval '1 second'
    FROM free
  ON CONFLICT (isp_id, customer_id, slot) DO UPDATE
  SET session_id = excluded.session_id, nas_id = excluded.nas_id, acct_session_id = excluded.acct_session_id,
      calling_station_id = excluded.calling_station_id, reserved_at = excluded.reserved_at,
      expires_at = excluded.expires_at
  WHERE s.expires_at <= now()
     OR s.nas_id = excluded.nas_id AND s.calling_station_id = excluded.calling_station_id
  RETURNING slot
)
SELECT EXISTS (SELECT FROM free) AS was_free, (SELECT slot FROM taken) AS slot
"""

# A report of a session that holds no slot gives it one, above the limit if need be: it is online, however it came to be
# (the database was away when it began, the plan was not strict). It is one more that a login finds in its way.
PROLONG: Final = """
WITH report AS (
  SELECT *
    FROM unnest($1::int[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::float8[])
      AS report (isp_id, customer_id, session_id, nas_id, acct_session_id, calling_station_id, held_until)
),
held AS (
  SELECT s.isp_id, s.customer_id, s.slot, report.session_id, to_timestamp(report.held_until) AS expires_at
    FROM report
    JOIN accounting.simultaneous_use_slots AS s USING (isp_id, customer_id)
   WHERE s.session_id = report.session_id
      OR s.nas_id = report.nas_id AND s.acct_session_id = report.acct_session_id
   ORDER BY 1, 2, 3
     FOR UPDATE OF s
),
prolonged AS (
  UPDATE accounting.simultaneous_use_slots AS s
     SET session_id = held.session_id, expires_at = greatest(s.expires_at, held.expires_at)
    FROM held
   WHERE s.isp_id = held.isp_id
     AND s.customer_id = held.customer_id
     AND s.slot = held.slot
),
homeless AS (
  SELECT DISTINCT ON (isp_id, customer_id)
         isp_id, customer_id, session_id, nas_id, acct_session_id, calling_station_id,
         to_timestamp(held_until) AS expires_at
    FROM report
   WHERE to_timestamp(held_until) > now()
     AND NOT EXISTS (SELECT
                       FROM accounting.simultaneous_use_slots AS s
                      WHERE s.isp_id = report.isp_id
                        AND s.customer_id = report.customer_id
                        AND (s.session_id = report.session_id
                             OR s.nas_id = report.nas_id
                                AND (s.acct_session_id = report.acct_session_id
                                     OR s.calling_station_id = report.calling_station_id)))
   ORDER BY isp_id, customer_id
)
INSERT INTO accounting.simultaneous_use_slots AS s (
  isp_id, customer_id, slot, session_id, nas_id, acct_session_id, calling_station_id, expires_at
)
SELECT h.isp_id, h.customer_id,
       (SELECT min(number)
          FROM generate_series(1, (SELECT count(*) + 1
                                     FROM accounting.simultaneous_use_slots AS own
                                    WHERE own.isp_id = h.isp_id
                                      AND own.customer_id = h.customer_id)) AS number
         WHERE NOT EXISTS (SELECT
                             FROM accounting.simultaneous_use_slots AS taken
                            WHERE taken.isp_id = h.isp_id
                              AND taken.customer_id = h.customer_id
                              AND taken.slot = number
                              AND taken.expires_at > now())),
       h.session_id, h.nas_id, h.acct_session_id, h.calling_station_id, h.expires_at
  FROM homeless AS h
ON CONFLICT (isp_id, customer_id, slot) DO UPDATE
SET session_id = excluded.session_id, nas_id = excluded.nas_id, acct_session_id = excluded.acct_session_id,
    calling_station_id = excluded.calling_station_id, reserved_at = now(), expires_at = excluded.expires_at
WHERE s.expires_at <= now()
"""

FREE: Final = """
WITH gone AS (
  SELECT s.isp_id, s.customer_id, s.slot
    FROM unnest($1::int[], $2::bigint[], $3::uuid[]) AS ended (isp_id, customer_id, session_id)
    JOIN accounting.simultaneous_use_slots AS s USING (isp_id, customer_id, session_id)
   ORDER BY 1, 2, 3
     FOR UPDATE OF s
)
DELETE FROM accounting.simultaneous_use_slots AS s
 USING gone
 WHERE s.isp_id = gone.isp_id
   AND s.customer_id = gone.customer_id
   AND s.slot = gone.slot
"""


FORGET: Final = """
WITH gone AS (
  DELETE FROM accounting.simultaneous_use_slots
   WHERE expires_at < now() - interval '1 day'
  RETURNING isp_id
)
SELECT count(*) FROM gone
"""


class Sign(NamedTuple):
    """A report of a live session: it holds its slot and its addresses until ``held_until`` (seconds since 1970).

    ``mac`` is as in `Claim`. The last three are what its customer uses, as text; ``None`` where the NAS did not say.
    """

    isp_id: IspId
    customer_id: CustomerId
    session_id: UUID
    nas_id: NasId
    acct_session_id: str
    mac: str | None
    held_until: float
    framed_ip_address: str | None = None
    framed_ipv6_prefix: str | None = None
    delegated_ipv6_prefix: str | None = None


class Ended(NamedTuple):
    """A session that is over."""

    isp_id: IspId
    customer_id: CustomerId
    session_id: UUID


async def reserve(db: Connection, claim: Claim, *, seconds: float = RESERVED_S) -> bool:
    """Take a slot for a login, and return whether there was one. Freed after ``seconds`` unless a report comes.

    One statement, and another for each race that is lost. The claim must have a limit.
    """
    session_id = UUID(bytes=claim.session_uuid)
    for _ in range(_TRIES):
        row = await db.fetchrow(
            RESERVE,
            claim.isp_id,
            claim.customer_id,
            claim.limit,
            claim.nas_id,
            session_id,
            claim.mac,
            claim.acct_session_id,
            seconds,
        )
        assert row is not None
        if row["slot"] is not None:
            return True
        if not row["was_free"]:
            return False
    return False


async def prolong(db: Connection, signs: Sequence[Sign]) -> None:
    """Keep the slots of sessions that were heard of; one statement. Doing it again changes nothing."""
    if signs:
        await db.execute(PROLONG, *zip(*(sign[:7] for sign in signs), strict=True))


async def free(db: Connection, ended: Iterable[Ended]) -> None:
    """Free the slots of sessions that are over; a slot that another session has taken over stays taken."""
    columns = list(zip(*ended, strict=True))
    if columns:
        await db.execute(FREE, *columns)


async def forget(db: Connection) -> int:
    """Delete slots of sessions that went silent a day ago and more, and return how many there were."""
    count: int = await db.fetchval(FORGET)
    return count
