"""Requests that are to be done once, with their answers."""

from typing import Final, NamedTuple

from radiuscore.store.pool import Connection

SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', $1, true)"
CLAIM: Final = """
INSERT INTO control.idempotency_keys (isp_id, principal, key, request_sha256)
VALUES ($1, $2, $3, $4)
ON CONFLICT (isp_id, principal, key) DO NOTHING
RETURNING key
"""
FIND: Final = """
SELECT request_sha256, response_status AS status, response
  FROM control.idempotency_keys
 WHERE isp_id IS NOT DISTINCT FROM $1
   AND principal = $2
   AND key = $3
   AND response IS NOT NULL
"""
KEEP: Final = """
UPDATE control.idempotency_keys
   SET response_status = $4, response = $5
 WHERE isp_id IS NOT DISTINCT FROM $1
   AND principal = $2
   AND key = $3
"""


class Remembered(NamedTuple):
    """A request that was done; ``response`` is sealed."""

    request_sha256: str
    status: int
    response: str


async def claim(
    db: Connection, isp_id: int | None, principal: str, key: str, said: str, wait_ms: int
) -> Remembered | None:
    """Take a key for this transaction and return ``None``, or return what was done with it before.

    Whoever has it in another transaction is waited for: asyncpg.LockNotAvailableError after ``wait_ms``.
    """
    await db.execute(SET_LOCK_TIMEOUT, f"{wait_ms}ms")
    claimed = await db.fetchval(CLAIM, isp_id, principal, key, said)
    await db.execute(SET_LOCK_TIMEOUT, "0")
    if claimed is not None:
        return None
    row = await db.fetchrow(FIND, isp_id, principal, key)
    return None if row is None else Remembered(*row)


async def keep(db: Connection, isp_id: int | None, principal: str, key: str, status: int, response: str) -> None:
    """Remember the sealed answer to a request that this transaction has claimed."""
    await db.execute(KEEP, isp_id, principal, key, status, response)
