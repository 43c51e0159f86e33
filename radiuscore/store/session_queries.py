"""Live sessions as the rest of the server asks for them: one by its id, those of a customer."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final, NamedTuple
from uuid import UUID

from radiuscore.aaa.records import CustomerId, IspId, NasId, PlanId
from radiuscore.store.pool import Connection

FIND_SESSION: Final = """
SELECT id, isp_id, nas_id, customer_id, plan_id, username, acct_session_id, state, closed_by,
       started_at, updated_at, stopped_at, session_time, input_octets, output_octets, terminate_cause,
       framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
       nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
       interim_interval_s, local_address, nas_address, node
  FROM accounting.sessions
 WHERE isp_id = $1
   AND id = $2
 ORDER BY started_at DESC
 LIMIT 1
"""

FIND_ONLINE: Final = """
SELECT id, isp_id, nas_id, customer_id, plan_id, username, acct_session_id, state, closed_by,
       started_at, updated_at, stopped_at, session_time, input_octets, output_octets, terminate_cause,
       framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
       nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
       interim_interval_s, local_address, nas_address, node
  FROM accounting.sessions
 WHERE isp_id = $1
   AND customer_id = $2
   AND state <> 'closed'
 ORDER BY started_at, id
"""


class Session(NamedTuple):
    """A session that is open, suspect, or closed less than 24 hours ago. Texts are as the NAS sent them.

    Octets are totals of the session, ``input_octets`` from the customer; times are aware UTC, ``session_time`` seconds.
    ``node`` received its last report, on ``local_address``: the router answers requests from there only. The report
    came from ``nas_address``, which is where it can be reached; ``nas_ip_address`` is what it calls itself.
    """

    id: UUID
    isp_id: IspId
    nas_id: NasId
    customer_id: CustomerId | None
    plan_id: PlanId | None
    username: str
    acct_session_id: str
    state: str
    closed_by: str | None
    started_at: datetime
    updated_at: datetime
    stopped_at: datetime | None
    session_time: int
    input_octets: int
    output_octets: int
    terminate_cause: int | None
    framed_ip_address: IPv4Address | None
    framed_ipv6_prefix: IPv6Network | None
    delegated_ipv6_prefix: IPv6Network | None
    calling_station_id: str | None
    called_station_id: str | None
    nas_ip_address: IPv4Address | None
    nas_identifier: str | None
    nas_port: int | None
    nas_port_id: str | None
    nas_port_type: int | None
    service_type: int | None
    interim_interval_s: int | None
    local_address: IPv4Address | IPv6Address | None
    nas_address: IPv4Address | IPv6Address | None
    node: str


async def find_session(db: Connection, isp_id: IspId, session_id: UUID) -> Session | None:
    """Return the ISP's live session of that id, the latest where a NAS has given one id to several."""
    row = await db.fetchrow(FIND_SESSION, isp_id, session_id)
    return None if row is None else Session(*row)


async def find_online(db: Connection, isp_id: IspId, customer_id: CustomerId) -> list[Session]:
    """Return the sessions that a customer has open, suspect ones too, the oldest first."""
    return [Session(*row) for row in await db.fetch(FIND_ONLINE, isp_id, customer_id)]
