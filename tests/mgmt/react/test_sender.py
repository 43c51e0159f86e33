"""A node's sender between the queue and routers: what is sent to whom, what is written, and what is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from mgmt.react.metrics import SenderCollector
from mgmt.react.sender import Sender
from mgmt.store import reactions
from mgmt.store.reactions import Kind, Request, Wish
from mikrotik import AddressGuard
from radiuscore.store.pool import SYSTEM_ROLE, Pool, connect
from radiuscore.testing import Ack, Answer, DynAuthRequest, FakeNas, Nak
from radiuscore.wire.codes import ErrorCause
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import ACCT_SESSION_ID
from tests.end_to_end.conftest import until
from tests.mgmt.react.conftest import NODE
from tests.mgmt.react.test_store import pass_time

if TYPE_CHECKING:
    from radiuscore.store.sealing import Keyring
    from tests.conftest import Db, Tenant

    Begin = Callable[..., Awaitable[UUID]]
    Insert = Callable[..., Awaitable[Tenant]]
    Run = Callable[..., Awaitable[Sender]]

pytestmark = pytest.mark.postgres

ROUTER, HERE = "127.0.0.7", "127.0.0.1"
LOOPBACK = (ip_network("127.0.0.0/8"),)
SLOW, FAST = (encode_attributes([MIKROTIK_RATE_LIMIT(rate)]) for rate in ("10M/10M", "50M/50M"))


class Site:
    """A tenant's router that takes CoA, and the queue of what it is asked."""

    def __init__(self, tenant: Tenant, nas: FakeNas, asked: list[DynAuthRequest], db: Db, begin: Begin) -> None:
        self.tenant = tenant
        self.nas = nas
        self.asked = asked
        self.db = db
        self._begin = begin

    async def session(self, granted: bytes | None = SLOW, number: int = 1, **others: Any) -> UUID:
        fields = {"local_address": HERE, "nas_address": ROUTER, "acct_session_id": f"81{number:06x}"} | others
        return await self._begin(self.tenant, granted, **fields)

    async def wish(self, session: UUID, due: bytes = FAST, number: int = 1) -> None:
        one = Wish(
            self.tenant.isp_id, self.tenant.device_id, self.tenant.customer_id, session, f"81{number:06x}", NODE,
            Kind.COA, "service_changed", None, due,
        )  # fmt: skip
        await reactions.wish(self.db, [one], patient=False)

    async def ask(self, session: UUID, kind: Kind, attributes: bytes = b"") -> None:
        one = Request(
            self.tenant.isp_id, self.tenant.device_id, self.tenant.customer_id, session, "81000001", NODE, kind,
            "manual", attributes, None,
        )  # fmt: skip
        await reactions.ask(self.db, one)

    async def tried(self, count: int = 1, attempts: int = 1) -> list[Any]:
        """Wait until so many reactions have been tried so often and none is being sent; return them."""
        rows: list[Any] = await until(
            partial(self.db.fetch, "SELECT * FROM control.reactions WHERE isp_id = $1 ORDER BY id", self.tenant.isp_id),
            lambda rows: (
                [row["attempts"] for row in rows] == [attempts] * count
                and not any(row["state"] == "sent" for row in rows)
            ),
        )
        return rows

    async def stored(self) -> Any:
        return await self.db.fetchrow("SELECT * FROM accounting.sessions WHERE isp_id = $1", self.tenant.isp_id)


@pytest.fixture
async def run(database: str, pool: Pool, keyring: Keyring) -> AsyncIterator[Run]:
    """A function that runs a sender until the test ends."""
    running: list[asyncio.Task[None]] = []

    async def run(guard: AddressGuard | None = None, waits_s: tuple[float, ...] = (0.2,)) -> Sender:
        listener = partial(connect, database, role=SYSTEM_ROLE)
        sender = Sender(NODE, pool, pool, listener, keyring, guard or AddressGuard(LOOPBACK), waits_s=waits_s)
        running.append(asyncio.create_task(sender.run()))
        return sender

    yield run
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def open_site(
    tenant: Tenant, db: Db, begin: Begin, answer: Callable[[DynAuthRequest], Answer] = lambda _: Ack()
) -> AsyncIterator[Site]:
    asked: list[DynAuthRequest] = []

    def note(request: DynAuthRequest) -> Answer:
        asked.append(request)
        return answer(request)

    async with FakeNas(tenant.secret, source=ROUTER, on_dynauth=note) as nas:
        await db.execute("UPDATE control.devices SET coa_port = $2 WHERE id = $1", tenant.device_id, nas.coa_address[1])
        yield Site(tenant, nas, asked, db, begin)


@pytest.fixture
async def tenant(db: Db, insert_tenant: Insert) -> Tenant:
    return await insert_tenant(db, device_ip=ROUTER)


@pytest.fixture
async def site(tenant: Tenant, db: Db, begin: Begin) -> AsyncIterator[Site]:
    async with open_site(tenant, db, begin) as site:
        yield site


async def test_what_waits_is_sent_at_once_and_what_comes_of_it_is_written(site: Site, run: Run) -> None:
    session = await site.session()
    await site.wish(session)
    sender = await run()
    request = await asyncio.wait_for(site.nas.next_dynauth(), 10)
    assert (request.source[0], MIKROTIK_RATE_LIMIT.first(request.packet)) == (HERE, "50M/50M")
    [row] = await site.tried()
    assert (row["state"], row["result"], row["kind"], row["detail"]) == ("done", "applied", "coa", None)
    assert (await site.stored())["granted"] == FAST

    await site.wish(session, b"")
    assert (await asyncio.wait_for(site.nas.next_dynauth(), 10)).is_disconnect
    [_, row] = await site.tried(2)
    assert (row["state"], row["result"], row["kind"]) == ("done", "disconnected", "disconnect")
    stored = await site.stored()
    assert (stored["state"], stored["closed_by"], stored["stopped_at"]) == (
        "closed", "disconnect", stored["updated_at"],
    )  # fmt: skip
    registry = CollectorRegistry()
    registry.register(SenderCollector(sender))
    text = generate_latest(registry).decode()
    assert 'radius_reactions_total{kind="coa",result="applied"} 1.0' in text
    assert 'radius_reactions_total{kind="disconnect",result="disconnected"} 1.0' in text
    assert 'radius_dynauth_requests_total{type="coa_request"} 1.0' in text


async def test_a_reaction_that_is_fulfilled_already_is_not_sent_again(site: Site, run: Run) -> None:
    """As after a sender that died between the router's answer and the end of its writing."""
    await site.wish(await site.session(granted=FAST))
    [taken] = await reactions.take(site.db, NODE, reactions.Room(1, 1, {}))
    assert taken.attempts == 1
    await pass_time(site.db, reactions.LEASE_S + 1)
    await run()
    [row] = await site.tried(attempts=2)
    assert (row["state"], row["result"]) == ("done", "applied")
    assert site.asked == []


async def test_a_silent_router_is_tried_again_later_and_then_given_up(
    tenant: Tenant, db: Db, begin: Begin, run: Run
) -> None:
    async with open_site(tenant, db, begin, lambda _: None) as site:
        await site.wish(await site.session())
        await run(waits_s=(0.01, 0.01))
        for attempt in (1, 2, 3, 4):
            [row] = await site.tried(attempts=attempt)
            assert row["result"] == "no_answer"
            assert row["state"] == ("queued" if attempt < 4 else "failed")
            await db.execute("UPDATE control.reactions SET not_before = now()")
        assert "did not answer" in row["detail"]
        stored = await site.stored()
        assert (stored["state"], stored["granted"]) == ("open", SLOW)
        assert len(site.asked) == 8  # each try is two datagrams
        assert len({request.packet for request in site.asked}) == 4


async def test_a_refused_change_ends_the_session_only_if_the_server_wanted_it(
    tenant: Tenant, db: Db, begin: Begin, run: Run
) -> None:
    async with open_site(
        tenant, db, begin, lambda asked: Ack() if asked.is_disconnect else Nak(ErrorCause.UNSUPPORTED_ATTRIBUTE)
    ) as site:
        session = await site.session()
        await run()
        await site.ask(session, Kind.COA, FAST)
        [row] = await site.tried()
        assert (row["state"], row["result"], row["error_cause"], row["kind"]) == ("failed", "refused", 401, "coa")
        assert (await site.stored())["state"] == "open"

        await site.wish(session)
        [_, row] = await site.tried(2)
        assert (row["state"], row["result"], row["error_cause"]) == ("done", "disconnected", 401)
        assert (await site.stored())["state"] == "closed"


async def test_a_change_by_hand_is_the_sessions_own_and_no_grant(site: Site, run: Run) -> None:
    session = await site.session()
    await run()
    await site.ask(session, Kind.COA, FAST)
    [row] = await site.tried()
    assert (row["state"], row["result"]) == ("done", "applied")
    assert (await site.stored())["granted"] == SLOW


@pytest.mark.parametrize(
    ("allowed", "others", "told"),
    [
        ("10.0.0.0/8", {}, "is not the address of device"),  # outside of what the installation sends to
        ("127.0.0.0/8", {"nas_address": "127.0.0.8"}, "is not the address of device"),  # not the device's
        ("127.0.0.0/8", {"nas_address": None}, "nobody knows"),
        ("127.0.0.0/8", {"local_address": "203.0.113.1"}, "cannot send from 203.0.113.1"),
        ("127.0.0.0/8", {"acct_session_id": "80000001"}, "known by its address"),  # hotspot
    ],
)
async def test_where_nothing_may_or_can_be_sent_it_says_why(
    site: Site, run: Run, allowed: str, others: dict[str, Any], told: str
) -> None:
    session = await site.session(**others)
    one = Request(
        site.tenant.isp_id, site.tenant.device_id, None, session, others.get("acct_session_id", "81000001"), NODE,
        Kind.DISCONNECT, "manual", b"", None,
    )  # fmt: skip
    await reactions.ask(site.db, one)
    await run(AddressGuard((ip_network(allowed),)))
    [row] = await site.tried()
    assert (row["state"], row["result"]) == ("failed", None)
    assert told in row["detail"]
    assert site.asked == []


async def test_a_device_of_another_isp_at_the_same_address_hears_nothing(
    db: Db, begin: Begin, insert_tenant: Insert, run: Run
) -> None:
    one = await insert_tenant(db, device_ip=ROUTER, secret=b"secret of A")
    two = await insert_tenant(db, device_ip=ROUTER, secret=b"secret of B")
    async with open_site(one, db, begin) as here, open_site(two, db, begin) as there:
        session = await here.session()
        await there.session()
        await run()
        await here.wish(session)
        await here.tried()
        assert (len(here.asked), there.asked) == (1, [])
        assert there.nas.ignored == []
        assert [(await site.stored())["granted"] for site in (here, there)] == [FAST, SLOW]


async def test_while_a_secret_is_changed_the_router_is_asked_with_the_other_one_next(
    tenant: Tenant, db: Db, begin: Begin, run: Run, keyring: Keyring
) -> None:
    async with open_site(tenant, db, begin) as site:
        seal = partial(keyring.seal, table="devices", row=tenant.device_id, isp_id=tenant.isp_id)
        await db.execute(
            "UPDATE control.devices SET radius_secret = $2, outgoing_radius_secret = $3 WHERE id = $1",
            tenant.device_id,
            seal(b"the new one", column="radius_secret"),
            seal(tenant.secret, column="outgoing_radius_secret"),
        )
        await site.wish(await site.session())
        await run(waits_s=(0.1,))
        await site.tried()
        assert site.nas.ignored
        await db.execute("UPDATE control.reactions SET not_before = now()")
        [row] = await site.tried(attempts=2)
        assert (row["state"], row["result"], row["detail"]) == ("done", "applied", None)


async def test_a_silent_router_does_not_hold_up_the_others(
    db: Db, begin: Begin, insert_tenant: Insert, run: Run
) -> None:
    one = await insert_tenant(db, device_ip=ROUTER, secret=b"secret of A")
    two = await insert_tenant(db, device_ip=ROUTER, secret=b"secret of B")
    async with open_site(one, db, begin, lambda _: None) as silent, open_site(two, db, begin) as other:
        for number in range(1, 41):
            await silent.wish(await silent.session(number=number), number=number)
        last = await other.session()
        await other.wish(last)
        await run(waits_s=(30.0,))
        [row] = await other.tried()
        assert row["result"] == "applied"
        asked = [await asyncio.wait_for(silent.nas.next_dynauth(), 10) for _ in range(16)]
        assert len({ACCT_SESSION_ID.first(request.packet) for request in asked}) == 16
        states = await db.fetch(
            "SELECT state, count(*) FROM control.reactions WHERE isp_id = $1 GROUP BY state ORDER BY state", one.isp_id
        )
        assert [tuple(row) for row in states] == [("queued", 24), ("sent", 16)]
