"""A change in the database reaches customers who are online: a real server, real sockets, and a router that answers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from radiuscore.testing import Answer, DynAuthRequest, FakeNas, FakeSession, Nak, answer_as_routeros
from radiuscore.wire.codes import ErrorCause
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from tests.end_to_end.conftest import Server, until

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

    Insert = Callable[..., Awaitable[Tenant]]
    Start = Callable[..., Awaitable[Server]]

pytestmark = pytest.mark.postgres

ROUTER = "127.0.0.7"
MANAGEMENT = "mgmt.management"


class Site:
    """An ISP with a router whose customers go online."""

    def __init__(self, tenant: Tenant, nas: FakeNas, db: Db) -> None:
        self.tenant = tenant
        self.nas = nas
        self.db = db

    async def online(self) -> FakeSession:
        """Log the customer in and have his session begun."""
        login = await until(
            lambda: self.nas.login(self.tenant.username, self.tenant.password.decode()), lambda login: login.accepted
        )
        await login.session.start()
        session: FakeSession = login.session
        return session

    async def heard(self, within_s: float = 10.0) -> DynAuthRequest:
        """Wait for what the router is asked next."""
        return await asyncio.wait_for(self.nas.next_dynauth(), within_s)

    async def change_plan(self, **values: Any) -> None:
        (column, value), *_ = values.items()
        await self.db.execute(
            f"UPDATE control.service_plans SET {column} = $2 WHERE isp_id = $1",  # noqa: S608
            self.tenant.isp_id,
            value,
        )

    async def reactions(self) -> list[Any]:
        rows: list[Any] = await self.db.fetch(
            "SELECT * FROM control.reactions WHERE isp_id = $1 ORDER BY id", self.tenant.isp_id
        )
        return rows

    async def settled(self, *results: str | None) -> list[Any]:
        """Wait until the reactions so far have these results, the first first, and nothing is being sent."""
        rows: list[Any] = await until(
            self.reactions,
            lambda rows: (
                [row["result"] for row in rows] == list(results) and all(row["state"] != "sent" for row in rows)
            ),
        )
        return rows

    async def session(self) -> Any:
        """Return the row of the session that began last."""
        return await self.db.fetchrow(
            "SELECT * FROM accounting.sessions WHERE isp_id = $1 ORDER BY acct_session_id DESC LIMIT 1",
            self.tenant.isp_id,
        )


@asynccontextmanager
async def open_site(
    db: Db, server: Server, tenant: Tenant, answer: Callable[[DynAuthRequest], Answer] = answer_as_routeros
) -> AsyncIterator[Site]:
    auth, acct = ("127.0.0.1", server.auth_port), ("127.0.0.1", server.acct_port)
    async with FakeNas(tenant.secret, auth=auth, acct=acct, source=tenant.device_ip, on_dynauth=answer) as nas:
        await db.execute("UPDATE control.devices SET coa_port = $2 WHERE id = $1", tenant.device_id, nas.coa_address[1])
        yield Site(tenant, nas, db)


@pytest.fixture
async def server(start_server: Start) -> Server:
    return await start_server(OUTBOUND_ALLOW="127.0.0.0/8")


@pytest.fixture
async def site(db: Db, insert_tenant: Insert, server: Server) -> AsyncIterator[Site]:
    tenant = await insert_tenant(db, device_ip=ROUTER)
    async with open_site(db, server, tenant) as site:
        await site.change_plan(download_bps=10_000_000)
        yield site


async def test_a_new_speed_arrives_while_the_session_stays_and_a_new_pool_ends_it(site: Site, server: Server) -> None:
    session = await site.online()
    began = monotonic()

    await site.change_plan(download_bps=50_000_000)

    request = await site.heard()
    took = monotonic() - began
    assert not request.is_disconnect
    assert request.session is session
    assert MIKROTIK_RATE_LIMIT.first(request.packet) == "10M/50M"
    assert request.source[0] == "127.0.0.1"  # the address that the router reports to
    [row] = await site.settled("applied")
    assert (row["state"], row["kind"], row["attempts"], row["acct_session_id"]) == (
        "done", "coa", 1, session.acct_session_id,
    )  # fmt: skip
    assert session.online
    assert took < 2, took
    stored = await site.session()
    assert stored["granted"] == row["due"]
    assert str(stored["nas_address"]) == ROUTER

    await site.change_plan(framed_pool="elsewhere")

    assert (await site.heard()).is_disconnect
    await session.hung_up()
    await session.stop()
    rows = await site.settled("applied", "disconnected")
    assert rows[1]["why"] == "Framed-Pool cannot be changed while the session is up."
    assert (await site.session())["closed_by"] == "stop"
    assert await server.metric("radius_reactions_total") == 2
    assert await server.metric("radius_dynauth_requests_total") == 2


async def test_who_may_not_be_online_any_more_is_disconnected_and_who_returns_is_left_alone(site: Site) -> None:
    session = await site.online()
    await site.db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", site.tenant.customer_id)
    assert (await site.heard()).is_disconnect
    [row] = await site.settled("disconnected")
    assert (row["cause"], row["due"], row["customer_id"]) == ("suspended", b"", site.tenant.customer_id)
    assert not session.online
    closed = await site.session()
    assert (closed["state"], closed["closed_by"]) == ("closed", "disconnect")  # its Stop never came

    await site.db.execute("UPDATE control.customers SET status = 'active' WHERE id = $1", site.tenant.customer_id)
    again = await site.online()
    await site.change_plan(download_bps=50_000_000)
    request = await site.heard()
    assert (request.is_disconnect, request.session) == (False, again)
    await site.settled("disconnected", "applied")


async def test_what_routers_answer_is_told_and_what_follows_is_done(
    db: Db, insert_tenant: Insert, server: Server
) -> None:
    async with AsyncExitStack() as stack:

        async def at(address: str, answer: Callable[[DynAuthRequest], Answer]) -> Site:
            tenant = await insert_tenant(db, device_ip=address)
            return await stack.enter_async_context(open_site(db, server, tenant, answer))

        silent = await at("127.0.0.11", lambda _: None)
        forgetful = await at("127.0.0.12", lambda _: Nak(ErrorCause.SESSION_CONTEXT_NOT_FOUND))
        stubborn = await at("127.0.0.13", _refuses_changes)
        sites = silent, forgetful, stubborn
        sessions = [await site.online() for site in sites]
        await db.execute("UPDATE control.service_plans SET download_bps = 7000000")

        [row] = await forgetful.settled("already_gone")
        assert (row["state"], row["error_cause"]) == ("done", 503)
        stored = await forgetful.session()
        assert (stored["state"], stored["closed_by"]) == ("closed", "disconnect")

        [row] = await stubborn.settled("disconnected")
        assert (row["state"], row["kind"], row["error_cause"]) == ("done", "disconnect", 401)
        assert "does not take one of the attributes" in row["detail"]
        assert not sessions[2].online

        [row] = await until(silent.reactions, lambda rows: bool(rows) and rows[0]["result"] is not None, 20)
        assert (row["result"], row["state"], row["attempts"]) == ("no_answer", "queued", 1)
        assert "did not answer" in row["detail"]
        assert (await silent.session())["state"] == "open"


def _refuses_changes(request: DynAuthRequest) -> Answer:
    return answer_as_routeros(request) if request.is_disconnect else Nak(ErrorCause.UNSUPPORTED_ATTRIBUTE)


async def test_of_two_isps_that_look_alike_only_the_right_one_hears(
    db: Db, insert_tenant: Insert, server: Server
) -> None:
    """The same usernames, session ids and router address; nothing but the secret and the port for CoA differ."""
    one = await insert_tenant(db, device_ip=ROUTER, secret=b"secret-one")
    two = await insert_tenant(db, device_ip=ROUTER, secret=b"secret-two")
    async with open_site(db, server, one) as here, open_site(db, server, two) as there:
        ours, theirs = await here.online(), await there.online()
        while (
            ours.acct_session_id != theirs.acct_session_id
        ):  # one needed more tries before the worker had heard of him
            if ours.acct_session_id < theirs.acct_session_id:
                await ours.stop()
                ours = await here.online()
            else:
                await theirs.stop()
                theirs = await there.online()
        assert ours.username == theirs.username
        assert ours.framed_ip_address == theirs.framed_ip_address

        await here.change_plan(download_bps=1_000_000)
        assert (await here.heard()).session is ours
        await here.settled("applied")
        await db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", one.customer_id)
        assert (await here.heard()).is_disconnect
        await here.settled("applied", "disconnected")

        assert theirs.online
        assert theirs.changes == []
        assert there.nas.ignored == []
        assert await there.reactions() == []
        await there.change_plan(download_bps=2_000_000)
        assert (await there.heard()).session is theirs


async def test_a_leader_that_dies_is_caught_up_with_and_nothing_is_sent_twice(site: Site, server: Server) -> None:
    session = await site.online()
    await site.change_plan(download_bps=50_000_000)
    await site.heard()
    await site.settled("applied")
    [leader] = await server.children(MANAGEMENT)
    os.kill(leader, signal.SIGSTOP)  # so that it does not see what comes
    await site.change_plan(download_bps=60_000_000)
    os.kill(leader, signal.SIGKILL)

    request = await site.heard(30)

    assert MIKROTIK_RATE_LIMIT.first(request.packet) == "10M/60M"
    rows = await site.settled("applied", "applied")
    [successor] = await server.children(MANAGEMENT)
    assert successor != leader
    os.kill(successor, signal.SIGKILL)
    await until(lambda: server.children(MANAGEMENT), lambda found: found not in ([], [successor]), 30)
    # The next leader looks at everything first, so this change is planned after it would have sent something again.
    await site.db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", site.tenant.customer_id)
    assert (await site.heard(30)).is_disconnect
    assert [row["id"] for row in await site.settled("applied", "applied", "disconnected")][:2] == [
        row["id"] for row in rows
    ]
    assert len(session.changes) == 2


async def test_an_interim_over_the_quota_throttles_and_a_top_up_lets_out_again(site: Site) -> None:
    session = await site.online()
    await site.change_plan(data_quota_octets=5_000_000_000)
    await site.change_plan(throttle_download_bps=1_000_000)
    await site.change_plan(throttle_upload_bps=1_000_000)
    await session.interim(output_octets=4_900_000_000, session_time=60)
    await session.interim(output_octets=5_100_000_000, session_time=120)

    request = await site.heard(20)
    assert MIKROTIK_RATE_LIMIT.first(request.packet) == "1M/1M"
    await site.settled("applied")
    assert session.online
    again = await site.nas.login(site.tenant.username, site.tenant.password.decode())
    assert again.get(MIKROTIK_RATE_LIMIT) == "1M/1M"

    await site.db.execute(
        "INSERT INTO control.quota_topups (isp_id, customer_id, octets) VALUES ($1, $2, 1000000000)",
        site.tenant.isp_id,
        site.tenant.customer_id,
    )
    assert MIKROTIK_RATE_LIMIT.first((await site.heard(20)).packet) == "10M/10M"
    await site.settled("applied", "applied")
