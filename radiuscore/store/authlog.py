"""The log of logins and rejects: written in batches, kept for 30 days."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from radiuscore.aaa.authlog import AuthLogRow
from radiuscore.store.pool import Connection

WRITE: Final = """
INSERT INTO accounting.auth_log (
  at, isp_id, nas_id, customer_id, username, outcome, reason, method, calling_station_id, called_station_id,
  acct_session_id, nas_port_id, framed_ip_address, session_uuid, node
)
SELECT at, isp_id, nas_id, customer_id, username, outcome, reason, method, calling_station_id, called_station_id,
       acct_session_id, nas_port_id, framed_ip_address::inet, session_uuid, $15
  FROM unnest($1::timestamptz[], $2::int[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::uuid[])
    AS row (at, isp_id, nas_id, customer_id, username, outcome, reason, method, calling_station_id,
            called_station_id, acct_session_id, nas_port_id, framed_ip_address, session_uuid)
"""


async def write(db: Connection, rows: Sequence[AuthLogRow], *, node: str = "") -> None:
    """Add decided Access-Requests to the log; ``node`` is where they were answered. One statement.

    Not idempotent: a batch that is written twice is there twice.
    """
    if rows:
        await db.execute(WRITE, *zip(*map(_values, rows), strict=True), node)


def _values(row: AuthLogRow) -> tuple[object, ...]:
    at, *others, framed_ip_address, session_uuid = row
    return (
        datetime.fromtimestamp(at, UTC),
        *others,
        None if framed_ip_address is None else str(framed_ip_address),
        None if session_uuid is None else UUID(bytes=session_uuid),
    )
