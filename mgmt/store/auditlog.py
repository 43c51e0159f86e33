"""The audit log, which is only ever added to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import asyncpg

from radiuscore.store.pool import Connection

INSERT: Final = """
INSERT INTO control.audit_log (isp_id, user_id, actor, action, target_type, target_id, address, request_id, details)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::inet, $8, $9)
"""
LIST: Final = """
SELECT id, isp_id, at, user_id, actor, action, target_type, target_id, host(address) AS address, request_id, details
  FROM control.audit_log
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND ($2::bigint IS NULL OR id < $2)
   AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.'))
   AND ($4::text IS NULL OR target_type = $4)
   AND ($5::text IS NULL OR target_id = $5)
   AND ($6::bigint IS NULL OR user_id = $6)
   AND ($7::timestamptz IS NULL OR at >= $7)
   AND ($8::timestamptz IS NULL OR at < $8)
 ORDER BY id DESC
 LIMIT $9
"""


async def insert(
    db: Connection,
    isp_id: int | None,
    *,
    user_id: int | None,
    actor: str,
    action: str,
    target: tuple[str, int],
    address: str | None,
    request_id: str,
    details: Mapping[str, Any],
) -> None:
    """Write one row. ``details`` holds no secret: whoever calls has masked it."""
    kind, number = target
    await db.execute(INSERT, isp_id, user_id, actor, action, kind, str(number), address, request_id, details)


async def find(
    db: Connection,
    isp_id: int | None,
    *,
    before: int | None,
    action: str | None,
    target: tuple[str | None, str | None],
    user_id: int | None,
    between: tuple[datetime | None, datetime | None],
    limit: int,
) -> list[asyncpg.Record]:
    """Return rows of one ISP, or of all, the newest first; ``action`` may be the first word of several."""
    return await db.fetch(LIST, isp_id, before, action, *target, user_id, *between, limit)
