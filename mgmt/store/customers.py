"""Customers, who log in through a router, as rows."""

from typing import Final

from radiuscore.aaa.names import username_key
from radiuscore.store.pool import Connection
from radiuscore.store.sealing import Keyring

NEXT_ID: Final = "SELECT nextval('control.customers_id_seq')"
INSERT: Final = """
INSERT INTO control.customers (id, isp_id, username, username_key, password, service_plan_id)
VALUES ($1, $2, $3, $4, $5, $6)
"""
FIND_PASSWORD: Final = "SELECT id, password FROM control.customers WHERE isp_id = $1 AND username_key = $2"


async def insert(
    db: Connection, isp_id: int, keyring: Keyring, *, username: str, password: str, service_plan_id: int
) -> int:
    """Store a customer and return his id. Raises asyncpg.UniqueViolationError where the ISP has the name already."""
    customer_id: int = await db.fetchval(NEXT_ID)
    sealed = keyring.seal(password, table="customers", row=customer_id, column="password", isp_id=isp_id)
    await db.execute(INSERT, customer_id, isp_id, username, username_key(username), sealed, service_plan_id)
    return customer_id


async def load_password(db: Connection, isp_id: int, keyring: Keyring, username: str) -> str:
    """Return the password of a customer who exists and has one."""
    row = await db.fetchrow(FIND_PASSWORD, isp_id, username_key(username))
    assert row is not None
    return keyring.open(row["password"], table="customers", row=row["id"], column="password", isp_id=isp_id).decode()
