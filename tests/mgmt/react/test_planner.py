"""The planner beside a real change log: what changed, what was missed, what was changed back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mgmt.react import planner as module
from mgmt.react.planner import Planner
from mgmt.store import reactions
from mgmt.store.reactions import Kind, Room, State, Tried
from radiuscore.aaa.dynauth import ReactionResult
from radiuscore.aaa.names import username_key
from radiuscore.store.pool import SYSTEM_ROLE, Pool, connect
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import encode_attributes
from tests.end_to_end.conftest import until
from tests.mgmt.react.conftest import NODE

if TYPE_CHECKING:
    from radiuscore.store.sealing import Keyring
    from tests.conftest import Db, Tenant

    Begin = Callable[..., Awaitable[UUID]]
    Plan = Callable[..., Any]

pytestmark = pytest.mark.postgres

SILENT = Tried(Kind.COA, ReactionResult.NO_ANSWER)


def rate(text: str) -> bytes:
    return encode_attributes([MIKROTIK_RATE_LIMIT(text)])


AS_SOLD = rate("10M/50M")  # the plan of `insert_tenant`


@pytest.fixture
def planning(database: str, pool: Pool, keyring: Keyring) -> Plan:
    """A function that runs a planner while a block lasts; plans there have no interim interval of their own."""

    @asynccontextmanager
    async def planning(**options: Any) -> AsyncIterator[Planner]:
        planner = Planner(pool, pool, partial(connect, database, role=SYSTEM_ROLE), keyring, **options)
        task = asyncio.create_task(planner.run())
        await asyncio.wait_for(planner.loaded.wait(), 10)
        yield planner
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return planning


@pytest.fixture
async def two(db: Db, tenants: tuple[Tenant, Tenant]) -> tuple[Tenant, Tenant]:
    await db.execute("UPDATE control.service_plans SET interim_interval_s = NULL")
    return tenants


async def wishes(db: Db, tenant: Tenant) -> list[Any]:
    rows: list[Any] = await db.fetch("SELECT * FROM control.reactions WHERE isp_id = $1 ORDER BY id", tenant.isp_id)
    return rows


async def wished(db: Db, tenant: Tenant, *due: bytes) -> list[Any]:
    """Wait until these are wished, the first first, for an ISP's sessions."""
    rows: list[Any] = await until(partial(wishes, db, tenant), lambda rows: [row["due"] for row in rows] == list(due))
    return rows


async def granted(db: Db, session: UUID) -> bytes | None:
    octets: bytes | None = await db.fetchval("SELECT granted FROM accounting.sessions WHERE id = $1", session)
    return octets


async def sell(db: Db, tenant: Tenant, download_bps: int) -> None:
    await db.execute(
        "UPDATE control.service_plans SET download_bps = $2 WHERE isp_id = $1", tenant.isp_id, download_bps
    )


async def test_a_change_concerns_the_sessions_of_its_isp_and_is_planned_once(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    one, other = two
    session = await begin(one, AS_SOLD)
    await begin(other, AS_SOLD)
    async with planning():
        await sell(db, one, 20_000_000)
        [row] = await wished(db, one, rate("10M/20M"))
        assert (row["session_id"], row["node"], row["kind"], row["customer_id"]) == (
            session, NODE, "coa", one.customer_id,
        )  # fmt: skip
        await db.execute("UPDATE control.service_plans SET idle_timeout_s = NULL WHERE isp_id = $1", one.isp_id)
        await sell(db, other, 30_000_000)
        await wished(db, other, rate("10M/30M"))
        assert [row["attempts"] for row in await wishes(db, one)] == [0]


async def test_what_happened_while_nobody_led_is_found(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    one, other = two
    await begin(one, AS_SOLD)
    await begin(other, AS_SOLD)
    await db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", one.customer_id)
    for _ in range(2):  # and a leader after the next finds that it is wished already
        async with planning():
            [row] = await wished(db, one, b"")
            assert (row["cause"], row["kind"]) == ("suspended", "disconnect")
    assert await wishes(db, other) == []


async def test_all_sessions_are_looked_at_page_by_page(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    for number in range(8):
        for tenant in two:
            await begin(tenant, rate("1M/1M"), acct_session_id=f"8100000{number}")
    async with planning():
        for tenant in two:
            await wished(db, tenant, *([AS_SOLD] * 8))


async def test_a_session_of_which_nothing_is_known_is_taken_to_have_what_is_due(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    session, stranger = await begin(two[0]), await begin(two[1], customer_id=None, username_key="nobody")
    async with planning():
        await until(partial(granted, db, session), lambda octets: octets == AS_SOLD)
        await sell(db, two[0], 20_000_000)
        await wished(db, two[0], rate("10M/20M"))
    assert await granted(db, stranger) is None
    assert await wishes(db, two[1]) == []


async def test_what_is_changed_back_before_it_was_sent_is_not_sent(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    await begin(two[0], AS_SOLD)
    async with planning():
        await sell(db, two[0], 20_000_000)
        await wished(db, two[0], rate("10M/20M"))
        await sell(db, two[0], 50_000_000)
        await wished(db, two[0], AS_SOLD)  # the sender finds that it has that
        [taken] = await reactions.take(db, NODE, Room(1, 1, {}))
        await sell(db, two[0], 20_000_000)  # while the other is being sent
        await wished(db, two[0], AS_SOLD, rate("10M/20M"))
        assert taken.due == AS_SOLD


async def test_a_customer_who_is_deleted_is_ended_and_one_who_is_renamed_is_not(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    one, other = two
    await begin(one, AS_SOLD)
    await begin(other, AS_SOLD)
    async with planning():
        name = f"{uuid4()}"
        await db.execute(
            "UPDATE control.customers SET username = $2, username_key = $3 WHERE id = $1",
            one.customer_id,
            name,
            username_key(name),
        )
        await db.execute("DELETE FROM control.customers WHERE id = $1", other.customer_id)
        [row] = await wished(db, other, b"")
        assert (row["cause"], row["kind"]) == ("unknown_user", "disconnect")
        await sell(db, one, 20_000_000)
        [row] = await wished(db, one, rate("10M/20M"))
        assert row["kind"] == "coa"


async def test_an_isp_that_is_suspended_has_all_its_sessions_ended(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    for number in range(3):
        for tenant in two:
            await begin(tenant, AS_SOLD, acct_session_id=f"8100000{number}")
    async with planning():
        await db.execute("UPDATE control.isps SET status = 'suspended' WHERE id = $1", two[0].isp_id)
        rows = await wished(db, two[0], b"", b"", b"")
        assert {row["cause"] for row in rows} == {"isp_suspended"}
    assert await wishes(db, two[1]) == []


async def test_a_look_leaves_alone_what_failed_a_moment_ago_and_a_change_does_not(
    db: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    one, other = two
    for tenant in two:
        await begin(tenant, AS_SOLD)
        await sell(db, tenant, 20_000_000)
    async with planning():
        for tenant in two:
            await wished(db, tenant, rate("10M/20M"))
        for taken in await reactions.take(db, NODE, Room(9, 9, {})):
            await reactions.finish(db, taken, State.FAILED, SILENT)
    async with planning():  # looks at everything, and then sees a change of one
        await db.execute("UPDATE control.customers SET status = status WHERE id = $1", one.customer_id)
        await wished(db, one, rate("10M/20M"), rate("10M/20M"))
    assert len(await wishes(db, other)) == 1


async def test_a_planner_goes_on_after_its_database_was_away(
    db: Db, admin: Db, two: tuple[Tenant, Tenant], begin: Begin, planning: Plan
) -> None:
    await begin(two[0], AS_SOLD)
    async with planning():
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> ALL ($2::int[])",
            await db.fetchval("SELECT current_database()"),
            [db.get_server_pid()],
        )
        await sell(db, two[0], 20_000_000)
        await wished(db, two[0], rate("10M/20M"))
