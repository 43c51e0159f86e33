"""What the API's handlers work with: pools by role, keys, limits. Made once per process, by `mgmt.management`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from aiohttp import web

from mgmt.apiconfig import ApiConfig, RadiusPlace
from mgmt.auth.hashing import PasswordDesk
from mgmt.auth.tokens import TokenSigner
from mgmt.cursors import CursorSigner
from mgmt.devicesync import RouterDesk
from mgmt.ratelimit import RequestLimiter
from mikrotik import AddressGuard
from radiuscore.store.pool import Connection, Pool, as_isp
from radiuscore.store.sealing import Keyring


@dataclass(frozen=True, slots=True)
class Pools:
    """Pools of one database: ``isp`` in the role that sees one tenant's rows, ``system`` in the one that sees all."""

    isp: Pool
    system: Pool
    turns: WeakValueDictionary[int, asyncio.Semaphore] = field(default_factory=WeakValueDictionary, repr=False)

    @asynccontextmanager
    async def transaction(self, isp_id: int | None) -> AsyncIterator[Connection]:
        """Give a connection in a transaction that sees one ISP's rows, or everybody's where ``isp_id`` is ``None``.

        One ISP has at most half of the connections at once: its slow requests wait for each other, not others for them.
        """
        if isp_id is not None:
            turns = self.turns.setdefault(isp_id, asyncio.Semaphore(max(1, self.isp.get_max_size() // 2)))
            async with turns, as_isp(self.isp, isp_id) as db:
                yield db
            return
        async with self.system.acquire() as db, db.transaction():
            yield db


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a handler may use."""

    control: Pools
    accounting: Pools
    keyring: Keyring
    tokens: TokenSigner
    cursors: CursorSigner
    limiter: RequestLimiter
    guard: AddressGuard
    routers: RouterDesk
    radius: RadiusPlace
    passwords: PasswordDesk = field(default_factory=PasswordDesk)


def make_services(control: Pools, accounting: Pools, keyring: Keyring, config: ApiConfig) -> Services:
    """Return the services of one process."""
    guard = AddressGuard(config.outbound_allow)
    return Services(
        control=control,
        accounting=accounting,
        keyring=keyring,
        tokens=TokenSigner(config.jwt_secret_key),
        cursors=CursorSigner(config.jwt_secret_key),
        limiter=RequestLimiter(config.rate),
        guard=guard,
        routers=RouterDesk(keyring, guard, config.routers),
        radius=config.radius,
    )


SERVICES: Final = web.AppKey("services", Services)
