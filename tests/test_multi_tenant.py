"""Two ISPs that differ in nothing but their secrets share one server, and neither sees, mutes or bills the other.

Real sockets, a real PostgreSQL, the engine and policy of `radiuscore serve`. Runs by itself as well:
``python tests/test_multi_tenant.py``.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest

from radiuscore.aaa.changes import NasChange, Snapshot
from radiuscore.aaa.devices import DeviceProved, DeviceSigned
from radiuscore.aaa.names import username_key
from radiuscore.engine.engine import Engine
from radiuscore.engine.policy_replica import Login, ReplicaPolicy
from radiuscore.server.accounting_writer import AccountingWriter
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.link import DatabaseLink
from radiuscore.server.udp import UdpServer
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.store import authlog
from radiuscore.store.changes import Changes, follow
from radiuscore.store.devices import record_proofs
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.sealing import Keyring
from radiuscore.testing import FakeNas, Method, NoReply
from radiuscore.wire.errors import Discard
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import Packet
from radiuscore.wire.rfc import CLASS

Db: TypeAlias = "asyncpg.Connection[Any]"

ADDRESS = "127.0.0.10"  # of both ISPs' routers
TOWER = "127.0.0.11"  # where A has one more router, and B claims to
USER = "customer@example.com"
SILENT = {"tries": 1, "timeout_s": 0.2}

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Tenant:
    """One of the two: his own password for the same username, his own secret for the same router address."""

    isp_id: int
    device_id: int
    plan_id: int
    customer_id: int
    password: str
    secret: bytes


class IspServer:
    """What a worker is made of, in this process: replica, policy, engine, sockets, and the writer of accounting."""

    def __init__(self, dsn: str, keyring: Keyring) -> None:
        self.nases = NasTable()
        self.logins: list[Login] = []
        self.proofs: list[DeviceProved] = []
        self._replica = Replica()
        self._news = asyncio.Event()
        self._connect = partial(connect, dsn, role=SYSTEM_ROLE)
        self._keyring = keyring
        self._link = DatabaseLink(self._connect, "accounting")
        self._writer = AccountingWriter(DatabaseLedger(self._link, "test"))
        policy = ReplicaPolicy(self._replica, self.logins.append, self._writer.submit)
        self.engine = Engine(self.nases, access=policy.access, accounting=policy.accounting, observer=self)

    def device_proved(self, fact: DeviceProved) -> None:
        self.proofs.append(fact)

    def device_signed(self, fact: DeviceSigned) -> None:
        pass

    @asynccontextmanager
    async def running(self) -> AsyncIterator["IspServer"]:
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._writer.run())]
        async with asyncio.timeout(10):
            await self._news.wait()
        self.udp = await UdpServer.open(self.engine, ("127.0.0.1", 0), ("127.0.0.1", 0))
        try:
            yield self
        finally:
            await self.udp.close()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self._link.close()

    async def _follow(self) -> None:
        async with aclosing(follow(self._connect, self._keyring)) as news:
            async for one in news:
                if isinstance(one, Snapshot):
                    self.nases.load(one.nases)
                    self._replica.load(one)
                elif isinstance(one, Changes):
                    for change in one.changes:
                        if isinstance(change, NasChange):
                            self.nases.apply(change)
                        else:
                            self._replica.apply(change)
                self._news.set()

    async def knows(self, isp_id: int, *, device_id: int | None = None, username: str | None = None) -> None:
        """Wait until a device or a customer that was just registered is in force."""
        async with asyncio.timeout(10):
            while not self._knows(isp_id, device_id, username):
                self._news.clear()
                await self._news.wait()

    def _knows(self, isp_id: int, device_id: int | None, username: str | None) -> bool:
        if device_id is not None and self.nases.get(isp_id, device_id) is None:
            return False
        isp = self._replica.find_isp(isp_id)
        return isp is not None and (username is None or username in isp.customers)

    def nas(self, secret: bytes, source: str = ADDRESS, **options: Any) -> FakeNas:
        auth, acct = self.udp.addresses
        return FakeNas(secret, auth=auth, acct=acct, source=source, **{"timeout_s": 5.0} | options)

    def reasons(self, isp_id: int) -> list[str]:
        """Return how the ISP's logins were decided, as its staff would read it."""
        return [login.reason or "accept" for login in self.logins if login.request.nas.isp_id == isp_id]


@pytest.fixture
async def tenants(db: Db, insert_tenant: Callable[..., Awaitable[Any]]) -> tuple[Tenant, Tenant]:
    """A and B, each with a router at `ADDRESS`, a plan of the same name and a customer of the same username."""
    made = []
    for name, rate in (("A", "11M"), ("B", "22M")):
        password, secret = f"password of {name}", f"secret of {name}".encode()
        found = await insert_tenant(
            db, name=f"ISP {name}", secret=secret, device_ip=ADDRESS, username=USER, password=password.encode()
        )
        await db.execute("UPDATE control.service_plans SET rate_limit = $2 WHERE isp_id = $1", found.isp_id, rate)
        made.append(Tenant(found.isp_id, found.device_id, found.plan_id, found.customer_id, password, secret))
    return made[0], made[1]


@pytest.fixture
def insert_device(db: Db, keyring: Keyring) -> Callable[..., Awaitable[int]]:
    """A function that registers one more router of an ISP and returns its id."""

    async def insert(isp_id: int, device_ip: str, secret: bytes) -> int:
        device_id = int(await db.fetchval("SELECT nextval('control.devices_id_seq')"))
        sealed = keyring.seal(secret, table="devices", row=device_id, column="radius_secret", isp_id=isp_id)
        await db.execute(
            "INSERT INTO control.devices (id, isp_id, device_name, device_ip, radius_secret)"
            " VALUES ($1, $2, 'Tower', $3, $4)",
            device_id,
            isp_id,
            device_ip,
            sealed,
        )
        return device_id

    return insert


@pytest.fixture
async def server(database: str, keyring: Keyring, tenants: tuple[Tenant, Tenant]) -> AsyncIterator[IspServer]:
    async with IspServer(database, keyring).running() as server:
        yield server


async def insert_customer(db: Db, keyring: Keyring, tenant: Tenant, username: str) -> None:
    customer_id = await db.fetchval("SELECT nextval('control.customers_id_seq')")
    sealed = keyring.seal(b"pw", table="customers", row=customer_id, column="password", isp_id=tenant.isp_id)
    await db.execute(
        "INSERT INTO control.customers (id, isp_id, username, username_key, password, service_plan_id)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        customer_id,
        tenant.isp_id,
        username,
        username_key(username),
        sealed,
        tenant.plan_id,
    )


def without_signature(reply: Packet) -> list[tuple[int, bytes]]:
    return [pair for pair in reply.attributes if pair[0] != 80]


@pytest.mark.parametrize("method", list(Method))
async def test_each_login_is_decided_by_its_own_isp(
    server: IspServer, tenants: tuple[Tenant, Tenant], method: Method
) -> None:
    """Same router address, same username; only the secret says whose the packet is."""
    a, b = tenants
    async with server.nas(a.secret) as nas_a, server.nas(b.secret) as nas_b:
        for nas, own, other, rate in ((nas_a, a, b, "11M"), (nas_b, b, a, "22M")):
            accepted = await nas.login(USER, own.password, method)
            rejected = await nas.login(USER, other.password, method)

            assert accepted.accepted
            assert accepted.get(MIKROTIK_RATE_LIMIT) == rate
            assert not rejected.accepted
            assert server.reasons(own.isp_id) == ["accept", "bad_credentials"]
            assert {login.customer_id for login in server.logins if login.request.nas.isp_id == own.isp_id} == {
                own.customer_id
            }


async def test_a_storm_of_both_is_kept_apart(server: IspServer, tenants: tuple[Tenant, Tenant]) -> None:
    async with AsyncExitStack() as stack:
        nases = [
            (tenant, rate, await stack.enter_async_context(server.nas(tenant.secret)))
            for tenant, rate in zip(tenants, ("11M", "22M"), strict=True)
        ]
        logins = await asyncio.gather(
            *(nas.login(USER, tenant.password, "chap") for _ in range(100) for tenant, _, nas in nases)
        )
    rates = [login.get(MIKROTIK_RATE_LIMIT) for login in logins]
    assert rates == ["11M", "22M"] * 100
    assert all(server.reasons(tenant.isp_id) == ["accept"] * 100 for tenant in tenants)


async def test_sessions_and_octets_with_the_same_ids_and_addresses_are_kept_apart(
    server: IspServer, tenants: tuple[Tenant, Tenant], db: Db
) -> None:
    usage = {tenants[0].isp_id: (5_000_000_000, 70_000_000_000), tenants[1].isp_id: (300, 4)}
    classes: dict[int, UUID] = {}
    async with server.nas(tenants[0].secret) as nas_a, server.nas(tenants[1].secret) as nas_b:
        opened = []
        for nas, tenant in ((nas_a, tenants[0]), (nas_b, tenants[1])):
            login = await nas.login(USER, tenant.password, "mschapv2", mac="00:0C:42:00:00:01")
            assert login.session is not None
            classes[tenant.isp_id] = UUID(bytes=login.get(CLASS) or b"")
            opened.append((login.session, tenant.isp_id))
        assert opened[0][0].line == opened[1][0].line  # the same session id, MAC and address of the customer
        for session, _ in opened:
            await session.start()
        for session, isp_id in opened:
            await session.interim(session_time=300, input_octets=usage[isp_id][0] // 2, output_octets=1)
        for session, isp_id in reversed(opened):
            await session.stop(session_time=600, input_octets=usage[isp_id][0], output_octets=usage[isp_id][1])

    rows = await db.fetch("SELECT * FROM accounting.sessions ORDER BY isp_id")
    assert [(row["isp_id"], row["nas_id"], row["customer_id"], row["id"]) for row in rows] == [
        (tenant.isp_id, tenant.device_id, tenant.customer_id, classes[tenant.isp_id]) for tenant in tenants
    ]
    assert [(row["acct_session_id"], row["username"], row["state"]) for row in rows] == [
        ("81000001", USER, "closed")
    ] * 2
    assert {row["isp_id"]: (row["input_octets"], row["output_octets"]) for row in rows} == usage
    hours = await db.fetch(
        "SELECT isp_id, customer_id, sum(input_octets)::bigint, sum(output_octets)::bigint"
        " FROM accounting.usage_hour GROUP BY isp_id, customer_id ORDER BY isp_id"
    )
    assert [tuple(row) for row in hours] == [
        (tenant.isp_id, tenant.customer_id, *usage[tenant.isp_id]) for tenant in tenants
    ]


async def test_a_router_that_starts_again_ends_its_own_isps_sessions_only(
    server: IspServer, tenants: tuple[Tenant, Tenant], db: Db
) -> None:
    async with server.nas(tenants[0].secret) as nas_a, server.nas(tenants[1].secret) as nas_b:
        for nas, tenant in ((nas_a, tenants[0]), (nas_b, tenants[1])):
            session = (await nas.login(USER, tenant.password)).session
            assert session is not None
            await session.start()
        await nas_a.accounting_on()

    rows = await db.fetch("SELECT isp_id, state FROM accounting.sessions ORDER BY isp_id")
    assert [tuple(row) for row in rows] == [(tenants[0].isp_id, "closed"), (tenants[1].isp_id, "open")]


async def test_an_isps_own_role_sees_its_own_rows_only(
    server: IspServer, tenants: tuple[Tenant, Tenant], isp_db: Db, db: Db
) -> None:
    async with server.nas(tenants[0].secret) as nas_a, server.nas(tenants[1].secret) as nas_b:
        for nas, tenant in ((nas_a, tenants[0]), (nas_b, tenants[1])):
            session = (await nas.login(USER, tenant.password)).session
            assert session is not None
            await session.start()
    await authlog.write(db, [login.row() for login in server.logins])

    for tenant in tenants:
        async with isp_db.transaction():
            await isp_db.execute("SELECT set_config('app.isp_id', $1, true)", str(tenant.isp_id))
            sessions = await isp_db.fetch("SELECT isp_id, customer_id FROM accounting.sessions")
            logins = await isp_db.fetch("SELECT isp_id, customer_id FROM accounting.auth_log")
        assert [tuple(row) for row in sessions] == [(tenant.isp_id, tenant.customer_id)]
        assert [tuple(row) for row in logins] == [(tenant.isp_id, tenant.customer_id)]


@pytest.mark.parametrize("method", ["pap", "mschapv2"])
async def test_a_customer_of_one_is_unknown_on_the_others_router_and_nothing_tells_where_he_belongs(
    server: IspServer, tenants: tuple[Tenant, Tenant], db: Db, keyring: Keyring, method: str
) -> None:
    a, b = tenants
    await insert_customer(db, keyring, a, "alice")
    async with server.nas(a.secret) as nas_a, server.nas(b.secret) as nas_b:
        await server.knows(a.isp_id, username="alice")
        assert (await nas_a.login("alice", "pw", method)).accepted
        server.logins.clear()
        elsewhere = await nas_b.login("alice", "pw", method)
        nobody = await nas_b.login("nobody", "pw", method)

    assert not elsewhere.accepted
    assert server.reasons(b.isp_id) == ["unknown_user", "unknown_user"]
    assert server.reasons(a.isp_id) == []
    assert {login.customer_id for login in server.logins} == {None}
    shapes = [[(kind, len(value)) for kind, value in without_signature(one.packet)] for one in (elsewhere, nobody)]
    assert shapes[0] == shapes[1]
    if method == "pap":
        assert without_signature(elsewhere.packet) == without_signature(nobody.packet)


async def assert_served(server: IspServer, nas: FakeNas, tenant: Tenant) -> None:
    """A router of A's logs in with every method and reports, and only A hears of it."""
    server.logins.clear()
    for method in Method:
        login = await nas.login(USER, tenant.password, method)
        assert login.get(MIKROTIK_RATE_LIMIT) == "11M"
        assert login.session is not None
        await login.session.start()
    assert server.reasons(tenant.isp_id) == ["accept"] * 4
    assert len(server.logins) == 4


@pytest.mark.parametrize("signs", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("claim", [b"guess of B", b"tower of A"], ids=["other secret", "equal secret"])
async def test_registering_a_neighbours_address_neither_mutes_him_nor_tells_anything(
    server: IspServer,
    tenants: tuple[Tenant, Tenant],
    insert_device: Callable[..., Awaitable[int]],
    db: Db,
    signs: bool,
    claim: bytes,
) -> None:
    """A's router was there first. It is served as before, and B cannot even tell whether he guessed its secret."""
    a, b = tenants
    await server.knows(a.isp_id, device_id=await insert_device(a.isp_id, TOWER, b"tower of A"))
    async with server.nas(b"tower of A", TOWER, require_message_auth=signs) as nas:
        await assert_served(server, nas, a)
        claimed = await insert_device(b.isp_id, TOWER, claim)
        await server.knows(b.isp_id, device_id=claimed)
        await assert_served(server, nas, a)

    assert not [key for key in server.engine.auth.counters.device_discards if key[0] == b.isp_id]
    assert not [key for key in server.engine.acct.counters.device_discards if key[0] == b.isp_id]
    await record_proofs(db, server.proofs)
    assert await db.fetchval("SELECT proved_at FROM control.devices WHERE id = $1", claimed) is None
    assert {row["isp_id"] for row in await db.fetch("SELECT isp_id FROM accounting.sessions")} == {a.isp_id}


async def test_who_claims_an_address_first_does_not_mute_its_owner(
    server: IspServer, tenants: tuple[Tenant, Tenant], insert_device: Callable[..., Awaitable[int]]
) -> None:
    """B registers A's router before A does. Signed packets are A's at once, and prove whose the address is."""
    a, b = tenants
    await server.knows(b.isp_id, device_id=await insert_device(b.isp_id, TOWER, b"guess of B"))
    await server.knows(a.isp_id, device_id=await insert_device(a.isp_id, TOWER, b"tower of A"))
    async with server.nas(b"tower of A", TOWER) as nas:
        await assert_served(server, nas, a)
    assert {fact.isp_id for fact in server.proofs} == {a.isp_id}


async def test_an_old_router_at_an_address_that_two_claim_is_served_once_it_has_proved_itself(
    server: IspServer, tenants: tuple[Tenant, Tenant], insert_device: Callable[..., Awaitable[int]]
) -> None:
    """It does not sign its logins, so nothing tells whose they are; its accounting is always signed, and does."""
    a, b = tenants
    await server.knows(b.isp_id, device_id=await insert_device(b.isp_id, TOWER, b"guess of B"))
    await server.knows(a.isp_id, device_id=await insert_device(a.isp_id, TOWER, b"tower of A"))
    async with server.nas(b"tower of A", TOWER, require_message_auth=False, **SILENT) as nas:
        with pytest.raises(NoReply):
            await nas.login(USER, a.password)
        assert server.engine.auth.counters.discards[Discard.AMBIGUOUS_NAS] == 1
        assert server.logins == []
        await nas.accounting_on()
    async with server.nas(b"tower of A", TOWER, require_message_auth=False) as nas:
        await assert_served(server, nas, a)


async def test_a_stranger_and_a_wrong_secret_hear_nothing(server: IspServer, tenants: tuple[Tenant, Tenant]) -> None:
    for secret, source, reason in (
        (tenants[0].secret, "127.0.0.99", Discard.UNKNOWN_NAS),
        (b"nobody's secret", ADDRESS, Discard.BAD_MESSAGE_AUTHENTICATOR),
    ):
        async with server.nas(secret, source, **SILENT) as nas:
            with pytest.raises(NoReply, match=r"s apart$"):
                await nas.login(USER, tenants[0].password)
            with pytest.raises(NoReply, match=r"s apart$"):
                await nas.accounting_on()
        assert server.engine.auth.counters.discards[reason] == 1
    assert server.engine.acct.counters.discards == {Discard.UNKNOWN_NAS: 1, Discard.BAD_AUTHENTICATOR: 1}
    assert server.logins == []


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
