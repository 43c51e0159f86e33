"""Pools as the management process has them, and sessions as workers record them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from radiuscore.aaa.names import username_key
from radiuscore.store.pool import ISP_ROLE, SYSTEM_ROLE, Pool, open_pool
from radiuscore.store.sessions import record
from tests.store.reporting import start

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

NODE = "node1"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool of the role that jobs have."""
    pool = await open_pool(database, role=SYSTEM_ROLE)
    yield pool
    await pool.close()


@pytest.fixture
async def isp_pool(database: str) -> AsyncIterator[Pool]:
    """A pool of the role that one ISP's requests have."""
    pool = await open_pool(database, role=ISP_ROLE)
    yield pool
    await pool.close()


@pytest.fixture
def begin(system_db: Db) -> Callable[..., Awaitable[UUID]]:
    """A function that records the Start of a tenant's customer and returns the session's id."""

    async def begin(tenant: Tenant, granted: bytes | None = None, **others: Any) -> UUID:
        session_id = uuid4()
        fields: dict[str, Any] = {
            "isp_id": tenant.isp_id,
            "nas_id": tenant.device_id,
            "customer_id": tenant.customer_id,
            "username": tenant.username,
            "username_key": username_key(tenant.username),
            "session_uuid": session_id.bytes,
            "granted": granted,
            "nas_address": tenant.device_ip,
        } | others
        await record(system_db, [start(0, **fields)], node=NODE)
        return session_id

    return begin
