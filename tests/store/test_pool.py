"""Connections: several hosts at once, the role they act in, the types they give, and no tenant that stays behind."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from radiuscore.store.pool import ISP_ROLE, SYSTEM_ROLE, CannotConnect, as_isp, connect, open_pool, split_hosts

if TYPE_CHECKING:
    from tests.conftest import Tenant


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://u:p@db/radius", {"db": "postgresql://u:p@db/radius"}),
        (
            "postgresql://u:p@db:6432/radius?sslmode=require",
            {"db:6432": "postgresql://u:p@db:6432/radius?sslmode=require"},
        ),
        (
            "postgresql://u:p%40x@db1,db2:6432/radius",
            {"db1": "postgresql://u:p%40x@db1/radius", "db2:6432": "postgresql://u:p%40x@db2:6432/radius"},
        ),
        (
            "postgresql://u@/radius?host=/var/run/postgresql,10.0.0.2&port=5433,5434&sslmode=disable",
            {
                "/var/run/postgresql": "postgresql://u@/radius?sslmode=disable&host=/var/run/postgresql&port=5433",
                "10.0.0.2:5434": "postgresql://u@10.0.0.2:5434/radius?sslmode=disable",
            },
        ),
        (
            "postgresql://u@[::1],[2001:db8::1]:6432/radius",
            {"[::1]": "postgresql://u@[::1]/radius", "[2001:db8::1]:6432": "postgresql://u@[2001:db8::1]:6432/radius"},
        ),
        ("postgresql:///radius", {"the default host": "postgresql:///radius"}),
    ],
)
def test_splits_a_list_of_hosts(dsn: str, hosts: dict[str, str]) -> None:
    assert split_hosts(dsn) == hosts


def test_refuses_a_list_of_ports_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="2 hosts but 3 ports"):
        split_hosts("postgresql://db1,db2/radius?port=1,2,3")


@pytest.fixture
def frozen() -> Iterator[str]:
    """A host that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def with_hosts_before(dsn: str, *hosts: str) -> str:
    """Put TCP hosts before the real server, which is a socket directory or host:port."""
    [(real, _)] = split_hosts(dsn).items()
    url = urlsplit(dsn)
    login = url.netloc.rpartition("@")[0]
    real_host, _, real_port = (real, "", "5432") if real.startswith("/") else real.partition(":")
    names = [host.partition(":")[0] for host in hosts] + [real_host]
    ports = [host.partition(":")[2] for host in hosts] + [real_port or "5432"]
    return f"postgresql://{login}@{url.path}?host={','.join(names)}&port={','.join(ports)}"


@pytest.mark.postgres
async def test_a_frozen_first_host_delays_nothing(database: str, frozen: str) -> None:
    began = time.monotonic()
    db = await connect(with_hosts_before(database, frozen), connect_timeout=30)
    assert time.monotonic() - began < 5
    assert await db.fetchval("SELECT 1") == 1
    await db.close()


async def test_says_what_each_host_said_and_no_password(frozen: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(CannotConnect) as caught:
        await connect(f"postgresql://u:canary@{frozen},{closed}/radius", connect_timeout=0.2)
    assert set(caught.value.reasons) == {frozen, closed}
    assert f"{frozen}: no answer" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.postgres
async def test_passes_over_a_server_that_takes_no_writes(database: str) -> None:
    db = await connect(database)
    name = await db.fetchval("SELECT current_database()")
    await db.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await db.close()
    with pytest.raises(CannotConnect, match="takes no writes"):
        await connect(database)


@pytest.mark.postgres
async def test_a_pool_keeps_its_role_and_its_zone_after_a_reset(database: str) -> None:
    pool = await open_pool(database, role=SYSTEM_ROLE, min_size=1, max_size=1)
    for _ in range(2):
        async with pool.acquire() as db:
            assert (
                await db.fetchval("SELECT current_user::text || ' ' || current_setting('TimeZone')")
                == f"{SYSTEM_ROLE} UTC"
            )
            await db.execute("SET timezone TO 'Asia/Tokyo'")
    await pool.close()


@pytest.mark.postgres
async def test_gives_the_types_of_the_records(database: str) -> None:
    db = await connect(database)
    row = await db.fetchrow(
        """
        SELECT inet '10.0.0.1' AS address, cidr '10.0.0.0/24' AS network, $1::jsonb AS document,
               uuid '12345678-1234-5678-1234-567812345678' AS id
        """,
        {"a": [1, None]},
    )
    assert dict(row or {}) == {
        "address": IPv4Address("10.0.0.1"),
        "network": IPv4Network("10.0.0.0/24"),
        "document": {"a": [1, None]},
        "id": UUID("12345678-1234-5678-1234-567812345678"),
    }
    await db.close()


@pytest.mark.postgres
async def test_no_tenant_stays_behind_on_a_shared_connection(database: str, tenants: tuple[Tenant, Tenant]) -> None:
    """A thousand requests of two ISPs on two connections, with errors and cancellations in between."""
    pool = await open_pool(database, role=ISP_ROLE, max_size=2)
    chance = random.Random(1)
    answered = 0

    async def request(tenant: Tenant) -> None:
        nonlocal answered
        async with as_isp(pool, tenant.isp_id) as db:
            if chance.random() < 0.1:
                await db.execute("SELECT 1/0")
            if chance.random() < 0.1:
                await asyncio.sleep(0)
                raise asyncio.CancelledError
            seen = await db.fetch("SELECT isp_id FROM control.customers")
            assert [row["isp_id"] for row in seen] == [tenant.isp_id]
            answered += 1

    tasks = [asyncio.create_task(request(chance.choice(tenants))) for _ in range(1000)]
    for task in chance.sample(tasks, 100):
        asyncio.get_running_loop().call_later(chance.random() * 0.2, task.cancel)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    failures = {type(outcome) for outcome in outcomes if outcome is not None}
    assert failures <= {asyncpg.DivisionByZeroError, asyncio.CancelledError}
    assert answered > 500
    async with pool.acquire() as db:
        with pytest.raises((asyncpg.UndefinedObjectError, asyncpg.InvalidTextRepresentationError)):
            await db.fetch("SELECT * FROM control.customers")
    await pool.close()
