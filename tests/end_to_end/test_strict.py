"""Strict limits and central pools on a running server: two workers, many ports, two ISPs that look alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import IPv4Address, IPv6Network

import pytest

from radiuscore.store.sealing import Keyring
from radiuscore.testing import FakeNas
from radiuscore.wire.rfc import DELEGATED_IPV6_PREFIX, FRAMED_IP_ADDRESS, FRAMED_POOL
from tests.conftest import Db, Tenant
from tests.end_to_end.conftest import Server, until

Start = Callable[..., Awaitable[Server]]
Insert = Callable[..., Awaitable[Tenant]]

RACES = 100
PORTS = 8
LOGINS = 16

BE_STRICT = """
UPDATE control.service_plans SET simultaneous_use = 1, simultaneous_use_mode = 'strict', interim_interval_s = 300
"""
ADD_CUSTOMER = """
INSERT INTO control.customers (id, isp_id, username, username_key, password, service_plan_id)
VALUES ($1, $2, $3, $3, $4, $5)
"""


@pytest.fixture
async def both(db: Db, insert_tenant: Insert) -> tuple[Tenant, Tenant]:
    """Two ISPs with a router at the same address and a customer of the same name and password."""
    return (
        await insert_tenant(db, device_ip="127.0.0.1", secret=b"secret of one"),
        await insert_tenant(db, device_ip="127.0.0.1", secret=b"secret of two"),
    )


@pytest.fixture
def add_customer(db: Db, keyring: Keyring) -> Callable[[Tenant, str], Awaitable[None]]:
    async def add(tenant: Tenant, username: str) -> None:
        customer_id = await db.fetchval("SELECT nextval('control.customers_id_seq')")
        sealed = keyring.seal(
            tenant.password, table="customers", row=customer_id, column="password", isp_id=tenant.isp_id
        )
        await db.execute(ADD_CUSTOMER, customer_id, tenant.isp_id, username, sealed, tenant.plan_id)

    return add


@asynccontextmanager
async def router(server: Server, tenant: Tenant, ports: int = PORTS) -> AsyncIterator[list[FakeNas]]:
    """Give one router that asks from several ports, which the kernel spreads over the workers."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                FakeNas(
                    tenant.secret,
                    auth=("127.0.0.1", server.auth_port),
                    acct=("127.0.0.1", server.acct_port),
                    sessions_before=1000 * number,
                    tries=12,
                    timeout_s=0.5,
                )
            )
            for number in range(ports)
        ]


def mac(number: int) -> str:
    return number.to_bytes(6, "big").hex(":")


async def race(nases: list[FakeNas], tenant: Tenant, username: str) -> int:
    """Log one customer in from 16 devices at once; return how many are let in."""
    logins = await asyncio.gather(
        *(nases[number % len(nases)].login(username, tenant.password, mac=mac(number + 1)) for number in range(LOGINS))
    )
    return sum(login.accepted for login in logins)


async def test_a_race_for_one_slot_has_one_winner(
    db: Db, both: tuple[Tenant, Tenant], add_customer: Callable[[Tenant, str], Awaitable[None]], start_server: Start
) -> None:
    await db.execute(BE_STRICT)
    for number in range(RACES):
        for tenant in both:
            await add_customer(tenant, f"racer{number}")
    server = await start_server()
    async with router(server, both[0]) as one, router(server, both[1]) as two:
        for number in range(RACES):
            winners = await asyncio.gather(race(one, both[0], f"racer{number}"), race(two, both[1], f"racer{number}"))
            assert list(winners) == [1, 1], f"race {number}"
    reserved = await until(lambda: server.metric("radius_reservations_total"), lambda n: n >= 2 * RACES * LOGINS)
    assert reserved == 2 * RACES * LOGINS
    _, text = await server.get("/metrics")
    workers = {line for line in text.splitlines() if 'result="reserved"' in line and not line.endswith(" 0.0")}
    assert len(workers) == 2, "both workers took part"
    assert await server.stop() == 0


async def test_a_slot_lives_as_long_as_its_session(db: Db, both: tuple[Tenant, Tenant], start_server: Start) -> None:
    await db.execute(BE_STRICT)
    tenant, other = both
    server = await start_server()
    async with router(server, tenant) as nases, router(server, other, ports=1) as [elsewhere]:
        home = await nases[0].login(tenant.username, tenant.password, mac=mac(1))
        assert home.session is not None
        await home.session.start()
        rejected = await nases[1].login(tenant.username, tenant.password, mac=mac(2))
        assert (rejected.accepted, rejected.reason) == (False, "This account is in use already.")
        theirs = await elsewhere.login(tenant.username, tenant.password, mac=mac(2))  # the other ISP's customer
        assert theirs.session is not None
        await theirs.session.start()

        again = await nases[2].login(tenant.username, tenant.password, mac=mac(1))  # after a power cut
        assert again.session is not None
        await again.session.start()
        await home.session.stop(session_time=5)  # the router noticed late
        assert not (await nases[3].login(tenant.username, tenant.password, mac=mac(2))).accepted
        await again.session.stop(session_time=5)

        async def get_in() -> bool:
            return (await nases[4].login(tenant.username, tenant.password, mac=mac(2))).accepted

        assert await until(get_in, bool)  # at once, unless the Stop had to go through the spool
        assert not (await elsewhere.login(tenant.username, tenant.password, mac=mac(3))).accepted
        await elsewhere.accounting_on()
        assert await until(lambda: _accepted(elsewhere, tenant, mac(3)), bool)
    assert await server.stop() == 0


async def _accepted(nas: FakeNas, tenant: Tenant, device: str) -> bool:
    return (await nas.login(tenant.username, tenant.password, mac=device)).accepted


async def test_a_central_pool_gives_each_customer_of_an_isp_an_address_of_his_own(
    db: Db, both: tuple[Tenant, Tenant], add_customer: Callable[[Tenant, str], Awaitable[None]], start_server: Start
) -> None:
    await db.execute("UPDATE control.service_plans SET framed_pool = 'homes', delegated_ipv6_pool = 'prefixes'")
    for tenant in both:
        await db.execute(
            "INSERT INTO control.address_pools (isp_id, name, ranges) VALUES ($1, 'homes', '{[10.5.0.2,10.5.0.9]}')",
            tenant.isp_id,
        )
        for number in range(LOGINS):
            await add_customer(tenant, f"racer{number}")
    await db.execute(
        """
        INSERT INTO control.address_pools (isp_id, name, prefix_length, ranges)
        VALUES ($1, 'prefixes', 56, '{[2001:db8::,2001:db8:0:7ff:ffff:ffff:ffff:ffff]}')
        """,
        both[0].isp_id,
    )
    server = await start_server()
    async with router(server, both[0]) as one, router(server, both[1]) as two:
        logins = [
            await asyncio.gather(
                *(nas.login(f"racer{number}", tenant.password) for number, nas in enumerate(nases + nases))
            )
            for tenant, nases in ((both[0], one), (both[1], two))
        ]
        for of_isp in logins:
            given = [login.get(FRAMED_IP_ADDRESS) for login in of_isp if login.accepted]
            assert len(given) == 8
            assert set(given) == {IPv4Address("10.5.0.2") + number for number in range(8)}
            assert {login.get(FRAMED_POOL) for login in of_isp} == {None}
        prefixes = {login.get(DELEGATED_IPV6_PREFIX) for login in logins[0] if login.accepted}
        assert prefixes == {IPv6Network((0x20010DB8 << 96 | number << 72, 56)) for number in range(8)}
        assert {login.get(DELEGATED_IPV6_PREFIX) for login in logins[1]} == {None}  # the router's own pool

        left = next(login for login in logins[0] if login.accepted)
        waiting = next(number for number, login in enumerate(logins[0]) if not login.accepted)
        assert left.session is not None
        await left.session.start()
        await left.session.stop(session_time=1)
        taken_over = await until(lambda: one[0].login(f"racer{waiting}", both[0].password), lambda one: one.accepted)
        assert taken_over.get(FRAMED_IP_ADDRESS) == left.get(FRAMED_IP_ADDRESS)
        refused = next(number for number, login in enumerate(logins[1]) if not login.accepted)
        full = await two[0].login(f"racer{refused}", both[1].password)
        assert full.reason == "There is no free address at the moment."
    assert await server.stop() == 0
