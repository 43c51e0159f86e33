"""How many devices and customers an ISP may have. Counted under the lock of its row, so that races have one winner."""

from typing import Final, Literal, NamedTuple

from radiuscore.store.pool import Connection

# Not FOR UPDATE: that would also wait for everybody who refers to the row.
LOCK_LIMITS: Final = "SELECT max_devices, max_customers FROM control.isps WHERE id = $1 FOR NO KEY UPDATE"
COUNT: Final = {
    "devices": "SELECT count(*) FROM control.devices WHERE isp_id = $1",
    "customers": "SELECT count(*) FROM control.customers WHERE isp_id = $1",
}


class Room(NamedTuple):
    """How many there are, and how many there may be; ``None`` is unlimited."""

    used: int
    limit: int | None

    @property
    def is_full(self) -> bool:
        """Whether there may be no more."""
        return self.limit is not None and self.used >= self.limit


async def lock_room(db: Connection, isp_id: int, what: Literal["devices", "customers"]) -> Room | None:
    """Return an ISP's room, which nobody else changes until this transaction ends; ``None`` without such an ISP."""
    row = await db.fetchrow(LOCK_LIMITS, isp_id)
    if row is None:
        return None
    used: int = await db.fetchval(COUNT[what], isp_id)
    return Room(used, row[f"max_{what}"] or None)
