"""The auth log, as staff ask it."""

from typing import Final, NamedTuple

from radiuscore.store.pool import Connection

FIND_LAST: Final = """
SELECT outcome, reason, method
  FROM accounting.auth_log
 WHERE isp_id = $1
   AND nas_id = $2
   AND username = $3
   AND at >= to_timestamp($4)
 ORDER BY at DESC
 LIMIT 1
"""


class LoggedLogin(NamedTuple):
    """What became of one login attempt; ``reason`` is empty for an accept."""

    outcome: str
    reason: str
    method: str


async def find_last(db: Connection, isp_id: int, *, nas_id: int, username: str, since: float) -> LoggedLogin | None:
    """Return the latest attempt of this name at this router since then (seconds since 1970)."""
    row = await db.fetchrow(FIND_LAST, isp_id, nas_id, username, since)
    return None if row is None else LoggedLogin(*row)
