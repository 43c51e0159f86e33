"""Devices, the routers of an ISP, as rows."""

from typing import Final

from radiuscore.store.pool import Connection

INSERT: Final = """
INSERT INTO control.devices (isp_id, device_name, device_ip)
VALUES ($1, $2, $3)
RETURNING id
"""


async def insert(db: Connection, isp_id: int, *, device_name: str, device_ip: str) -> int:
    """Store a router that asks from ``device_ip`` with its ISP's secret; return its id.

    Raises asyncpg.UniqueViolationError where this ISP has the address already.
    """
    device_id: int = await db.fetchval(INSERT, isp_id, device_name, device_ip)
    return device_id
