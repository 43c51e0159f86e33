"""Live sessions of customers with what they were granted: compared with what is due, written when that is given.

A session that ended meanwhile, or an id that another session has got, is left alone by every write.
"""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple
from uuid import UUID

from radiuscore.aaa.records import CustomerId, IspId, NasId
from radiuscore.store.pool import Connection

FIND_OF_CUSTOMERS: Final = """
SELECT isp_id, nas_id, acct_session_id, username_key, id, customer_id, calling_station_id,
       extract(epoch FROM started_at)::float8 AS began, granted, node
  FROM accounting.sessions
 WHERE isp_id = $1
   AND customer_id = ANY ($2::bigint[])
   AND state <> 'closed'
"""

LIST_OF_ISP: Final = """
SELECT isp_id, nas_id, acct_session_id, username_key, id, customer_id, calling_station_id,
       extract(epoch FROM started_at)::float8 AS began, granted, node
  FROM accounting.sessions
 WHERE isp_id = $1
   AND (nas_id, acct_session_id, username_key) > ($2, $3, $4)
   AND customer_id IS NOT NULL
   AND state <> 'closed'
 ORDER BY nas_id, acct_session_id, username_key
 LIMIT $5
"""

FIND_TARGETS: Final = """
SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key, s.id, s.customer_id, s.username, s.state, s.granted,
       s.framed_ip_address, s.nas_ip_address, s.nas_address, s.local_address
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::uuid[]) AS wanted (isp_id, nas_id, acct_session_id, id)
  JOIN accounting.sessions AS s USING (isp_id, nas_id, acct_session_id, id)
"""

# The rows are locked in the order of their keys, as by every other statement.
NOTE: Final = """
WITH wanted AS (
  SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key, given.granted
    FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::bytea[])
      AS given (isp_id, nas_id, acct_session_id, username_key, id, granted)
    JOIN accounting.sessions AS s USING (isp_id, nas_id, acct_session_id, username_key, id)
   WHERE s.state <> 'closed'
     AND s.granted IS DISTINCT FROM given.granted
     AND ($7 OR s.granted IS NULL)
   ORDER BY 1, 2, 3, 4
     FOR UPDATE OF s
)
UPDATE accounting.sessions AS s
   SET granted = wanted.granted
  FROM wanted
 WHERE s.isp_id = wanted.isp_id
   AND s.nas_id = wanted.nas_id
   AND s.acct_session_id = wanted.acct_session_id
   AND s.username_key = wanted.username_key
RETURNING 1
"""


class GrantedSession(NamedTuple):
    """A customer's session that is up. ``began`` is seconds since 1970; ``granted`` is what it has, if that is known.

    ``node`` received its last report, so the router answers that one.
    """

    isp_id: IspId
    nas_id: NasId
    acct_session_id: str
    username_key: str
    id: UUID
    customer_id: CustomerId
    calling_station_id: str | None
    began: float
    granted: bytes | None
    node: str


class TargetSession(NamedTuple):
    """A session as it is needed to change or end it: its row's key and id, its state, and how its NAS knows it.

    ``username`` and ``acct_session_id`` are as the NAS sent them, ``nas_ip_address`` is what it calls itself; it
    reports from ``nas_address`` to ``local_address``.
    """

    isp_id: IspId
    nas_id: NasId
    acct_session_id: str
    username_key: str
    id: UUID
    customer_id: CustomerId | None
    username: str
    state: str
    granted: bytes | None
    framed_ip_address: IPv4Address | None
    nas_ip_address: IPv4Address | None
    nas_address: IPv4Address | IPv6Address | None
    local_address: IPv4Address | IPv6Address | None


class Grant(NamedTuple):
    """What a session has now: the key of its row, its id, and the reply as of its beginning."""

    isp_id: IspId
    nas_id: NasId
    acct_session_id: str
    username_key: str
    id: UUID
    granted: bytes


async def find_of_customers(db: Connection, isp_id: IspId, customers: Collection[CustomerId]) -> list[GrantedSession]:
    """Return the sessions that these customers have up: one probe of an index for each."""
    return [GrantedSession(*row) for row in await db.fetch(FIND_OF_CUSTOMERS, isp_id, list(customers))]


async def list_of_isp(db: Connection, isp_id: IspId, after: GrantedSession | None, limit: int) -> list[GrantedSession]:
    """Return the next ``limit`` sessions that customers of an ISP have up, by key; fewer are the last."""
    mark = (-1, "", "") if after is None else after[1:4]
    return [GrantedSession(*row) for row in await db.fetch(LIST_OF_ISP, isp_id, *mark, limit)]


async def find_targets(db: Connection, sessions: Collection[tuple[IspId, NasId, str, UUID]]) -> list[TargetSession]:
    """Return those of these sessions (ISP, NAS, Acct-Session-Id, id) that are live, closed ones too."""
    columns = zip(*sessions, strict=True)
    return [TargetSession(*row) for row in await db.fetch(FIND_TARGETS, *columns)] if sessions else []


async def note_granted(db: Connection, grants: Sequence[Grant], *, only_unknown: bool = False) -> int:
    """Note what sessions have now; of those alone of which nothing is known, if so told. Return how many changed."""
    if not grants:
        return 0
    return len(await db.fetch(NOTE, *zip(*grants, strict=True), not only_unknown))
