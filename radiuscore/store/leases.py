"""Addresses of central pools: one row for each that was ever needed, and one statement to give it to somebody.

A row is free when its lease has run out and its session is over: an outage of ours, in which nobody could report, frees
nothing that is in use. Rows are locked with SKIP LOCKED, so that those who come together get different ones at once.
An address is in one pool of its ISP (the control database sees to that), so `(isp_id, address)` is the key.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_interface
from typing import Any, Final, NamedTuple
from uuid import UUID

from radiuscore.aaa.claims import Claim
from radiuscore.aaa.pools import AddressPool, LeasedAddress, Leases, PoolId
from radiuscore.aaa.records import IspId
from radiuscore.store.pool import Connection
from radiuscore.store.slots import Ended, Sign

AT_ONCE: Final = 256  # rows made when a pool has none free; a large pool never has more than it has needed
ALARM_PERCENT: Final = 90
_MANY: Final = 1 << 62  # more than there are rows, and a bigint; a /40 has more /128

# The customer's last address first: the one that this device has now, else a free one, the latest. Then the one that
# has been free for longest, so that what was used a moment ago is left alone while there is another.
LEASE: Final = """
WITH mine AS (
  SELECT l.isp_id, l.address
    FROM accounting.address_leases AS l
    JOIN unnest($3::inet[], $4::inet[]) AS r (first, last) ON host(l.address)::inet BETWEEN r.first AND r.last
   WHERE l.isp_id = $1
     AND l.pool_id = $2
     AND l.customer_id = $6
     AND masklen(l.address) = $5
     AND (l.nas_id = $7 AND l.calling_station_id = $8
          OR l.expires_at <= now()
             AND NOT EXISTS (SELECT
                               FROM accounting.sessions AS s
                              WHERE s.isp_id = l.isp_id AND s.id = l.session_id AND s.state <> 'closed'))
   ORDER BY coalesce(l.nas_id = $7 AND l.calling_station_id = $8, false) DESC, l.leased_at DESC
   LIMIT 1
     FOR UPDATE OF l
),
next AS (
  SELECT l.isp_id, l.address
    FROM accounting.address_leases AS l
    JOIN unnest($3::inet[], $4::inet[]) AS r (first, last) ON host(l.address)::inet BETWEEN r.first AND r.last
   WHERE NOT EXISTS (SELECT FROM mine)
     AND l.isp_id = $1
     AND l.pool_id = $2
     AND masklen(l.address) = $5
     AND l.expires_at <= now()
     AND NOT EXISTS (SELECT
                       FROM accounting.sessions AS s
                      WHERE s.isp_id = l.isp_id AND s.id = l.session_id AND s.state <> 'closed')
   ORDER BY l.expires_at
   LIMIT 1
     FOR UPDATE OF l SKIP LOCKED
)
UPDATE accounting.address_leases AS l
   SET customer_id = $6, nas_id = $7, calling_station_id = $8, session_id = $9,
       leased_at = now(), expires_at = now() + $10::float8 * interval '1 second'
  FROM (SELECT isp_id, address FROM mine UNION ALL SELECT isp_id, address FROM next) AS chosen
 WHERE l.isp_id = chosen.isp_id
   AND l.address = chosen.address
RETURNING l.address
"""

# How far each range has been filled.
READ_EXTENT: Final = """
SELECT (SELECT l.address
          FROM accounting.address_leases AS l
         WHERE l.isp_id = $1
           AND l.pool_id = $2
           AND masklen(l.address) = $5
           AND l.address BETWEEN set_masklen(r.first, $5) AND r.last
         ORDER BY l.address DESC
         LIMIT 1) AS highest
  FROM unnest($3::inet[], $4::inet[]) WITH ORDINALITY AS r (first, last, position)
 ORDER BY r.position
"""

# An address without a row, below one that has: ranges were joined, or begin earlier than they did. Where there are as
# many rows as addresses ($6), which is soon counted, nothing is looked for.
FIND_GAP: Final = """
SELECT host(gap)::inet
  FROM (SELECT set_masklen(r.first, $5) AS gap
          FROM unnest($3::inet[], $4::inet[]) AS r (first, last)
         UNION ALL
        SELECT set_masklen(broadcast(l.address) + 1, $5)
          FROM accounting.address_leases AS l
         WHERE l.isp_id = $1 AND l.pool_id = $2 AND masklen(l.address) = $5) AS candidate
  JOIN unnest($3::inet[], $4::inet[]) AS r (first, last) ON host(gap)::inet BETWEEN r.first AND r.last
 WHERE NOT EXISTS (SELECT
                     FROM accounting.address_leases AS known
                    WHERE known.isp_id = $1 AND known.pool_id = $2 AND known.address = gap)
   AND $6 > (SELECT count(*)
               FROM unnest($3::inet[], $4::inet[]) AS r (first, last)
               JOIN accounting.address_leases AS l
                 ON l.isp_id = $1 AND l.address BETWEEN set_masklen(r.first, $5) AND r.last)
 LIMIT 1
"""

# An address that was in another pool of the ISP comes with whoever has it. Rows that are there already are not locked:
# they would look taken.
ADD: Final = """
WITH wanted AS (SELECT address::inet FROM unnest($3::text[]) AS address),
moved AS (
  UPDATE accounting.address_leases AS l
     SET pool_id = $2
    FROM wanted
   WHERE l.isp_id = $1 AND l.address = wanted.address AND l.pool_id <> $2
)
INSERT INTO accounting.address_leases (isp_id, pool_id, address)
SELECT $1, $2, address
  FROM wanted
ON CONFLICT (isp_id, address) DO NOTHING
"""

# Nobody gets these for a day, unless somebody has one already.
HOLD_BACK: Final = """
UPDATE accounting.address_leases
   SET customer_id = NULL, session_id = NULL, expires_at = now() + interval '1 day'
 WHERE isp_id = $1
   AND address IN (SELECT address::inet FROM unnest($2::text[]) AS address)
   AND (expires_at <= now() OR session_id = $3)
"""

# A session holds what it was given at its Accept (session_id), and what it reports to use.
PROLONG: Final = """
WITH held AS (
  SELECT l.isp_id, l.address, report.session_id, report.nas_id, to_timestamp(report.held_until) AS expires_at
    FROM unnest($1::int[], $2::bigint[], $3::uuid[], $4::bigint[], $5::float8[], $6::text[], $7::text[], $8::text[])
      AS report (isp_id, customer_id, session_id, nas_id, held_until,
                 framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix)
    JOIN accounting.address_leases AS l USING (isp_id, customer_id)
   WHERE l.session_id = report.session_id
      OR l.address IN (report.framed_ip_address::inet, report.framed_ipv6_prefix::inet,
                       report.delegated_ipv6_prefix::inet)
   ORDER BY 1, 2
     FOR UPDATE OF l
)
UPDATE accounting.address_leases AS l
   SET session_id = held.session_id, nas_id = held.nas_id, expires_at = greatest(l.expires_at, held.expires_at)
  FROM held
 WHERE l.isp_id = held.isp_id
   AND l.address = held.address
"""

RECLAIM: Final = """
WITH gone AS (
  SELECT l.isp_id, l.address
    FROM unnest($1::int[], $2::bigint[], $3::uuid[]) AS ended (isp_id, customer_id, session_id)
    JOIN accounting.address_leases AS l USING (isp_id, customer_id, session_id)
   WHERE l.expires_at > now()
   ORDER BY 1, 2
     FOR UPDATE OF l
)
UPDATE accounting.address_leases AS l
   SET expires_at = now()
  FROM gone
 WHERE l.isp_id = gone.isp_id
   AND l.address = gone.address
"""

# Sessions that still have as many addresses as they were given, and for how long.
FIND_HELD: Final = """
SELECT session_id, extract(epoch FROM min(l.expires_at) - now())::float8 AS seconds
  FROM unnest($1::int[], $2::bigint[], $3::uuid[], $4::int[]) AS given (isp_id, customer_id, session_id, addresses)
  JOIN accounting.address_leases AS l USING (isp_id, customer_id, session_id)
 WHERE l.expires_at > now()
 GROUP BY session_id, addresses
HAVING count(*) = addresses
"""

COUNT_LEASED: Final = """
SELECT isp_id, pool_id, count(*) AS leased
  FROM accounting.address_leases
 WHERE expires_at > now()
 GROUP BY isp_id, pool_id
"""


class Scarcity(NamedTuple):
    """A pool of which 90 % and more are leased."""

    pool: AddressPool
    leased: int


class LeaseBook:
    """Gives addresses. What it remembers is only which pools have a row for each address, so as not to look again."""

    def __init__(self) -> None:
        self._complete: dict[PoolId, AddressPool] = {}

    async def lease_all(
        self, db: Connection, claim: Claim, fixed: Mapping[LeasedAddress, int]
    ) -> tuple[AddressPool | None, Leases]:
        """Return what the claim's session has from now on of each pool that it claims, and the pool that has none free.

        Where there is such a pool, what others gave is the session's nevertheless: reclaim it.
        """
        given: dict[str, Any] = {}
        for kind, pool in claim.pools._asdict().items():
            if pool is None:
                continue
            address = await self.lease(db, claim, pool, fixed)
            if address is None:
                return pool, Leases(**given)
            given[kind] = address
        return None, Leases(**given)

    async def lease(
        self, db: Connection, claim: Claim, pool: AddressPool, fixed: Mapping[LeasedAddress, int]
    ) -> LeasedAddress | None:
        """Return the address that the claim's session has from now on, kept for ``claim.held_s`` without news.

        ``None`` where the pool has none free. ``fixed`` are addresses that customers of the ISP have for themselves;
        they are passed over. One statement, but when a pool grows or meets such an address.
        """
        while True:
            is_complete = self._complete.get(pool.id) == pool  # before looking: others make rows, too
            address = await _take(db, claim, pool)
            if address is not None and address not in fixed:
                return address
            if address is not None:
                held_back = [str(one) for one in fixed]
                await db.execute(HOLD_BACK, claim.isp_id, held_back, UUID(bytes=claim.session_uuid))
            elif is_complete:
                return None
            else:
                await self._grow(db, pool)

    async def _grow(self, db: Connection, pool: AddressPool) -> None:
        """Make rows for addresses that have none yet, or note that every address has one."""
        where = pool.isp_id, pool.id, *_bounds(pool), pool.prefix_length
        highest = [_host(row["highest"]) for row in await db.fetch(READ_EXTENT, *where)]
        fresh = pool.after(highest, AT_ONCE)
        if not fresh and (gap := _host(await db.fetchval(FIND_GAP, *where, min(pool.size, _MANY)))) is not None:
            fresh = pool.starting_with(gap, AT_ONCE)
        if fresh:
            await db.execute(ADD, pool.isp_id, pool.id, [str(address) for address in fresh])
        else:
            self._complete[pool.id] = pool


async def prolong(db: Connection, signs: Sequence[Sign]) -> None:
    """Keep the addresses of sessions that were heard of; one statement. Doing it again changes nothing."""
    if signs:
        columns = zip(*((*sign[:4], *sign[6:]) for sign in signs), strict=True)
        await db.execute(PROLONG, *columns)


async def reclaim(db: Connection, ended: Iterable[Ended]) -> None:
    """Take back the addresses of sessions that are over; what another session was given since stays with it."""
    columns = list(zip(*ended, strict=True))
    if columns:
        await db.execute(RECLAIM, *columns)


async def find_held(db: Connection, given: Iterable[tuple[Ended, int]]) -> dict[UUID, float]:
    """Return for how many seconds these sessions have their addresses; each comes with how many it was given.

    Sessions that have lost one are not in it.
    """
    columns = list(zip(*((*session, count) for session, count in given), strict=True))
    return {row["session_id"]: row["seconds"] for row in await db.fetch(FIND_HELD, *columns)} if columns else {}


async def find_scarce(db: Connection, pools: Iterable[AddressPool]) -> list[Scarcity]:
    """Return those pools of which 90 % and more are leased. Reads all live leases."""
    leased: dict[tuple[IspId, PoolId], int] = {
        (row["isp_id"], row["pool_id"]): row["leased"] for row in await db.fetch(COUNT_LEASED)
    }
    found = (Scarcity(pool, leased.get((pool.isp_id, pool.id), 0)) for pool in pools)
    return [one for one in found if one.leased * 100 >= one.pool.size * ALARM_PERCENT]


async def _take(db: Connection, claim: Claim, pool: AddressPool) -> LeasedAddress | None:
    found = await db.fetchval(
        LEASE,
        pool.isp_id,
        pool.id,
        *_bounds(pool),
        pool.prefix_length,
        claim.customer_id,
        claim.nas_id,
        claim.mac,
        UUID(bytes=claim.session_uuid),
        claim.held_s,
    )
    return None if found is None else _leased(found)


def _bounds(pool: AddressPool) -> tuple[list[Any], list[Any]]:
    return [first for first, _ in pool.ranges], [last for _, last in pool.ranges]


def _host(address: Any) -> IPv4Address | IPv6Address | None:
    return None if address is None else ip_interface(address).ip


def _leased(address: Any) -> LeasedAddress:
    """Return what an inet of a row is: asyncpg gives an address, or an interface where it has a prefix length."""
    interface = ip_interface(address)
    return interface.ip if isinstance(interface.ip, IPv4Address) else IPv6Network(interface.network)
