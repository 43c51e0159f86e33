"""Everything a replica needs, as one transaction saw it; and the same by key, for what has changed since."""

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from radiuscore.aaa.changes import Change, CustomerChange, IspChange, NasChange, PlanChange, PoolChange, Snapshot
from radiuscore.aaa.pools import AddressPool, PoolId
from radiuscore.aaa.records import Customer, IspId, Nas, NasId, PlanId
from radiuscore.store.pool import Connection
from radiuscore.store.rows import (
    FIND_CUSTOMERS,
    FIND_ISPS,
    FIND_NASES,
    FIND_NASES_OF_ISPS,
    FIND_PLANS,
    FIND_POOLS,
    LOAD_CUSTOMERS,
    LOAD_ISPS,
    LOAD_NASES,
    LOAD_PLANS,
    LOAD_POOLS,
    customer_of,
    isp_of,
    nas_of,
    plan_of,
    pool_of,
)
from radiuscore.store.sealing import Keyring

_BATCH: Final = 500  # rows; made into records in about 4 ms, and then the loop may answer packets again


async def load_snapshot(db: Connection, keyring: Keyring) -> Snapshot:
    """Read the whole configuration in one transaction. 100,000 customers take about a second, in small steps."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        return await read_all(db, keyring)


async def read_all(db: Connection, keyring: Keyring) -> Snapshot:
    """Read the whole configuration within the caller's transaction."""
    return Snapshot(
        isps=[isp_of(row) async for rows in _batches(db, LOAD_ISPS) for row in rows],
        nases=[nas async for rows in _batches(db, LOAD_NASES) for row in rows if (nas := nas_of(row, keyring))],
        plans=[plan_of(row) async for rows in _batches(db, LOAD_PLANS) for row in rows],
        customers=[
            customer
            async for rows in _batches(db, LOAD_CUSTOMERS)
            for row in rows
            if (customer := customer_of(row, keyring))
        ],
        pools=await load_pools(db),
    )


async def load_pools(db: Connection) -> list[AddressPool]:
    """Read the central pools of all ISPs."""
    return [pool_of(row) for row in await db.fetch(LOAD_POOLS)]


async def read_isps(db: Connection, ids: Collection[IspId]) -> list[Change]:
    """Return who these ISPs are now."""
    found = {row["id"]: isp_of(row) for row in await db.fetch(FIND_ISPS, list(ids))}
    return [IspChange(isp_id, found.get(isp_id)) for isp_id in ids]


async def read_plans(db: Connection, keys: Collection[tuple[IspId, PlanId]]) -> list[Change]:
    """Return what these plans are now."""
    found = {(row["isp_id"], row["id"]): plan_of(row) for row in await db.fetch(FIND_PLANS, *_columns(keys))}
    return [PlanChange(*key, found.get(key)) for key in keys]


async def read_pools(db: Connection, keys: Collection[tuple[IspId, PoolId]]) -> list[Change]:
    """Return what these central pools are now."""
    found = {(row["isp_id"], row["id"]): pool_of(row) for row in await db.fetch(FIND_POOLS, *_columns(keys))}
    return [PoolChange(*key, found.get(key)) for key in keys]


async def read_nases(
    db: Connection, keyring: Keyring, keys: Collection[tuple[IspId, NasId]], isps: Collection[IspId]
) -> list[Change]:
    """Return what these devices are now, and all devices of these ISPs, whose secret may be theirs."""
    rows = await db.fetch(FIND_NASES, *_columns(keys)) if keys else []
    rows += await db.fetch(FIND_NASES_OF_ISPS, list(isps)) if isps else []
    found: dict[tuple[IspId, NasId], Nas | None] = dict.fromkeys(keys)
    found |= {(row["isp_id"], row["id"]): nas_of(row, keyring) for row in rows}
    return [NasChange(*key, nas) for key, nas in found.items()]


async def read_customers(db: Connection, keyring: Keyring, keys: Collection[tuple[IspId, str]]) -> list[Change]:
    """Return who has these username keys now."""
    found: dict[tuple[IspId, str], Customer | None] = dict.fromkeys(keys)
    async for rows in _batches(db, FIND_CUSTOMERS, *_columns(keys)):
        found |= {(row["isp_id"], row["username_key"]): customer_of(row, keyring) for row in rows}
    return [CustomerChange(*key, customer) for key, customer in found.items()]


async def _batches(db: Connection, statement: str, *args: object) -> AsyncIterator[list[Any]]:
    """Yield a statement's rows a batch at a time, so that no batch keeps the loop for long."""
    cursor = await db.cursor(statement, *args)
    rows = await cursor.fetch(_BATCH)
    while rows:
        yield rows
        rows = await cursor.fetch(_BATCH) if len(rows) == _BATCH else []


def _columns(keys: Collection[tuple[IspId, Any]]) -> tuple[list[IspId], list[Any]]:
    return [isp_id for isp_id, _ in keys], [key for _, key in keys]
