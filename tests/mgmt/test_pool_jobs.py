"""The leader's share in slots and addresses: what lost sessions held comes back, and a scarce pool is told in time."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from time import time
from uuid import UUID

import pytest

from mgmt.upkeep import Databases, jobs_of
from radiuscore.aaa.pools import WantedPools
from radiuscore.store.leases import LeaseBook
from radiuscore.store.pool import connect, open_pool
from radiuscore.store.slots import reserve
from tests.conftest import Db, Tenant
from tests.store.claiming import HOMES, claim

pytestmark = pytest.mark.postgres

DAY_S = 86_400
OPEN_SESSION = """
INSERT INTO accounting.sessions
       (isp_id, nas_id, acct_session_id, username_key, id, customer_id, username, state, started_at, updated_at,
        session_time, input_octets, output_octets, interim_interval_s, node, start_estimate, statuses)
VALUES ($1, 1, '81000001', 'anna', $2, 7, 'anna', 'open', to_timestamp($3), to_timestamp($3), 0, 0, 0, 300, '', $3, 1)
"""
HELD = """
SELECT isp_id FROM accounting.simultaneous_use_slots WHERE expires_at > now()
 UNION ALL
SELECT isp_id FROM accounting.address_leases WHERE expires_at > now()
"""


@pytest.fixture
async def databases(database: str) -> AsyncIterator[Databases]:
    async with await open_pool(database, max_size=2) as pool:
        yield Databases(pool, pool, partial(connect, database))


async def run_job(databases: Databases, name: str) -> int:
    return await {job.name: job for job in jobs_of(databases, 0.0)}[name].run()


async def test_what_a_lost_session_held_comes_back(databases: Databases, system_db: Db) -> None:
    mine = claim(0xA, pools=WantedPools(framed_ip_address=HOMES))
    other = mine._replace(isp_id=2)
    for session, age_s in ((mine, DAY_S), (other, 10)):
        assert await reserve(system_db, session)
        assert await LeaseBook().lease(system_db, session, replace(HOMES, isp_id=session.isp_id), {})
        await system_db.execute(OPEN_SESSION, session.isp_id, UUID(bytes=session.session_uuid), int(time()) - age_s)
    assert await run_job(databases, "close silent sessions") == 1
    assert [row["isp_id"] for row in await system_db.fetch(HELD)] == [2, 2]


async def test_a_scarce_pool_is_a_warning(
    databases: Databases, db: Db, tenants: tuple[Tenant, Tenant], caplog: pytest.LogCaptureFixture
) -> None:
    for tenant in tenants:
        await db.execute(
            "INSERT INTO control.address_pools (isp_id, name, ranges) VALUES ($1, 'homes', '{[10.0.0.1,10.0.0.10]}')",
            tenant.isp_id,
        )
    assert await run_job(databases, "watch address pools") == 0
    pool_id = await db.fetchval("SELECT id FROM control.address_pools WHERE isp_id = $1", tenants[1].isp_id)
    for last in range(1, 10):
        await db.execute(
            """
            INSERT INTO accounting.address_leases (isp_id, address, pool_id, customer_id, expires_at)
            VALUES ($1, $2, $3, 7, now() + interval '1 hour')
            """,
            tenants[1].isp_id,
            IPv4Address(f"10.0.0.{last}"),
            pool_id,
        )
    with caplog.at_level(logging.WARNING):
        assert await run_job(databases, "watch address pools") == 1
    [warning] = caplog.records
    told = warning.__dict__
    assert (told["isp_id"], told["pool"], told["leased"], told["size"]) == (tenants[1].isp_id, "homes", 9, 10)


async def test_slots_of_long_ago_are_forgotten(databases: Databases, system_db: Db) -> None:
    for number in range(2):
        assert await reserve(system_db, claim(number, customer_id=number))
    await system_db.execute(
        "UPDATE accounting.simultaneous_use_slots SET expires_at = now() - interval '25 h' WHERE customer_id = 0"
    )
    assert await run_job(databases, "forget old slots") == 1
    assert await run_job(databases, "forget old slots") == 0
