"""What a login of one customer depends on, as records: the customer, his plan, his ISP, and his routers' names."""

from collections.abc import Collection
from typing import Final, NamedTuple

from radiuscore.aaa.records import Customer, CustomerId, Isp, IspId, NasId, ServicePlan
from radiuscore.store.pool import Connection
from radiuscore.store.rows import FIND_CUSTOMERS, FIND_ISPS, FIND_PLANS, customer_of, isp_of, plan_of
from radiuscore.store.sealing import Keyring

FIND_KEY: Final = "SELECT username_key FROM control.customers WHERE isp_id = $1 AND id = $2"
FIND_DEVICE_NAMES: Final = "SELECT id, device_name FROM control.devices WHERE isp_id = $1 AND id = ANY ($2::bigint[])"


class Account(NamedTuple):
    """A customer with what is above him. ``customer`` is ``None`` where his password does not open."""

    isp: Isp
    customer: Customer | None
    plan: ServicePlan | None


async def find_isp(db: Connection, isp_id: IspId, customer_id: CustomerId) -> Isp | None:
    """Return the ISP of a customer; ``None`` where it has no such customer."""
    if await db.fetchval(FIND_KEY, isp_id, customer_id) is None:
        return None
    return isp_of(await db.fetchrow(FIND_ISPS, [isp_id]))


async def find_account(db: Connection, keyring: Keyring, isp_id: IspId, customer_id: CustomerId) -> Account | None:
    """Return a customer as the server decides on him; ``None`` where the ISP has no such customer."""
    key: str | None = await db.fetchval(FIND_KEY, isp_id, customer_id)
    row = None if key is None else await db.fetchrow(FIND_CUSTOMERS, [isp_id], [key])
    if row is None:
        return None
    plan = None if row["plan_id"] is None else await db.fetchrow(FIND_PLANS, [isp_id], [row["plan_id"]])
    return Account(
        isp=isp_of(await db.fetchrow(FIND_ISPS, [isp_id])),
        customer=customer_of(row, keyring),
        plan=None if plan is None else plan_of(plan),
    )


async def find_device_names(db: Connection, isp_id: IspId, device_ids: Collection[NasId]) -> dict[NasId, str]:
    """Return the names of those devices that the ISP has."""
    rows = await db.fetch(FIND_DEVICE_NAMES, isp_id, list(device_ids))
    return {row["id"]: row["device_name"] for row in rows}
