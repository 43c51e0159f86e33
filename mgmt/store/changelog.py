"""The change log that workers follow, seen from the side that keeps it short."""

from typing import Final

from radiuscore.store.pool import Connection

PRUNE: Final = "SELECT control.prune_change_log()"


async def prune(db: Connection) -> int:
    """Delete what is older than 48 hours; return how many changes. A worker that was away longer loads everything."""
    deleted: int = await db.fetchval(PRUNE)
    return deleted
