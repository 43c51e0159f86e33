"""What staff ask to be done: queued for the right node, within one ISP, refused where it cannot work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from mgmt.react.requests import request_coa, request_disconnect, request_disconnects, wait_for
from mgmt.services import Pools
from mgmt.store import reactions
from mgmt.store.reactions import Kind, Room, State, Tried
from radiuscore.aaa.dynauth import CannotIdentify, ReactionResult
from radiuscore.store.endings import end_disconnected
from radiuscore.store.pool import Pool
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import FRAMED_POOL
from tests.mgmt.react.conftest import NODE

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

    Begin = Callable[..., Awaitable[UUID]]

pytestmark = pytest.mark.postgres

FASTER = [MIKROTIK_RATE_LIMIT("50M/50M")]


@pytest.fixture
def pools(pool: Pool, isp_pool: Pool) -> Pools:
    return Pools(isp_pool, pool)


async def test_a_disconnect_is_queued_for_the_sessions_node_and_waited_for(
    system_db: Db, tenants: tuple[Tenant, Tenant], begin: Begin, pools: Pools
) -> None:
    one, two = tenants
    session = await begin(one)
    reaction = await request_disconnect(pools, pools, one.isp_id, session, requested_by=7, cause="manual")
    assert reaction is not None
    [waiting] = await wait_for(pools, one.isp_id, [reaction], within_s=0)
    assert (waiting.state, waiting.node, waiting.requested_by, waiting.cause) == (State.QUEUED, NODE, 7, "manual")

    asking = asyncio.create_task(wait_for(pools, one.isp_id, [reaction]))
    [taken] = await reactions.take(system_db, NODE, Room(9, 9, {}))
    assert (taken.kind, taken.due, taken.customer_id) == (Kind.DISCONNECT, None, one.customer_id)
    await reactions.finish(system_db, taken, State.DONE, Tried(Kind.DISCONNECT, ReactionResult.DISCONNECTED))
    [done] = await asyncio.wait_for(asking, 5)
    assert (done.state, done.result) == (State.DONE, ReactionResult.DISCONNECTED)
    assert await wait_for(pools, two.isp_id, [reaction]) == []


async def test_another_isps_session_and_one_that_is_over_are_not_found(
    system_db: Db, tenants: tuple[Tenant, Tenant], begin: Begin, pools: Pools
) -> None:
    one, two = tenants
    session = await begin(one)
    assert await request_disconnect(pools, pools, two.isp_id, session, requested_by=None, cause="manual") is None
    assert await request_coa(pools, pools, two.isp_id, session, FASTER, requested_by=None, cause="manual") is None
    await end_disconnected(system_db, one.isp_id, one.device_id, "81000001", session)
    assert await request_disconnect(pools, pools, one.isp_id, session, requested_by=None, cause="manual") is None
    assert await system_db.fetchval("SELECT count(*) FROM control.reactions") == 0


async def test_a_customer_is_disconnected_everywhere_in_his_isp(
    system_db: Db, tenants: tuple[Tenant, Tenant], begin: Begin, pools: Pools
) -> None:
    one, two = tenants
    sessions = [await begin(one, acct_session_id=f"8100000{number}") for number in range(3)]
    await begin(two)
    ids = await request_disconnects(pools, pools, one.isp_id, one.customer_id, requested_by=None, cause="manual")
    taken = await reactions.take(system_db, NODE, Room(9, 9, {}))
    assert {one_.id for one_ in taken} == set(ids)
    assert {one_.session_id for one_ in taken} == set(sessions)
    assert await request_disconnects(pools, pools, two.isp_id, one.customer_id, requested_by=None, cause="manual") == []


async def test_a_change_carries_its_attributes_and_what_cannot_be_changed_is_named(
    system_db: Db, tenants: tuple[Tenant, Tenant], begin: Begin, pools: Pools
) -> None:
    one = tenants[0]
    session = await begin(one)
    with pytest.raises(ValueError, match="Framed-Pool cannot be changed"):
        await request_coa(pools, pools, one.isp_id, session, [FRAMED_POOL("x")], requested_by=None, cause="manual")
    assert await request_coa(pools, pools, one.isp_id, session, FASTER, requested_by=None, cause="manual")
    [taken] = await reactions.take(system_db, NODE, Room(9, 9, {}))
    assert (taken.kind, taken.attributes) == (Kind.COA, encode_attributes(FASTER))
    hotspot = await begin(one, acct_session_id="80000001")
    with pytest.raises(CannotIdentify, match="known by its address"):
        await request_coa(pools, pools, one.isp_id, hotspot, FASTER, requested_by=None, cause="manual")
