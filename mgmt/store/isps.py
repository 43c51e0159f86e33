"""ISPs as rows. The one place whose statements may reach across tenants."""

from typing import Final

from radiuscore.store.pool import Connection
from radiuscore.store.sealing import Keyring

NEXT_ID: Final = "SELECT nextval('control.isps_id_seq')::int"
INSERT: Final = """
INSERT INTO control.isps
       (id, name, company_name, email, subscription_plan, max_devices, max_customers, api_key, radius_secret, time_zone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
FIND_BY_EMAIL: Final = "SELECT id FROM control.isps WHERE lower(email) = lower($1)"
FIND_RADIUS_SECRET: Final = "SELECT radius_secret FROM control.isps WHERE id = $1"

FIND_DEVICES_AT: Final = """
SELECT isp_id, id
  FROM control.devices
 WHERE device_ip = $1::text::inet
    OR EXISTS (SELECT FROM unnest(radius_sources) AS source WHERE $1::text::inet <<= source)
 ORDER BY isp_id, id
"""
FIND_DEVICE: Final = "SELECT isp_id, id FROM control.devices WHERE id = $1"
FIND_ISPS_OF_USERNAME: Final = "SELECT isp_id FROM control.customers WHERE username_key = $1 ORDER BY isp_id"
LIST_IDS: Final = "SELECT id FROM control.isps ORDER BY id"


async def insert(
    db: Connection,
    keyring: Keyring,
    *,
    name: str,
    company_name: str,
    email: str,
    subscription_plan: str,
    max_devices: int,
    max_customers: int,
    api_key_hash: str,
    radius_secret: str,
    time_zone: str,
) -> int:
    """Store an ISP and return its id. Raises asyncpg.UniqueViolationError where the email is taken."""
    isp_id: int = await db.fetchval(NEXT_ID)
    sealed = keyring.seal(radius_secret, table="isps", row=isp_id, column="radius_secret", isp_id=isp_id)
    limits = (max_devices, max_customers)
    await db.execute(
        INSERT, isp_id, name, company_name, email, subscription_plan, *limits, api_key_hash, sealed, time_zone
    )
    return isp_id


async def find_by_email(db: Connection, email: str) -> int | None:
    """Return the id of the ISP with this email, in any case of letters."""
    isp_id: int | None = await db.fetchval(FIND_BY_EMAIL, email)
    return isp_id


async def load_radius_secret(db: Connection, isp_id: int, keyring: Keyring) -> str | None:
    """Return the secret of the ISP's routers that have none of their own."""
    sealed = await db.fetchval(FIND_RADIUS_SECRET, isp_id)
    if sealed is None:
        return None
    return keyring.open(sealed, table="isps", row=isp_id, column="radius_secret", isp_id=isp_id).decode()


async def find_devices_at(db: Connection, address: str) -> list[tuple[int, int]]:
    """Return (isp_id, device id) of every ISP's routers whose packets may come from this address."""
    return [(row["isp_id"], row["id"]) for row in await db.fetch(FIND_DEVICES_AT, address)]


async def find_device(db: Connection, device_id: int) -> list[tuple[int, int]]:
    """Return (isp_id, device id) of one router, in a list of at most one."""
    return [(row["isp_id"], row["id"]) for row in await db.fetch(FIND_DEVICE, device_id)]


async def find_isps_of_username(db: Connection, key: str) -> list[int]:
    """Return the ISPs that have a customer with this username key."""
    return [row["isp_id"] for row in await db.fetch(FIND_ISPS_OF_USERNAME, key)]


async def list_ids(db: Connection) -> list[int]:
    """Return the id of every ISP."""
    return [row["id"] for row in await db.fetch(LIST_IDS)]
