"""Service plans as rows."""

from typing import Final

from radiuscore.store.pool import Connection

INSERT: Final = """
INSERT INTO control.service_plans (isp_id, name, download_bps, upload_bps)
VALUES ($1, $2, $3, $4)
RETURNING id
"""


async def insert(db: Connection, isp_id: int, *, name: str, download_bps: int, upload_bps: int) -> int:
    """Store a plan of plain speeds in bit/s and return its id."""
    plan_id: int = await db.fetchval(INSERT, isp_id, name, download_bps, upload_bps)
    return plan_id
